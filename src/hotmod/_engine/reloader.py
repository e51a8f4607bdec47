"""The reloader: one scope, its ledger, and what was done to it.

Touches: everything that a transaction touches; takes the process-wide lock and the gate of stable blocks.

Guarantees: every attempt ends as a `Report` with one of four statuses; a rejected attempt leaves the
program as it was; the edits that it could not apply stay pending and belong to the next attempt.
"""

from __future__ import annotations

import collections
import functools
import logging
import time
from collections.abc import Callable, Collection
from typing import Self, TypeVar, Unpack

from hotmod._config import Config, Options, configure
from hotmod._engine import hooks, stress
from hotmod._engine.ahead import Ahead
from hotmod._engine.canary import Check, check_of
from hotmod._engine.chronicle import Chronicle
from hotmod._engine.data import DataFiles
from hotmod._engine.gate import GATE, Occupied, patiently
from hotmod._engine.lingering import lingering
from hotmod._engine.loaded import Ledger
from hotmod._engine.paranoid import Look, drift
from hotmod._engine.planning import Planner
from hotmod._engine.restart import restart, see_that_it_compiles
from hotmod._engine.saying import say
from hotmod._engine.settling import show_running_texts
from hotmod._engine.sightings import View
from hotmod._engine.stable import refuse_inside_block
from hotmod._engine.survey import repeated, survey
from hotmod._engine.transaction import Transaction
from hotmod._engine.turn import LOCK, alone, refuse_inside, refuse_inside_import, reloads_here, turn
from hotmod._engine.verifying import verify as compared
from hotmod._engine.weak import WeakList
from hotmod._model.changes import ChangeSet
from hotmod._model.errors import PostponedError, ReloadError, RollbackError, SourceError
from hotmod._model.report import Report, Status
from hotmod._model.verification import Verification
from hotmod._plan import Plan
from hotmod._scope import Scope, Target, scope_for
from hotmod._source.graph import ImportGraph
from hotmod._source.parse import parse

__all__ = ["LOCK", "RELOADERS", "Reloader", "reloads_here"]

_T = TypeVar("_T")
KEPT_JOURNALS = 3
PREPARING = 1.0  # seconds


