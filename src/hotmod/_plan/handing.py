"""What statements hand to which objects, in functions that they call as well.

An object that is told of a function, a class or another object keeps it: a route, a command, a router. What
one statement had put there is told from what another one had by what was handed over; so statements that hand
the same to the same object run again together.

Touches: nothing; works on the facts of statements.

Guarantees: what a statement hands by name to a method of an object, or a function that it calls with the
object hands to something that it was given, is found; so are the functions that such a function makes.

Assumes: an object that may keep something is bound to a name of a module in scope.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from hotmod._plan.calling import Called, called, methods
from hotmod._plan.plan import Order, Standing
from hotmod._plan.program import Place, Program, Unreadable
from hotmod._source.facts import Facts, Kind, Mode
from hotmod._source.regions import Chain, Region

__all__ = ["Handing", "Through", "orders_of", "through"]

MAX_CALLED = 200  # functions that are followed from one statement
Pair = tuple[Place, Place]  # an object, and what it is told of


@dataclasses.dataclass(frozen=True, slots=True)
class Through:
    """A function that a statement calls, and in which something may be handed on.

    Attributes:
        module: its module.
        name: its qualified name.
        names: the dotted names of what it hands to what it was given.
    """

    module: str
    name: str
    names: tuple[Chain, ...]


def through(program: Program, module: str, facts: Facts) -> tuple[set[Chain], list[Through]]:
    """The objects that a statement hands to functions, by dotted names, and the functions that run then."""
    receivers = {chain for callee, chain in facts.eager.handed if callee and _objects(program, module, chain)}
    handed = [callee for callee, chain in facts.eager.handed if chain in receivers]
    left = [each for callee in handed for each in _called(program, module, callee)]
    found: dict[tuple[str, str], Through] = {}
    while left and len(found) < MAX_CALLED:
        one = left.pop()
        if (one.module, one.name) in found:
            continue
        region = one.region
        names = {chain for callee, chain in region.handed if not callee or callee not in region.unknown}
        found[one.module, one.name] = Through(one.module, one.name, tuple(sorted(names)))
        left += [each for callee in region.unknown for each in _called(program, one.module, callee, region)]
        owner = one.name.rpartition(".")[0]
        for name in region.own if owner else ():
            left += methods(program, Place(one.module, owner), name)
    return (receivers, [*found.values()]) if found else (set(), [])


def _called(program: Program, module: str, callee: Chain, region: Region | None = None) -> Iterator[Called]:
    for place in program.places(module, callee, region.imports if region is not None else ()):
        yield from called(program, place)


def _objects(program: Program, module: str, chain: Chain) -> list[Place]:
    """The objects in scope, no definitions, to which a dotted name leads."""
    return [
        Place(place.module, place.name)
        for place in program.places(module, chain)
        if any(facts.kind is Kind.OTHER for facts in _binding(program, place))
    ]


def _definitions(program: Program, module: str, chain: Chain) -> list[Place]:
    """The functions and classes in scope to which a dotted name leads."""
    return [
        place
        for place in program.places(module, chain)
        if any(
            (place.name in facts.functions and not place.rest) or place.name in facts.classes
            for facts in _binding(program, place)
        )
    ]


def _kept(program: Program, module: str, chain: Chain) -> list[Place]:
    """The functions, classes and objects in scope to which a dotted name leads."""
    return [*_definitions(program, module, chain), *_objects(program, module, chain)]


def _binding(program: Program, place: Place) -> Iterator[Facts]:
    if place.name and place.module in program:
        every = program.facts(place.module)
        yield from (every[index] for index in program.binders(place.module).get(place.name, ()))


def _pairs(program: Program, module: str, facts: Facts) -> set[Pair]:
    """What a statement hands to which objects."""
    found = set[Pair]()
    # what a method of a class makes is handed on for the class: `Item.as_view("item")`
    owners = {callee[:-1] for callee in facts.eager.unknown if len(callee) > 1}
    owners |= {chain[:end] for chain in facts.eager.changes for end in (1, len(chain))}
    chains = {chain for chain in owners if _definitions(program, module, chain)}
    chains |= {chain for _, chain in facts.eager.handed}
    if any(_objects(program, module, chain) for chain in owners):  # `(f, "x")`, `hub.table["x"] = f`
        chains |= {chain for chain, mode in facts.eager.reads.items() if mode <= Mode.HANDED}
    if facts.decorated and facts.kind in (Kind.FUNCTION, Kind.CLASS):
        chains |= {(name,) for name in facts.binds}
    for each in (place for chain in owners for place in _objects(program, module, chain)):
        if "<lambda>" in facts.functions:  # which no other statement hands to anybody
            found.add((each, Place(module, "<lambda>", tuple(sorted(facts.words)))))
        found |= {(each, one) for chain in chains for one in _kept(program, module, chain)}
    receivers, inside = through(program, module, facts)
    # a method that is given an object may hand it another one that is bound to the same instance
    bound = [callee[:-1] for callee, chain in facts.eager.handed if chain in receivers and len(callee) > 1]
    told = [(chain, place) for chain in receivers for place in _objects(program, module, chain)]
    for receiver, each in told:
        found |= {(each, place) for chain in bound for place in _objects(program, module, chain)}
        found |= {
            (each, place)
            for callee, chain in facts.eager.handed
            if (callee, receiver) in facts.eager.handed
            for place in _kept(program, module, chain)
        }
        for one in inside:
            found.add((each, Place(one.module, one.name.partition(".")[0])))
            found |= {(each, place) for chain in one.names for place in _kept(program, one.module, chain)}
    return {(each, one) for each, one in found if each != one}


def _in_order(program: Program, modules: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The statements of some modules in the order in which they run, given that of the modules' ends."""
    imported = {name: _imported(program, name, modules) for name in modules}
    importers: dict[str, list[str]] = {}  # by module, in the order of `modules`
    for name, statements in imported.items():
        for each in dict.fromkeys(each for names in statements for each in names):
            importers.setdefault(each, []).append(name)
    done = set[str]()

    def run(module: str) -> Iterator[tuple[str, int]]:
        done.add(module)
        for index, names in enumerate(imported[module]):
            for name in names:
                if name not in done:
                    yield from run(name)
            yield module, index

    for module in modules:
        if module in done:
            continue
        climbed, top, above = {module}, module, module
        # whoever imports it began before it; of several the one that ended first
        while above:
            top = above
            climbed.add(top)
            known = importers.get(top, ())
            above = next((name for name in known if name not in climbed and name not in done), "")
        for each in (top, module):
            if each not in done:
                yield from run(each)


