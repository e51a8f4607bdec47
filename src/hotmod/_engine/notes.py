"""Tracebacks that run through code which is not what the files hold now, and a note that says so.

Touches: the notes of exceptions; `sys.excepthook` and `threading.excepthook` while a watcher runs. Reads
files of the scope.

Guarantees: the hooks that were there are called in any case, once, with the same arguments. An exception gets
at most one note per file, however often it is asked about. Where no watcher runs, nothing is installed.

Assumes: whoever replaces a hook later calls the one before.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotmod._engine.loaded import Ledger, Loaded

__all__ = ["annotate", "hold", "release"]

PATIENCE = 0.5  # seconds that a traceback waits for a transaction under way
MAX_EXCEPTIONS = 100
logger = logging.getLogger("hotmod")


def annotate(error: BaseException) -> BaseException:
    """Add a note to an exception for each file of its traceback that has changed since its code was loaded.

    The note says whether the file holds an edit that does not run, or the code is that of a call which began
    before the last reload; the lines that the traceback shows may not be those that ran then.

    Args:
        error: the exception; those that it was raised from, and those in a group, are looked at as well.

    Returns:
        The same exception.
    """
    hooks = sys.modules.get("hotmod._engine.hooks")
    if hooks is None:  # nothing was ever watched or reloaded
        return error
    for each in _with_causes(error):
        told = getattr(each, "__notes__", ())
        for note in _notes(each, list(hooks.FINDER.ledgers)):
            if note not in told:
                each.add_note(note)
    return error


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    todo, seen = [error], set[int]()
    while todo and len(seen) < MAX_EXCEPTIONS:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        group = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        todo += [each for each in (one.__cause__, one.__context__, *group) if each is not None]


def _notes(error: BaseException, ledgers: list[Ledger]) -> Iterator[str]:
    from hotmod._engine.reloader import LOCK  # noqa: PLC0415 - loaded long ago, if anything was

    frames: dict[str, list[types.TracebackType]] = {}
    step = error.__traceback__
    while step is not None:
        frames.setdefault(step.tb_frame.f_code.co_filename, []).append(step)
        step = step.tb_next
    locked = LOCK.acquire(timeout=PATIENCE)  # without it, the answer may be that of a moment ago
    try:
        for path, steps in frames.items():
            knowing = [ledger for ledger in ledgers if ledger.at(path)]
            if knowing:
                yield from _note(knowing[0].at(path)[0], steps, knowing)
    finally:
        if locked:
            LOCK.release()


def _note(known: Loaded, steps: list[types.TracebackType], ledgers: list[Ledger]) -> Iterator[str]:
    from hotmod._engine.loaded import readable  # noqa: PLC0415 - the same

    text, file = known.text, _shown(known.path)
    if text is None:
        return
    old = [step for step in steps if not _is_current(step.tb_frame.f_code, known)]
    if old:
        names = ", ".join(dict.fromkeys(step.tb_frame.f_code.co_qualname for step in old))
        yield (
            f"hotmod: {file} was reloaded after this code began to run, so the lines shown for "
            f"{names} are those of the new text"
        )
    now = readable(known.path)
    if now is None:
        yield f"hotmod: {file} is gone, or can't be read, since this code was loaded"
    elif now.digest != text.digest or not known.certain:
        refused = any(ledger.refused(known.name) for ledger in ledgers)
        why = "that edit was refused or rolled back" if refused else "that edit is not applied yet"
        yield f"hotmod: {file} has been edited since this code was loaded, and {why}"


def _shown(path: str) -> str:
    """A path as seen from the working directory, if it is below that."""
    try:
        here = os.getcwd() + os.sep
    except OSError:  # the directory is gone
        return path
    return path.removeprefix(here)


def _is_current(code: types.CodeType, known: Loaded) -> bool:
    """Whether the text that is known to run gives this code, at this line."""
    from hotmod._engine.hooks import compile_text, runs_its_own_way  # noqa: PLC0415 - the same
    from hotmod._live.functions import same_code  # noqa: PLC0415 - the same
    from hotmod._live.stale import codes_in  # noqa: PLC0415 - the same

    loader = getattr(getattr(sys.modules.get(known.name), "__spec__", None), "loader", None)
    if known.text is None or runs_its_own_way(loader) or not known.again:
        return True
    return any(
        one.co_qualname == code.co_qualname
        and one.co_firstlineno == code.co_firstlineno
        and same_code(one, code)
        for one in codes_in(compile_text(loader, known.text))
    )


class _Pair:
    """The two hooks as they are put in front of those that are there; for one use.

    Args:
        exception: the hook of the main thread that was there.
        thread: the hook of the other threads.
    """

    def __init__(self, exception: Callable[..., object], thread: Callable[..., object]) -> None:
        self.before = exception, thread
        self.mine = self._of_exceptions, self._of_threads  # one object each, so that they can be recognised
        self.active = True

    def _of_exceptions(self, kind: Any, error: Any, trace: Any) -> None:
        self._annotate(error)
        self.before[0](kind, error, trace)

    def _of_threads(self, args: Any) -> None:
        self._annotate(args.exc_value)
        self.before[1](args)

    def _annotate(self, error: BaseException | None) -> None:
        if error is None or not self.active:
            return
        try:
            annotate(error)
        except Exception:
            logger.exception("hotmod: looking whether the code of a traceback is current failed")


class _Hooks:
    """Installs the hooks as long as somebody holds them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._count = 0
        self._pair: _Pair | None = None

    def hold(self) -> None:
        """Have the hooks installed, until `release` is called as often."""
        with self._guard:
            self._count += 1
            if self._pair is None:
                self._pair = _Pair(sys.excepthook, threading.excepthook)
                sys.excepthook, threading.excepthook = self._pair.mine

    def release(self) -> None:
        """Let the hooks go. One that somebody put in front of ours stays, and ours only passes on."""
        with self._guard:
            self._count -= 1
            pair = self._pair
            if self._count or pair is None:
                return
            self._pair, pair.active = None, False
            if sys.excepthook is pair.mine[0]:
                sys.excepthook = pair.before[0]
            if threading.excepthook is pair.mine[1]:
                threading.excepthook = pair.before[1]


_hooks = _Hooks()
hold, release = _hooks.hold, _hooks.release
