"""Runs hotmod's command as people do: in a process of its own, piped or in a terminal."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator

# What a developer's shell may hold, and what decides about colours, widths and configuration.
UNSET = ("HOTMOD", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONPATH", "PYTHONWARNINGS")
SECONDS = 60  # a process that takes longer hangs


def environment(temp: pathlib.Path, **variables: str) -> dict[str, str]:
    """A shell's variables, with a folder for temporary files that is made and empty."""
    temp.mkdir(exist_ok=True)
    plain = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**plain, "TERM": "xterm", "TMPDIR": str(temp), **variables}


def piped(
    *arguments: str, cwd: pathlib.Path, code: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command with pipes; `code` is executed in its process first."""
    command = ["-m", "hotmod"]
    if code:
        command = ["-c", f"import sys\n{code}\nfrom hotmod._cli import main\nsys.exit(main())"]
    return subprocess.run(
        [sys.executable, "-W", "error", *command, *arguments],
        cwd=cwd,
        env=environment(cwd / "temporary", **variables),
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
    )


@contextlib.contextmanager
def bounded(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process that lives on behind the block, or hangs in it."""
    hung = threading.Timer(SECONDS, process.kill)
    hung.start()
    try:
        yield
    finally:
        hung.cancel()
        process.kill()


def in_terminal(*arguments: str, cwd: pathlib.Path, **variables: str) -> tuple[int, str]:
    """Run the command in a pseudo-terminal of 80 columns; gives the exit code and what is to be seen."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "hotmod", *arguments],
        cwd=cwd,
        env=environment(cwd / "temporary", COLUMNS="80", **variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux: EIO when the last one has left the terminal
            while piece := os.read(ours, 4096):
                seen += piece
        os.close(ours)
        code = process.wait(SECONDS)
    return code, seen.decode().replace("\r\n", "\n")
