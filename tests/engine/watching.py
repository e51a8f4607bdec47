"""What the tests of the watcher share: watching a project, and waiting for what it reports."""

from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import hotmod
from tests.oracle.project import Project

# Far more than any report takes, even on a machine that does something else: a test that fails waits for it.
LONG = 60.0


@contextlib.contextmanager
def watching(*targets: object, **options: object) -> Iterator[hotmod.Watcher]:
    """A watcher that is up: it has looked at everything once."""
    with hotmod.watch(*targets, **options) as watcher:
        until_up(watcher)
        yield watcher


def until_up(watcher: hotmod.Watcher) -> None:
    """Wait until a watcher watches."""
    until(lambda: watcher.stopped or "folder" in repr(watcher))


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so of which nothing tells."""
    so, deadline = threading.Event(), time.monotonic() + LONG
    while not so.wait(0.005):
        assert time.monotonic() < deadline
        if true():
            so.set()


def replace(path: pathlib.Path, text: str) -> None:
    """Save a file as most editors do: write another one, and rename it."""
    other = path.with_name(f".{path.name}.tmp")
    other.write_text(text, "utf-8")
    os.replace(other, path)


def fresh(project: Project, expression: str, *imports: str) -> str:
    """The value of an expression, as text, in a process that imports the files as they are now."""
    program = f"import {', '.join(imports)}\nprint({expression})"
    command = [sys.executable, "-c", program]
    # no `.pyc` is read or written: one of an earlier text may have the stamp of this one
    none = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(project.folder.parent / "none")}
    environment = {**os.environ, "PYTHONPATH": str(project.folder), **none}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_program(project: Project, program: str, *, timeout: float = LONG) -> subprocess.CompletedProcess[str]:
    """Run a program of its own in the project's folder."""
    path = project.folder / "program.py"
    path.write_text(textwrap.dedent(program), "utf-8")
    return subprocess.run(
        [sys.executable, str(path)],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


class Inbox:
    """An `apply=` of a test: what it is given waits until the test runs it."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Callable[[], None]] = queue.Queue()

    def __call__(self, run: Callable[[], None]) -> None:
        self.waiting.put(run)

    def run_next(self) -> None:
        """Wait for the next thing, and run it here."""
        self.waiting.get(timeout=LONG)()
