"""Functions of which something else was made: results that a cache keeps, code that a compiler made.

New code in such a function, or in one that it calls, is nothing to what was made before. So the cache is
cleared, and the compiler is asked again, by running the statement again.

Touches: nothing; remembers what it worked out, for as long as the texts that it was worked out from stay.

Guarantees: every decorated function, and every function that is handed to a call whose result gets a name, is
looked at; what was really made of it is for the live room to say.

Assumes: as `Reach`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._plan.changed import Cause, Changed
from hotmod._plan.importtime import EVERYTHING, ImportTime
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.reach import Reach
from hotmod._source.facts import Facts, Kind, facts_in
from hotmod._source.memory import remembered

__all__ = ["CallTime", "hits", "learn"]


class CallTime(ImportTime):
    """What functions may call when they are called; kept from one plan to the next."""

    def called_by(
        self, program: Program, module: str, qualname: str, reach: Callable[[], Reach]
    ) -> frozenset[tuple[str, str]]:
        """The functions, as pairs of module and qualified name, that a call of one may come to."""
        return self._kept(program, f"{module}:{qualname}", reach, lambda one: one.met_by(module, qualname))


def hits(
    program: Program,
    modules: Collection[str],
    changed: Changed,
    known: CallTime,
    importers: Callable[[str], frozenset[str]],
) -> Iterator[tuple[str, int, str, bool, Cause]]:
    """The functions that do something else when they are called, and of which something may have been made.

    Args:
        program: the new program.
        modules: the modules that can see a change.
        changed: what changed.
        known: what functions call.
        importers: gives the modules that import one, directly or not.

    Yields:
        The module, the index of the statement, the name of what was made, whether that is the name of the
        function itself, and why it is not as it was.
    """
    everything = functools.cache(
        lambda: Reach(program, Changed(), EVERYTHING, modules, importers, known.index)
    )
    following = functools.cache(lambda: Reach(program, changed, EVERYTHING, modules, importers))
    for module in modules:
        if module not in program:
            continue
        for index, name, function in _made(program, module):
            owner, _, qualname = function.partition(":")
            cause = changed.bodies.get((owner, qualname))
            if cause is None and changed.is_inside_only():
                met = known.called_by(program, owner, qualname, everything)
                if not met.isdisjoint(changed.bodies):
                    cause = next(changed.bodies[each] for each in met if each in changed.bodies)
            elif cause is None:
                cause = following().calls_change(owner, qualname)
            if cause is not None:
                yield module, index, name, function == f"{module}:{name}", cause


def learn(
    program: Program,
    modules: Collection[str],
    known: CallTime,
    importers: Callable[[str], frozenset[str]],
) -> Iterator[None]:
    """Work out what `hits` is going to ask about some modules, bit by bit."""
    everything = functools.cache(
        lambda: Reach(program, Changed(), EVERYTHING, modules, importers, known.index)
    )
    for module in modules:
        for _, _, function in _made(program, module):
            owner, _, qualname = function.partition(":")
            try:
                known.called_by(program, owner, qualname, everything)
            except Unreadable:
                continue
            yield


def _made(program: Program, module: str) -> Iterator[tuple[int, str, str]]:
    """The statement, the name of what is made, and `module:name` of the function that it is made of."""
    try:
        listed = _candidates(program.text(module))
    except (Unreadable, SourceError, RecursionError):
        return  # whether it can be compiled is for the transaction to see
    for index, name, chain in listed:
        if not chain:
            yield index, name, f"{module}:{name}"
            continue
        for place in program.places(module, chain):
            if (
                place.module in program
                and place.name
                and not place.rest
                and _is_function(program, place.module, place.name)
            ):
                yield index, name, f"{place.module}:{place.name}"


def _is_function(program: Program, module: str, name: str) -> bool:
    facts = program.facts(module)
    return any(name in facts[index].functions for index in program.binders(module).get(name, ()))


@remembered
def _candidates(text: SourceText) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Per statement that may make something of a function: index, name, and the function's other name."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for index, facts in enumerate(facts_in(text)[1]):
        if facts.kind is Kind.FUNCTION and facts.decorated:
            found += [(index, name, ()) for name in facts.binds]
        elif facts.kind is Kind.OTHER and len(facts.binds) == 1:
            found += [(index, facts.binds[0], chain) for _, chain in sorted(facts.eager.handed)]
        found += [(index, name, ()) for name in _decorated_methods(facts)]
    return tuple(found)


def _decorated_methods(facts: Facts) -> Iterator[str]:
    for cls, described in facts.classes.items():
        for name in sorted(described.data):
            if f"{cls}.{name}" in facts.functions:
                yield f"{cls}.{name}"
