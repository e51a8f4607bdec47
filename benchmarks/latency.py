"""From the save of a file to the running program: hotmod beside its peers, in one run.

Each tool runs the same small program in a process of its own: a package with one module that is edited. This
process saves the module, in place or by renaming another file over it, and asks the program over a pipe
(or HTTP) every millisecond for the value that the module returns. The time from just before the save to the
first new answer counts. What has not come within five seconds was missed. An answer that fails (an
exception in the program while it is being changed, or nobody there to answer) is counted. `watchfiles` is no
reloader: its row is the time until its `watch()` with default settings tells of the change.

    python benchmarks/latency.py [--saves 30] [--tools hotmod,jurigged]

Peers that are not installed are left out: `pip install jurigged hmr uvicorn`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import os
import pathlib
import queue
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

MISSED = 5.0  # seconds
GIVE_UP = 3  # misses in a row
ROW = "{:<12} {:<11} {:>9} {:>8} {:>6} {:>6} {:>6}  {}"
STEP = 0.001  # seconds between two questions

MODULE = "def value():\n    return {number}\n"
RESPONDER = """
import sys, threading
def answer():
    for line in sys.stdin:
        try:
            print(current(), flush=True)
        except Exception:
            print("failed", flush=True)
def begin(value):
    global current
    first = "current" not in globals()
    current = value
    if first:
        threading.Thread(target=answer, daemon=True).start()
"""
MAIN = """
import responder, shop.calc
shop.calc.value
responder.begin(lambda: shop.calc.value())
"""
WAIT = "import threading\nthreading.Event().wait()\n"
PROGRAMS = {
    "hotmod": MAIN + "import hotmod\nwatcher = hotmod.watch('shop')\n" + WAIT,
    "jurigged": MAIN + "import jurigged\njurigged.watch('shop/*.py', logger=lambda event: None)\n" + WAIT,
    "hmr": MAIN,
    "watchfiles": "import watchfiles\nfor _ in watchfiles.watch('shop'):\n    print('changed', flush=True)\n",
    "uvicorn": "import shop.calc\nasync def app(scope, receive, send):\n"
    "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
    "    await send({'type': 'http.response.body', 'body': str(shop.calc.value()).encode()})\n",
}
NEEDS = {"jurigged": "jurigged", "hmr": "reactivity", "watchfiles": "watchfiles", "uvicorn": "uvicorn"}


class Piped:
    """A program that answers questions over its standard streams."""

    def __init__(self, tool: str, folder: pathlib.Path) -> None:
        command = [sys.executable, "-m", "reactivity.hmr"] if tool == "hmr" else [sys.executable]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([*command, "main.py"], cwd=folder, text=True, **streams)
        self.lines: queue.Queue[str] = queue.Queue()
        self.failed = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def value(self) -> str:
        """What the module returns now; empty if the program does not say."""
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        with contextlib.suppress(queue.Empty):
            answer = self.lines.get(timeout=1)
            self.failed += answer == "failed"
            return answer
        return ""

    def stop(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()


class Told(Piped):
    """A program that only tells that something changed; its count stands for the value."""

    def __init__(self, tool: str, folder: pathlib.Path) -> None:
        super().__init__(tool, folder)
        self.folder = folder

    def value(self) -> str:
        """The number that is in the file, once it was told of; events of an earlier save are dropped."""
        with contextlib.suppress(queue.Empty):
            self.lines.get(timeout=STEP)
            return (self.folder / "shop" / "calc.py").read_text().split()[-1]
        return ""


class Served:
    """A program that answers over HTTP."""

    def __init__(self, _tool: str, folder: pathlib.Path) -> None:
        self.failed = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["--reload", "--reload-dir", "shop", "--port", str(self.port), "--log-level", "critical"]
        command = [sys.executable, "-m", "uvicorn", "main:app", *options]
        quiet = {"stderr": subprocess.DEVNULL, "start_new_session": True}
        self.process = subprocess.Popen(command, cwd=folder, **quiet)

    def value(self) -> str:
        """What the module returns now; empty while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            self.failed += 1
            return ""
        finally:
            connection.close()

    def stop(self) -> None:
        """End the program and its children."""
        os.killpg(self.process.pid, 15)
        self.process.wait()


