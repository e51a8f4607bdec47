"""Stable blocks: a stretch of a program in which no reload is applied.

Touches: a context variable, and the gate.

Guarantees: between the beginning and the end of a block nothing of the program is changed by hotmod.
Loads neither the engine nor asyncio; without the engine a block never waits.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hotmod._engine.gate import GATE
from hotmod._model.errors import HotmodError

if TYPE_CHECKING:
    import types

__all__ = ["refuse_inside_block", "stable"]

_F = TypeVar("_F", bound=Callable[..., Any])
_CURRENT: contextvars.ContextVar[stable | None] = contextvars.ContextVar("hotmod_stable", default=None)


class stable:  # noqa: N801 - used as `with hotmod.stable():` and `@hotmod.stable()`
    """A stretch of the program under which no reload is applied: a request, a batch, a step of a training.

    A context manager, for `with` and `async with`, and a decorator for functions and coroutine functions.
    A reload waits until all blocks that have begun are over; blocks that begin meanwhile wait until it is
    applied, in `async with` without blocking the event loop. If the reload has to wait for longer than
    `patience` (an option, in seconds), it is postponed: nothing is changed, its report says so, and the
    blocks go on; a watcher applies the edit when those in the way have ended, without one the next
    `reload()` does.

    Blocks can be nested. A call of `reload()` inside of a block is refused. What begins inside of a block
    and has the same context (tasks, `asyncio.to_thread`) counts as inside as long as the block lasts;
    another thread does not. Each block needs an object of its own.
    """

    __slots__ = ("_file", "_line", "_parent", "_token", "thread")

    def __init__(self) -> None:
        self.thread = 0
        self._parent: stable | None = None
        self._line = 0

    def __call__(self, function: _F) -> _F:
        """Let every call of a function be a block.

        Raises:
            TypeError: it is a generator, which would be inside from its first value to its last.
        """
        called = function, type(function).__call__  # an object may be called as well
        if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in called):
            name = getattr(function, "__qualname__", function)
            msg = f"{name} is a generator: write `with hotmod.stable():` inside of it"
            raise TypeError(msg)
        if any(map(inspect.iscoroutinefunction, called)):

            @functools.wraps(function)
            async def run_stable(*args: Any, **kwargs: Any) -> Any:
                async with _of(function):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def run_stable(*args: Any, **kwargs: Any) -> Any:
                with _of(function):
                    return function(*args, **kwargs)

        return run_stable  # type: ignore[return-value]  # it takes and gives what the function does

    def __enter__(self) -> None:
        self._begin()
        if GATE.alert:
            try:
                GATE.admit(self)
            except BaseException:
                self._end()
                raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._end()

    async def __aenter__(self) -> None:
        self._begin()
        if GATE.alert:
            try:
                await GATE.admit_task(self)
            except BaseException:
                self._end()
                raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._end()

    @property
    def is_inner(self) -> bool:
        """Whether an outer block has not ended."""
        return _active(self._parent) is not None

    @property
    def place(self) -> str:
        """Where the block began."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return f"{os.path.basename(self._file)}:{self._line} in {names.get(self.thread, self.thread)}"

    def _begin(self) -> None:
        if self.thread:
            msg = "This stable block has begun already: write hotmod.stable() in each `with`."
            raise HotmodError(msg)
        if not self._line:
            frame = sys._getframe(2)  # noqa: SLF001 - who began is told when a reload is postponed
            self._file, self._line = frame.f_code.co_filename, frame.f_lineno
        self._parent = _CURRENT.get()
        self._token = _CURRENT.set(self)
        self.thread = threading.get_ident()
        GATE.inside.add(self)

    def _end(self) -> None:
        GATE.inside.discard(self)
        self.thread = 0
        self._parent = _active(self._parent)  # else each task would hold on to all those before
        with contextlib.suppress(ValueError):  # a generator that is closed in the context of somebody else
            _CURRENT.reset(self._token)
        if GATE.alert:
            GATE.leave(self)


def _of(function: Callable[..., Any]) -> stable:
    """The block of one call of a function."""
    block = stable()
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is not None:
        block._file, block._line = code.co_filename, code.co_firstlineno  # noqa: SLF001 - of the same module
    return block


def _active(block: stable | None) -> stable | None:
    """The innermost block that has not ended, of one and those around it."""
    while block is not None and not block.thread:
        block = block._parent  # noqa: SLF001 - of the same class
    return block


def refuse_inside_block() -> None:
    """Keep out a reload that would wait for the block from inside of which it is called.

    Raises:
        HotmodError: it would.
    """
    block = _active(_CURRENT.get())
    if block is not None:
        msg = (
            f"A reload can't be made inside of a stable block (it began at {block.place}), which promises "
            "that nothing changes. Nothing was changed. Call it after the block."
        )
        raise HotmodError(msg)
