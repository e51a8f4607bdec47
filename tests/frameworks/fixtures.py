"""A program of pytest's: fixtures, which the next run in the same process finds; see `programs`."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
from types import SimpleNamespace as Modules
from typing import Any

import pytest

from tests.frameworks.programs import PROGRAMS, Program

__all__: list[str] = []

PYTEST_APP = """
SEEN = []
"""

PYTEST_VIEWS = """
import functools

import pytest

from shop.app import SEEN


def loud(fixture):
    @functools.wraps(fixture)
    def wrapper():
        return fixture().upper()

    return wrapper


@pytest.fixture
def home():
    return "home"


@pytest.fixture(name="item")
def item():
    return "item one"


@pytest.fixture
def other():
    SEEN.append(1)
    return "other"
"""

_FIXTURE = '@pytest.fixture(name="item")\ndef item():\n    return "item one"\n'
PYTEST_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (_FIXTURE, _FIXTURE + '\n\n@pytest.fixture\ndef extra():\n    return "extra"\n'),
    "path": ('"item")', '"thing")'),
    "parameter": ('def item():\n    return "item one"', 'def item(home):\n    return f"item {home}"'),
    "removed": (_FIXTURE, ""),
    "decorator": ('@pytest.fixture(name="item")\n', '@pytest.fixture(name="item")\n@loud\n'),
}
RUN = """
import pytest


@pytest.mark.parametrize("name", ["home", "item", "thing", "extra", "other"])
def test_fixture(request, spy, name):
    spy[name] = None
    spy[name] = request.getfixturevalue(name)
"""


class Spy:
    """Takes down what the fixtures of a run give."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    @pytest.fixture
    def spy(self) -> dict[str, Any]:
        return self.found


def _see_pytest(modules: Modules) -> Any:
    folder = pathlib.Path(modules.app.__file__).parents[1]
    file = folder / "test_fixtures.py"
    file.write_text(RUN, "utf-8")
    spy = Spy()
    plugins = ("cacheprovider", "randomly", "faulthandler", "terminal")
    off = [part for name in plugins for part in ("-p", f"no:{name}")]
    line = [str(file), *off, "--rootdir", str(folder), "-c", os.devnull, "--import-mode=importlib"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        pytest.main(line, plugins=[spy, modules.views])
    return spy.found


def _touch_pytest(modules: Modules) -> list[Any]:
    _see_pytest(modules)
    return [modules.app.SEEN]


PROGRAMS["pytest"] = Program(
    "pytest",
    PYTEST_APP,
    PYTEST_VIEWS,
    PYTEST_EDITS,
    _see_pytest,
    _touch_pytest,
    lambda on: len(on.app.SEEN) > 1,
)
