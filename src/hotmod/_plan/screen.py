"""What may have to do with a change, by words alone: a screen for what looks closer, and costs more.

Touches: nothing; works on the words of texts, and on the facts of those that hold a word of the change
outside of functions.

Guarantees: a statement that leads to a change, by whatever functions of the modules given, has a word of the
answer; so has a function that does.

Assumes: as `Reach`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from hotmod._plan.changed import Changed, is_special
from hotmod._plan.program import Program, Unreadable
from hotmod._source.facts import Facts, Kind

__all__ = ["LAMBDA", "renames", "words_on_the_way"]

LAMBDA = "<lambda>"  # the functions of a statement that have no name, together
_WORD = re.compile(r"[^\W\d]\w*")


def words_on_the_way(program: Program, modules: Collection[str], changed: Changed) -> set[str]:
    """The words of some changes and of all that may lead to them.

    Args:
        program: the new program.
        modules: the modules that can see a change.
        changed: what changed.
    """
    found = changed.names() | changed.methods()
    followed = set[tuple[str, str]]()
    size = -1
    while size != (size := len(found)):
        for module in modules:
            words = program.words(module)
            for name, body in words.bodies.items():
                if (module, name) in followed or body.isdisjoint(found):
                    continue
                followed.add((module, name))
                found.add(name)
                found |= words.classes if is_special(name) else frozenset()
            if not words.eager.isdisjoint(found):
                found |= _other_names(program, module, found)
    return found


def _other_names(program: Program, module: str, found: set[str]) -> set[str]:
    """The names that statements give to what may lead to a change."""
    try:
        every, statements = program.facts(module), program.statements(module)
    except Unreadable:
        return set()  # it is passed over by nobody
    names = set[str]()
    for statement, facts in zip(statements, every, strict=True):
        if not renames(facts) or found.issuperset(facts.binds):
            continue
        words = set(_WORD.findall(statement.text)) if LAMBDA in facts.functions else facts.words
        if not words.isdisjoint(found):
            names.update(facts.binds)
    return names - {"*"}


def renames(facts: Facts) -> bool:
    """Whether a statement may give a name to what has another one."""
    if facts.kind is Kind.IMPORT:
        return any(each.local != (each.name or each.module.partition(".")[0]) for each in facts.imports)
    return facts.kind in (Kind.OTHER, Kind.CLASS) or facts.decorated
