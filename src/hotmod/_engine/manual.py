"""The watcher of `apply="manual"`: it watches and prepares, and the program says when an edit is applied.

Touches: what `Watcher` touches; the program only in `apply()`, in the thread that calls it.

Guarantees: where nothing waits `apply()` looks at a flag. What differs from what is loaded waits from the
moment when its save is over; what was refused does not wait until it is saved with other contents.
After `apply(catch_up=True)` nothing is left that was saved before the call, but what was refused.

Assumes: the thread of the watcher alone fills the lookout.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hotmod._engine.stable import refuse_inside_block
from hotmod._engine.turn import refuse_inside, refuse_inside_import, reloads_here
from hotmod._engine.watcher import Watcher

if TYPE_CHECKING:
    from hotmod._engine.lookout import Lookout
    from hotmod._model.report import Report

__all__ = ["ManualWatcher"]


class ManualWatcher(Watcher):
    """A watcher that applies edits in `apply()` alone."""

    _answers = True

    def _reset(self, *, stopped: bool) -> None:
        super()._reset(stopped=stopped)
        self._waits = False  # whether something is saved that differs from what is loaded
        self._judged = 0.0  # the last save of which that is known
        self._questions = self._answered = 0  # calls of `apply(catch_up=True)`

    @property
    def pending(self) -> bool:
        """Whether `apply()` has something to apply."""
        return self._waits and not (self._holds or self._stopped)

    def apply(self, *, catch_up: bool = False) -> Report | None:
        """Apply what waits; see `Watcher.apply`."""
        if catch_up:
            self._catch_up()
        if not self.pending or self._beginning is None:
            return None
        refuse_inside_block()
        refuse_inside_import(self._beginning.scope.owns_name)
        if reloads_here():
            refuse_inside()
        self._waits = False
        return self._apply_now()

    def _catch_up(self) -> None:
        """Have the thread take in what was saved until now, and wait for it."""
        with self._changed:
            if reloads_here() or threading.current_thread() is self._thread:
                return  # it waits for us
            self._questions += 1
            mine = self._questions
            if self._lookout is not None:
                self._lookout.wake()
            self._changed.wait_for(lambda: self._answered >= mine or self._stopped)

    def _turn(self, lookout: Lookout) -> None:
        asked = self._questions
        if asked > self._answered:
            if not lookout.catch_up():
                lookout.ask()  # no event tells, so contents have to
            lookout.look()
            while lookout.burst and not (self._stopped or lookout.turn(held=False)):
                pass  # a turn lets a moment pass: it gives those who still write time to come to an end
        else:
            lookout.turn(held=self._waits or self._holds > 0)
        last = lookout.burst.last
        if lookout.is_over() and last != self._judged:
            self._waits = self._differs(lookout)
            self._judged = last
        if asked > self._answered:
            with self._changed:
                self._answered = asked
                self._changed.notify_all()

    def _differs(self, lookout: Lookout) -> bool:
        """Whether what was saved is something to apply; if not, it is forgotten."""
        if lookout.differs(lookout.waiting()):
            return True
        lookout.take()
        return False
