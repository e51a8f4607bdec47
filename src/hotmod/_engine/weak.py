"""Objects that are listed for as long as somebody else keeps them.

Touches: nothing.

Guarantees: one thread may go through a list while others add to it, and while what it holds goes away. A
`weakref.WeakSet` raises RuntimeError then, which would end an import that asks the import hook. No lock is
taken: a process may fork at any time.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["WeakList"]

_T = TypeVar("_T")


class WeakList(Generic[_T]):
    """Weak references to objects, in the order in which they were added."""

    def __init__(self) -> None:
        self._keys = itertools.count()
        self._entries: dict[int, weakref.ref[_T]] = {}  # copied and changed in one step each

    def __iter__(self) -> Iterator[_T]:
        for entry in self._entries.copy().values():
            one = entry()
            if one is not None:
                yield one

    def add(self, one: _T) -> None:
        """List an object once more."""
        entries, key = self._entries, next(self._keys)
        entries[key] = weakref.ref(one, lambda _: entries.pop(key, None))

    def discard(self, one: _T) -> None:
        """List an object no longer; nothing happens where it is not listed."""
        for key, entry in self._entries.copy().items():
            if entry() is one:
                self._entries.pop(key, None)
