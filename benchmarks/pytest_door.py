"""How long from a save to the result of the tests: `pytest --hot` beside a cold pytest and other tools.

The program is a copy of networkx, with one file of its tests and one test more. What is run is that test,
then all of the file. In each round two edits are saved for each way, one of the inside of a function and one
of the test, and the time until the summary line is taken. The ways take turns. pytest-watcher, which starts
pytest anew at each save, takes part with `--watcher`.

A first pair of edits is saved as soon as `--hot` waits, and told apart: little has been worked out ahead
then. The rounds begin when all has been.

Then the start of pytest itself, with the plugin installed and with `-p no:hotmod`, in turns, as processor
time.

    python benchmarks/pytest_door.py [--rounds 5] [--starts 11] [--watcher]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import pathlib
import queue
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TEST = "networkx/utils/tests/test_misc.py"
SOURCE = "networkx/utils/misc.py"
ONE = f"{TEST}::test_edited"
BOUND = 600  # seconds that a process may live
IDLE = 0.5  # seconds
QUIET = ("-q", "-p", "no:cacheprovider")


class Edits:
    """Texts of a file that differ each time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._files = {name: (folder / name).read_text("utf-8") for name in (SOURCE, TEST)}
        self._folder, self._count = folder, 0

    def save(self, name: str) -> None:
        """Save another text of a file."""
        self._count += 1
        text = self._files[name]
        if name == SOURCE:
            head, _, rest = text.partition("    if ")  # the first one in a function
            text = f"{head}    _edited = {self._count}\n    if {rest}"
        else:
            call = f"nx.utils.flatten([{self._count}]) == ({self._count},)"
            text = f"{text}\n\ndef test_edited():\n    assert {call}\n"
        (self._folder / name).write_text(text, "utf-8")


class Output:
    """The lines that a process prints."""

    def __init__(self, command: list[str], folder: pathlib.Path) -> None:
        # pytest-watcher starts the pytest that it finds
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path},
        )
        self._hung = threading.Timer(BOUND, self.process.kill)
        self._hung.start()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def until(self, word: str) -> None:
        """Read until a line holds a word."""
        seen = []
        while word not in (line := self._lines.get()):
            seen.append(line)
            if not line or " failed in " in line:
                raise SystemExit("".join(seen))

    def drain(self) -> None:
        """Leave out what was not read."""
        while not self._lines.empty():
            self._lines.get()

    def end(self) -> None:
        """Let the process end."""
        self._reader.join()
        self.process.wait()
        self._hung.cancel()

    def close(self) -> None:
        """End the process."""
        self._hung.cancel()
        self.process.kill()
        self.process.wait()


def spent(pid: int) -> float:
    """Seconds of processor time of a process, and of those that it has waited for. Linux knows."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def pytest(*arguments: str) -> list[str]:
    """What starts pytest."""
    return [sys.executable, "-m", "pytest", *QUIET, *arguments]


class Cold:
    """A process for each save."""

    def __init__(self, folder: pathlib.Path, tests: str) -> None:
        self._folder, self._tests = folder, tests

    def ready(self) -> None:
        """Be ready for a save."""

    def rest(self) -> None:
        """Wait until there is nothing to do any more."""

    def answer(self) -> None:
        """Wait for the result of the tests."""
        output = Output(pytest(self._tests), self._folder)
        output.until(" passed")
        output.end()

    def close(self) -> None:
        """End all processes."""

    def spent(self) -> float:
        """Seconds of processor time until now."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


class Hot(Cold):
    """`pytest --hot`."""

    def __init__(self, folder: pathlib.Path, tests: str) -> None:
        self._output = Output(pytest("--hot", tests), folder)

    def ready(self) -> None:
        """Be ready for a save."""
        self._output.until("waits for a save")

    def answer(self) -> None:
        """Wait for the result of the tests."""
        self._output.until(" passed")

    def rest(self) -> None:
        """Wait until there is nothing to do any more."""
        before = -1.0
        while self.spent() > before + IDLE / 3:
            before = self.spent()
            time.sleep(IDLE)

    def close(self) -> None:
        """End all processes."""
        self._output.close()

    def spent(self) -> float:
        """Seconds of processor time until now."""
        return spent(self._output.process.pid)


