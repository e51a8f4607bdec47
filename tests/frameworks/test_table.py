from __future__ import annotations

import functools
import pathlib
import re

import pytest

from tests.frameworks import commands
from tests.frameworks.observe import observe
from tests.frameworks.programs import EDITS, PROGRAMS
from tests.oracle.project import Project

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "explanation" / "frameworks.md"
COLUMNS = ("body", "new", "path", "parameter", "removed", "decorator", "stays")

# Starlette's client would rather have another library below it; the others are Celery's and its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using `httpx` with"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestAssertRewriteWarning"),
]
assert commands  # it adds its programs to the others


@functools.cache
def table() -> dict[str, dict[str, str]]:
    """The table of the page: by program, what stands in each column."""
    rows = re.findall(r"^\| *(.+?) *\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r" *\| *", row)] for row in rows]
    rows_of = {name: rest for name, *rest in cells if len(rest) == len(COLUMNS)}
    found = {name: dict(zip(COLUMNS, rest, strict=True)) for name, rest in rows_of.items()}
    return {name: found[name] for name in found if name in PROGRAMS}


@pytest.mark.parametrize("single", [False, True], ids=["two modules", "one module"])
@pytest.mark.parametrize("kind", EDITS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_says_what_a_client_sees(project: Project, name: str, kind: str, single: bool) -> None:
    """Every cell of the table of frameworks is what a client of the real framework was seen to get."""
    program = PROGRAMS[name]
    pytest.importorskip(program.needs, reason="the framework is part of the test extra only")
    seen, report = observe(project, program, kind, single=single)
    assert seen == table()[name][kind], str(report)
    told = {hazard.code for hazard in report.hazards}
    assert told <= ({"closure-shape"} if kind == "decorator" else set())


def test_the_page_names_all_programs() -> None:
    """The table of frameworks has a row for every program, with what stays in it."""
    assert {name: row["stays"] for name, row in table().items()} == {
        name: program.stays for name, program in PROGRAMS.items()
    }
