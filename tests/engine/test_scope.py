"""The scope of everything: each module that nobody installed, wherever it lies."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

import hotmod
from hotmod._config import Config
from hotmod._engine.reloader import Reloader
from hotmod._scope import everything, locations
from tests.oracle.project import Project


@pytest.fixture
def spaced(project: Project) -> Iterator[Project]:
    """A package without `__init__.py`, of which another part is installed, and a plain module."""
    project.write(
        {
            "parts/inner/mine.py": "X = 1\n",
            "lib/site-packages/parts/theirs.py": "X = 1\n",
            "single.py": "X = 1\n",
        }
    )
    sys.path.append(str(project.folder / "lib" / "site-packages"))
    project.load("parts.inner.mine", "parts.theirs", "single")
    yield project
    sys.path.remove(str(project.folder / "lib" / "site-packages"))


def test_what_is_owned(spaced: Project) -> None:
    """A module is owned by its file, not by its name: parts of one package may be installed and not."""
    scope = everything()
    for name in ("parts.inner.mine", "single"):
        assert scope.owns_name(name)
        assert scope.owns(name, vars(sys.modules[name])["__file__"])
    for name in ("parts.theirs", "os", "pytest", "hotmod", "hotmod._scope", "sys"):
        assert not scope.owns(name, vars(sys.modules[name]).get("__file__"))
    assert not scope.owns_name("nosuch")
    assert str(scope) == "every module of yours"


def test_where_it_lies(spaced: Project) -> None:
    """Its roots are the tops of what is loaded, without what lies among installed packages."""
    folder = spaced.folder
    assert str(folder / "lib/site-packages/parts") in locations("parts")
    roots = [root for root in everything().roots() if root[1] in ("parts", "single", "hotmod", "pytest")]
    assert roots == [(str(folder / "parts"), "parts"), (str(folder / "single.py"), "single")]


def test_patterns_leave_out_what_they_say(spaced: Project) -> None:
    """The patterns of the options hold for it as for any scope."""
    path = str(spaced.folder / "single.py")
    assert everything(include=["single.py"]).owns("single", path)
    assert not everything(exclude=["single.py"]).owns("single", path)


def test_it_is_reloaded(spaced: Project) -> None:
    """A reloader of it applies an edit, and says where an error was."""
    reloader = Reloader.made(Config(), everything(exclude=["tests/"]))
    spaced.write({"parts/inner/mine.py": "X = 2\n", "lib/site-packages/parts/theirs.py": "X = 2\n"})
    assert reloader.reload(check=True).changed == ("parts.inner.mine",)
    spaced.write({"parts/inner/mine.py": "X = 1 / 0\n"})
    report = reloader.reload()
    assert isinstance(report, hotmod.Report)
    assert str(report.location) == "parts.inner.mine (mine.py:1)"
