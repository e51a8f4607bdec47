"""What is counted of the reloads of this process.

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
    from hotmod._model.report import Report

__all__ = ["count", "metrics"]


class _Counts:
    """The numbers; guarded by a lock, as reloads may be reported in any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reloads: collections.Counter[str] = collections.Counter()
        self.hazards: collections.Counter[str] = collections.Counter()
        self.phases: collections.defaultdict[str, float] = collections.defaultdict(float)
        self.statements = self.whole = self.patched = 0
        self.seconds = 0.0


_counts = _Counts()


def count(report: Report) -> None:
    """Take in what came of an attempt."""
    with _counts.lock:
        _counts.reloads["rolled-back" if report.took_back else report.status] += 1
        _counts.hazards.update(hazard.code for hazard in report.hazards)
        for phase, seconds in report.phases.items():
            _counts.phases[phase] += seconds
        _counts.seconds += report.seconds
        alone = sum(":" in place for place in report.ran)
        _counts.statements += alone
        _counts.whole += len(report.ran) - alone
        _counts.patched += len(report.patched)


def metrics() -> Metrics:
    """Everything that has been counted."""
    texts = {
        (loaded.text.path, loaded.text.digest): len(loaded.text.data)
        for loaded in _modules()
        if loaded.text is not None
    }
    names = {loaded.name for loaded in _modules()}
    with _counts.lock:
        return Metrics(
            reloads=dict(_counts.reloads),
            statements=_counts.statements,
            whole=_counts.whole,
            patched=_counts.patched,
            hazards=dict(_counts.hazards),
            seconds=_counts.seconds,
            phases=dict(_counts.phases),
            modules=len(names),
            sources=sum(texts.values()),
            resident=_resident(),
        )


def _modules() -> Iterable[Any]:
    """What every reloader looks after; nothing where none was ever made."""
    reloaders = getattr(sys.modules.get("hotmod._engine.reloader"), "RELOADERS", ())
    return [loaded for each in list(reloaders) for loaded in list(each.ledger.modules.values())]


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux
        return 0


def _begin_anew() -> None:
    """A forked child has made no reloads, and its parent may have held the lock."""
    _counts.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
