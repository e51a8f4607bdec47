"""Who changed what: the transaction, or other threads meanwhile.

A transaction that fails must take back what its modules did to objects outside them, and nothing of what
the program's other threads did in the same moment. Where no other thread ran, that is every change.

Touches: nothing; reads the CPU clocks of threads.

Guarantees: `only_mine()` is true only if no other thread of the program used CPU time since `Others` was
made; where the platform has no such clocks, only if there is no other thread.
"""

from __future__ import annotations

import dis
import inspect
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator

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
        self._spelled: _Spelled | None = None

    def only_mine(self) -> bool:
        """Whether no other thread can have changed anything since."""
        now = _clocks()
        return now == self._clocks and -1 not in now.values()

    def attribution(self) -> Mine:
        """Which changes are the transaction's doing, as well as can be told now."""
        if self.only_mine():
            return everything
        if self._spelled is None:
            self._spelled = _Spelled(self._codes)
        return self._is_mine

    def _is_mine(self, *parts: object) -> bool:
        """Whether an entry holds a definition of the modules, or they spell that it is written."""
        if any(self._definitions.key(part) is not None for part in parts):
            return True
        assert self._spelled is not None, "made by attribution()"  # noqa: S101
        key, *values = parts
        if not values or type(values[0]) is object:  # the marker that stands for no old value
            return self._spelled.names(key)
        return self._spelled.writes(key, values[-1])


class _Spelled:
    """What module bodies spell: names, texts, and which keys they write.

    A key that is only read does not tell who wrote there: it is a counter, say, of another thread's.
    """

    def __init__(self, codes: Iterable[types.CodeType]) -> None:
        bodies = [
            one
            for code in codes
            for one in codes_in(code)
            if one is code or not one.co_flags & inspect.CO_OPTIMIZED  # that is a function's
        ]
        self._constants = {_typed(const) for body in bodies for const in _constants(body.co_consts)}
        self._names = {name for body in bodies for name in body.co_names}
        self._written = {_typed(key) for body in bodies for key in _written(body)}

    def names(self, key: object) -> bool:
        """Whether a name or a text is spelled somewhere."""
        return type(key) is str and (key in self._names or (str, key) in self._constants)

    def writes(self, key: object, value: object) -> bool:
        """Whether a key is spelled as one that is written, or together with the value."""
        if type(key) not in _PLAIN:
            return False
        if _typed(key) in self._written:
            return True
        both = type(value) in _PLAIN and _typed(value) in self._constants
        return both and (_typed(key) in self._constants or key in self._names)


_PLAIN = frozenset((str, bytes, int, float, complex, bool, types.NoneType))


def _typed(value: object) -> tuple[type, object]:
    return type(value), value  # 1 equals True and 1.0


def _constants(values: Iterable[object]) -> Iterator[object]:
    """Plain values, also those in tuples."""
    for value in values:
        if type(value) is tuple:
            yield from _constants(value)
        elif type(value) in _PLAIN:
            yield value


def _written(body: types.CodeType) -> Iterator[object]:
    """The constant keys of items and attributes that are written, keyword arguments and literal dicts."""
    last = None
    for each in dis.get_instructions(body):
        if each.opname in ("STORE_SUBSCR", "DELETE_SUBSCR", "CALL_KW", "BUILD_CONST_KEY_MAP"):
            yield from _constants((last.argval,) if last is not None else ())
        elif each.opname in ("STORE_ATTR", "DELETE_ATTR", "KW_NAMES"):  # the last before 3.13
            yield from _constants((each.argval,))
        elif each.opname == "COPY" and each.arg == 2 and last is not None:  # noqa: PLR2004 - `x[key] += 1`
            yield from _constants((last.argval,))
        last = each if each.opcode in dis.hasconst else None
