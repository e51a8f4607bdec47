"""What a watcher does about stable blocks that are in the way of an attempt.

Touches: the gate.

Guarantees: an attempt that was postponed is made as soon as the blocks that were in its way have ended, and
new blocks wait for it from that moment on. An attempt that is made elsewhere, through `apply=`, never waits
there: this thread waits, and hands it over when the way is free.

Assumes: used by one watcher; `offer` by its thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hotmod._engine.gate import GATE, Closing, Occupied

__all__ = ["Doorman"]


class Doorman:
    """The gate, for one watcher.

    Args:
        patience: seconds that an attempt waits for blocks.
        look_again: lets the watcher attempt again, soon.

    Attributes:
        crowded: set by an attempt that met blocks and did not wait.
    """

    def __init__(self, patience: float, look_again: Callable[[], object]) -> None:
        self._patience, self._look_again = patience, look_again
        self.crowded: Occupied | None = None
        self._closing: Closing | None = None
        self._stopped = False

    def after(self, *, postponed: bool) -> None:
        """An attempt is over."""
        before, self._closing = self._closing, None
        if postponed:
            self._closing = GATE.close_after(self._patience, self._look_again)
        if before is not None:
            before.release()

    def stop(self) -> None:
        """Wait for nobody any more. Any thread may call this."""
        self._stopped = True
        GATE.stir()

    def offer(self, hand_over: Callable[[], object], returns: Callable[[float], bool]) -> Occupied | None:
        """Hand an attempt over when the blocks in its way have ended.

        Args:
            hand_over: does so.
            returns: waits for some seconds at most until the attempt was made; False if it was not.

        Returns:
            What is still in the way after all patience.
        """
        deadline = time.monotonic() + self._patience
        with GATE.close(self._patience):
            while self.crowded is not None and GATE.wait(deadline, lambda: self._stopped):
                self.crowded = None
                with GATE.offering():
                    hand_over()
                    if not returns(deadline - time.monotonic()):
                        break
        left, self.crowded = self.crowded, None
        return left
