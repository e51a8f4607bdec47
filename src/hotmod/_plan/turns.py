"""Modules that import each other, of which some statements run: whose have to run before whose.

Touches: the plan in the making; works on the facts of statements.

Guarantees: a module comes after those of which it reads what their running statements bind; where two need
each other, as only the import of one inside of the other can give it, both run as a whole.

Assumes: what functions read that a statement calls is named by the cause for which it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from hotmod._plan.changed import Cause
from hotmod._plan.program import Program
from hotmod._plan.spread import Spread
from hotmod._source.algorithms import components, ordered
from hotmod._source.graph import ImportGraph

__all__ = ["run_by_turns", "run_stars_in_cycles", "turns_of"]


def turns_of(spread: Spread, graph: ImportGraph) -> _Turns:
    """Whose statements have to run before whose."""
    ran = {name: runs for name, runs in spread.runs.items() if runs and name not in spread.whole}
    return _Turns(spread.program, ran, graph.cycles() if len(ran) > 1 else ())


def run_by_turns(spread: Spread, graph: ImportGraph) -> None:
    """Run as a whole what needs each other: only the import of one inside of the other takes turns."""
    for members in turns_of(spread, graph).tangled():
        for name in members:
            others = " and ".join(each for each in members if each != name)
            spread.run_whole(name, Cause(name, 1, f"it and {others} read from each other"))


def run_stars_in_cycles(spread: Spread, graph: ImportGraph) -> None:
    """What a star import within a cycle brings depends on how far the other module had come."""
    ran = {name: set(runs) for name, runs in spread.runs.items() if name not in spread.whole}
    for name in {*ran, *spread.stars} - set(spread.whole):
        bases = {
            spread.program.absolute(name, each)
            for index, facts in enumerate(spread.program.facts(name))
            if index in ran.get(name, ()) or name in spread.stars
            for each in facts.imports
            if each.name == "*" and each.local
        }
        for members in graph.cycles() if bases else ():
            if name in members and not bases.isdisjoint(members):
                spread.run_whole(name, Cause(name, 1, f"it and {min(bases)} import each other"))


class _Turns:
    """The needs of modules of which some statements run.

    Args:
        program: the program with the new texts.
        runs: by module, the statements that run (by index), and why.
        cycles: modules that import each other, each once.
    """

    def __init__(
        self, program: Program, runs: Mapping[str, Mapping[int, Cause]], cycles: Iterable[Sequence[str]]
    ) -> None:
        self._program, self._runs = program, runs
        self._needs: list[dict[str, list[str]]] = []
        taking = {name for name, indices in runs.items() if indices}
        for members in cycles if len(taking) > 1 else ():
            inside = taking.intersection(members)
            if len(inside) > 1:
                self._needs.append({name: sorted(self._needed(name, inside)) for name in sorted(inside)})

    def tangled(self) -> list[list[str]]:
        """Modules that need each other."""
        return [sorted(each) for needs in self._needs for each in components(needs, needs) if len(each) > 1]

    def sort(self, order: Sequence[str]) -> list[str]:
        """An order of modules in which those of a cycle take each other's places, where they have to."""
        found = list(order)
        at = {name: index for index, name in enumerate(order)}
        for needs in self._needs:
            members = sorted(needs.keys() & at.keys(), key=at.__getitem__)
            turns = ordered(members, needs, lambda name: (at.get(name, 0), name))
            for place, name in zip([at[each] for each in members], turns, strict=True):
                found[place] = name
        return found

    def _needed(self, module: str, inside: Collection[str]) -> set[str]:
        """The modules that bind, by statements that run, what running statements of a module read."""
        found = set[str]()
        for index, cause in self._runs[module].items():
            found |= {place for place, ran in self._read(module, index, cause) if place in inside and ran}
        return found - {module}

    def _read(self, module: str, index: int, cause: Cause) -> Iterator[tuple[str, bool]]:
        """The modules that a statement reads from, each with whether it runs what binds that."""
        program, facts = self._program, self._program.facts(module)[index]
        for chain in {*facts.eager.reads, *((each.local,) for each in facts.imports if each.name)}:
            for place in program.places(module, chain):
                binders = program.binders(place.module).get(place.name, ()) if place.name else ()
                yield place.module, not self._runs.get(place.module, {}).keys().isdisjoint(binders)
        if cause.module != module and cause.module in program:
            statements, ran = program.statements(cause.module), self._runs.get(cause.module, {})
            yield cause.module, any(statements[each].first == cause.line for each in ran)
