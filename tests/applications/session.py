"""Drives a program of examples/ as its user would: starts it, saves files, reads what it tells.

Nothing waits by time: a question has an answer, and each attempt of hotmod a line that begins with
`hotmod: `. What was done and seen is kept as a transcript, which the page about the program has to show.
"""

from __future__ import annotations

import collections
import http.client
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from typing import Self

from tests.doors.shell import SECONDS, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
ONCE = "hotmod: whether old code goes on running can't be told"  # by Python 3.11
REWRITE = "REWRITE_PAGES"  # set it to let the pages show what the tests see
GENERATION = re.compile(r"\(generation (\d+)\)")


class Session:
    """A program in a folder of its own, which is a copy of one in examples/.

    Args:
        example: its name there.
        temp: an empty folder.
        command: what the interpreter is to run.
        shown: what a user would type.
        variables: environment variables of the program.
    """

    def __init__(
        self, example: str, temp: pathlib.Path, *command: str, shown: str = "", **variables: str
    ) -> None:
        self.folder = temp / os.path.basename(example)
        shutil.copytree(
            ROOT / "examples" / example, self.folder, ignore=shutil.ignore_patterns("__pycache__")
        )
        self.transcript = [f"$ {shown or 'python ' + ' '.join(command)}"]
        self.port = 0
        self.generation = 0  # the last one that was told
        self._before = 0  # generations that the page does not show
        self._seen: collections.deque[str] = collections.deque(maxlen=60)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment(temp / "temporary", **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._hung = threading.Timer(SECONDS, self.process.kill)  # then the lines end, and the answers
        self._hung.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hung.cancel()
        self.process.kill()
        self._reader.join(SECONDS)
        self.process.communicate()

    def _read(self) -> None:
        """Empty the pipe, so that the program never waits for its reader."""
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    # what it tells

    def line(self, begin: str = "", *, show: bool = True) -> str:
        """Wait for the next line that begins so; other lines are passed over."""
        while True:
            line = self._lines.get()
            if line is None:
                raise AssertionError("\n".join([f"no line begins with {begin!r}; before:", *self._seen]))
            self._seen.append(line)
            if found := GENERATION.search(line):
                self.generation = int(found[1])
            if line.startswith(ONCE):
                continue
            if line.startswith(begin):
                if show:
                    shown = GENERATION.sub(self._renumbered, line)
                    self.transcript.append(shown.replace(str(self.folder), f"/home/you/{self.folder.name}"))
                return line

    def _renumbered(self, found: re.Match[str]) -> str:
        return f"(generation {int(found[1]) - self._before})"

    def listen(self) -> None:
        """Wait for the line that tells where it serves."""
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)", line := self.line(show=False))) is None:
            pass
        self.port = int(found[1])
        self.transcript.append(
            line.replace(found[1], "8000").replace(" WSGI ", " ")
        )  # as Django before 6 says

    def watching(self, path: str) -> None:
        """Wait until the watcher has read what it watches, by a statement at the end of a file.

        Of an edit that comes before, hotmod knows the new text only: it runs the whole module. It does so as
        well, and tells of it, with modules that were imported while it began.
        """
        tell = '__import__("sys").stderr.write("watched\\n")\n'
        self.write(path, (self.folder / path).read_text("utf-8") + tell)
        self.line("watched", show=False)
        line = self.line("hotmod: applied", show=False)
        self._before = int(line.rpartition("(generation ")[2].rstrip(")"))

    def told(self, *words: str) -> str:
        """Wait for what hotmod tells of the next attempt, in which some words have to stand."""
        line = self.line("hotmod: ")
        assert all(word in line for word in words), line
        return line

    # what is done

    def save(self, path: str, old: str, new: str, *, show: bool = True) -> None:
        """Replace a text, which is there once, and save the file as most editors do."""
        file = self.folder / path
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))
        if show:
            lines = [f"- {line}" for line in old.splitlines()] + [f"+ {line}" for line in new.splitlines()]
            kept = [line[2:] for line in lines]
            edits = [line for line in lines if kept.count(line[2:]) == 1 and line[2:].strip()]
            self.transcript += ["", f"[{path}]", *edits]

    def write(self, path: str, text: str) -> None:
        """Save a file whole, by renaming another one over it."""
        file = self.folder / path
        fresh = file.with_name(f"{file.name}.tmp")
        fresh.write_text(text, "utf-8")
        fresh.replace(file)

    def get(self, path: str, *, show: bool = True) -> str:
        """What the server answers, with its status if that is not 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            text = f"{answer.status} {http.HTTPStatus(answer.status).phrase}"
        if show:
            self.transcript += [f"$ curl localhost:8000{path}", text]
        return text

    def type(self, line: str, *, show: bool = True) -> None:
        """Give the program a line on standard input."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        if show:
            self.transcript.append(f"> {line}")

    def ask(self, line: str, *, show: bool = True) -> str:
        """What the program answers to a line, in a line."""
        self.type(line, show=show)
        return self.line(show=show)

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)

    # what the page shows

    def is_on(self, page: str) -> None:
        """Hold a page to its transcript: its one `text` block, durations and numbers of steps aside.

        With `REWRITE_PAGES=1` in the environment the page is mended instead.
        """
        path = ROOT / "docs" / page
        text = path.read_text("utf-8")
        begin, end = "```text\n", "\n```\n"
        before, _, rest = text.partition(begin)
        shown, _, after = rest.partition(end)
        seen = "\n".join(self.transcript)
        if os.environ.get(REWRITE):
            path.write_text(f"{before}{begin}{seen}{end}{after}", "utf-8")
        else:
            expected, found = _timeless(shown), _timeless(seen)
            assert found == expected, f"{page} shows\n{expected}\nand this was seen\n{found}"


def _timeless(text: str) -> str:
    return re.sub(r"\b\d+(\.\d+)? m?s\b|\bstep \d+:", "_", text)
