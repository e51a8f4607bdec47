"""A real package whose transactions fail: `python faulty.py PACKAGE STRATEGY STRIDE FOLDER`.

For each kind of edit the package is reloaded again and again, and each time the next step of the journal
fails; then everything that its modules lead to must be what it was, object by object. What is not is printed
as JSON, with how many steps there were. After the first few only every STRIDE-th step fails.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import json
import logging
import pathlib
import shutil
import sys
import traceback
from collections.abc import Callable

PACKAGE, STRATEGY, STRIDE, FOLDER = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
sys.path[0] = str(pathlib.Path(__file__).parents[2])
FIRST = 6
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
from tests.identity.breaking import Breaking, BrokenError, differing  # noqa: E402
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


def main() -> None:
    """Let each step fail, for each edit."""
    breaking = Breaking(setattr)
    found = {}
    for name, (module, edit) in EDITS.items():
        path = FOLDER / PACKAGE / f"{module}.py"
        text = path.read_text("utf-8")
        reloader = hotmod.Reloader(PACKAGE, strategy=STRATEGY)
        gc.collect()
        before = portrait(PACKAGE)
        path.write_text(edit(text), "utf-8")
        wrong: dict[str, str] = {}
        number, steps = 1, 0
        while True:
            breaking.next_at(number, noted=bool(number % 2))
            report = reloader.reload()
            status = report.status
            if status != "rejected" or not isinstance(report.error, BrokenError):
                break
            steps = number
            traceback.clear_frames(report.error.__traceback__)
            what = str(report.error)
            del report
            gc.collect()
            differs = differing(before, portrait(PACKAGE))
            if differs:
                wrong[f"step {number}: {what}"] = repr(dict(list(differs.items())[:3]))[:600]
            number += 1 if number < FIRST else STRIDE
        breaking.next_at(0, noted=False)
        found[name] = {
            "steps": steps,
            "status": status,
            "wrong": wrong,
            "error": str(report) if status == "rejected" and not wrong else "",
        }
        path.write_text(text, "utf-8")
        reloader.reload()
    print(json.dumps(found))


main()
