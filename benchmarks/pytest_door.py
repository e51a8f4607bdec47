"""How long from a save to the result of the tests: `pytest --hot` beside a cold pytest and other tools.

The program is a copy of networkx, with one file of its tests and one test more. What is run is that test,
then all of the file. In each round two edits are saved for each way, one of the inside of a function and one
of the test, and the time until the summary line is taken. The ways take turns. The test notes which texts it
has run, and runs on an old text are counted.

With `--peers` two others take part. pytest-watcher starts pytest anew at each save; as it loses saves that
come before it waits again, these come later. pytest-hot-reloading has a process that stays and reloads what
was saved, and to which a new pytest hands its arguments; that one is started at once after each save.

A first pair of edits is saved as soon as `--hot` waits, and told apart: little has been worked out ahead
then. The rounds begin when all has been.

Then the start of pytest itself, with the plugin installed and with `-p no:hotmod`, in turns, as processor
time.

    python benchmarks/pytest_door.py [--rounds 5] [--starts 11] [--peers]
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
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TEST = "networkx/utils/tests/test_misc.py"
SOURCE = "networkx/utils/misc.py"
ONE = f"{TEST}::test_edited"
EDITED = """

def test_edited():
    edited = [each for each in nx.utils.flatten.__code__.co_consts if isinstance(each, int)]
    with open("ran", "w") as note:
        note.write(f"{{max(edited)}} {number}")
    assert nx.utils.flatten([{number}]) == ({number},)
"""
BOUND = 600  # seconds that a process may live
IDLE = 0.5  # seconds
QUIET_LOOKS = 6
QUIET = ("-q", "-p", "no:cacheprovider")


class Edits:
    """Texts of a file that differ each time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._files = {name: (folder / name).read_text("utf-8") for name in (SOURCE, TEST)}
        self._folder, self._counts = folder, {SOURCE: 1000, TEST: 1000}

    def save(self, name: str) -> None:
        """Save another text of a file."""
        self._counts[name] += 1
        number, text = self._counts[name], self._files[name]
        if name == SOURCE:
            head, _, rest = text.partition("    if ")  # the first one in a function, which is `flatten`
            text = f"{head}    _edited = {number}\n    if {rest}"
        else:
            text += EDITED.format(number=number)
        (self._folder / name).write_text(text, "utf-8")

    def ran(self) -> bool:
        """Whether the texts that were saved last have run since this was asked before."""
        note = self._folder / "ran"
        found = note.read_text("utf-8").split() if note.exists() else []
        note.unlink(missing_ok=True)
        return found == [str(self._counts[name]) for name in (SOURCE, TEST)]


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
        quiet = 0
        while quiet < QUIET_LOOKS:  # on a busy machine it may not come to anything for a while
            before = self.spent()
            time.sleep(IDLE)
            quiet = 0 if self.spent() > before + IDLE / 10 else quiet + 1

    def close(self) -> None:
        """End all processes."""
        self._output.close()

    def spent(self) -> float:
        """Seconds of processor time until now."""
        return spent(self._output.process.pid)


class Reloading(Cold):
    """pytest-hot-reloading, told by the system what was saved."""

    def __init__(self, folder: pathlib.Path, tests: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self._options = ("-p", "pytest_hot_reloading.plugin", f"--daemon-port={port}")
        self._daemon = Output(pytest(*self._options, "--daemon", "--daemon-use-os-events"), folder)
        super().__init__(folder, tests)
        while True:  # until it listens
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(IDLE)
        self.answer()

    def answer(self) -> None:
        """Wait for the result of the tests."""
        output = Output(pytest(*self._options, self._tests), self._folder)
        output.until(" passed")
        output.end()

    def close(self) -> None:
        """End all processes."""
        self._daemon.close()

    def spent(self) -> float:
        """Seconds of processor time until now."""
        return super().spent() + spent(self._daemon.process.pid)


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
    (folder / "pyproject.toml").write_text('[tool.pytest]\npythonpath = ["."]\n')
    return folder


_Row = tuple[
    float, float, bool
]  # milliseconds until the result, those of processor time, and if it was of this edit
_Times = dict[str, dict[str, list[_Row]]]  # by the edited file and the way


def measure(tests: str, rounds: int, *, peers: bool) -> _Times:
    """Save edits in turns; the first of each is the one right after the start."""
    kinds: dict[str, type[Cold]] = {"cold pytest": Cold, "pytest --hot": Hot}
    if peers:
        kinds |= {"pytest-watcher": Watcher, "pytest-hot-reloading": Reloading}
    found: _Times = {SOURCE: {}, TEST: {}}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = {way: copied(pathlib.Path(name) / str(number)) for number, way in enumerate(kinds)}
        edits = {way: Edits(folder) for way, folder in folders.items()}
        for each in edits.values():
            each.save(TEST)
            each.save(SOURCE)
        ways = {way: kind(folders[way], tests) for way, kind in kinds.items()}
        for tool in ways.values():
            stack.callback(tool.close)
            tool.ready()
        for number in range(rounds + 1):
            for edited, times in found.items():
                for way, tool in ways.items():
                    edits[way].ran()
                    used, began = tool.spent(), time.perf_counter()
                    edits[way].save(edited)
                    tool.answer()
                    took = time.perf_counter() - began
                    tool.ready()
                    row = took * 1e3, (tool.spent() - used) * 1e3, edits[way].ran()
                    times.setdefault(way, []).append(row)
            if not number:
                for tool in ways.values():
                    tool.rest()
    return found


def show(found: _Times) -> None:
    """Print medians, and how often a cold pytest takes that."""
    for edited, times in found.items():
        print(f"  {edited:<41}time          processor time   first edit   of old texts")
        colds = _medians(times["cold pytest"])
        for way, rows in times.items():
            told = [
                f"{one:>9.0f} {cold / one:>6.1f}" for one, cold in zip(_medians(rows), colds, strict=True)
            ]
            old = sum(not new for _, _, new in rows)
            stale = f"{old} of {len(rows)}" if old else ""
            print(f"    {way:<26}{'   '.join(told)}{rows[0][0]:>13.0f}{stale:>15}")


def _medians(rows: list[_Row]) -> tuple[float, float]:
    """Of all edits but the first."""
    return statistics.median(row[0] for row in rows[1:]), statistics.median(row[1] for row in rows[1:])


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    print("from a save to the summary line: medians of milliseconds, and how often a cold pytest takes that")
    for tests in (ONE, TEST):
        print(f"\n{tests}")
        show(measure(tests, options.rounds, peers=options.peers))
    with tempfile.TemporaryDirectory() as name:
        started = starts(pathlib.Path(name), options.starts)
    print("\nmilliseconds of processor time that pytest takes to find no tests, medians\n")
    for way, values in started.items():
        print(f"  {way + ' the plugin':<22}{statistics.median(values) * 1e3:>9.1f}")
    ratios = [one / two for one, two in zip(started["with"], started["without"], strict=True)]
    print(f"  ratio, median of pairs {statistics.median(ratios):>8.3f}")


if __name__ == "__main__":
    main()
