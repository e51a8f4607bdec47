"""What `__hotmod_dispose__` closes is made anew as a whole: when a part of it runs again, all of it does.

Touches: nothing; works on a spread that is being made.

Guarantees: the function is called exactly if something that it refers to is about to be superseded, and then
every statement that makes what it refers to runs again.

Assumes: it refers by name to what it closes, or calls functions of its module that do.
"""

from __future__ import annotations

from collections.abc import Collection

from hotmod._plan.changed import Cause
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.spread import Spread
from hotmod._source.diff import EditKind, Edits
from hotmod._source.facts import Facts, Kind

__all__ = ["DISPOSE", "dispose"]

DISPOSE = "__hotmod_dispose__"
_HARMLESS = (Kind.IMPORT, Kind.CONSTANT, Kind.INERT)


def dispose(spread: Spread, module: str, edits: Edits | None) -> bool:
    """Whether a module is to be told that something is superseded; what else it closes runs again too.

    Args:
        spread: what runs so far.
        module: the module.
        edits: how its text differs, if it does.
    """
    try:
        names = _referred(spread.before, module)
    except Unreadable:
        return False  # the module runs as a whole
    if names is None:
        return False
    names -= spread.kept(module)
    every = spread.program.facts(module)
    if not any(_makes(facts, names) for facts in every):
        names = set()  # it refers to nothing that statements make: it may be about any of them
    runs = spread.runs.get(module, {})
    superseded = any(_concerns(every[index], names) for index in runs) or any(
        _concerns(facts, names) for facts in _removed(spread, module, edits)
    )
    if superseded:
        cause = Cause(module, 0, f"{DISPOSE} is called")
        for index, facts in enumerate(every if names else ()):
            if _concerns(facts, names):
                spread.run(module, index, cause)
    return superseded


def _removed(spread: Spread, module: str, edits: Edits | None) -> list[Facts]:
    gone = [edit.old for edit in edits.edits if edit.kind is EditKind.REMOVED] if edits is not None else []
    if not gone:
        return []
    pairs = zip(spread.before.statements(module), spread.before.facts(module), strict=True)
    return [facts for statement, facts in pairs if statement in gone]


def _referred(program: Program, module: str) -> set[str] | None:
    """The names that the function reads, itself or in functions of the module; None if there is none."""
    if module not in program or DISPOSE not in program.binders(module):
        return None
    every, found, left = program.facts(module), set[str](), [DISPOSE]
    while left:
        name = left.pop()
        for index in program.binders(module).get(name, ()):
            region = program.region(module, index, name) if name in every[index].functions else None
            if region is not None:
                read = {chain[0] for chain in (*region.reads, *region.unknown, *region.changes)} | set(
                    region.stores
                )
                left += sorted(read - found)
                found |= read
    return found


def _makes(facts: Facts, names: Collection[str]) -> bool:
    return _acts(facts) and not set(facts.binds).isdisjoint(names)


def _acts(facts: Facts) -> bool:
    return facts.kind not in _HARMLESS and (facts.kind is not Kind.FUNCTION or facts.decorated)


def _concerns(facts: Facts, names: Collection[str]) -> bool:
    """Whether a statement makes or changes what the function refers to; if that is nothing, any does."""
    if not _acts(facts) or facts.kind is Kind.CLASS:
        return False
    touched = {*facts.binds, *(chain[0] for chain in facts.eager.changes)}
    if not facts.binds:
        touched.update(chain[0] for chain in (*facts.eager.reads, *facts.eager.unknown))
    return not names or not touched.isdisjoint(names)
