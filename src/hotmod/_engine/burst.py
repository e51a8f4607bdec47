"""When a burst of saves is over: a pure clockwork.

Touches: nothing; the time is an argument.

Guarantees: while events keep coming a burst is not over, up to a bound; a file that looks half-saved
(missing, empty, not parsing) gets a grace time; nothing waits for ever.
"""

from __future__ import annotations

import dataclasses
import enum

__all__ = ["Burst", "Doubt"]

# Several files at once are a checkout or a "replace all": the next may take longer to come.
_MANY = 3.0
# A program that is saved in place while it is read parses a moment later; a mistake in it can wait as long.
BROKEN = 0.1
# Editors that move the old file away, or cut it to nothing, write the new one at once; a slow disk may not.
MISSING = 0.25
# Whatever writes without a pause for longer than this is not a save.
BOUND = 2.0


class Doubt(enum.Enum):
    """What makes one think that a save is not finished, in rising order."""

    NONE = 0
    BROKEN = BROKEN
    MISSING = MISSING


@dataclasses.dataclass(slots=True)
class Burst:
    """The saves that wait to be applied together.

    Attributes:
        delay: seconds of quiet after which a single save is taken to be finished.
        paths: the files that may have changed.
        everything: whether all files have to be looked at.
        doubt: whether what is on disk looks half-saved.
        first: when the first event came, in seconds of any clock; None when nothing waits.
        last: when the last one came.
    """

    delay: float
    paths: set[str] = dataclasses.field(default_factory=set)
    everything: bool = False
    doubt: Doubt = Doubt.NONE
    first: float | None = None
    last: float = 0.0

    def __bool__(self) -> bool:
        return self.first is not None

    def add(self, now: float, paths: frozenset[str] = frozenset(), *, everything: bool = False) -> None:
        """Take in what some events are about."""
        self.paths |= paths
        self.everything = self.everything or everything
        self.first = now if self.first is None else self.first
        self.last = now

    @property
    def quiet(self) -> float:
        """The seconds without events that end the burst."""
        many = self.everything or len(self.paths) > 1
        return max(self.delay * (_MANY if many else 1.0), float(self.doubt.value))

    def wait(self, now: float, *, busy: bool = False) -> float:
        """The seconds until the burst is over, as things stand; 0 or less when it is.

        Args:
            now: the time.
            busy: something is known to be writing more files.
        """
        if self.first is None:
            return 0.0
        bound = self.first + max(BOUND, 10 * self.delay) - now
        return min(bound, bound if busy else self.last + self.quiet - now)

    def take(self) -> frozenset[str] | None:
        """The files to look at, None for all; nothing waits afterwards."""
        paths = None if self.everything else frozenset(self.paths)
        self.paths, self.everything, self.doubt, self.first = set(), False, Doubt.NONE, None
        return paths