class Watcher(Hot):
    """pytest-watcher, with no delay of its own."""

    def __init__(self, folder: pathlib.Path, tests: str) -> None:
        command = [sys.executable, "-m", "pytest_watcher", ".", "--now", "--delay", "0"]
        self._output = Output([*command, *QUIET, tests], folder)
        self.answer()

    def ready(self) -> None:
        """Be ready for a save: one that comes while tests run is lost, and one may have them run twice."""
        pid = self._output.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        busy = True
        while busy:
            looks = []
            for _ in range(2):
                time.sleep(IDLE)
                looks.append(children.read_text("utf-8"))
            busy = any(looks)
        self._output.drain()


def starts(folder: pathlib.Path, number: int) -> dict[str, list[float]]:
    """Seconds of processor time that pytest takes to find no tests, with the plugin and without."""
    (folder / "empty").mkdir()
    found: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(number):
        for way, more in (("with", ()), ("without", ("-p", "no:hotmod"))):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(pytest(*more, "empty"), cwd=folder, check=False, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[way].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return found


def copied(folder: pathlib.Path) -> pathlib.Path:
    """A copy of networkx, with one file of its tests."""
    spec = importlib.util.find_spec("networkx")
    if spec is None or spec.origin is None:
        sys.exit("networkx is not installed")
    installed = pathlib.Path(spec.origin).parent
    shutil.copytree(
        installed, folder / "networkx", ignore=shutil.ignore_patterns("tests", "__pycache__", "conftest.py")
    )
    (folder / TEST).parent.mkdir()
    shutil.copy(installed.parent / TEST, folder / TEST)
    (folder / "pyproject.toml").write_text("[tool.pytest]\n")
    return folder


_Row = tuple[float, float]  # milliseconds: until the result, and of processor time
_Times = dict[str, dict[str, list[_Row]]]  # by the edited file and the way


def measure(tests: str, rounds: int, *, watcher: bool) -> _Times:
    """Save edits in turns; the first of each is the one right after the start."""
    kinds: dict[str, type[Cold]] = {"cold pytest": Cold, "pytest --hot": Hot}
    if watcher:
        kinds["pytest-watcher"] = Watcher
    found: _Times = {SOURCE: {}, TEST: {}}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = {way: copied(pathlib.Path(name) / str(number)) for number, way in enumerate(kinds)}
        edits = {way: Edits(folder) for way, folder in folders.items()}
        for each in edits.values():
            each.save(TEST)
        ways = {way: kind(folders[way], tests) for way, kind in kinds.items()}
        for tool in ways.values():
            stack.callback(tool.close)
            tool.ready()
        for number in range(rounds + 1):
            for edited, times in found.items():
                for way, tool in ways.items():
                    used, began = tool.spent(), time.perf_counter()
                    edits[way].save(edited)
                    tool.answer()
                    took = time.perf_counter() - began
                    tool.ready()
                    times.setdefault(way, []).append((took * 1e3, (tool.spent() - used) * 1e3))
            if not number:
                for tool in ways.values():
                    tool.rest()
    return found


def show(found: _Times) -> None:
    """Print medians, and how often a cold pytest takes that."""
    for edited, times in found.items():
        print(f"  {edited:<41}time          processor time   first edit")
        colds = [statistics.median(values) for values in zip(*times["cold pytest"][1:], strict=True)]
        for way, rows in times.items():
            medians = [statistics.median(values) for values in zip(*rows[1:], strict=True)]
            told = [f"{one:>9.0f} {cold / one:>6.1f}" for one, cold in zip(medians, colds, strict=True)]
            print(f"    {way:<26}{'   '.join(told)}{rows[0][0]:>13.0f}")


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--watcher", action="store_true")
    options = parser.parse_args()
    print("from a save to the summary line: medians of milliseconds, and how often a cold pytest takes that")
    for tests in (ONE, TEST):
        print(f"\n{tests}")
        show(measure(tests, options.rounds, watcher=options.watcher))
    with tempfile.TemporaryDirectory() as name:
        started = starts(pathlib.Path(name), options.starts)
    print("\nmilliseconds of processor time that pytest takes to find no tests, medians\n")
    for way, values in started.items():
        print(f"  {way + ' the plugin':<22}{statistics.median(values) * 1e3:>9.1f}")
    ratios = [one / two for one, two in zip(started["with"], started["without"], strict=True)]
    print(f"  ratio, median of pairs {statistics.median(ratios):>8.3f}")


if __name__ == "__main__":
    main()