class Reloader:
    """Brings the modules of some targets up to date when asked; the engine without a thread.

    Args:
        *targets: modules or packages (objects or names, loaded or not) and paths of folders or files.
            A package means all its submodules, also those imported later.
        verify: called after the new code ran and before it is committed; if it raises or returns
            False, everything is taken back. A command, as a string or a list of strings, is run in a process
            of its own, against the files on disk; if it ends with anything but 0, everything is taken back.
        **options: those of the page on configuration, by name:
            `strategy`, `"minimal"` (the default, which runs only the statements that an edit concerns) or
            `"modules"` (every changed module and all its importers are executed again);
            `include`, `exclude` and `log_only`, gitignore-style patterns of the files in scope, of files that
            are never touched, and of files whose saves watchers log;
            `paths`, folders and files beside the targets;
            `depends`, the other files that modules read, as `{"shop.settings": ["config/*.yaml"]}`;
            `on_rude`, what follows an edit that this process can't take: `"report"` (the status is
            `restart-required`), `"raise"` a ReloadError, or `"restart"` the process;
            `keep`, names that hold on to their objects whatever runs again, as `"shop.db:ENGINE"`;
            `paranoid`, whether the program is compared with a fresh process after each reload;
            `patience`, seconds that a reload waits for `stable` blocks to end before it is postponed.

    Raises:
        ConfigError: there is no target, one does not exist, or an option is unknown or has a bad value.
            Nothing was started.
    """

    def __init__(
        self,
        *targets: Target,
        verify: Check | None = None,
        **options: Unpack[Options],
    ) -> None:
        config = configure(**options)
        self._set_up(config, scope_for(targets, config), check_of(verify))
        self.prepare(PREPARING)

    @classmethod
    def made(
        cls,
        config: Config,
        scope: Scope,
        verify: Callable[[], object] | None = None,
        view: View | None = None,
    ) -> Self:
        """A reloader of a scope, for which edits since a view of its files count as edits."""
        self = cls.__new__(cls)
        self._set_up(config, scope, verify, view)
        return self

    def _set_up(
        self, config: Config, scope: Scope, verify: Callable[[], object] | None, view: View | None = None
    ) -> None:
        self.config, self.scope = config, scope
        self._check_program = verify
        self._done: collections.deque[Transaction] = collections.deque(maxlen=KEPT_JOURNALS)
        with turn():
            self.ledger = Ledger(scope, view, DataFiles(config.depends))
            self.chronicle = Chronicle(config, self.ledger)
            self.planner = planner = Planner(config, self.ledger)
            self._ahead = Ahead(self.ledger, planner.graph, planner.import_time, planner.call_time)
            hooks.install(self.ledger)
        RELOADERS.add(self)
        if number := stress.every(config.stress):
            stress.Every(self, number).start()

    def prepare(self, seconds: float) -> bool:
        """Read and analyse what is loaded, so that reloads need not; changes nothing.

        Making a reloader does this for a second at most, and a watcher does it bit by bit while nobody saves.
        What is not done is done by the first reload that needs it.

        Args:
            seconds: how long to go on at the most.

        Returns:
            Whether everything is prepared.
        """
        if self.config.strategy != "minimal":
            return True
        with LOCK:
            return self._ahead.run(time.perf_counter() + seconds)

    def __repr__(self) -> str:
        return f"<hotmod.Reloader of {self.scope}, generation {self.generation}>"

    @property
    def status(self) -> Status:
        """The status of the last attempt, `unchanged` before the first; `rejected` after a rollback."""
        return self.chronicle.status

    @property
    def generation(self) -> int:
        """How many transactions were committed or rolled back."""
        return self.chronicle.generation

    @property
    def history(self) -> tuple[Report, ...]:
        """The reports of the last attempts, the newest last; at most 32."""
        return tuple(self.chronicle.history)

    def plan(self) -> Plan:
        """What a reload would do now, and why. Changes nothing.

        Raises:
            SourceError: a changed file can't be read, decoded or parsed.
        """
        with LOCK:
            refuse_inside()
            plan = self.planner.plan(self.ledger.changes())
            for change in plan.changes.changes:
                if change.text is not None:
                    parse(change.text)
            return plan

    def verify(self, *, cold: bool = False) -> Verification:
        """Compare what is loaded with what the files on disk would give. Changes nothing, runs nothing.

        Args:
            cold: whether to import the modules in a fresh process as well, and tell what works here only
                thanks to history. That executes the files, there.

        Raises:
            HotmodError: called from inside of a reload.
        """
        with LOCK:
            refuse_inside()
            return compared(self.ledger, self.config, self.history, cold=cold)

    def reload(self, *, check: bool = False) -> Report:
        """Apply whatever differs between disk and memory, as one transaction.

        Args:
            check: raise unless memory equals disk afterwards.

        Returns:
            What was done. After `applied` or `unchanged` memory equals disk; after `rejected` or
            `restart-required` the program is exactly what it was before. With `on_rude="restart"` it does not
            return where a restart is required.

        Raises:
            ReloadError: `check` is true and the edit could not be applied, or this process can't take it and
                `on_rude` is `"raise"`; it carries the report.
            RollbackError: taking back a failed attempt failed itself; the process is a mixture.
            HotmodError: called from inside of another reload or of a `stable` block. Nothing was changed.
            KeyboardInterrupt: the user interrupted; everything was taken back first.
        """
        error: BaseException | None = None
        try:
            report, error = self._patiently(self._attempt)
        except Occupied as occupied:
            report = self.postpone(occupied)
        if isinstance(error, KeyboardInterrupt):
            raise error
        if (check and not report) or (report.is_rude and self.config.on_rude == "raise"):
            raise ReloadError(report) from report.error
        return report

    def rollback(self, n: int = 1) -> Report:
        """Return to the version before the last applied reload, in memory. The files stay as they are.

        Afterwards memory differs from disk: the next `reload()` applies the files again.

        Args:
            n: how many applied reloads to take back; the last three are kept.

        Returns:
            A report with status `applied` and the generation that was taken back, the earliest of several; it
            is false, because memory no longer equals disk.

        Raises:
            ValueError: `n` is less than 1.
            RollbackError: there are not so many to go back to, and nothing was changed; or going back failed
                half-way.
            PostponedError: `stable` blocks did not end in time. Nothing was changed.
        """
        if n < 1:
            msg = f"rollback() takes back one reload or more, not {n}"
            raise ValueError(msg)
        try:
            return self._patiently(functools.partial(self._roll_back, n))
        except Occupied as occupied:
            msg = (
                f"{occupied.words(self.config.patience)}. Nothing was taken back; try again when they ended."
            )
            raise PostponedError(msg) from None

    def _roll_back(self, n: int) -> Report:
        with alone():
            if len(self._done) < n:
                raise RollbackError(_too_few(n, len(self._done)))
            started = time.perf_counter()
            changed: dict[str, None] = {}
            generation = self.generation
            with GATE.taken(None, self.config.patience):
                for _ in range(n):
                    done = self._done.pop()
                    done.undo()
                    generation = done.generation
                    changed.update(dict.fromkeys(done.plan.changes.modules))
                    self.ledger.refuse(done.plan.changes, rolled_back=True)
                self.chronicle.generation += 1
            report = self.chronicle.report(
                "applied", {}, started, changed=tuple(changed), took_back=generation
            )
            return self.chronicle.record(report)

    def _patiently(self, attempt: Callable[[], _T]) -> _T:
        """Attempt, and wait for stable blocks that are in the way; without the lock, which they may need."""
        refuse_inside_block()
        refuse_inside_import(self.scope.owns_name)

        def in_turn() -> _T:
            with turn():
                return attempt()

        return patiently(in_turn, self.config.patience)

    def postpone(self, occupied: Occupied) -> Report:
        """Tell that an attempt could not begin."""
        plan = occupied.plan
        with LOCK:
            report = self.chronicle.report(
                "rejected",
                {},
                time.perf_counter(),
                changed=plan.changes.modules if plan else (),
                error=PostponedError(occupied.words(self.config.patience)),
                affected=len(plan.steps) if plan else 0,
                reasons=plan.reasons() if plan else (),
            )
            return self.chronicle.record(report)

    def attempt(
        self,
        paths: Collection[str] | None,
        *,
        again: bool = False,
        waits: bool = True,
        unfinished: Callable[[ChangeSet], bool] = lambda _: False,
    ) -> Report | None:
        """One transaction over some files, unless the version on disk has been refused already.

        Args:
            paths: the files that may have changed since the last look; None for all.
            again: whether to try a version that was rejected or rolled back.
            waits: whether to wait for stable blocks.
            unfinished: whether what was read may be half a save; nothing is attempted then.

        Returns:
            What was done; None if nothing was attempted. A KeyboardInterrupt of the user's code is in it.

        Raises:
            Occupied: stable blocks are in the way, and `waits` is false.
        """
        attempt = functools.partial(self._try, paths, again=again, unfinished=unfinished)
        try:
            return self._patiently(attempt) if waits else attempt()
        except Occupied as occupied:
            if not waits:
                raise
            return self.postpone(occupied)

    def _try(
        self, paths: Collection[str] | None, *, again: bool, unfinished: Callable[[ChangeSet], bool]
    ) -> Report | None:
        with turn():
            refuse_inside()
            try:
                changes = self.ledger.changes(paths)
            except SourceError:
                changes = None  # the attempt meets it again, and reports it
            if changes is not None and not again and self.ledger.refuses(changes):
                return None
            if changes and unfinished(changes):
                return None
            report, _ = self._attempt(changes)
            if changes is not None and (report.is_rude or report.status not in ("applied", "unchanged")):
                self.ledger.refuse(changes)
            return report

    def _attempt(self, changes: ChangeSet | None = None) -> tuple[Report, BaseException | None]:
        with alone():
            hooks.pass_over_warnings()
            report, error = self._attempt_once(changes)
            if report.status in ("applied", "unchanged") and "identity" in self.config.stress:
                moved = self.config.strategy == "minimal"
                report, error = stress.again_as_it_is(self._attempt_once, self.ledger, report, moved=moved)
                if report is not self.history[-1]:
                    self.chronicle.record(report)
            return report, error

    def _attempt_once(self, changes: ChangeSet | None) -> tuple[Report, BaseException | None]:
        started = time.perf_counter()
        phases: dict[str, float] = {}
        try:
            changes = self.ledger.changes() if changes is None else changes
            phases["scan"] = time.perf_counter() - started
            plan = self.planner.plan(changes)
            phases["plan"] = time.perf_counter() - started - phases["scan"]
        except SourceError as error:
            if changes is not None:
                show_running_texts(self.ledger, changes)
            return self.chronicle.record(self.chronicle.rejection(error, None, phases, started)), error
        self.chronicle.decided(plan)
        if not plan:
            return self.chronicle.record(self.chronicle.report("unchanged", phases, started)), None
        if plan.is_rude and self.config.on_rude == "restart":
            try:
                see_that_it_compiles(changes)
            except (SyntaxError, SourceError, ValueError) as error:
                return self.chronicle.record(self.chronicle.rejection(error, None, phases, started)), error
            with GATE.taken(plan, self.config.patience):
                restart(self.ledger.paths())
        if not plan.steps and plan.is_rude:
            return self.chronicle.record(self.chronicle.restart(plan, phases, started)), None
        try:
            return self._transact(plan, phases, started)
        except _OvertakenError:
            return self._attempt_once(changes)

    def _refuse_overtaken(self) -> None:
        """Give up if another thread has imported a module since the plan was made, which does not know it."""
        known = len(self.ledger.modules)
        if not self.ledger.is_as_seen():
            self.ledger.refresh()
            if len(self.ledger.modules) > known:
                raise _OvertakenError

    def _transact(
        self, plan: Plan, phases: dict[str, float], started: float
    ) -> tuple[Report, BaseException | None]:
        transaction = Transaction(self.ledger, plan, self.planner.imported_by)
        before = Look(self.ledger) if self.config.paranoid else None
        forced = stress.ForcedRollback(self.ledger) if "rollback" in self.config.stress else None

        def report() -> Report:
            return self.chronicle.applied(transaction, {**phases, **transaction.outcome.phases}, started)

        try:
            transaction.prepare()
            with GATE.taken(plan, self.config.patience):
                self._refuse_overtaken()
                transaction.apply(self._check_program, report)
                if forced is not None:
                    forced.applied()
                    transaction.undo()
                    forced.went_back()
                    transaction = Transaction(self.ledger, plan, self.planner.imported_by)
                    transaction.prepare()
                    transaction.apply(self._check_program, report)
                    transaction.outcome.hazards += forced.applied_again()
                self.chronicle.generation += 1  # a call that begins now is to know that it is new
        except (RollbackError, Occupied, _OvertakenError):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises rejects the edit
            show_running_texts(self.ledger, plan.changes)
            phases.update(transaction.outcome.phases)
            return self.chronicle.record(self.chronicle.rejection(error, transaction, phases, started)), error
        transaction.generation = self.generation
        self._done.append(transaction)
        self.ledger.settle(plan.changes)
        told = time.perf_counter()
        try:
            found = [*repeated(transaction), *lingering(transaction)]
            transaction.outcome.hazards += [*found, *survey(transaction)]
            if before is not None:
                transaction.outcome.hazards += drift(before, Look(self.ledger), transaction.outcome.kept)
        except Exception:  # noqa: BLE001 - it is logged
            # it is committed and right; what is lacking is part of the report
            say(logging.ERROR, "hotmod failed to look for what is left; please report this", with_error=True)
        phases["survey"] = time.perf_counter() - told
        transaction.forget()
        return self.chronicle.record(report()), None

    def graph(self) -> ImportGraph:
        """The import graph of the loaded modules, by the texts that they were executed from."""
        return self.planner.graph()


class _OvertakenError(Exception):
    """The plan is of a program that is not the one any more. Nothing was changed."""


def _too_few(wanted: int, kept: int) -> str:
    if not kept:
        return "There is no applied reload to go back from; the program runs what it ran before."
    return (
        f"{wanted} reloads can't be taken back: {kept} {'is' if kept == 1 else 'are'} kept. "
        "Nothing was changed; the program runs what it ran before."
    )


RELOADERS: WeakList[Reloader] = WeakList()
"""Every reloader of the process, for those who ask how things stand."""
