"""What is counted of the reloads of this process, and of each watcher.

Touches: nothing but numbers of its own; reads what reloaders look after, and the memory of the process.

Guarantees: nothing of the engine is loaded for it, and it does not wait for a reload that is under way.
"""

from __future__ import annotations

import collections
import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hotmod._model.metrics import Metrics

if TYPE_CHECKING:
    from hotmod._engine.beginning import Beginning
    from hotmod._model.report import Report

__all__ = ["Counted", "Counts", "count", "metrics"]


class Counts:
    """The numbers; guarded by a lock, as reloads may be reported in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reloads: collections.Counter[str] = collections.Counter()
        self._hazards: collections.Counter[str] = collections.Counter()
        self._phases: collections.defaultdict[str, float] = collections.defaultdict(float)
        self._statements = self._whole = self._patched = 0
        self._seconds = 0.0

    def add(self, report: Report) -> None:
        """Take in what came of an attempt."""
        with self._lock:
            self._reloads["rolled-back" if report.took_back else report.status] += 1
            self._hazards.update(hazard.code for hazard in report.hazards)
            for phase, seconds in report.phases.items():
                self._phases[phase] += seconds
            self._seconds += report.seconds
            alone = sum(":" in place for place in report.ran)
            self._statements += alone
            self._whole += len(report.ran) - alone
            self._patched += len(report.patched)

    def metrics(self, reloaders: Iterable[Any]) -> Metrics:
        """Everything that has been counted, and how much some reloaders look after now."""
        modules = [loaded for each in reloaders for loaded in list(each.ledger.modules.values())]
        texts = {
            (loaded.text.path, loaded.text.digest): len(loaded.text.data)
            for loaded in modules
            if loaded.text is not None
        }
        with self._lock:
            return Metrics(
                reloads=dict(self._reloads),
                statements=self._statements,
                whole=self._whole,
                patched=self._patched,
                hazards=dict(self._hazards),
                seconds=self._seconds,
                phases=dict(self._phases),
                modules=len({loaded.name for loaded in modules}),
                sources=sum(texts.values()),
                resident=_resident(),
            )


class Counted:
    """What makes attempts, and counts what came of them."""

    _beginning: Beginning | None
    _counts: Counts

    @property
    def metrics(self) -> Metrics:
        """What `hotmod.metrics()` tells, but of the attempts of this watcher alone, and of its modules.

        The memory is that of the process all the same.
        """
        made = self._beginning.made if self._beginning is not None else None
        return self._counts.metrics(() if made is None else (made,))


_all = Counts()


def count(report: Report) -> None:
    """Take in what came of an attempt of any reloader."""
    _all.add(report)


def metrics() -> Metrics:
    """Everything that has been counted in this process."""
    # where no reloader was ever made, its module has not been loaded
    return _all.metrics(getattr(sys.modules.get("hotmod._engine.reloader"), "RELOADERS", ()))


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux
        return 0


def _begin_anew() -> None:
    """A forked child has made no reloads, and its parent may have held the lock."""
    _all.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
