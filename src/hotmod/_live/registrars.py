"""Adapters for registries: what libraries keep of functions in a form of their own, and how it is taken back.

Most registries are lists and dictionaries of functions, or of objects that hold functions; these are put in
order without any knowledge of the library. An adapter is for the others: a table that is compiled from the
functions, a registry that refuses changes once the program runs, one that nothing in the program leads to.

Touches: the objects that an adapter recognises.

Guarantees: an adapter that fails rejects the whole reload. Those that come with hotmod are in `frameworks`
and `django`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hotmod._live.django import KNOWN as DJANGO
from hotmod._live.frameworks import KNOWN, Around, RegistryAdapter, Taken
from hotmod._live.journal import Journal

__all__ = ["Registrars", "register_registry_adapter"]

_adapters: list[RegistryAdapter] = [*KNOWN, *DJANGO]


def register_registry_adapter(detect: Callable[[Any], bool] | None, around: Around) -> None:
    """Tell hotmod how a registry of a library is brought up to date.

    Args:
        detect: whether an object is such a registry; called for every instance that the modules in scope lead
            to, so it should look at attributes and nothing more. None for a registry that belongs to the
            library itself: `around` is called once, with None.
        around: a generator function, called as `around(registry, taken)` before statements run again. What
            comes before its `yield` takes out of the registry what these statements had put there:
            `taken(value)` says whether a function, or another object, is such. What comes after puts the
            registry in order, when all have run. It yields None, or a function that undoes both, which is
            called when the reload is rejected or taken back; attributes of the registry itself are put back
            anyway. If it raises, the reload is rejected.
    """
    _adapters.append(RegistryAdapter(detect, around))


class Registrars:
    """The registries of one transaction that adapters know.

    Args:
        journal: where it is noted how they are put back.
        objects: the objects that may be registries.
        taken: what statements that run again, or are gone, had registered.
    """

    def __init__(self, journal: Journal, objects: Iterable[Any], taken: Taken) -> None:
        self._journal = journal
        self._taken = taken
        found: list[tuple[RegistryAdapter, Any]] = [(each, None) for each in _adapters if each.detect is None]
        named = [each for each in _adapters if each.detect is not None]
        for value in objects:
            found += [(each, value) for each in named if each.detect is not None and each.detect(value)]
        self._found = found
        self._open: list[Iterator[Callable[[], object] | None]] = []

    def begin(self) -> None:
        """Take out of the registries what is to be registered again."""
        for adapter, value in self._found:
            running = adapter.around(value, self._taken)
            undo = next(running)
            self._open.append(running)
            if undo is not None:
                self._journal.record("a registry of a library", undo)

    def finish(self) -> None:
        """Put the registries in order after all have run."""
        for running in self._open:
            with contextlib.suppress(StopIteration):
                next(running)
        self._open.clear()
