"""The reloader: one scope, its ledger, and what was done to it.

Touches: everything that a transaction touches; takes the process-wide lock.

Guarantees: every attempt ends as a `Report` with one of four statuses; a rejected attempt leaves the
program as it was; the edits that it could not apply stay pending and belong to the next attempt.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Self

from hotmod._config import Config, configure, listed
from hotmod._engine import hooks
from hotmod._engine.ahead import Ahead
from hotmod._engine.canary import Check, check_of
from hotmod._engine.chronicle import Chronicle
from hotmod._engine.loaded import Ledger
from hotmod._engine.paranoid import Look, drift
from hotmod._engine.planning import Planner
from hotmod._engine.restart import restart
from hotmod._engine.sightings import View
from hotmod._engine.survey import repeated, survey
from hotmod._engine.transaction import Transaction, show_running_texts
from hotmod._engine.verifying import verify as compared
from hotmod._model.changes import Change, ChangeSet
from hotmod._model.errors import HotmodError, ReloadError, RollbackError, SourceError
from hotmod._model.report import Report, Status
from hotmod._model.verification import Verification
from hotmod._plan import Plan
from hotmod._scope import Scope, Target, scope_of
from hotmod._source.graph import ImportGraph
from hotmod._source.parse import parse

__all__ = ["LOCK", "RELOADERS", "Reloader", "reloads_here"]

LOCK = threading.RLock()
KEPT_JOURNALS = 3
PREPARING = 1.0  # seconds
logger = logging.getLogger("hotmod")


class _State:
    """Whether a transaction is under way in this process; guarded by `LOCK`."""

    busy = False
    thread = 0  # whose it is


_state = _State()


def reloads_here() -> bool:
    """Whether the calling thread is in the middle of a transaction: it is code that runs again that asks."""
    return _state.thread == threading.get_ident()


def _refuse_inside() -> None:
    """Keep out what is called from inside of a transaction: half of the modules are not in their place."""
    if _state.busy:
        msg = (
            "A reload can't start inside another one (from a hook, a verify= check or a module that is "
            "being executed). Nothing was changed by this call; the outer reload goes on."
        )
        raise HotmodError(msg)


class Reloader:
    """Brings the modules of some targets up to date when asked; the engine without a thread.

    Args:
        *targets: modules or packages (objects or names, loaded or not) and paths of folders or files.
            A package means all its submodules, also those imported later.
        strategy: `"minimal"`, the default, runs only the statements that an edit concerns; `"modules"`
            executes every changed module and all its importers again.
        verify: called after the new code ran and before it is committed; if it raises or returns
            False, everything is taken back. A command, as a string or a list of strings, is run in a process
            of its own, against the files on disk; if it ends with anything but 0, everything is taken back.
        include: gitignore-style patterns of the files in scope; none means all.
        exclude: gitignore-style patterns of files that are never touched.
        on_rude: what follows an edit that this process can't take: `"report"` (the status is
            `restart-required`), `"raise"` a ReloadError, or `"restart"` the process.
        keep: names that hold on to their objects whatever runs again, as `"shop.db:ENGINE"`.
        paranoid: whether the program is compared with a fresh process after each reload.

    Raises:
        ConfigError: there is no target, one does not exist, or an option is unknown or has a bad value.
            Nothing was started.
    """

    def __init__(
        self,
        *targets: Target,
        strategy: str | None = None,
        verify: Check | None = None,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        on_rude: str | None = None,
        keep: Iterable[str] | None = None,
        paranoid: bool | None = None,
    ) -> None:
        config = configure(
            strategy=strategy,
            include=listed(include),
            exclude=listed(exclude),
            on_rude=on_rude,
            keep=listed(keep),
            paranoid=paranoid,
        )
        self._set_up(config, scope_of(targets, config.include, config.exclude), check_of(verify))
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
        self.config = config
        self.scope = scope
        self._check_program = verify
        self._done: collections.deque[Transaction] = collections.deque(maxlen=KEPT_JOURNALS)
        with LOCK:
            self.ledger = Ledger(scope, view)
            self.chronicle = Chronicle(config, self.ledger)
            self.planner = planner = Planner(config, self.ledger)
            self._ahead = Ahead(self.ledger, planner.graph, planner.import_time, planner.call_time)
            hooks.install(self.ledger)
        RELOADERS.add(self)

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
            _refuse_inside()
            plan = self.planner.plan(self._changes())
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
            _refuse_inside()
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
            KeyboardInterrupt: the user interrupted; everything was taken back first.
        """
        with LOCK:
            report, error = self._attempt()
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
        """
        if n < 1:
            msg = f"rollback() takes back one reload or more, not {n}"
            raise ValueError(msg)
        with LOCK, self._alone():
            if len(self._done) < n:
                raise RollbackError(_too_few(n, len(self._done)))
            started = time.perf_counter()
            changed: dict[str, None] = {}
            generation = self.generation
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

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a reload from inside a reload (a hook, a module that is being executed)."""
        _refuse_inside()
        _state.busy, _state.thread = True, threading.get_ident()
        try:
            yield
        finally:
            _state.busy, _state.thread = False, 0

    def attempt(self, paths: Collection[str] | None, *, again: bool = False) -> Report | None:
        """One transaction over some files, unless the version on disk has been refused already.

        Args:
            paths: the files that may have changed since the last look; None for all.
            again: whether to try a version that was rejected or rolled back.

        Returns:
            What was done; None if nothing was attempted. A KeyboardInterrupt of the user's code is in it.
        """
        with LOCK:
            _refuse_inside()
            try:
                changes = self.ledger.changes(paths)
            except SourceError:
                changes = None  # the attempt meets it again, and reports it
            if changes is not None and not again and self.ledger.refuses(changes):
                return None
            report, _ = self._attempt(changes)
            if changes is not None and (report.is_rude or report.status not in ("applied", "unchanged")):
                self.ledger.refuse(changes)
            return report

    def _attempt(self, changes: ChangeSet | None = None) -> tuple[Report, BaseException | None]:
        with self._alone():
            started = time.perf_counter()
            phases: dict[str, float] = {}
            try:
                changes = self._changes() if changes is None else changes
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
                    for change in changes.changes:
                        self._check_text(change)
                except (SyntaxError, SourceError, ValueError) as error:
                    return self.chronicle.record(
                        self.chronicle.rejection(error, None, phases, started)
                    ), error
                restart(self.ledger.paths())
            if not plan.steps and plan.is_rude:
                return self.chronicle.record(self.chronicle.restart(plan, phases, started)), None
            return self._transact(plan, phases, started)

    @staticmethod
    def _check_text(change: Change) -> None:
        """See that a text compiles before the program is started anew with it."""
        if change.text is not None:
            loader = getattr(getattr(sys.modules.get(change.module), "__spec__", None), "loader", None)
            hooks.compile_text(loader, change.text)

    def _transact(
        self, plan: Plan, phases: dict[str, float], started: float
    ) -> tuple[Report, BaseException | None]:
        transaction = Transaction(self.ledger, plan, self.planner.imported_by)
        before = Look(self.ledger) if self.config.paranoid else None

        def report() -> Report:
            return self.chronicle.applied(transaction, {**phases, **transaction.outcome.phases}, started)

        try:
            transaction.prepare()
            transaction.apply(self._check_program, report)
        except RollbackError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises rejects the edit
            show_running_texts(self.ledger, plan.changes)
            phases.update(transaction.outcome.phases)
            return self.chronicle.record(self.chronicle.rejection(error, transaction, phases, started)), error
        self.chronicle.generation += 1
        transaction.generation = self.generation
        self._done.append(transaction)
        self.ledger.settle(plan.changes)
        told = time.perf_counter()
        try:
            transaction.outcome.hazards += [*repeated(transaction), *survey(transaction)]
            if before is not None:
                transaction.outcome.hazards += drift(before, Look(self.ledger), transaction.outcome.kept)
        except Exception:
            # it is committed and right; what is lacking is part of the report
            logger.exception("hotmod failed to look for what the reload left behind; please report this")
        phases["survey"] = time.perf_counter() - told
        return self.chronicle.record(report()), None

    def _changes(self) -> ChangeSet:
        return self.ledger.changes()

    def graph(self) -> ImportGraph:
        """The import graph of the loaded modules, by the texts that they were executed from."""
        return self.planner.graph()


def _too_few(wanted: int, kept: int) -> str:
    if not kept:
        return "There is no applied reload to go back from; the program runs what it ran before."
    return (
        f"{wanted} reloads can't be taken back: {kept} {'is' if kept == 1 else 'are'} kept. "
        "Nothing was changed; the program runs what it ran before."
    )


RELOADERS: weakref.WeakSet[Reloader] = weakref.WeakSet()
"""Every reloader of the process, for those who ask how things stand."""
