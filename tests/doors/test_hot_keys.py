"""The keys of `pytest --hot`: what is typed into whatever standard input is."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from hotmod.pytest_plugin.keys import Keys


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
