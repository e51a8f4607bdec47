"""Who changed what: the transaction, or other threads meanwhile.

A transaction that fails must take back what its modules did to objects outside them, and nothing of what
the program's other threads did in the same moment. Where no other thread ran, that is every change.

Touches: nothing; reads the CPU clocks of threads.

Guarantees: `only_mine()` is true only if no other thread of the program used CPU time since `Others` was
made; where the platform has no such clocks, only if there is no other thread.
"""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Callable, Iterable
from typing import Any

from hotmod._live.definitions import Definitions
from hotmod._live.stale import codes_in
from hotmod._live.takeback import Mine, everything

__all__ = ["OWN_THREADS", "Others"]

OWN_THREADS = "hotmod"  # the names of hotmod's own threads begin so

_clock_of: Callable[[int], int] | None = getattr(time, "pthread_getcpuclockid", None)


def _clocks() -> dict[int, int]:
    found = {}
    for thread in threading.enumerate():
        ident = thread.ident
        if ident is None or ident == threading.get_ident() or thread.name.startswith(OWN_THREADS):
            continue
        try:
            found[ident] = time.clock_gettime_ns(_clock_of(ident)) if _clock_of is not None else -1
        except OSError:  # it ended in this moment
            found[ident] = -1
    return found


class Others:
    """The other threads, as they stood when this was made.

    Args:
        definitions: what the modules of the transaction define.
        codes: the code that they run.
    """

    def __init__(self, definitions: Definitions, codes: Iterable[types.CodeType]) -> None:
        self._definitions = definitions
        self._clocks = _clocks()
        self._codes = list(codes)
        self._words: frozenset[Any] | None = None

    def only_mine(self) -> bool:
        """Whether no other thread can have changed anything since."""
        now = _clocks()
        return now == self._clocks and -1 not in now.values()

    def attribution(self) -> Mine:
        """Which changes are the transaction's doing, as well as can be told now."""
        if self.only_mine():
            return everything
        if self._words is None:
            self._words = frozenset(_words(self._codes))
        return self._is_mine

    def _is_mine(self, *parts: object) -> bool:
        """Whether an entry holds a definition of the modules, or is new under a name that they spell."""
        if any(self._definitions.key(part) is not None for part in parts):
            return True
        first, *values = parts
        # a new entry has no old value: the marker that stands for it is a bare object
        is_new = not values or type(values[0]) is object
        return is_new and type(first) is str and first in (self._words or ())


def _words(codes: Iterable[types.CodeType]) -> Iterable[Any]:
    """The names and texts that module bodies spell."""
    for code in codes:
        for one in codes_in(code):
            if one is code or not one.co_flags & 1:  # CO_OPTIMIZED: a function's
                yield from one.co_names
                yield from (const for const in one.co_consts if type(const) is str)
