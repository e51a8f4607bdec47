"""What a reload of each test case costs beside importing again: `python benchmarks/cases.py [WORD...]`.

The cases are those of the tests, and so is the function that plays them: a time is only told of a program
that was compared with a fresh process. Every figure is a median, and the comparison is made in one run:

* `hotmod`: one `Reloader.reload()`, from the look at the files to the report;
* `importlib`: `importlib.reload` of the changed modules alone, in the order of their import, which is what
  people do by hand. It is asked the same questions: `right` counts the cases in which the program then
  equals a fresh process;
* `fresh`: a new interpreter that imports the same modules, without the time in which it is found to be
  needed, and without its state.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.oracle.cases import Case, all_cases  # noqa: E402 - the path is set first
from tests.oracle.check import play, write  # noqa: E402 - the same


@dataclasses.dataclass
class Row:
    """The figures of one group of cases."""

    cases: int = 0
    right: int = 0
    by_hand: int = 0
    hotmod: list[float] = dataclasses.field(default_factory=list)
    importlib: list[float] = dataclasses.field(default_factory=list)
    fresh: list[float] = dataclasses.field(default_factory=list)

    def add(self, other: Row) -> None:
        """Count another row's figures in."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def line(self, name: str) -> str:
        """The row as a line of the table."""
        reload, hand, fresh = (
            statistics.median(times) * 1e3 for times in (self.hotmod, self.importlib, self.fresh)
        )
        return (
            f"{name:<14}{self.cases:>6}{self.right:>8}{self.by_hand:>10}{reload:>10.1f}{hand:>11.1f}{fresh:>9.1f}"
            f"{reload / hand:>14.1f}{fresh / reload:>10.1f}"
        )


HEADING = (
    f"{'group':<14}{'cases':>6}{'hotmod':>8}{'importlib':>10}{'hotmod':>10}{'importlib':>11}{'fresh':>9}"
    f"{'hotmod /':>14}{'fresh /':>10}\n"
    f"{'':<14}{'':>6}{'right':>8}{'right':>10}{'ms':>10}{'ms':>11}{'ms':>9}{'importlib':>14}{'hotmod':>10}"
)


def interpreter(case: Case, folder: pathlib.Path) -> float:
    """The seconds that a new interpreter takes to import a case's last version."""
    root = folder / "new"
    root.mkdir()
    write(root, case.versions[-1])
    names = [name for name in case.imports if name in case.versions[-1].names]
    program = f"import sys; sys.path.insert(0, {str(root)!r})\n" + "".join(
        f"import {name}\n" for name in names
    )
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, env={**os.environ, "HOTMOD": "off"}
    )
    return time.perf_counter() - started


def measure(case: Case, strategy: str) -> Row:
    """One round of one case."""
    row = Row(cases=1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for tool in ("hotmod", "importlib"):
            (folder / tool).mkdir()
            played = play(case, folder / tool, strategy=strategy, tool=tool)
            getattr(row, tool).extend(played.took)
            if not played.problems:
                row.right, row.by_hand = row.right + (tool == "hotmod"), row.by_hand + (tool == "importlib")
        row.fresh.append(interpreter(case, folder))
    return row


def main() -> int:
    """Print the table; 1 if hotmod is wrong anywhere."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only cases whose name holds one of these words")
    parser.add_argument("--rounds", type=int, default=1, help="how often each case is played (default 1)")
    parser.add_argument("--strategy", default="modules", help="the reloader's strategy (default modules)")
    options = parser.parse_args()
    rows: dict[str, Row] = {}
    for case in all_cases():
        if options.strategy in case.strategies and (
            not options.words or any(w in case.name for w in options.words)
        ):
            for _ in range(options.rounds):
                rows.setdefault(case.name.partition("/")[0], Row()).add(measure(case, options.strategy))
    print(HEADING)
    total = Row()
    for name, row in sorted(rows.items()):
        print(row.line(name))
        total.add(row)
    print(total.line("all"))
    return int(total.right != total.cases)


if __name__ == "__main__":
    sys.exit(main())
