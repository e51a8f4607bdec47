from __future__ import annotations

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import contextlib, pathlib, random, sys, tempfile
from tests.identity.table import Live, cases, told
from tests.oracle.project import Project

for case in cases("rich.txt"):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        project = Project(pathlib.Path(folder))
        stack.callback(project.forget)
        live = Live(project, case.before)
        live.hold(case.held)
        names = [f"part{number}" for number in range(6)]
        random.Random(int(sys.argv[1])).shuffle(names)
        text = "from shop import m\\nclass Part:\\n    held = m\\n    def f(self):\\n        return {}\\n"
        for name in names:
            project.write({f"shop/{name}.py": text.format(1)}).load(f"shop.{name}")
        parts = {name: sys.modules[f"shop.{name}"].Part().f for name in sorted(names)}
        for name in reversed(names):
            project.write({f"shop/{name}.py": text.format(2)})
        report = live.edit(case.after)
        print(told(report), report.patched, report.rebound, report.cleared, sorted(report.executed))
        print(live.failing(case.now), [part() for part in parts.values()])
"""


def told_with(seed: int) -> str:
    """What a process with this hash seed tells of the same edits, with files made in an order of its own."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


def test_nothing_depends_on_hash_seeds_or_the_order_of_files() -> None:
    """The same edits give the same reports and the same program, whatever the seed and the order of files."""
    first = told_with(0)
    assert "kind-change gen" in first
    assert first.count("[] [2, 2, 2, 2, 2, 2]") == 4
    for seed in (1, 42):
        assert told_with(seed) == first
