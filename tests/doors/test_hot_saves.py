"""`pytest --hot`: saves that come at a bad moment are answered as well."""

from __future__ import annotations

import pathlib

import pytest

from tests.doors.hot import running
from tests.doors.shell import SECONDS

# How it is made to come so is written into a plugin of the process that stays.
SLOW = """\
import os
from hotmod._engine.ahead import Ahead

run = Ahead.run
Ahead.run = lambda self, until: os.path.exists("worked_out") and run(self, until)
"""
LATE = """\
import pathlib
from hotmod._engine.reloader import Reloader

attempt = Reloader.attempt

def and_save(self, *args, **options):
    report = attempt(self, *args, **options)
    late = pathlib.Path("late")
    if report and late.exists():
        late.replace("src/shop/shelf.py")
    return report

Reloader.attempt = and_save
"""
FILES = {
    "pyproject.toml": '[tool.pytest]\npythonpath = ["src"]\n',
    "src/shop/__init__.py": "",
    "src/shop/tax.py": "RATE = 1\n",
    "src/shop/shelf.py": "TEA = 3\n",
    "tests/test_tax.py": "from shop import tax\n\ndef test_rate():\n    assert tax.RATE == 1\n",
    "tests/test_shelf.py": "from shop import shelf\n\ndef test_tea():\n    assert shelf.TEA == 3\n",
}
RATE, TEA = "tests/test_tax.py::test_rate", "tests/test_shelf.py::test_tea"


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with two modules, and a test of each."""
    plugin = tmp_path / "told" / "plugin"
    plugin.mkdir(parents=True)
    (plugin / "slow.py").write_text(SLOW)
    (plugin / "late.py").write_text(LATE)
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def test_an_edit_that_takes_long_to_plan_is_run_by_a_fresh_process(
    project: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has been worked out what edits concern, fresh processes answer; then all edits are applied."""
    monkeypatch.setenv("IMPATIENT", "1")
    with running(project, "-p", "slow") as hot:
        told = hot.save("src/shop/tax.py", "1", "2")
        assert "saved src/shop/tax.py; 1 of 2 test files can be affected; a fresh process" in told
        assert hot.ran == {RATE: "call-failed"}
        told = hot.save("src/shop/shelf.py", "3", "4")
        assert "a fresh process" in told
        assert hot.ran == {TEA: "call-failed"}
        told = hot.save("tests/test_tax.py", "== 1", "== 2")
        assert hot.ran == {RATE: "call-passed"}
        (project / "worked_out").touch()
        told = hot.save("src/shop/shelf.py", "4", "3")
        assert "a fresh process" not in told
        assert hot.ran == {TEA: "call-passed"}
        assert hot.differences() == {}


def test_a_file_that_is_saved_while_others_are_applied_is_applied_as_well(project: pathlib.Path) -> None:
    """No test runs on old code, and none is left out, when files are saved one after the other."""
    with running(project, "-p", "late") as hot:
        (project / "late").write_text("TEA = 4\n")
        hot.save("src/shop/tax.py", "1", "2")
        assert hot.ran == {RATE: "call-failed", TEA: "call-failed"}
        (project / "late").write_text("TEA = 3\n")
        hot.save("tests/test_tax.py", "== 1", "== 2")
        assert hot.ran == {RATE: "call-passed", TEA: "call-passed"}
        assert hot.differences() == {}


def test_a_new_process_knows_of_any_number_of_failures(project: pathlib.Path) -> None:
    """What failed before is known to a process that takes the place of another one, however much that is."""
    test = project / "tests" / "test_tax.py"
    test.write_text(
        "import pytest\n\n"
        "@pytest.mark.parametrize('x', [f'{number:080}' for number in range(800)])\n"
        "def test_x(x):\n"
        "    assert 0\n"
    )
    conftest = project / "tests" / "conftest.py"
    conftest.write_text("NAME = 'tea'\n\ndef pytest_configure():\n    assert NAME\n")
    with running(project, "--tb=no") as hot:
        assert len(hot.ran) == 801
        told = hot.save("tests/conftest.py", "'tea'", "'chai'")
        assert "a new process" in told
        assert list(hot.ran.values()) == ["call-failed"] * 800 + ["call-passed"]
        hot.save("src/shop/shelf.py", "3", "4")
        assert hot.ran == {TEA: "call-failed"}
        hot.type("q")
        assert hot.process.wait(SECONDS) == pytest.ExitCode.TESTS_FAILED
    assert not list((project.parent / "temporary").glob("hotmod-pytest-*"))
