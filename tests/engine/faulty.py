"""A real package whose transactions fail: `python faulty.py PACKAGE STRATEGY STRIDE FOLDER [EDIT...]`.

For each kind of edit the package is reloaded, and at each step of the journal a copy of the process goes on
as if that step had failed; then everything that its modules lead to must be what it was, object by object.
What is not is printed as JSON, with how many steps there were. After the first few only every STRIDE-th step
fails. EDIT names one of the kinds of edits; all of them are made if none is named.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import json
import logging
import os
import pathlib
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

PACKAGE, STRATEGY, STRIDE, FOLDER = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
sys.path[0] = str(pathlib.Path(__file__).parents[2])
FIRST = 6
LIMIT = 120  # seconds that a copy may take
PLACES = {"click": "utils", "jinja2": "utils", "marshmallow": "utils"}
MAIN = {"click": "decorators", "jinja2": "runtime", "marshmallow": "schema"}


def copied() -> None:
    """Copy the package to the folder, and import it from there."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    shutil.copytree(pathlib.Path(found.origin).parent, FOLDER / PACKAGE)
    sys.path.insert(0, str(FOLDER))
    importlib.invalidate_caches()
    for name in (PACKAGE, f"{PACKAGE}.{PLACES[PACKAGE]}", f"{PACKAGE}.{MAIN[PACKAGE]}"):
        importlib.import_module(name)


copied()

import hotmod  # noqa: E402 - after the package, as in a program
from hotmod._live.journal import Journal  # noqa: E402
from tests.identity.breaking import BrokenError, differing  # noqa: E402
from tests.identity.portrait import portrait  # noqa: E402

logging.getLogger("hotmod").setLevel(logging.CRITICAL)


def bodies(text: str) -> str:
    """Every function and method begins with another statement."""
    lines = text.splitlines()
    places = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and node.body[0].lineno > node.lineno
        and not (isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant))
        and not (isinstance(node.body[0], ast.FunctionDef | ast.ClassDef))
    }
    for line, column in sorted(places, reverse=True):
        lines.insert(line - 1, " " * column + "edited_for_this_test = 1")
    return "\n".join(lines) + "\n"


def definitions(text: str) -> str:
    """Every class has another attribute and another method, and there are other functions and constants."""
    lines = text.splitlines()
    tree = ast.parse(text)
    for node in sorted(
        (each for each in tree.body if isinstance(each, ast.ClassDef)), key=lambda each: -each.lineno
    ):
        last = node.body[-1]
        space = " " * node.body[0].col_offset
        lines[last.end_lineno : last.end_lineno] = [f"{space}def added_for_this_test(self): return 2"]
    return (
        "\n".join(
            [*lines, "ADDED_FOR_THIS_TEST = [1]", "def added_for_this_test(): return ADDED_FOR_THIS_TEST"]
        )
        + "\n"
    )


EDITS: dict[str, tuple[str, Callable[[str], str]]] = {
    "bodies": (PLACES[PACKAGE], bodies),
    "definitions": (PLACES[PACKAGE], definitions),
    "bodies of what others import": (MAIN[PACKAGE], bodies),
    "definitions that others import": (MAIN[PACKAGE], definitions),
}


class Forking:
    """Lets steps of one reload fail, each in a copy of the process that was made when its turn came.

    So the reload is made once, not once for each step. The copy goes on as the reload does that a step fails,
    and tells what differs then.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.wrong: dict[str, str] = {}
        self.pipe = -1  # where the copy tells; -1 in the process itself
        self._armed = False
        record = Journal.record

        def counted(journal: Journal, what: str, undo: Callable[[], object], **options: Any) -> None:
            if not self._armed or self.pipe >= 0:
                record(journal, what, undo, **options)
                return
            self.steps += 1
            noted = bool(self.steps % 2)
            if self._has_its_turn() and self._is_copy(what):
                if noted:
                    record(journal, what, undo, **options)
                raise BrokenError(what)
            record(journal, what, undo, **options)

        setattr(Journal, "record", counted)  # noqa: B010 - mypy lets nobody assign to a method

    def arm(self, *, armed: bool) -> None:
        """Begin, or end, to let steps fail."""
        self._armed, self.steps, self.wrong = armed, 0, {}

    def _has_its_turn(self) -> bool:
        return self.steps <= FIRST or (self.steps - FIRST) % STRIDE == 0

    def _is_copy(self, what: str) -> bool:
        """Make a copy, and wait until it has told; true in the copy."""
        reading, writing = os.pipe()
        if not (copy := os.fork()):
            os.close(reading)
            self.pipe = writing
            signal.alarm(LIMIT)
            return True
        os.close(writing)
        with open(reading, encoding="utf-8") as told:
            found = told.read()
        _, status = os.waitpid(copy, 0)
        if status or found:
            self.wrong[f"step {self.steps}: {what}"] = found or f"the copy ended with {status}"
        return False

    def tell(self, report: hotmod.Report, before: dict[str, Any]) -> None:
        """Tell what differs from a portrait; the copy ends with that."""
        found = ""
        try:
            if report.status == "rejected" and isinstance(report.error, BrokenError):
                traceback.clear_frames(report.error.__traceback__)
            else:
                found = f"{report.status}: {report}"
            del report
            gc.collect()
            differs = differing(before, portrait(PACKAGE))
            found += repr(dict(list(differs.items())[:3]))[:600] if differs else ""
        except BaseException as error:
            found = repr(error)
        os.write(self.pipe, found.encode())
        os._exit(0)


def main() -> None:
    """Let each step fail, for each edit."""
    forking = Forking()
    found = {}
    for name in sys.argv[5:] or EDITS:
        module, edit = EDITS[name]
        path = FOLDER / PACKAGE / f"{module}.py"
        text = path.read_text("utf-8")
        reloader = hotmod.Reloader(PACKAGE, strategy=STRATEGY)
        gc.collect()
        before = portrait(PACKAGE)
        path.write_text(edit(text), "utf-8")
        forking.arm(armed=True)
        report = reloader.reload()
        if forking.pipe >= 0:
            forking.tell(report, before)
        found[name] = {"steps": forking.steps, "status": report.status, "wrong": forking.wrong}
        forking.arm(armed=False)
        path.write_text(text, "utf-8")
        reloader.reload()
    print(json.dumps(found))


main()
