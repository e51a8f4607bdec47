"""How an instance of the user's is opened and closed.

Touches: the instance; an event loop of asyncio, where it is closed by a coroutine.

Guarantees: what closing raises is logged, and goes no further. An instance is left as a context manager only
if it was entered. Loads asyncio only where a coroutine is to be run.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Awaitable
from typing import Any

from hotmod._engine.saying import say

__all__ = ["close_instance", "open_instance", "running_loop"]

_CLOSERS = ("close", "aclose")
_TASKS: set[Any] = set()  # an event loop itself holds its tasks weakly


def open_instance(instance: Any) -> Any:
    """Enter an instance that is closed by leaving it; gives the instance."""
    if _is_entered(instance):
        type(instance).__enter__(instance)
    return instance


def close_instance(instance: Any, loop: Any = None) -> None:
    """Close an instance by `close()`, or `aclose()`, or by leaving it as a context manager.

    What is to be awaited becomes a task of a loop, or is run to its end.

    Args:
        instance: the instance.
        loop: the event loop in which it was used; default: the one that runs in this thread.
    """
    try:
        if _is_entered(instance):
            done = type(instance).__exit__(instance, None, None, None)
        else:
            close = _closer(instance)
            done = close() if close is not None else None
        if inspect.isawaitable(done):
            _await(done, loop)
    except Exception:  # noqa: BLE001 - it is logged
        say(logging.ERROR, "hotmod: closing %r failed", type(instance), with_error=True)


def running_loop() -> Any:
    """The event loop of asyncio that runs in this thread; None if there is none."""
    find = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)  # None: it is not loaded yet
    return find() if find is not None else None


def _closer(instance: Any) -> Any:
    found = [getattr(instance, name, None) for name in _CLOSERS]
    return next((method for method in found if callable(method)), None)


def _is_entered(instance: Any) -> bool:
    """Whether an instance is a context manager for want of another way to close it."""
    kind = type(instance)
    return hasattr(kind, "__enter__") and hasattr(kind, "__exit__") and _closer(instance) is None


def _await(awaitable: Awaitable[Any], loop: Any) -> None:
    import asyncio  # noqa: PLC0415 - see the guarantees

    async def finish() -> None:
        try:
            await awaitable
        except Exception:  # noqa: BLE001 - it is logged
            say(logging.ERROR, "hotmod: closing an instance failed", with_error=True)

    here = running_loop()
    task: Any
    if loop is not None and loop is not here and loop.is_running():
        task = asyncio.run_coroutine_threadsafe(finish(), loop)
    elif here is not None:
        task = here.create_task(finish())
    else:
        asyncio.run(finish())
        return
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
