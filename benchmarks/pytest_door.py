"""How long from a save to the result of the tests: `pytest --hot` beside a cold pytest and other tools.

The program is a copy of networkx, with one file of its tests. In each round two edits are saved for each way,
one of the inside of a function and one of the test file, and the time until the summary line is taken. The
ways take turns. pytest-watcher, which starts pytest anew at each save, takes part if it is installed.

Then the start of pytest itself, with the plugin installed and with `-p no:hotmod`, in turns, as processor
time.

    python benchmarks/pytest_door.py [--rounds 9] [--starts 15]
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
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
BOUND = 1800  # seconds that a process may live
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
            text = f"{text}\n\ndef test_edited():\n    assert {self._count}\n"
        (self._folder / name).write_text(text, "utf-8")


class Output:
    """The lines that a process prints."""

    def __init__(self, command: list[str], folder: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._hung = threading.Timer(BOUND, self.process.kill)
        self._hung.start()

    def until(self, *words: str) -> str:
        """Read until a line holds one of some words."""
        seen = []
        for line in self.process.stdout or ():
            seen.append(line)
            if any(word in line for word in words):
                return line
        raise SystemExit("".join(seen))

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

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def ready(self) -> None:
        """Be ready for a save."""

    def answer(self) -> None:
        """Wait for the result of the tests."""
        output = Output(pytest(TEST), self._folder)
        output.until("passed")
        output.close()

    def close(self) -> None:
        """End all processes."""

    def spent(self) -> float:
        """Seconds of processor time until now."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


class Hot(Cold):
    """`pytest --hot`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._output = Output(pytest("--hot", TEST), folder)

    def ready(self) -> None:
        """Be ready for a save."""
        self._output.until("waits for a save")

    def answer(self) -> None:
        """Wait for the result of the tests."""
        self._output.until("passed")

    def close(self) -> None:
        """End all processes."""
        self._output.close()

    def spent(self) -> float:
        """Seconds of processor time until now."""
        return spent(self._output.process.pid)


class Watcher(Hot):
    """pytest-watcher, with no delay of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        command = [sys.executable, "-m", "pytest_watcher", ".", "--now", "--delay", "0"]
        self._output = Output([*command, *QUIET, TEST], folder)
        self.answer()

    def ready(self) -> None:
        """Be ready for a save."""


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


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--starts", type=int, default=15)
    options = parser.parse_args()
    kinds: dict[str, type[Cold]] = {"cold pytest": Cold, "pytest --hot": Hot}
    if importlib.util.find_spec("pytest_watcher"):
        kinds["pytest-watcher"] = Watcher
    with tempfile.TemporaryDirectory() as name:
        folders = {way: copied(pathlib.Path(name) / str(number)) for number, way in enumerate(kinds)}
        edits = {way: Edits(folder) for way, folder in folders.items()}
        ways = {way: kind(folders[way]) for way, kind in kinds.items()}
        for tool in ways.values():
            tool.ready()
        found: dict[str, dict[str, list[tuple[float, float]]]] = {SOURCE: {}, TEST: {}}
        for _ in range(options.rounds):
            for edited, times in found.items():
                for way, tool in ways.items():
                    used, began = tool.spent(), time.perf_counter()
                    edits[way].save(edited)
                    tool.answer()
                    took = time.perf_counter() - began
                    tool.ready()
                    times.setdefault(way, []).append((took * 1e3, (tool.spent() - used) * 1e3))
        for tool in ways.values():
            tool.close()
        started = starts(folders["cold pytest"], options.starts)
    print(
        "from a save to the summary line: medians of milliseconds, and how often a cold pytest takes that\n"
    )
    for edited, times in found.items():
        print(f"{edited:<41}time          processor time")
        firsts = [statistics.median(values) for values in zip(*times["cold pytest"], strict=True)]
        for way, rows in times.items():
            medians = [statistics.median(values) for values in zip(*rows, strict=True)]
            told = (f"{one:>9.0f} {first / one:>6.1f}" for one, first in zip(medians, firsts, strict=True))
            print(f"  {way:<26}{'   '.join(told)}")
    print("\nmilliseconds of processor time that pytest takes to find no tests, medians\n")
    for way, values in started.items():
        print(f"  {way + ' the plugin':<22}{statistics.median(values) * 1e3:>9.1f}")
    ratios = [one / two for one, two in zip(started["with"], started["without"], strict=True)]
    print(f"  ratio, median of pairs {statistics.median(ratios):>8.3f}")


if __name__ == "__main__":
    main()
