"""What a module's `__hotmod_dispose__` takes back: the statements that have to run again once it was called.

Touches: nothing; works on the facts of statements.

Guarantees: whatever the hook uses by a spelled name, directly or through functions of its module, is named.

Assumes: a hook that is not defined by a function of its module may use everything there.
"""

from __future__ import annotations

from hotmod._plan.program import Program
from hotmod._plan.purity import is_pure
from hotmod._source.facts import Facts, Kind

__all__ = ["DISPOSE", "is_disposed", "used_by_hook"]

DISPOSE = "__hotmod_dispose__"


def used_by_hook(program: Program, module: str) -> frozenset[str] | None:
    """The names of its module that the hook uses; None if there is no hook."""
    if module not in program or DISPOSE not in program.binders(module):
        return None
    every, binders = program.facts(module), program.binders(module)
    found, left = set[str](), [DISPOSE]
    while left:
        name = left.pop()
        for index in binders.get(name, ()):
            region = program.region(module, index, name) if name in every[index].functions else None
            if region is None and name == DISPOSE:
                return frozenset(binders) - {DISPOSE}
            for each in {chain[0] for chain in region.reads} if region is not None else ():
                if each in binders and each not in found:
                    found.add(each)
                    left.append(each)
    return frozenset(found)


def is_disposed(program: Program, module: str, facts: Facts, used: frozenset[str]) -> bool:
    """Whether a statement makes, or does something with, what the hook uses."""
    if facts.kind in (Kind.INERT, Kind.FUNCTION) and not facts.decorated:
        return False
    if not used.isdisjoint(facts.binds):
        return True
    read = {chain[0] for chain in facts.eager.reads}
    return not used.isdisjoint(read) and not is_pure(program, module, facts)
