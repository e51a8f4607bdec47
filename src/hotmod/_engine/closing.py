"""How an instance of the user's is opened and closed.

Touches: the instance; an event loop of asyncio, where it is closed by a coroutine.

Guarantees: what closing raises is logged, and goes no further. Loads asyncio only where a coroutine is to be
run.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable
from typing import Any

from hotmod._engine.saying import say

__all__ = ["close_instance", "open_instance"]

_CLOSERS = ("close", "aclose")
_TASKS: set[Any] = set()  # an event loop itself holds its tasks weakly


def open_instance(instance: Any) -> Any:
    """Enter an instance that is closed by leaving it; gives the instance."""
    if not any(callable(getattr(instance, name, None)) for name in _CLOSERS):
        enter = getattr(type(instance), "__enter__", None)
        if enter is not None:
            enter(instance)
    return instance


def close_instance(instance: Any) -> None:
    """Close an instance by `close()`, or `aclose()`, or by leaving it as a context manager.

    What is to be awaited becomes a task of the event loop that runs in this thread, or is run to its end.
    """
    try:
        found = [getattr(instance, name, None) for name in _CLOSERS]
        close = next((method for method in found if callable(method)), None)
        if close is not None:
            done = close()
        else:
            leave = getattr(type(instance), "__exit__", None) or getattr(type(instance), "__aexit__", None)
            done = leave(instance, None, None, None) if leave is not None else None
        if inspect.isawaitable(done):
            _await(done)
    except Exception:  # noqa: BLE001 - it is logged
        say(logging.ERROR, "hotmod: closing %r failed", type(instance), with_error=True)


def _await(awaitable: Awaitable[Any]) -> None:
    import asyncio  # noqa: PLC0415 - see the guarantees

    async def finish() -> None:
        try:
            await awaitable
        except Exception:  # noqa: BLE001 - it is logged
            say(logging.ERROR, "hotmod: closing an instance failed", with_error=True)

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(finish())
        return
    task = loop.create_task(finish())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
