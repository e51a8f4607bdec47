"""Which objects of its module a statement changes when it runs, by what it calls as well.

Touches: nothing; works on the facts of statements.

Guarantees: an object is named that a function of the module changes by name, or a function or method in scope
that is given it.

Assumes: code outside of the scope changes only what it is asked to by a method that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hotmod._model.hazards import Hazard
from hotmod._plan.calling import called
from hotmod._plan.program import Place, Program
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Chain
from hotmod._source.resolve import ModuleSource

__all__ = ["Touchers", "changed_by", "unrepeatable"]


class Touchers:
    """Which statements bind a name, or change the object that is bound to it.

    Args:
        program: the program.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._changing: dict[str, dict[str, list[int]]] = {}

    def of(self, module: str, name: str) -> list[int]:
        """The statements of a module, by index, that bind a name or change its object."""
        program, binders = self._program, self._program.binders(module).get(name, ())
        every = program.facts(module)
        if any(each.local == name for index in binders for each in every[index].imports):
            return list(binders)  # an object of another module
        if module not in self._changing:
            found = self._changing[module] = {}
            for index, facts in enumerate(every):
                for root in {chain[0] for chain in changed_by(program, module, facts)}:
                    found.setdefault(root, []).append(index)
        return sorted({*binders, *self._changing[module].get(name, ())})


def changed_by(program: Program, module: str, facts: Facts) -> set[Chain]:
    """The objects, by dotted names of the module, that running one of its statements changes."""
    found = set[Chain]()
    defines = facts.kind in (Kind.FUNCTION, Kind.CLASS)  # what decorators register is withdrawn by itself
    left, seen = [facts.eager], set[Place]()
    while left:
        region = left.pop()
        found |= region.changes
        for callee in region.unknown:
            for place in program.places(module, callee, region.imports) if callee else ():
                for inside in (each.region for each in called(program, place)):
                    if inside.changes_parameters:
                        found |= {chain for other, chain in region.handed if other == callee}
                        found |= {callee[:-1]} if len(callee) > 1 and not defines else set()
                    if place.module == module and place not in seen:
                        left.append(inside)
                seen.add(place)
    return {chain for chain in found if chain and chain[0] in program.binders(module)}


def unrepeatable(
    changes: Iterable[tuple[str, str, int]], sources: Mapping[str, ModuleSource]
) -> Iterator[Hazard]:
    """The hazards of statements that run again or are gone, and change objects that nobody makes anew.

    Args:
        changes: module, dotted name of the object, line.
        sources: the texts of the modules.
    """
    for module, name, line in dict.fromkeys(changes):
        yield Hazard(
            "effect-not-undone",
            module,
            name,
            message="a statement that ran again or is gone changed an object of another module",
            advice="What it put there before stays, beside what it puts there now.",
            path=sources[module].text.path if module in sources else "",
            line=line,
        )
