"""What became of each attempt: its report is made, remembered, and told once.

Touches: the loggers `hotmod` and `hotmod.why`.

Guarantees: an attempt that was not clean is a WARNING with the first error of each file, once: the same
refusal again is a DEBUG record, and the status goes on showing it. Each decision of an attempt is one DEBUG
record of `hotmod.why`, which costs nothing where nobody listens.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hotmod._config import Config
from hotmod._engine.failures import is_internal, location_of, trimmed
from hotmod._engine.loaded import Ledger
from hotmod._engine.metrics import count
from hotmod._engine.saying import say
from hotmod._engine.survey import left_behind
from hotmod._model.report import Location, Report, Status

if TYPE_CHECKING:
    from hotmod._engine.transaction import Transaction
    from hotmod._plan import Plan

__all__ = ["Chronicle"]

HISTORY = 32
why = logging.getLogger("hotmod.why")


class Chronicle:
    """The reports of one reloader.

    Attributes:
        history: the last ones, the newest last.
        generation: how many transactions were committed or rolled back.
    """

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config, self._ledger = config, ledger
        self.history: collections.deque[Report] = collections.deque(maxlen=HISTORY)
        self.generation = 0
        self._told: tuple[object, ...] = ()  # the last refusal, as long as it stands

    @property
    def status(self) -> Status:
        """How things stand after the last attempt."""
        last = self.history[-1] if self.history else None
        if last is None:
            return "unchanged"
        return "rejected" if last.took_back else "restart-required" if last.is_rude else last.status

    def decided(self, plan: Plan) -> None:
        """Log what is going to be done, decision by decision, each with its reason."""
        if not why.isEnabledFor(logging.DEBUG):
            return
        for change in plan.changes.changes:
            why.debug("changed %s: %s, %s", change.module, change.why, change.path)
        for step in plan.steps:
            for note in step.notes:
                why.debug("in place %s", note)
            for run in step.runs:
                why.debug("run %s", run)
            if not (step.notes or step.runs):
                why.debug("%s %s: %s", step.action, step.module, step.why)
        for name in plan.kept:
            why.debug("keep %s", name)
        for hazard in plan.hazards:
            why.debug("hazard %s", hazard)

    def _done(self, report: Report) -> None:
        """Log what else was done: what only the live objects showed."""
        for name in report.rebound:
            why.debug("rebound %s: its import holds the new object", name)
        for name in report.cleared:
            why.debug("cleared %s", name)
        for hazard in report.hazards:
            why.debug("hazard %s", hazard)

    def record(self, report: Report) -> Report:
        """Remember a report, and log it in one line."""
        self.history.append(report)
        count(report)
        level = logging.INFO if report else logging.WARNING
        if report.is_rude and self._config.on_rude == "raise":
            level = logging.ERROR  # a watcher has nobody to raise to
        if report.status != "unchanged":
            if report.status == "applied" and why.isEnabledFor(logging.DEBUG):
                self._done(report)
            say(self._level(report, level), "%s", report.summary())
        return report

    def _level(self, report: Report, level: int) -> int:
        """DEBUG for a refusal in the very words of the last one, which has been told already."""
        words: tuple[object, ...] = ()
        if report.status in ("rejected", "restart-required"):
            rude = [hazard.message for hazard in report.hazards] if report.error is None else []
            words = str(report.location), type(report.error), str(report.error), report.broken, *rude
        again, self._told = bool(words) and words == self._told, words
        return logging.DEBUG if again else level

    def report(self, status: Status, phases: Mapping[str, float], started: float, **values: Any) -> Report:
        """A report of an attempt that began at some moment of `time.perf_counter`."""
        seconds = time.perf_counter() - started
        return Report(
            status=status,
            scope=str(self._ledger.scope),
            generation=self.generation,
            phases=dict(phases),
            seconds=seconds,
            **values,
        )

    def applied(self, transaction: Transaction, phases: Mapping[str, float], started: float) -> Report:
        """The report of a transaction that was carried out."""
        outcome, plan = transaction.outcome, transaction.plan
        return self.report(
            "applied",
            phases,
            started,
            changed=plan.changes.modules,
            executed=outcome.executed,
            ran=outcome.ran,
            patched=tuple(outcome.patched),
            rebound=tuple(outcome.rebound),
            cleared=tuple(outcome.cleared),
            kept=tuple(outcome.kept),
            hazards=tuple(outcome.hazards),
            affected=len(plan.steps),
            reasons=plan.reasons(),
        )

    def restart(self, plan: Plan, phases: Mapping[str, float], started: float) -> Report:
        """The report of edits that this process can't take."""
        return self.report(
            "restart-required",
            phases,
            started,
            changed=plan.changes.modules,
            hazards=plan.hazards,
            affected=len(plan.changes.changes),
        )

    def rejection(
        self,
        error: BaseException,
        transaction: Transaction | None,
        phases: Mapping[str, float],
        started: float,
    ) -> Report:
        """The report of an attempt that failed, and was taken back."""
        location = location_of(error, self._ledger.scope.owns_name)
        plan = transaction.plan if transaction is not None else None
        if location is not None and not location.module:
            names = {loaded.path: name for name, loaded in self._ledger.modules.items()}
            names.update({c.path: c.module for c in plan.changes.changes} if plan else {})
            module = names.get(location.path, location.path)
            location = dataclasses.replace(location, module=module)
        hazards = list(plan.hazards) if plan else []
        hazards += left_behind(transaction) if transaction is not None else []
        return self.report(
            "rejected",
            phases,
            started,
            changed=plan.changes.modules if plan else (),
            hazards=tuple(hazards),
            internal=is_internal(error),
            error=error if is_internal(error) else trimmed(error),
            location=location,
            broken=_broken(transaction, self._ledger) if transaction is not None else (),
            affected=len(plan.steps) if plan else 0,
            reasons=plan.reasons() if plan else (),
        )


def _broken(transaction: Transaction, ledger: Ledger) -> tuple[str, ...]:
    """The files that can't be compiled, each with its first error."""
    names = {change.path: change.module for change in transaction.plan.changes.changes}
    names.update((loaded.path, name) for name, loaded in ledger.modules.items())
    found: dict[str, str] = {}
    for problem in transaction.problems:
        place = location_of(problem, lambda _: False) or Location("")
        where = str(dataclasses.replace(place, module=names.get(place.path, place.path)))
        said = getattr(problem, "msg", None) or getattr(problem, "reason", problem)
        found.setdefault(place.path, f"{where}: {type(problem).__name__}: {said}")
    return tuple(found.values())
