from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.cases import Expected, Version
from tests.oracle.check import differences, write
from tests.oracle.processes import Program, server
from tests.state.packages import TOP, Package, edited, files, packages

EXAMPLES = int(os.environ.get("RANDOM_PACKAGES", "60"))
STEPS = 3


def version(package: Package) -> Version:
    return Version({path: text.encode() for path, text in files(package).items()}, Expected())


def fresh(folder: pathlib.Path, package: Package) -> dict[str, Any] | None:
    """What a fresh process has that imports a package; None if it can't."""
    folder.mkdir()
    wanted = version(package)
    write(folder, wanted)
    with server().program() as program:
        try:
            failed = program.load(str(folder), wanted.names, [TOP], bytecode=False)
        except RuntimeError:
            return None
        return None if failed else dict(program.look())


def started(folder: pathlib.Path, package: Package) -> Program:
    """A process that has imported a package, and reloads the statements that an edit concerns."""
    folder.mkdir()
    wanted = version(package)
    write(folder, wanted)
    program = server().program()
    program.load(str(folder), wanted.names, [TOP], bytecode=False)
    program.attach("hotmod", [TOP], "minimal")
    return program


@settings(max_examples=EXAMPLES)
@given(data=st.data(), package=packages())
def test_after_any_edits_the_process_is_a_fresh_one(data: st.DataObject, package: Package) -> None:
    """After random edits of a random package, one after the other, the live process is what a fresh one is.

    An edit that a fresh process can't import is refused, and rolling all back leads to the start.
    """
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        first = fresh(root / "fresh", package)
        if first is None:
            return
        with started(root / "live", package) as live:
            applied = 0
            for step in range(STEPS):
                later = data.draw(edited(package, step), label=f"edit {step}")
                wanted = fresh(root / f"fresh{step}", later)
                told = "\n".join(f"--- {path}\n{text}" for path, text in files(later).items())
                write(root / "live", version(later))
                report = live.reload(watched=False)
                if wanted is None:
                    assert report["status"] != "applied" or files(later) == files(package), told
                    write(root / "live", version(package))
                    live.reload(watched=False)
                    continue
                assert report["status"] in ("applied", "unchanged"), f"{report['text']}\n{told}"
                found = differences(live.look(), wanted)
                before = "\n".join(f"=== {path}\n{text}" for path, text in files(package).items())
                assert not found, "\n".join([*found, report["text"], before, told])
                applied += report["status"] == "applied"
                package = later
            for _ in range(applied):
                live.rollback()
            assert differences(live.look(), first) == [] or applied > 3
