"""The watcher: a daemon thread that applies edits as they are saved, and the handle that people hold.

Touches: one thread per watcher; the running program, through the reloader.

Guarantees: making a watcher reads a few source files at the most and returns at once, and a save after that
moment is applied. At most one attempt of a watcher is under way. An exception of the user's, wherever it
comes from, ends as a report or in the log, never the thread. After `stop()`, at exit and in a forked child
no attempt begins.

Assumes: whoever gives `apply=` calls what it is given, once and in good time.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from hotmod._engine import notes
from hotmod._engine.brake import Brake
from hotmod._engine.metrics import Counted, Counts
from hotmod._engine.saying import raise_interrupt, say, tell
from hotmod._engine.watchers import LOOKOUTS, WATCHERS
from hotmod._model.errors import HotmodError, RollbackError

if TYPE_CHECKING:
    from hotmod._engine.beginning import Beginning
    from hotmod._engine.doorman import Doorman
    from hotmod._engine.lookout import Lookout
    from hotmod._model.report import Report, Status
    from hotmod._model.verification import Verification

__all__ = ["WATCHERS", "Watcher"]

COURTESY = 0.02  # seconds
HISTORY = 32
STOP_WAIT = 5.0  # seconds that stop() waits for an attempt under way
FAILURES = 3  # errors of hotmod in a row after which a watcher gives up
MISTAKE = "hotmod: an error in the watcher itself (%d of %d)"
APPLY_FAILED = "hotmod: apply= failed, so the edit was not applied; the next save tries again"
_CLEAN = ("unchanged", "applied")


class Watcher(Counted):
    """A running watch over some targets; `hotmod.watch` makes one.

    It is a context manager that stops on leaving. A watcher that nobody holds goes on watching.
    """

    _answers = False  # whether its lookout is asked what was saved until now

    def __init__(
        self,
        beginning: Beginning | None,
        on_reload: Callable[[Report], object] | None = None,
        apply: Callable[[Callable[[], None]], object] | None = None,
        delay: float = 0.0,
    ) -> None:
        self._beginning = beginning
        self._delay = delay
        self._on_reload = on_reload
        self._apply = apply
        self._lookout: Lookout | None = None
        self._doorman: Doorman | None = None
        self._thread: threading.Thread | None = None
        self._reset(stopped=beginning is None)
        self._status: Status = "unchanged"
        self._history: collections.deque[Report] = collections.deque(maxlen=HISTORY)
        self._new: collections.deque[Report] = collections.deque()
        if beginning is not None:
            WATCHERS.add(self)
            notes.hold()
            name = f"hotmod watcher of {beginning.scope}"
            self._thread = threading.Thread(target=self._run, args=(beginning,), name=name, daemon=True)
            self._thread.start()

    def _reset(self, *, stopped: bool) -> None:
        self._changed = threading.Condition()
        self._stopped = stopped
        self._holds = 0
        self._handed_over = False  # whether `apply` has an attempt that it has not yet run
        self._attempting = 0  # the thread that makes an attempt, 0 when none does
        self._brake = Brake()
        self._counts = Counts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        if self._beginning is None:
            return "<hotmod.Watcher, off>"
        state = "stopped" if self._stopped else "held" if self._holds else "watching"
        count = len(self._lookout.folders) if self._lookout is not None else 0
        if state == "watching" and count:
            state = f"watching {count} folder{'s' if count != 1 else ''}"
        state += ", an edit waits for apply()" if self.pending else ""
        of = self._beginning
        return f"<hotmod.Watcher of {of.scope}, {state}, {self.status}, generation {of.generation}>"

    @property
    def status(self) -> Status:
        """How things stand: `unchanged` or `applied` while the program runs what is on disk.

        `rejected` or `restart-required` from an attempt that failed, and `rejected` from a `rollback()`,
        until a later attempt puts it right. A save that has not been attempted yet does not show.
        """
        if self._beginning is not None and self._beginning.is_behind and self._status in _CLEAN:
            return "rejected"  # somebody rolled back without this handle
        return self._status

    @property
    def history(self) -> tuple[Report, ...]:
        """The reports of the last attempts that did something or failed, the newest last; at most 32."""
        with self._changed:
            return tuple(self._history)

    @property
    def stopped(self) -> bool:
        """Whether no further attempt begins by itself."""
        return self._stopped

    @property
    def pending(self) -> bool:
        """Whether `apply()` has something to apply. False of a watcher that applies edits by itself."""
        return False

    def apply(self, *, catch_up: bool = False) -> Report | None:  # noqa: ARG002 - for one with apply="manual"
        """Apply in the calling thread what waits; for watchers that were made with `apply="manual"`.

        Where nothing waits this looks at a flag. It waits for `stable` blocks as `reload` does.

        Args:
            catch_up: find for sure what was saved before this call, also in the instant before it. That
                takes milliseconds, or a tenth of a second when nobody has saved for minutes; a save that
                looks unfinished is waited for, a quarter of a second at most.

        Returns:
            What was done; None if nothing waited, inside of `hold()`, and where edits apply by themselves.

        Raises:
            HotmodError: called by code that is being reloaded or imported, or in a `stable` block. Nothing
                was changed, and the edit still waits.
        """
        return None

    def next_report(self, timeout: float | None = None) -> Report:
        """Wait for the next report of a save, and return each of them once.

        Reports that were returned by `rollback()` and `retry()` are not given out again.

        Args:
            timeout: how long to wait, in seconds; None waits for ever.

        Raises:
            TimeoutError: no report came in time, or none can come: the watcher is stopped or off.
            HotmodError: called by `on_reload` or by code that is being reloaded, which would wait for itself.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._new:
                if self._attempting == threading.get_ident():
                    msg = (
                        "next_report() waits for an attempt that can't begin before the code that called it "
                        "returns. The report of the current attempt is the argument of on_reload."
                    )
                    raise HotmodError(msg)
                left = None if deadline is None else deadline - time.monotonic()
                if self._stopped:
                    msg = f"{self!r}: no report will come"
                    raise TimeoutError(msg)
                if left is not None and left <= 0:
                    msg = f"{self!r}: no report came within {timeout} s"
                    raise TimeoutError(msg)
                self._changed.wait(left)
            return self._new.popleft()

    def stop(self) -> None:
        """End watching. The program keeps the version that it runs; a second call does nothing.

        Waits for an attempt that is under way, up to five seconds, unless it is that attempt that calls. What
        was handed to `apply` and has not been run yet does nothing when it is run.
        """
        with self._changed:
            self._stopped = True
            inside = self._attempting == threading.get_ident()
            self._changed.notify_all()
        if self._doorman is not None:
            self._doorman.stop()
        if self._lookout is not None:
            self._lookout.wake()
        thread = self._thread
        if thread is None or inside or thread is threading.current_thread():
            return
        thread.join(STOP_WAIT)
        if thread.is_alive():
            say(logging.WARNING, "%r: an attempt is still under way after %.0f s", self, STOP_WAIT)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Apply nothing inside the block; what was saved meanwhile is one transaction at its end.

        An attempt that is under way is waited for. Blocks can be nested, also over threads: the last one that
        ends counts. The transaction begins soon after the block, in the watcher's thread or through `apply`;
        its report comes to `next_report`.
        """
        with self._changed:
            self._holds += 1
        try:
            self._wait_for_attempt()
            yield
        finally:
            with self._changed:
                self._holds -= 1
                if not self._holds and self._lookout is not None:
                    self._lookout.ask()

    def rollback(self, n: int = 1) -> Report:
        """Return to the version before the last applied one, in the calling thread.

        The files stay as they are. What is on disk now is not applied again before a file is saved with
        other contents, or `retry()` is called.

        Args:
            n: how many applied reloads to take back; the last three are kept.

        Returns:
            The report of the reloader. The status is `rejected` afterwards, as the program does not run
            what is on disk.

        Raises:
            ValueError: `n` is less than 1.
            RollbackError: there are not so many to go back to, or going back failed half-way.
        """
        if self._beginning is None:
            msg = "There is nothing to go back from: HOTMOD=off, so nothing was ever applied."
            raise RollbackError(msg)
        with self._attempt(asked=True):
            report = self._beginning.reloader().rollback(n)
            self._publish(report, queued=False, status="rejected")
        return report

    def retry(self) -> Report:
        """Attempt now, in the calling thread, whatever is on disk, refused before or not.

        Returns:
            The report. After `applied` or `unchanged` the program runs what is on disk.
        """
        if self._beginning is None:
            from hotmod._model.report import Report  # noqa: PLC0415 - takes a while to load

            return Report(status="unchanged", scope="", generation=0)
        with self._attempt(asked=True):
            report = self._beginning.reloader().attempt(None, again=True)
            assert report is not None, "an attempt that is asked for gives a report"  # noqa: S101
            self._publish(report, queued=False)
        raise_interrupt(report)
        return report

    def verify(self, *, cold: bool = False) -> Verification:
        """Compare what is loaded with what the files on disk would give, as `hotmod.verify` does.

        Args:
            cold: whether to ask a fresh process as well.

        Raises:
            HotmodError: called from inside of a reload.
        """
        if self._beginning is None:
            from hotmod._model.verification import Verification  # noqa: PLC0415 - takes a while to load

            return Verification()
        return self._beginning.reloader().verify(cold=cold)

    # The thread

    def _run(self, beginning: Beginning) -> None:
        """What the thread does: watch, until stopped or until hotmod itself fails again and again."""
        beginning.look_closely()
        with self._changed:  # whoever called watch() goes on first: loading the engine keeps the GIL busy
            self._changed.wait_for(lambda: self._stopped, COURTESY)
        from hotmod._engine.doorman import Doorman  # noqa: PLC0415 - loaded with the engine
        from hotmod._engine.lookout import Lookout  # noqa: PLC0415 - loads watchfiles, which takes a while

        lookout = self._lookout = Lookout(beginning.reloader(), self._delay, answers=self._answers)
        LOOKOUTS.add(lookout)
        doorman = self._doorman = Doorman(beginning.config.patience, self._look_again)
        failures = 0
        started = False
        try:
            while not self._stopped and failures < FAILURES:
                try:
                    if not started:
                        lookout.start()
                        started = True
                        lookout.ask()
                    self._turn(lookout)
                    if doorman.crowded is not None and not self._handed_over:
                        self._offer(doorman)
                    failures = 0
                except Exception:  # noqa: BLE001 - it is logged
                    failures += 1
                    say(logging.ERROR, MISTAKE, failures, FAILURES, with_error=True)
                    lookout.ask()
        finally:
            lookout.close()
            doorman.after(postponed=False)
            LOOKOUTS.discard(lookout)
            notes.release()
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _turn(self, lookout: Lookout) -> None:
        """Let a moment pass, and see to what was saved."""
        held = self._holds > 0 or self._handed_over or self._brake.holds(lookout.last)
        if lookout.turn(held=held) and not self._brake.holds(lookout.last):
            self._hand_over()

    def _hand_over(self) -> None:
        """Make an attempt, here or where `apply` wants it."""
        if self._apply is None:
            self._go()
            return
        self._handed_over = True
        try:
            self._apply(self._go)
        except Exception:  # noqa: BLE001 - it is logged
            self._handed_over = False
            self._take()
            say(logging.ERROR, APPLY_FAILED, with_error=True)

    def _offer(self, doorman: Doorman) -> None:
        """Hand over an attempt that met stable blocks when these have ended, or tell that it is postponed."""

        def returns(seconds: float) -> bool:
            with self._changed:
                return self._changed.wait_for(
                    lambda: self._stopped or not (self._handed_over or self._attempting), seconds
                )

        occupied = doorman.offer(self._hand_over, returns)
        if occupied is not None and self._beginning is not None and not self._stopped:
            with self._attempt(asked=False):
                report = self._beginning.reloader().postpone(occupied)
                self._publish(report, queued=True)
            doorman.after(postponed=True)

    def _look_again(self) -> None:
        if self._lookout is not None:
            self._lookout.ask()
            self._lookout.wake()

    def _go(self) -> None:
        self._apply_now()

    def _apply_now(self) -> Report | None:
        """Apply what was saved, unless it is not the time for it any more."""
        report = None
        with self._attempt(asked=False) as may_begin:
            self._handed_over = False
            if may_begin:
                report = self._report(self._take())
            if report is not None:
                self._brake.after(report)
                self._publish(report, queued=True)
        if self._doorman is not None:
            self._doorman.after(postponed=report is not None and report.postponed)
        if report is not None:
            raise_interrupt(report)
        return report

    @contextlib.contextmanager
    def _attempt(self, *, asked: bool) -> Iterator[bool]:
        """Keep out other attempts and `hold()`; gives whether one may begin that nobody asked for."""
        here = threading.get_ident()
        with self._changed:
            self._wait_for_attempt()
            outer, self._attempting = self._attempting, here
            may_begin = asked or not (self._stopped or self._holds)
        try:
            yield may_begin
        finally:
            with self._changed:
                self._attempting = outer
                self._changed.notify_all()

    def _wait_for_attempt(self) -> None:
        """Wait until no other thread makes an attempt of this watcher."""
        reloader = sys.modules.get("hotmod._engine.reloader")  # where it is not loaded nothing is reloaded
        if reloader is not None and reloader.reloads_here():
            return  # the other thread waits for the transaction from inside of which this is called
        with self._changed:  # a condition's lock is reentrant
            while self._attempting not in (0, threading.get_ident()):
                self._changed.wait()

    def _take(self) -> frozenset[str] | None:
        return self._lookout.take() if self._lookout is not None else None

    def _report(self, paths: frozenset[str] | None) -> Report | None:
        """Attempt, and turn an error of hotmod itself into a report; None if nothing was attempted."""
        from hotmod._engine.failures import failure  # noqa: PLC0415 - loaded with the engine
        from hotmod._engine.gate import Occupied  # noqa: PLC0415 - the same

        if self._beginning is None or self._lookout is None:
            return None
        reloader = self._beginning.reloader()
        try:
            waits, unfinished = self._apply is None, self._lookout.is_unfinished
            return reloader.attempt(paths, waits=waits, unfinished=unfinished)
        except Occupied as occupied:
            if self._doorman is not None and self._lookout is not None:
                self._doorman.crowded = occupied
                self._lookout.wake()
            return None
        except Exception as error:  # noqa: BLE001 - it is told
            return failure(error, str(reloader.scope), reloader.generation)
        except BaseException:  # Ctrl-C between two steps of ours: what was saved is still to be applied
            if self._lookout is not None:
                self._lookout.ask()
            raise

    def _publish(self, report: Report, *, queued: bool, status: Status | None = None) -> None:
        """Tell of a report; `unchanged` is told only where somebody waits for it."""
        self._counts.add(report)
        with self._changed:
            if queued and report.status == "unchanged" and self._status in _CLEAN:
                return
            self._status = status or ("restart-required" if report.is_rude else report.status)
            self._history.append(report)
            if queued:
                self._new.append(report)
            self._changed.notify_all()
        if self._on_reload is None:
            return
        tell(self._on_reload, report, own=threading.current_thread() is self._thread)

    def abandon(self) -> None:
        """In a forked child there is no thread, and what it held locked stays locked: begin anew."""
        self._reset(stopped=True)
        self._thread = None
        self._lookout = self._doorman = None
