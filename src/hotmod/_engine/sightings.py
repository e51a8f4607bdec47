"""Guards for texts that are read later than they should be: has a file been written to meanwhile?

Touches: the disk, reading only.

Guarantees: an answer "unchanged" is right; "changed" may be wrong, and costs no more than running a
module once more. What a file holds is decided by content digests alone: a signature only tells that the
content seen now may be newer than the one that was loaded.

Assumes: on POSIX a write gives a file another inode, size or change time, except within a tick of the
file system's clock. Elsewhere there is no such time, and contents are compared.
"""

from __future__ import annotations

import dataclasses
import os
import time

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.files import read

__all__ = ["Moment", "Sighting"]

# A file system's clock may stand still for a tick of the kernel (up to 10 ms); the rest is for network drives.
_TICK_NS = 100_000_000
_POSIX = os.name == "posix"


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in the units of the file system's clock.

    Attributes:
        nanoseconds: since the epoch.
    """

    nanoseconds: int

    @classmethod
    def now(cls) -> Moment:
        """This point in time."""
        return cls(time.time_ns())

    def is_recent(self, status: os.stat_result) -> bool:
        """Whether a file changed so shortly before, or after, that a further change might not show."""
        return not _POSIX or status.st_ctime_ns > self.nanoseconds - _TICK_NS

    def may_precede_change_of(self, path: str) -> bool:
        """Whether a file may have been written after this moment."""
        try:
            return self.is_recent(os.stat(path))
        except OSError:
            return False


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """What a file looked like at some moment.

    Attributes:
        signature: device, inode, size and change time; None when there was no such file.
        digest: its content digest where the signature is too young to tell.
    """

    signature: tuple[int, ...] | None
    digest: str | None = None

    @classmethod
    def of(cls, path: str, moment: Moment) -> Sighting:
        """Look at a file; an empty path stands for a module without one."""
        try:
            status = os.stat(path)
        except OSError:
            return cls(None)
        if not moment.is_recent(status):
            return cls(_signature(status))
        try:
            return cls(_signature(status), read(path).digest)
        except SourceError:  # the baseline reads it again, and tells
            return cls(None)

    def still_holds(self, text: SourceText) -> bool:
        """Whether the text, read just now, is what the file held when it was sighted."""
        if self.digest is not None:
            return self.digest == text.digest
        try:
            return self.signature == _signature(os.stat(text.path))
        except OSError:
            return False


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns
