"""What hotmod raises.

Touches: nothing. Every error pickles, so that it can cross a process boundary.

Guarantees: a message says what, where, what is running now, and what to do.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotmod._model.report import Report

__all__ = ["ConfigError", "HotmodError", "PostponedError", "ReloadError", "RollbackError", "SourceError"]


class HotmodError(Exception):
    """The base of everything that hotmod raises on purpose.

    Attributes:
        advice: what to do where that is not to mend the file, as a sentence; else empty.
    """

    advice: str = ""

    def __init__(self, *words: object, advice: str = "") -> None:
        super().__init__(*words)
        if advice:
            self.advice = advice


class ConfigError(HotmodError, ValueError):
    """An option, variable, key or target has a value that hotmod can't use.

    Nothing was started or changed. The message names the option and lists what is allowed.
    """


class SourceError(HotmodError):
    """A source file can't be read, decoded or parsed.

    Nothing was changed: what was loaded from an earlier text of the file still runs.

    Attributes:
        path: the file.
        line: the line at fault, counted from 1; 0 when no line can be named.
        reason: what is wrong, in words.
        advice: what to do where that is not to mend the file.
    """

    def __init__(self, path: str, line: int, reason: str, *, advice: str = "") -> None:
        self.path = path
        self.line = line
        self.reason = reason
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}", advice=advice)

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, int, str], dict[str, Any]]:
        return type(self), (self.path, self.line, self.reason), vars(self)


class ReloadError(HotmodError):
    """A reload that was asked to succeed (`check=True`) was rejected or needs a restart.

    The program runs the code that it ran before the attempt.

    Attributes:
        report: the `Report` of the attempt.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(str(report))

    def __reduce__(self) -> tuple[type[ReloadError], tuple[Report]]:
        return type(self), (self.report,)


class PostponedError(HotmodError):
    """A reload could not begin because stable blocks did not end in time.

    Nothing was changed, and the edit stays pending. The message names the blocks.
    """


class RollbackError(HotmodError):
    """Undoing a transaction failed half-way, or there is no earlier version to go back to.

    The message says which; after a half-done undo the process holds a mixture of two versions and
    should be restarted.
    """


def what_helps(error: BaseException | None, *, several: bool = False) -> str:
    """The last part of a message about a refused edit: what to do.

    Args:
        error: why it was refused.
        several: whether more than one file is at fault.
    """
    advice = error.advice if isinstance(error, HotmodError) else ""
    return advice or f"Fix the file{'s' if several else ''} and save."


class Portable:
    """What an exception becomes to be pickled; read, it is that exception again."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self._data,)


def portable(error: BaseException) -> Portable:
    """`error` ready to be pickled; a `HotmodError` with the same words in its place if it can't be.

    It is pickled as it says itself: what libraries register that pickle tracebacks (tblib, which dask loads)
    loses the words of a `SyntaxError`.
    """
    try:
        data = _dumped(error)
        pickle.loads(data)  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - any failure of a user's __reduce__ means "not portable"
        data = _dumped(HotmodError(f"{type(error).__name__}: {error}"))
    return Portable(data)


def _dumped(error: BaseException) -> bytes:
    written = io.BytesIO()
    pickler = pickle.Pickler(written)
    pickler.dispatch_table = {
        kind: reduce for kind, reduce in copyreg.dispatch_table.items() if not issubclass(kind, BaseException)
    }
    pickler.dump(error)
    return written.getvalue()