def _imported(program: Program, module: str, modules: Collection[str]) -> list[list[str]]:
    """By statement of a module, which of some modules its import statements name."""
    found, inside = [], frozenset(modules)
    for facts in program.facts(module):
        bases = [(program.absolute(module, each), each.name) for each in facts.imports]
        named = [name for base, attribute in bases for name in (base, f"{base}.{attribute}")]
        found.append([name for name in named if name in inside])
    return found


def orders_of(
    was: Handing, now: Handing, modules: Collection[str], rank: Mapping[str, int]
) -> tuple[Order, ...]:
    """In which order the objects are told of something which statements of some modules tell of something.

    Args:
        was: who hands what to whom by the texts that are loaded.
        now: the same by the new texts.
        modules: the modules.
        rank: the loaded modules by a number that grows in the order in which their first imports ended.
    """
    receivers = was.receivers(modules) | now.receivers(modules)
    return tuple(
        Order(each.module, each.name, was.standings(each, rank), now.standings(each, rank))
        for each in sorted(receivers, key=lambda place: (place.module, place.name))
    )


class Handing:
    """Who hands what to whom.

    Args:
        program: the program.
        importers: gives the modules that import one, directly or not.
    """

    def __init__(self, program: Program, importers: Callable[[str], Collection[str]]) -> None:
        self._program = program
        self._importers = importers
        self._known: dict[str, list[tuple[int, set[Pair]]]] = {}

    def others(self, module: str, facts: Facts) -> Iterator[tuple[str, int]]:
        """The statements, by module and index, that hand an object what a statement hands it, itself too."""
        return self._handing(_pairs(self._program, module, facts))

    def others_of(self, module: str) -> Iterator[tuple[str, int]]:
        """The same for all statements of a module."""
        known = self._of(module) if module in self._program else ()
        return self._handing({pair for _, pairs in known for pair in pairs})

    def _handing(self, pairs: Collection[Pair]) -> Iterator[tuple[str, int]]:
        for name in self._holders({receiver for receiver, _ in pairs}):
            yield from ((name, index) for index, theirs in self._of(name) if not theirs.isdisjoint(pairs))

    def receivers(self, modules: Iterable[str]) -> set[Place]:
        """The objects that statements of some modules tell of something."""
        known = (self._of(module) for module in modules if module in self._program)
        return {receiver for found in known for _, pairs in found for receiver, _ in pairs}

    def standings(self, receiver: Place, rank: Mapping[str, int]) -> tuple[Standing, ...]:
        """The statements that tell an object of something, in the order in which imports run them.

        Args:
            receiver: the object.
            rank: the modules by a number that grows in the order in which their first imports ended.
        """
        holders = sorted((name for name in self._holders([receiver]) if name in rank), key=rank.__getitem__)
        found, known = [], {name: dict(self._of(name)) for name in holders}
        for module, index in _in_order(self._program, holders):
            pairs = known[module].get(index, ())
            things = tuple(sorted((to.module, to.name, to.rest) for each, to in pairs if each == receiver))
            if things:
                statement = self._program.statements(module)[index]
                path = self._program.text(module).path
                found.append(Standing(path, statement.first, statement.last, things))
        return tuple(found)

    def _holders(self, receivers: Iterable[Place]) -> list[str]:
        """The modules whose text spells the name of one of the objects."""
        found = {
            name
            for place in receivers
            for name in (place.module, *self._importers(place.module))
            if name in self._program and self._program.spells(name, place.name)
        }
        return sorted(found)

    def _of(self, module: str) -> list[tuple[int, set[Pair]]]:
        if module not in self._known:
            try:
                every = self._program.facts(module)
                pairs = [(index, _pairs(self._program, module, facts)) for index, facts in enumerate(every)]
            except Unreadable:
                pairs = []
            self._known[module] = [each for each in pairs if each[1]]
        return self._known[module]
