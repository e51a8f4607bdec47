"""The namespace in which some statements of a module run again: what they bind is merged at once.

Touches: the namespace of one module.

Guarantees: what a statement binds anew and nobody else can have seen is merged before the next statement
reads it, so that all refer to the one object that lives on. Functions get the module's own dictionary as
their globals.

Assumes: used as the locals of `exec`, with the module's namespace as globals (CPython stores module-level
names through the locals, and looks them up there first).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Container, Iterator, MutableMapping
from typing import Any

__all__ = ["Binder"]

_MISSING = object()


class Binder(MutableMapping[str, Any]):
    """The names of a module while some of its statements run.

    Args:
        space: the module's namespace.
        before: the same as it was.
        merge: gives the object that lives on, for an old and a new one.
        young: the names whose new values nobody else has seen; None for all.
        refused: names that are not bound where they are given a module.
        kept: names that are not bound whatever they are given.

    Attributes:
        bound: the names that were bound, and not deleted since.
    """

    def __init__(
        self,
        space: dict[str, Any],
        before: dict[str, Any],
        merge: Callable[[Any, Any], Any],
        young: Container[str] | None,
        refused: Container[str] = (),
        kept: Container[str] = (),
    ) -> None:
        self._refused, self._kept = refused, kept
        self._space, self._before, self._merge, self._young = space, before, merge, young
        self.bound: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        return self._space[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._refused and type(value) is types.ModuleType:
            return
        if name in self._kept:
            self.bound.add(name)
            return
        old = self._before.get(name, _MISSING)
        if old is not _MISSING and old is not value and (self._young is None or name in self._young):
            value = self._merge(old, value)
        self.bound.add(name)
        self._space[name] = value

    def __delitem__(self, name: str) -> None:
        if name in self._kept:
            return
        del self._space[name]
        self.bound.discard(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._space)

    def __len__(self) -> int:
        return len(self._space)
