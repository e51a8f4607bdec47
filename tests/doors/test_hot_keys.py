"""The keys of `pytest --hot`: what is typed into whatever standard input is."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import threading

import pytest

from hotmod.pytest_plugin import keys as module
from hotmod.pytest_plugin.keys import Keys
from tests.doors.shell import SECONDS


def test_a_terminal_of_another_session_has_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is not that of the session, as some consoles give, has keys as any other."""
    ours, theirs = pty.openpty()
    keys = Keys()
    monkeypatch.setattr(keys, "_stdin", theirs)
    try:
        os.write(ours, b"q")
        assert keys.wait() == "quit"
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_closed_input_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard input is closed nobody types, and a save is waited for."""
    monkeypatch.setattr(sys, "__stdin__", None)
    keys = Keys()
    keys.saved()
    assert keys.wait() == "saved"
    assert keys._stdin is None  # what has its number now is another file


def test_a_signal_ends_the_waiting_whichever_thread_is_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that does not interrupt the waiting itself, as another thread is given it, is not lost."""
    monkeypatch.setattr(sys, "__stdin__", None)
    keys, waits, late = Keys(), threading.Event(), threading.Event()

    class Waits:
        def select(self, *arguments: object) -> object:
            waits.set()
            return select.select(*arguments)  # type: ignore[arg-type]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def be_given_it() -> None:
        waits.wait(SECONDS)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    def give_up() -> None:
        late.set()
        keys.saved()

    monkeypatch.setattr(module, "select", Waits())
    before = signal.signal(signal.SIGUSR1, interrupt)
    other, bound = threading.Thread(target=be_given_it), threading.Timer(SECONDS, give_up)
    try:
        other.start()
        bound.start()
        with pytest.raises(KeyboardInterrupt):
            keys.wait()
        assert not late.is_set()
    finally:
        bound.cancel()
        other.join()
        signal.signal(signal.SIGUSR1, before)
