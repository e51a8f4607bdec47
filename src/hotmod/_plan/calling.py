"""Which functions in scope a call of a dotted name runs.

Touches: nothing; works on the facts of statements.

Guarantees: functions are found, and methods of objects that a statement makes by calling their class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from hotmod._plan.program import Place, Program
from hotmod._source.regions import Region

__all__ = ["Called", "called", "methods"]


@dataclasses.dataclass(frozen=True, slots=True)
class Called:
    """A function that a call may run.

    Attributes:
        module: its module.
        name: its qualified name.
        region: what it does.
    """

    module: str
    name: str
    region: Region


def called(program: Program, place: Place) -> Iterator[Called]:
    """The functions that a call of what stands at a place may run."""
    if place.module not in program or not place.name:
        return
    facts, binders = program.facts(place.module), program.binders(place.module)
    for index in binders.get(place.name, ()):
        one = facts[index]
        if place.name in one.functions and not place.rest:
            yield from _at(program, place.module, index, place.name)
        elif place.rest:
            # a method of an instance: of the class that made it, if that is known
            for made in {callee for callee in one.eager.unknown if callee}:
                for cls in program.places(place.module, made):
                    yield from methods(program, cls, place.rest[-1])


def methods(program: Program, cls: Place, name: str) -> Iterator[Called]:
    """The methods of a name that a class has or inherits, within the scope."""
    left, seen = [cls], set[Place]()
    while left:
        one = left.pop()
        if one in seen or one.module not in program:
            continue
        seen.add(one)
        for index in program.binders(one.module).get(one.name, ()):
            facts = program.facts(one.module)[index]
            described = facts.classes.get(one.name)
            if described is not None:
                yield from _at(program, one.module, index, f"{one.name}.{name}")
                left += [place for base in described.bases for place in program.places(one.module, base)]


def _at(program: Program, module: str, index: int, qualname: str) -> Iterator[Called]:
    region = program.region(module, index, qualname)
    if region is not None:
        yield Called(module, qualname, region)
