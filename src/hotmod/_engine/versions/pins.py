"""Which version a run is pinned to, and that what it starts is pinned to the same.

Touches: a context variable; `threading.Thread.start` and `ThreadPoolExecutor.submit`, once a service is open.

Guarantees: a pin is in force as long as anything has it: the block, and every task, callback and thread that
was begun inside. A thread of a pool has no pin of its own: each call has that of the one who submitted it.
With no pin in force, both wrapped methods do what they did before.

Assumes: other pools of threads run their calls in the context of the one who asked (`Context.run`), as
asyncio and anyio do; a thread that starts below `threading` has no pin.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotmod._engine.versions.family import Family
    from hotmod._engine.versions.version import Version

__all__ = ["Hold", "follow_threads", "held", "pinned"]


class Hold:
    """What contexts have of a pin. The version knows of it as long as it is alive."""

    __slots__ = ("version",)

    def __init__(self, version: Version) -> None:
        self.version = version
        version.holds[id(self)] = None

    def __del__(self) -> None:
        # It may run in the middle of anything, in any thread: one operation on a dictionary, without a lock.
        self.version.holds.pop(id(self), None)


_HOLDS: contextvars.ContextVar[tuple[Hold, ...]] = contextvars.ContextVar("hotmod_pins", default=())


def held(family: Family) -> Hold | None:
    """The pin of the current context for some packages."""
    return next((hold for hold in reversed(_HOLDS.get()) if hold.version.family is family), None)


class pinned:  # noqa: N801 - used as `with pinned(hold):`
    """Have a pin in force inside a block."""

    __slots__ = ("_hold",)

    def __init__(self, hold: Hold) -> None:
        self._hold: Hold | None = hold

    def __enter__(self) -> None:
        assert self._hold is not None, "entered once"  # noqa: S101
        _HOLDS.set((*_HOLDS.get(), self._hold))

    def __exit__(self, *_: object) -> None:
        hold, self._hold = self._hold, None
        holds = list(_HOLDS.get())
        # No token: what was there before may have ended meanwhile (blocks in generators end in any order), or
        # be that of somebody else (one that is closed in another context).
        for index in reversed(range(len(holds))):
            if holds[index] is hold:
                del holds[index]
                break
        _HOLDS.set(tuple(holds))


def _call(holds: tuple[Hold, ...], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call something under the pins of somebody else."""
    token = _HOLDS.set(holds)
    try:
        return function(*args, **kwargs)
    finally:
        _HOLDS.reset(token)


@functools.cache
def follow_threads() -> None:
    """Let threads have the pins of whoever starts them, from now on."""
    start = threading.Thread.start
    submit: Any = ThreadPoolExecutor.submit

    @functools.wraps(start)
    def start_pinned(self: threading.Thread) -> None:
        holds = [_HOLDS.get()]
        if holds[0]:
            run = self.run

            def run_pinned() -> None:
                del self.run  # the thread object may outlive the pin
                _HOLDS.set(holds.pop())
                run()

            self.run = run_pinned  # type: ignore[method-assign]
        start(self)

    @functools.wraps(submit)
    def submit_pinned(
        self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        holds = _HOLDS.get()
        if not holds:
            return submit(self, function, *args, **kwargs)  # type: ignore[no-any-return]
        token = _HOLDS.set(())  # a thread that starts now outlives this run
        try:
            return submit(self, _call, holds, function, *args, **kwargs)  # type: ignore[no-any-return]
        finally:
            _HOLDS.reset(token)

    threading.Thread.start = start_pinned  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = submit_pinned  # type: ignore[assignment, method-assign]
