"""Keeps other threads waiting while functions get their new code, where the interpreter would let them go on.

Touches: the interpreter's switch interval, for a moment; starts a thread that ends at once.

Guarantees: without an audit hook nothing is done, and nothing needs to be. With one, on builds with a global
lock, no other thread gets a turn for `TURN` seconds, unless the hook itself waits for something.

Assumes: a thread that waits for the global lock asks for it when a switch interval has passed in which it did
not change hands, and looks the interval up each time it begins to wait (CPython 3.11 to 3.13).
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["undisturbed"]

TURN = 0.05  # far more than giving new code to ten thousand functions takes, with a hook that does little


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no other thread have a turn inside the block, which must be short.

    Giving a function other code is an audit event. A hook that is written in Python runs at each of them
    (filelock has one, and with it many a program that loads a model), and between any two lines of Python
    others may get their turn. They do when they have waited for a switch interval. So the interval is made
    long; and as some may be in the middle of a short one, the lock changes hands: all waits begin anew then.
    """
    if not _has_audit_hook():
        yield
        return
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(max(before, TURN))
        with contextlib.suppress(RuntimeError):  # where no thread can start, not many are in the way
            other = threading.Thread(target=str, daemon=True)
            other.start()
            other.join()
        yield
    finally:
        sys.setswitchinterval(before)


def _has_audit_hook() -> bool:
    """Whether somebody listens to audit events. Only the time that one takes tells: four times as long."""
    return _time_of(sys.audit) > 2 * _time_of(sys.intern)


def _time_of(call: Callable[[str], object]) -> int:
    """Of a function in C that does next to nothing: nanoseconds for ten calls."""
    times = []
    for _ in range(5):
        begin = time.perf_counter_ns()
        for _ in range(10):
            call("hotmod.look")
        times.append(time.perf_counter_ns() - begin)
    return min(times)
