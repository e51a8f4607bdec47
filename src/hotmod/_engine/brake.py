"""The brake of a watcher whose reloads fail, each because of the one before.

A module that writes a source file when it runs, and then fails, is a save for the watcher: it would run
again at once, without end.

Touches: the log.

Guarantees: a save that comes when no attempt has just ended is never held back. That attempts are held
back is told once, until one succeeds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hotmod._engine.saying import say

if TYPE_CHECKING:
    from hotmod._model.report import Report

__all__ = ["Brake"]

PATIENCE = 5  # failures in a row before the brake takes hold
MOMENT = 0.25  # seconds after an attempt in which the events of what it wrote are noticed
LONGEST = 30.0  # seconds
TOLD = (
    "hotmod: %d reloads in a row have failed, each begun by files that were written while the one before "
    "ran. The next ones wait for up to %d s; a save ends that, and so does retry()"
)


class Brake:
    """Holds attempts back while each begins with what the failed one before it has written.

    Args:
        clock: tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._ended = 0.0
        self._own = False  # whether what waits was written by the attempt before
        self._told = False

    def holds(self, last: float) -> bool:
        """Whether an attempt has to wait.

        Args:
            last: when the last of the saves that wait was noticed; 0 where none waits.
        """
        self._own = bool(self._failures and last) and last <= self._ended + MOMENT
        if not self._own or self._failures < PATIENCE:
            return False
        if not self._told:
            self._told = True
            say(logging.WARNING, TOLD, self._failures, LONGEST)
        return self._clock() < self._ended + min(LONGEST, 2.0 ** (self._failures - PATIENCE))

    def after(self, report: Report) -> None:
        """An attempt is over."""
        if report.postponed:
            return
        failed = report.status in ("rejected", "restart-required")
        self._failures = (self._failures + 1 if self._own else 1) if failed else 0
        self._told = self._told and failed and self._own
        self._ended = self._clock()
