"""Exceptions of the user's code: whose they are, where they come from, shown without hotmod's frames.

Touches: `__traceback__` of the exceptions given to it, the local variables of hotmod's frames in it,
linecache for a moment, and the log.
"""

from __future__ import annotations

import contextlib
import importlib
import linecache
import logging
import os
import types
from collections.abc import Callable, Collection, Iterator

from hotmod._engine.saying import say
from hotmod._model.errors import HotmodError, RollbackError, SourceError
from hotmod._model.report import Location, Report

__all__ = ["failure", "is_internal", "lines_on_disk", "location_of", "trimmed"]

_IMPORTLIB = os.path.dirname(os.path.abspath(importlib.__file__)) + os.sep
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def _is_plumbing(frame: types.FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith((_OWN, _IMPORTLIB, "<frozen importlib"))


def _frames(error: BaseException) -> list[types.TracebackType]:
    found, step = [], error.__traceback__
    while step is not None:
        found.append(step)
        step = step.tb_next
    return found


def trimmed(error: BaseException) -> BaseException:
    """The same exception without the frames of hotmod and of the import system in its traceback.

    The user's frames still lead to those by `f_back`, so they are emptied: else whoever keeps the exception
    keeps the objects of the attempt, and its classes stay subclasses of their bases.
    """
    kept: types.TracebackType | None = None
    for step in reversed(_frames(error)):
        if not _is_plumbing(step.tb_frame):
            line = step.tb_lineno or 0  # a signal may come where CPython 3.11 has no line
            kept = types.TracebackType(kept, step.tb_frame, step.tb_lasti, line)
        else:
            with contextlib.suppress(RuntimeError):  # it is still running: one of those that called us
                step.tb_frame.clear()
    error.__traceback__ = kept
    return error


def is_internal(error: BaseException) -> bool:
    """Whether an exception comes from hotmod's own code and passed through nobody else's."""
    frames = _frames(error)
    return (
        bool(frames)
        and all(_is_plumbing(step.tb_frame) for step in frames)
        and not isinstance(error, (HotmodError, SyntaxError, ImportError))
    )


def failure(error: Exception, scope: str, generation: int) -> Report:
    """What to tell of an error of hotmod's own, which is logged; called while it is handled."""
    say(logging.ERROR, "hotmod: an error in hotmod itself; the edit was not applied", with_error=True)
    torn = isinstance(error, RollbackError)
    return Report(
        status="restart-required" if torn else "rejected",
        scope=scope,
        generation=generation,
        error=error,
        internal=not torn,
    )


def location_of(error: BaseException, owned: Callable[[str], bool]) -> Location | None:
    """The innermost place in a module of the scope that an exception came through."""
    if isinstance(error, SourceError):
        return Location("", error.path, error.line)
    if isinstance(error, SyntaxError) and error.filename:
        return Location("", error.filename, error.lineno or 0)
    for step in reversed(_frames(error)):
        name = step.tb_frame.f_globals.get("__name__")
        if isinstance(name, str) and owned(name):
            return Location(name, step.tb_frame.f_code.co_filename, step.tb_lineno)
    return None


@contextlib.contextmanager
def lines_on_disk(paths: Collection[str]) -> Iterator[None]:
    """Inside the block, tracebacks show the lines of some files that are on disk.

    After a rejection they show those of the code that still runs, and the exception that was the reason for
    it came out of the others.
    """
    shown = {path: linecache.cache.pop(path) for path in paths if path in linecache.cache}
    try:
        yield
    finally:
        for path in paths:
            linecache.cache.pop(path, None)
        linecache.cache.update(shown)
