"""A package of a test's own, and a shell of IPython that keeps it up to date."""

from __future__ import annotations

import atexit
import contextlib
import io
import pathlib
import sys
from collections.abc import Iterator

import pytest
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

from tests.oracle.project import Project


class Shell:
    """A shell of IPython, and what its cells show."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.TerminalInteractiveShell.colors = "nocolor"
        config.TerminalInteractiveShell.simple_prompt = True
        self.inner = TerminalInteractiveShell(config=config)

    def __call__(self, cell: str) -> str:
        """Run a cell as if it had been typed; gives all that is shown."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            self.inner.run_cell(cell, store_history=True)
        return out.getvalue()

    def value(self, expression: str) -> object:
        """What an expression is, in a cell of its own; whatever else is shown is lost."""
        self(f"_value = {expression}")
        return self.inner.user_ns["_value"]

    @property
    def prompt(self) -> str:
        """The prompt for the next cell."""
        return "".join(text for _, text in self.inner.prompts.in_prompt_tokens())


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[Project]:
    """An empty folder on `sys.path`; what is imported from it is forgotten after the test."""
    found = Project(tmp_path / "project")
    found.folder.mkdir()
    yield found
    found.forget()


@pytest.fixture
def shell(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell in which `%load_ext hotmod` has been run."""
    monkeypatch.setenv("HOTMOD_EXCLUDE", "tests/")  # modules of ours are everybody's who is not installed
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("displayhook", "excepthook", "ps1", "ps2", "ps3"):
        monkeypatch.setattr(sys, name, getattr(sys, name, None), raising=False)
    made = Shell()
    made("%load_ext hotmod")
    yield made
    made("%unload_ext hotmod")
    made.inner.atexit_operations()
    atexit.unregister(made.inner.atexit_operations)
