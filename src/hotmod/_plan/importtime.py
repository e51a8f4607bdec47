"""Which functions an import of a module may call: what else changes inside of functions is nothing to a plan.

Touches: nothing; remembers what it worked out, for as long as the texts that it was worked out from stay.

Guarantees: a function that running any statement of a module may call, by spelled names, through others or
not, is in the answer.

Assumes: as `Reach`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from hotmod._plan.changed import Changed
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.reach import Reach

__all__ = ["EVERYTHING", "ImportTime"]

_Name = TypeVar("_Name")


class _Everything(set[str]):
    """Holds every word, so that nothing is passed over."""

    def __contains__(self, _: object) -> bool:
        return True

    def isdisjoint(self, _: Iterable[object]) -> bool:
        return False


EVERYTHING = _Everything()


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What the import of one module may call.

    Attributes:
        met: the functions.
        digests: the texts that were looked at, by module.
        names: the methods that were looked for in all modules.
    """

    met: frozenset[tuple[str, str]]
    digests: Mapping[str, str]
    names: frozenset[str]


class ImportTime:
    """What imports may call, module by module; kept from one plan to the next."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._looking: dict[str, set[str]] = {}  # by module, under which keys its text was looked at
        self._meeting: dict[tuple[str, str], set[str]] = {}  # by function, under which keys it is met
        self._seen: dict[str, str] = {}  # by module that was looked at, its text in the last program
        self._doubtful: set[str] = set()  # keys of which a text may be another than what was looked at
        self._digests: dict[str, str] = {}
        self.index: dict[str, dict[str, None]] = {}  # by name of a method, the modules that have one
        self._defined: dict[
            str, tuple[frozenset[str], frozenset[str]]
        ] = {}  # functions and classes by module
        self._edited: Collection[str] = ()
        self._rewired = False

    def begin(self, program: Program, edited: Collection[str], *, rewired: bool) -> None:
        """A plan begins: forget what is not known any more.

        Args:
            program: the new program.
            edited: the modules with another text than is loaded.
            rewired: whether somebody imports others than before.
        """
        if rewired or self._rewired:
            for index in (self._known, self._looking, self._meeting, self._seen):
                index.clear()
            self._doubtful.clear()
        # what the plan before had looked at may have been refused
        self._rewired, (edited, self._edited) = rewired, ({*edited, *self._edited}, edited)
        if len(self._digests) < len(program.modules):
            edited = {*edited, *(name for name in program.modules if name not in self._digests)}
        self._forget_names(program, edited)
        for name, keys in self._looking.items():  # once, and not for all that is asked for
            digest = program.digest(name)
            if self._seen.get(name) != digest:
                self._seen[name] = digest
                self._doubtful |= keys

    def met(self, functions: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of some functions that imports called, as far as that was worked out before."""
        return [each for each in functions if self._meeting.get(each)]

    def rewire(self, program: Program, edited: Collection[str], rewired: Collection[tuple[str, str]]) -> None:
        """Nothing has changed but the inside of functions: what does not meet these is known still.

        Args:
            program: the new program.
            edited: the modules with another text.
            rewired: the functions that call or read others than before.
        """
        for name in edited:
            for key in self._looking.get(name, ()):
                known = self._known[key]
                if known.met.isdisjoint(rewired):
                    digests = {**known.digests, name: program.digest(name)}
                    self._known[key] = dataclasses.replace(known, digests=digests)

    def called(
        self, program: Program, modules: Collection[str], importers: Callable[[str], frozenset[str]]
    ) -> frozenset[tuple[str, str]]:
        """The functions, as pairs of module and qualified name, that imports of some modules may call."""
        found = set[tuple[str, str]]()
        reach = functools.cache(lambda: Reach(program, Changed(), EVERYTHING, modules, importers, self.index))
        for module in modules:
            found |= self._called_by_import(program, module, reach)
        return frozenset(found)

    def learn(
        self, program: Program, modules: Collection[str], importers: Callable[[str], frozenset[str]]
    ) -> Iterator[None]:
        """Work out what `called` is going to ask about some modules, bit by bit."""
        reach = functools.cache(lambda: Reach(program, Changed(), EVERYTHING, modules, importers, self.index))
        for module in modules:
            with contextlib.suppress(Unreadable):  # the plan that asks for it says what follows
                self._called_by_import(program, module, reach)
            yield

    def _called_by_import(
        self, program: Program, module: str, reach: Callable[[], Reach]
    ) -> frozenset[tuple[str, str]]:
        return self._kept(program, module, reach, lambda one: one.all_met(module))

    def _kept(
        self,
        program: Program,
        key: str,
        reach: Callable[[], Reach],
        ask: Callable[[Reach], frozenset[tuple[str, str]]],
    ) -> frozenset[tuple[str, str]]:
        """What is known under a key; asked for if it is not, or if a text that was read has changed."""
        known = self._known.get(key)
        if known is None or not self._holds(key, known):
            one = reach()
            met = ask(one)
            digests = {name: program.digest(name) for name in (*one.looked_at, *(name for name, _ in met))}
            self._drop(key)
            known = self._known[key] = _Known(met, digests, frozenset(one.asked_for))
            for name, digest in digests.items():
                self._looking.setdefault(name, set()).add(key)
                if self._seen.setdefault(name, digest) != digest:  # it was asked about an earlier program
                    self._doubtful.add(key)
            for function in met:
                self._meeting.setdefault(function, set()).add(key)
        return known.met

    def _holds(self, key: str, known: _Known) -> bool:
        """Whether the texts that were looked at are those of the last program."""
        if key in self._doubtful and all(self._seen[name] == known.digests[name] for name in known.digests):
            self._doubtful.discard(key)
        return key not in self._doubtful

    def _drop(self, key: str) -> None:
        known = self._known.pop(key, None)
        self._doubtful.discard(key)
        for name in known.digests if known is not None else ():
            _take_out(self._looking, name, key)
        for function in known.met if known is not None else ():
            _take_out(self._meeting, function, key)

    def _forget_names(self, program: Program, modules: Iterable[str]) -> None:
        """Forget what had looked for methods of names that came or went, or may belong to another class."""
        names = set[str]()
        for module in modules:
            digest = program.digest(module)
            if self._digests.get(module) == digest:
                continue
            words = program.words(module)
            had, classes = self._defined.get(module, (frozenset(), frozenset()))
            if module in program:
                self._digests[module] = digest
                self._defined[module] = frozenset(words.bodies), words.classes
            else:
                self._digests.pop(module, None)
                self._defined.pop(module, None)
            names |= words.bodies.keys() ^ had if words.classes == classes else words.bodies.keys() | had
            for name in words.bodies:
                self.index.setdefault(name, {})[module] = None
            for name in had - words.bodies.keys():
                self.index[name].pop(module, None)
                if not self.index[name]:
                    del self.index[name]
        for module, known in list(self._known.items()) if names else ():
            if not known.names.isdisjoint(names):
                self._drop(module)


def _take_out(index: dict[_Name, set[str]], name: _Name, key: str) -> None:
    """Take a key out of an index, and with the last one the name, which may never come again."""
    index[name].discard(key)
    if not index[name]:
        del index[name]