KINDS: dict[str, Callable[[str, pathlib.Path], Piped | Served]] = {"watchfiles": Told, "uvicorn": Served}


def in_place(path: pathlib.Path, text: str) -> None:
    """Save as `open(path, "w")` does."""
    path.write_text(text)


def by_renaming(path: pathlib.Path, text: str) -> None:
    """Save as most editors do."""
    other = path.with_name(f".{path.name}.tmp")
    other.write_text(text)
    os.replace(other, path)


WAYS = {"in place": in_place, "by renaming": by_renaming}


@contextlib.contextmanager
def running(tool: str) -> Iterator[tuple[Piped | Served, pathlib.Path]]:
    """The program under a tool, answering; and the module to edit."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        (folder / "shop").mkdir()
        (folder / "shop" / "__init__.py").touch()
        module = folder / "shop" / "calc.py"
        module.write_text(MODULE.format(number=0))
        (folder / "responder.py").write_text(RESPONDER)
        (folder / "main.py").write_text(PROGRAMS[tool])
        program = KINDS.get(tool, Piped)(tool, folder)
        try:
            warm_up(tool, program, module)
            yield program, module
        finally:
            program.stop()


def warm_up(tool: str, program: Piped | Served, module: pathlib.Path) -> None:
    """Wait until the program runs, and until the tool has applied a first edit."""
    ready = time.monotonic() + 20
    while tool != "watchfiles" and program.value() != "0" and time.monotonic() < ready:
        time.sleep(0.05)
    time.sleep(1)
    arrival(program, module, in_place, 1)


def arrival(
    program: Piped | Served,
    module: pathlib.Path,
    save: Callable[[pathlib.Path, str], None],
    number: int,
) -> float | None:
    """The seconds from a save to the first new answer; None if it was missed."""
    started = time.perf_counter()
    save(module, MODULE.format(number=number))
    while (now := time.perf_counter()) < started + MISSED:
        if program.value() == str(number):
            return time.perf_counter() - started
        time.sleep(max(0.0, STEP - (time.perf_counter() - now)))
    return None


def measure(tool: str, way: str, saves: int, pauses: random.Random) -> tuple[list[float], int, int]:
    """The times of some saves, how many were missed, and how many answers failed."""
    times: list[float] = []
    missed = in_a_row = 0
    with running(tool) as (program, module):
        program.failed = 0
        for number in range(100, 100 + saves):
            # At an uneven pace: an even one could fall into step with a tool that polls.
            time.sleep(pauses.uniform(0.25, 0.5))
            taken = arrival(program, module, WAYS[way], number)
            if taken is not None:
                times.append(taken)
            missed += taken is None
            in_a_row = in_a_row + 1 if taken is None else 0
            if in_a_row == GIVE_UP:
                break
        failed = program.failed
    return times, missed, failed


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--saves", type=int, default=30)
    parser.add_argument("--tools", default=",".join(PROGRAMS))
    options = parser.parse_args()
    tools = [name for name in options.tools.split(",") if importlib.util.find_spec(NEEDS.get(name, "hotmod"))]
    print(ROW.format("save", "tool", "median ms", "p90 ms", "saves", "missed", "failed", "hotmod / tool"))
    for way in WAYS:
        ours = None
        for tool in tools:
            pauses = random.Random(len(tool))  # noqa: S311 - no secret
            times, missed, failed = measure(tool, way, options.saves, pauses)
            if not times:
                print(ROW.format(way, tool, "-", "-", 0, missed, failed, ""), flush=True)
                continue
            median = statistics.median(times) * 1e3
            ours = median if tool == "hotmod" else ours
            tail = sorted(times)[int(len(times) * 0.9)] * 1e3
            ratio = f"{ours / median:.2f}" if ours is not None else ""
            figures = f"{median:.1f}", f"{tail:.1f}", len(times), missed, failed, ratio
            print(ROW.format(way, tool, *figures), flush=True)


if __name__ == "__main__":
    main()
