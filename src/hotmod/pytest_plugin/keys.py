"""What the user does between two runs: a key, or nothing.

Touches: standard input, and the terminal that it is, if it is one: keys are read as they are typed, and what
was set before is set again when waiting ends. So is what signals are written to.

Guarantees: nothing is read while tests run, which may read themselves. Waiting ends with a save, a key or
Ctrl-C; it costs no processor time.
"""

from __future__ import annotations

import functools
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from typing import Literal

__all__ = ["Keys"]

Wish = Literal["all", "done", "quit", "saved"]


class Keys:
    """Waits for the user, or for a save."""

    def __init__(self) -> None:
        self._saved, self._save = os.pipe()
        os.set_blocking(self._save, False)  # so signals may be written to it
        self._stdin: int | None = 0 if sys.__stdin__ is not None else None  # it may be closed

    def saved(self) -> None:
        """End the waiting: something was saved. Any thread may call this."""
        os.write(self._save, b"s")

    def wait(self, work: Callable[[], bool] | None = None) -> Wish:
        """Wait for what is to be done next.

        Args:
            work: what is done meanwhile, bit by bit, until it says that this is done.

        Raises:
            KeyboardInterrupt: the user pressed Ctrl-C.
        """
        restore = self._by_key()
        # A signal that comes just before `select`, or that another thread is given, is to end it as well.
        before = signal.set_wakeup_fd(self._save, warn_on_full_buffer=False)
        try:
            while True:
                sources = [self._saved, *([] if self._stdin is None else [self._stdin])]
                ready, _, _ = select.select(sources, [], [], None if work is None else 0)
                if not ready and work is not None and work():
                    return "done"
                if self._stdin in ready:
                    wish = self._read()
                    if wish is not None:
                        return wish
                if self._saved in ready:
                    os.read(self._saved, 4096)
                    return "saved"
        finally:
            signal.set_wakeup_fd(before)
            restore()

    def _read(self) -> Wish | None:
        """What was typed, if it means anything."""
        assert self._stdin is not None, "it is waited for"  # noqa: S101
        try:
            typed = os.read(self._stdin, 1)
        except OSError:  # we are in the background, or the terminal is gone
            typed = b""
        if not typed:
            self._stdin = None  # nobody will type anything
        return "quit" if typed in (b"q", b"Q") else "all" if typed in (b"\n", b"\r") else None

    def _by_key(self) -> Callable[[], object]:
        """Let the terminal give each key at once; gives what sets it back."""
        if self._stdin is None or not os.isatty(self._stdin) or _is_in_background(self._stdin):
            return lambda: None
        before = termios.tcgetattr(self._stdin)
        tty.setcbreak(self._stdin, termios.TCSADRAIN)
        return functools.partial(termios.tcsetattr, self._stdin, termios.TCSADRAIN, before)


def _is_in_background(terminal: int) -> bool:
    """Whether another job has the terminal; nobody is in the background of one that is not our session's."""
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:
        return False
