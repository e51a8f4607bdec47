"""Which functions an import of a module may call: what else changes inside of functions is nothing to a plan.

Touches: nothing; remembers what it worked out, for as long as the texts that it was worked out from stay.

Guarantees: a function that running any statement of a module may call, by spelled names, through others or
not, is in the answer.

Assumes: as `Reach`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from hotmod._plan.changed import Changed
from hotmod._plan.program import Program
from hotmod._plan.reach import Reach

__all__ = ["EVERYTHING", "ImportTime"]


class _Everything(set[str]):
    """Holds every word, so that nothing is passed over."""

    def __contains__(self, _: object) -> bool:
        return True

    def isdisjoint(self, _: Iterable[object]) -> bool:
        return False


EVERYTHING = _Everything()


class ImportTime:
    """What imports may call, module by module; kept from one plan to the next."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[str, str], frozenset[tuple[str, str]]]] = {}

    def forget(self) -> None:
        """Forget everything: who imports whom has changed."""
        self._known.clear()

    def met(self, functions: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of some functions that imports called, as far as that was worked out before."""
        return [each for each in functions if any(each in met for _, met in self._known.values())]

    def rewire(self, program: Program, edited: Collection[str], rewired: Collection[tuple[str, str]]) -> None:
        """Nothing has changed but the inside of functions: what does not meet these is known still.

        Args:
            program: the new program.
            edited: the modules with another text.
            rewired: the functions that call or read others than before.
        """
        for module, (digests, met) in list(self._known.items()):
            if met.isdisjoint(rewired):
                fresh = {name: program.digest(name) for name in edited if name in digests}
                self._known[module] = {**digests, **fresh}, met

    def called(
        self, program: Program, modules: Collection[str], importers: Callable[[str], frozenset[str]]
    ) -> frozenset[tuple[str, str]]:
        """The functions, as pairs of module and qualified name, that imports of some modules may call."""
        found = set[tuple[str, str]]()
        reach: Reach | None = None
        for module in modules:
            known = self._known.get(module)
            if known is None or any(program.digest(name) != digest for name, digest in known[0].items()):
                reach = reach or Reach(program, Changed(), EVERYTHING, modules, importers)
                met = reach.all_met(module)
                texts = {module, *(name for name, _ in met)}
                known = {name: program.digest(name) for name in texts}, met
                self._known[module] = known
            found |= known[1]
        return frozenset(found)
