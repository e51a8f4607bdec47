"""Which functions lead to a change when they are called: a screen for `Reach`, by words first, then by names.

Touches: nothing; works on the words of texts and on the facts of those that hold a word of the change.

Guarantees: a function that calls or reads anything that changed, directly or through others, and that an
import may call, is among `words`, and so is every name that a statement gives to what leads to a change.

Assumes: as `Reach`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hotmod._plan.changed import is_special
from hotmod._plan.program import Program, Unreadable
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Region

__all__ = ["Taint"]

LAMBDA = "<lambda>"  # the functions of a statement that have no name, together


class Taint:
    """The words on the way to some changes.

    Args:
        program: the new program.
        modules: the modules that can see a change.
        names: the words of what changed.
        methods: those that functions and methods have: what an attribute of an unknown object may mean.
        called: the functions that imports may call; no other one is looked at.

    Attributes:
        words: the words of the change and of all that leads to it.
    """

    def __init__(
        self,
        program: Program,
        modules: Collection[str],
        names: Collection[str],
        methods: Collection[str],
        called: Collection[tuple[str, str]],
    ) -> None:
        self._program, self._modules = program, modules
        self.words = set(names) | set(methods)
        self._methods = set(methods)
        self._refuted: dict[tuple[str, str], int] = {}
        self._called: dict[str, dict[str, list[str]]] = {}
        for module, qualname in called:
            named = self._called.setdefault(module, {})
            named.setdefault(qualname.rpartition(".")[2], []).append(qualname)
        self._spread()

    def _spread(self) -> None:
        size = -1
        while size != (size := len(self.words)):
            for module in self._modules:
                words = self._program.words(module)
                for name in self._called.get(module, ()):
                    special = is_special(name)
                    if name in self._methods and not special:
                        continue
                    body = words.bodies.get(name)
                    if (body is None or not body.isdisjoint(self.words)) and self._leads(module, name):
                        self._methods.add(name)
                        self.words.add(name)
                        self.words |= words.classes if special else set[str]()
                if not words.eager.isdisjoint(self.words):
                    self._aliases(module)

    def _leads(self, module: str, name: str) -> bool:
        """Whether a function of that name refers to a change by more than a word."""
        key = module, name
        if self._refuted.get(key) == len(self.words):
            return False
        for region in self._regions(module, name):
            if region is None or self._refers(module, region):
                return True
        self._refuted[key] = len(self.words)
        return False

    def _regions(self, module: str, name: str) -> Iterator[Region | None]:
        """The functions of that name that are called; None for one that can't be looked at."""
        wanted = self._called[module][name]
        try:
            for index, facts in enumerate(self._program.facts(module)):
                for qualname in facts.functions.intersection(wanted):
                    yield self._program.region(module, index, qualname)
        except Unreadable:
            yield None

    def _refers(self, module: str, region: Region) -> bool:
        if region.dynamic or not self._methods.isdisjoint(region.attributes | region.own):
            return True
        if any(
            each.name in self.words or not self.words.isdisjoint(each.module.split("."))
            for each in region.imports
        ):
            return True
        return any(
            place.name in self.words or not self._methods.isdisjoint(place.rest)
            for chain in region.reads
            if not self.words.isdisjoint(chain)
            for place in self._program.places(module, chain, region.imports)
        )

    def _aliases(self, module: str) -> None:
        """Names that statements give to what leads to a change."""
        try:
            every = self._program.facts(module)
        except Unreadable:
            return
        for index, facts in enumerate(every):
            if not _renames(facts) or self.words.issuperset(facts.binds):
                continue
            leads = not facts.words.isdisjoint(self.words) and (
                facts.kind is Kind.IMPORT or self._refers(module, facts.eager)
            )
            if leads or (LAMBDA in facts.functions and self._is_lambda_on_the_way(module, index)):
                self.words.update(name for name in facts.binds if name != "*")

    def _is_lambda_on_the_way(self, module: str, index: int) -> bool:
        try:
            region = self._program.region(module, index, LAMBDA)
        except Unreadable:
            return True
        return region is None or self._refers(module, region)


def _renames(facts: Facts) -> bool:
    if facts.kind is Kind.IMPORT:
        return any(each.local != (each.name or each.module.partition(".")[0]) for each in facts.imports)
    return facts.kind in (Kind.OTHER, Kind.CLASS) or facts.decorated
