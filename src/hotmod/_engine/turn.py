"""Whose turn it is: one transaction at a time in a process, and none inside of another one.

Touches: a lock for the whole process; hooks of fork.

Guarantees: while a process forks no transaction is half done, unless it takes very long; then the child
reloads nothing, and says why.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator

from hotmod._model.errors import HotmodError

__all__ = [
    "LOCK",
    "alone",
    "refuse_inside",
    "refuse_inside_import",
    "refuse_subinterpreter",
    "reloads_here",
    "turn",
]

LOCK = threading.RLock()
LOCK_WAIT = 60.0  # seconds; a transaction may wait for the thread that wants to make the next one
LOOK = 0.005  # seconds between two looks at whether it is over
FORK_WAIT = 10.0  # seconds; a transaction that waits for the thread that forks must not hang it


class _State:
    """Whether a transaction is under way in this process; guarded by `LOCK`."""

    busy = False
    thread = 0  # whose it is
    forking = False  # whether the thread that forks holds the lock for it
    torn = False  # whether this process is the child of a fork that did not wait any longer


_state = _State()


def reloads_here() -> bool:
    """Whether the calling thread is in the middle of a transaction: it is code that runs again that asks."""
    return _state.thread == threading.get_ident()


def refuse_inside() -> None:
    """Keep out what is called from inside of a transaction: half of the modules are not in their place.

    Raises:
        HotmodError: it is.
    """
    if _state.torn:
        msg = (
            f"This process was forked in the middle of a reload that took more than {FORK_WAIT:g} s. It "
            "holds a mixture of two versions, and nothing is reloaded in it. Start it anew."
        )
        raise HotmodError(msg)
    if _state.busy:
        msg = (
            "A reload can't start inside another one (from a hook, a verify= check or a module that is "
            "being executed). Nothing was changed by this call; the outer reload goes on."
        )
        raise HotmodError(msg)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Wait for the transaction of another thread to end, and keep out others.

    Raises:
        HotmodError: it does not end, or this thread is in the middle of an import that it may wait for.
    """
    deadline, pause = time.monotonic() + LOCK_WAIT, threading.Event()
    while _state.busy and not reloads_here() and time.monotonic() < deadline:
        pause.wait(LOOK)
    if _state.busy and not reloads_here():
        msg = (
            f"Another reload has been under way for more than {LOCK_WAIT:g} s, perhaps because it waits for "
            "this thread. Nothing was changed by this call. Code that is being reloaded must not wait for a "
            "thread that reloads."
        )
        raise HotmodError(msg)
    with LOCK:  # not `acquire`: a signal between that and a `try` would leave it locked
        yield


def refuse_inside_import(owned: Callable[[str], bool]) -> None:
    """Keep out a reload from the top level of a module in scope that is imported for the first time.

    Half of its names are missing, and a reload in another thread may wait for the import. A module that runs
    again is another matter, with words of its own.

    Raises:
        HotmodError: this thread imports one.
    """
    if reloads_here():
        return
    frame: types.FrameType | None = sys._getframe()  # noqa: SLF001 - the import system keeps no list for us
    while frame is not None:
        name = frame.f_globals.get("__name__")
        spec = frame.f_globals.get("__spec__")
        is_body = frame.f_code.co_name == "<module>" and getattr(spec, "_initializing", False)
        if is_body and isinstance(name, str) and owned(name):
            msg = (
                f"A reload can't be made while {name} is being imported, by code at its top level. Nothing "
                "was changed. Call it when the import is over; `hotmod.watch` can be called anywhere."
            )
            raise HotmodError(msg)
        frame = frame.f_back


def refuse_subinterpreter() -> None:
    """Keep out what runs in a subinterpreter: its modules are others, and its threads can't be had.

    Raises:
        HotmodError: this is one.
    """
    for name in ("_interpreters", "_xxsubinterpreters"):  # from CPython 3.13 on, and before
        with contextlib.suppress(ImportError):
            interpreters = importlib.import_module(name)
            if str(interpreters.get_current()) != str(interpreters.get_main()):
                msg = (
                    "hotmod works in the main interpreter only, and this is a subinterpreter. Nothing was "
                    "started. Make a new subinterpreter to run new code in one."
                )
                raise HotmodError(msg)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a reload from inside a reload (a hook, a module that is being executed)."""
    refuse_inside()
    _state.busy, _state.thread = True, threading.get_ident()
    try:
        yield
    finally:
        _state.busy, _state.thread = False, 0


def _before_fork() -> None:
    """Wait for a transaction under way in another thread to end."""
    _state.forking = LOCK.acquire(timeout=FORK_WAIT)


def _after_fork() -> None:
    """Let transactions go on."""
    if _state.forking:
        _state.forking = False
        LOCK.release()


def _in_child() -> None:
    """Let transactions go on, unless one is half done: its thread is not in this process."""
    _state.torn = not _state.forking
    if _state.torn:
        LOCK._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as the standard library does
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
