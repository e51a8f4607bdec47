"""Cases of identity, read from text files.

A case has a title and sections: the module `before` and `after` the edit, what stands `beside` it in a
module of its own, `shop.n`, that is not edited, what is `held` from before the edit, what `was` true then
(and is again after a rollback), what is true `now` or only `once`, after the first edit, and the hazards
`told`.
In the expressions `m` is the module, `fresh` the same text executed in a new module.
"""

from __future__ import annotations

import contextlib
import dataclasses
import linecache
import pathlib
import sys
import types
from typing import Any

import hotmod
from tests.oracle.project import Project

STRATEGY = "modules"  # of tests that name none; the fixture `strategy` runs each with every one
FOLDER = pathlib.Path(__file__).with_name("cases")


@dataclasses.dataclass(frozen=True)
class Case:
    """One edit of one module."""

    name: str
    before: str
    after: str
    beside: str
    held: str
    was: tuple[str, ...]
    now: tuple[str, ...]
    once: tuple[str, ...]
    told: tuple[str, ...]
    since: tuple[int, int]

    def hazards(self) -> list[str]:
        """What is told under the current strategy; a line may be for one: `zombie-attribute f [modules]`."""
        lines = [line.partition(" [") for line in self.told]
        return sorted(told for told, _, only in lines if only in ("", f"{STRATEGY}]"))


def cases(file: str) -> list[Case]:
    """The cases of one file that this Python can read."""
    found = []
    for block in (FOLDER / file).read_text(encoding="utf-8").split("\n=== ")[1:]:
        title, _, rest = block.partition("\n")
        name, _, version = title.partition(" since ")
        parts = dict.fromkeys(("before", "after", "beside", "held", "was", "now", "once", "told"), "")
        for part in ("\n" + rest).split("\n--- ")[1:]:
            key, _, text = part.partition("\n")
            assert key in parts, f"{file}: {title}: unknown section {key!r}"
            parts[key] = text.rstrip() + "\n"
        lines = {key: tuple(filter(None, map(str.strip, parts[key].splitlines()))) for key in parts}
        major, _, minor = (version or "3.11").partition(".")
        case = Case(
            name,
            parts["before"],
            parts["after"],
            parts["beside"],
            parts["held"],
            lines["was"],
            lines["now"],
            lines["once"],
            lines["told"],
            (int(major), int(minor)),
        )
        if case.since <= sys.version_info:
            found.append(case)
    return found


class Live:
    """A program of one module, `shop.m`, and what it holds from before an edit."""

    def __init__(self, project: Project, before: str, beside: str = "", strategy: str = "") -> None:
        self.project = project
        project.write({"shop/__init__.py": "", "shop/m.py": before, "shop/n.py": beside})
        project.load("shop", "shop.m")
        self.refuse = False
        self.reloader = hotmod.Reloader("shop", verify=lambda: not self.refuse, strategy=strategy or STRATEGY)
        self.space: dict[str, Any] = {"m": sys.modules["shop.m"], "sys": sys}

    def hold(self, statements: str) -> None:
        """Execute statements that take references."""
        exec(statements, self.space)

    def edit(self, text: str) -> hotmod.Report:
        """Save another text and reload."""
        self.project.write({"shop/m.py": text})
        return self.reloader.reload()

    def renew(self, case: Case) -> None:
        """Let `fresh` be a new module of the text after the edit, for cases that ask for it."""
        if not any("fresh" in expression for expression in case.now):
            return
        module = types.ModuleType("shop.m")
        live = sys.modules["shop.m"]
        sys.modules["shop.m"] = module
        with contextlib.ExitStack() as stack:
            stack.callback(sys.modules.__setitem__, "shop.m", live)
            exec(compile(case.after, "fresh.py", "exec", dont_inherit=True), vars(module))
        self.space["fresh"] = module

    def failing(self, expressions: tuple[str, ...]) -> list[str]:
        """The expressions that are not true now."""
        found = []
        for expression in expressions:
            try:
                if not eval(expression, self.space):
                    left = expression.partition(" == ")[0] if " and " not in expression else "False"
                    found.append(f"{expression}  # {eval(left, self.space)!r}")
            except Exception as error:
                found.append(f"{expression}  # {type(error).__name__}: {error}")
        linecache.checkcache()
        return found


def told(report: hotmod.Report) -> list[str]:
    """The hazards of a report, in the form of the tables."""
    return sorted(f"{hazard.code} {hazard.name}".strip() for hazard in report.hazards)
