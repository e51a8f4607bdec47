"""What a statement hands to registries of other modules: which definitions, and which registries.

Touches: nothing; works on the facts of statements.

Guarantees: a definition that a statement hands to code that may keep it is named; so is the module-level
object that keeps it, where the code that is called, or what it calls, changes one by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from hotmod._plan.program import Place, Program
from hotmod._plan.purity import is_pure
from hotmod._source.facts import Facts, Kind, Mode
from hotmod._source.regions import Chain, Region

__all__ = ["registered_by", "registries_of"]


def registered_by(program: Program, module: str, facts: Facts) -> set[str]:
    """The definitions of a module that running a statement may put into a registry somewhere else."""
    if is_pure(program, module, facts):
        return set()
    found = set(facts.binds) if facts.kind in (Kind.FUNCTION, Kind.CLASS) else set[str]()
    handed = {chain[0] for _, chain in facts.eager.handed}
    handed |= {
        chain[0] for chain, mode in facts.eager.reads.items() if mode <= Mode.HANDED and len(chain) == 1
    }
    every, binders = program.facts(module), program.binders(module)
    for name in handed:
        if any(
            name in every[index].functions or name in every[index].classes for index in binders.get(name, ())
        ):
            found.add(name)
    return found


def registries_of(
    program: Program, module: str, facts: Facts, seen: set[tuple[str, str]]
) -> set[tuple[str, str]]:
    """The module-level objects, as (module, name), that running a statement may register something in.

    Args:
        program: the program.
        module: the module of the statement.
        facts: the statement.
        seen: what was called by other statements that were asked about; it grows. What that leads to is not
            told again.
    """
    found: set[tuple[str, str]] = set()
    left: list[tuple[str, Region]] = [(module, facts.eager)]
    bases = [base for each in facts.classes.values() for base in (*each.bases, *each.keywords)]
    called = [place for base in bases for place in _places(program, module, base)]
    while left or called:
        if left:
            owner, region = left.pop()
            for chain in (*region.changes, *region.unknown):
                called += _places(program, owner, chain, region)
            continue
        place = called.pop()
        key = place.module, ".".join((place.name, *place.rest))
        if key in seen:
            continue
        seen.add(key)
        found.add((place.module, place.name))
        left += [(place.module, region) for region in _insides(program, place)]
    return found


def _places(program: Program, module: str, chain: Chain, region: Region | None = None) -> list[Place]:
    places = program.places(module, chain, region.imports if region is not None else ()) if chain else ()
    return [place for place in places if place.name and place.module in program]


def _insides(program: Program, place: Place) -> Iterator[Region]:
    """What may be called of what stands at a place: a function, or the functions of a class."""
    facts = program.facts(place.module)
    for index in program.binders(place.module).get(place.name, ()):
        for qualname in facts[index].functions:
            if qualname == place.name or qualname.startswith(f"{place.name}."):
                region = program.region(place.module, index, qualname)
                if region is not None:
                    yield region
