"""What a cell costs that follows no save: `%hotmod` beside IPython's own `%autoreload 2`, in one process.

For each number of the user's own modules there is a process with a shell of IPython that has imported them
all. It runs empty cells in rounds: with neither, with autoreload, with hotmod. Processor time is that of the
whole process, all threads; that of a cell with neither is taken off. The files are not changed.

    python benchmarks/ipython.py [--modules 50 500 2000] [--rounds 9] [--cells 40]
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

PER_PACKAGE = 25
PROGRAM = """
import importlib, json, pathlib, sys, time
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

rounds, cells = map(int, sys.argv[1:])
sys.path.insert(0, "")
for path in sorted(pathlib.Path("farm").rglob("m*.py")):
    importlib.import_module(".".join(path.with_suffix("").parts))
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("load_ext", "hotmod")
ways = {
    "neither": ("%autoreload 0", "%hotmod off"),
    "autoreload": ("%autoreload 2", "%hotmod off"),
    "hotmod": ("%autoreload 0", "%hotmod"),
}
out, sys.stdout = sys.stdout, open("shown.txt", "w")
found = {way: [] for way in ways}
for _ in range(rounds):
    for way, magics in ways.items():
        for magic in magics:
            shell.run_cell(magic)
        for _ in range(3):  # the first looks at everything once
            shell.run_cell("pass")
        before = time.process_time()
        for _ in range(cells):
            shell.run_cell("pass")
        found[way].append((time.process_time() - before) / cells * 1e3)
json.dump(found, out)
out.flush()
"""


def measured(modules: int, rounds: int, cells: int) -> dict[str, list[float]]:
    """Milliseconds of processor time per cell, by way, of each round."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(modules):
            package = pathlib.Path(name) / "farm" / f"p{number // PER_PACKAGE}"
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
            (package / f"m{number}.py").write_text(f"VALUE = {number}\n\ndef value():\n    return VALUE\n")
        command = [sys.executable, "-c", PROGRAM, str(rounds), str(cells)]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=True)
        found: dict[str, list[float]] = json.loads(done.stdout)
        return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--modules", type=int, nargs="+", default=[50, 500, 2000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cells", type=int, default=40)
    options = parser.parse_args()
    print("milliseconds of processor time that a cell takes more, medians of the rounds\n")
    print(f"{'modules':>8} {'autoreload':>11} {'hotmod':>8} {'ratio':>7}   (an empty cell)")
    for modules in options.modules:
        found = measured(modules, options.rounds, options.cells)
        cell = statistics.median(found["neither"])
        autoreload, hotmod = (statistics.median(found[way]) - cell for way in ("autoreload", "hotmod"))
        row = f"{modules:>8} {autoreload:>11.3f} {hotmod:>8.3f} {hotmod / autoreload:>7.3f}   {cell:.3f}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
