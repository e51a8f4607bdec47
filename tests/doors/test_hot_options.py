"""`pytest --hot` with options of pytest and of other plugins: each does what it does, or is refused."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.doors.hot import BARE, running
from tests.doors.shell import SECONDS, environment

FILES = {
    "pyproject.toml": '[tool.pytest]\npythonpath = ["src"]\n',
    "src/shop.py": "RATE = 1\n\ndef gross(net):\n    if net < 0:\n        return 0\n    return net * RATE\n",
    "tests/test_shop.py": """\
from shop import RATE, gross

def test_first():
    assert gross(1)

def test_rate():
    assert RATE == 1

def test_last():
    assert gross(2)
""",
}
FIRST, RATE, LAST = (f"tests/test_shop.py::test_{name}" for name in ("first", "rate", "last"))


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with a module and its tests."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def ended(project: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A pytest that comes to its end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *BARE, "-p", "xdist.plugin", "-p", "xdist.looponfail", *arguments],
        cwd=project,
        env=environment(project.parent / "temporary", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
    )


@pytest.mark.parametrize(("option", "instead"), [("-n2", "add -n 0"), ("-f", "Leave out one of them")])
def test_what_would_run_the_tests_itself_is_refused(project: pathlib.Path, option: str, instead: str) -> None:
    """Options of pytest-xdist that run tests elsewhere are errors that say what to do instead."""
    done = ended(project, "--hot", option)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Nothing was run" in done.stderr
    assert instead in done.stderr


def test_what_only_shows_something_shows_it_and_ends(project: pathlib.Path) -> None:
    """An option that runs no tests does so with `--hot` as well."""
    done = ended(project, "--hot", "--markers", "-n0")
    assert done.returncode == 0
    assert "@pytest.mark.skipif" in done.stdout
    assert "waits for a save" not in done.stdout


def test_files_of_other_plugins_are_those_of_a_fresh_run(project: pathlib.Path) -> None:
    """Coverage and JUnit files tell of each run what a fresh one tells."""
    options = ("-p", "pytest_cov", "--cov=shop", "--cov-branch", "--junitxml=junit.xml")

    def found() -> tuple[object, list[tuple[str | None, bool]]]:
        file = json.loads((project / "cov.json").read_text())["files"]["src/shop.py"]
        report = ET.parse(project / "junit.xml")  # noqa: S314 - our own
        cases = [(case.get("name"), len(case) > 0) for case in report.iter("testcase")]
        return (file["executed_lines"], file["missing_lines"], file["missing_branches"]), sorted(cases)

    with running(project, *options, "--cov-report=json:cov.json") as hot:
        hot.save("src/shop.py", "net * RATE", "net * 2")
        hot.save("tests/test_shop.py", "assert gross(2)", "assert gross(-2) == 3")
        assert hot.ran[LAST] == "call-failed"
        ours = found()
        assert hot.differences(*options, "--cov-report=json:cov.json") == {}
        assert found() == ours


def test_stepwise_goes_on_where_it_stopped(project: pathlib.Path) -> None:
    """`--sw` stops at what fails and begins there the next time."""
    with running(project, "--sw") as hot:
        hot.save("src/shop.py", "RATE = 1", "RATE = 2")
        assert hot.ran == {FIRST: "call-passed", RATE: "call-failed"}
        hot.save("src/shop.py", "RATE = 2", "RATE = 1")
        assert hot.ran == {RATE: "call-passed", LAST: "call-passed"}


def test_the_debugger_has_the_keys(project: pathlib.Path) -> None:
    """With `--pdb` what is typed goes to the debugger until it ends, and then to hotmod again."""
    with running(project, "--pdb") as hot:
        assert hot.process.stdout
        file = project / "src" / "shop.py"
        file.write_text(file.read_text().replace("RATE = 1", "RATE = 40"))
        assert any("PDB post_mortem" in line for line in iter(hot.process.stdout.readline, ""))
        hot.type("p RATE + 2\nc\n")
        assert "(Pdb) 42\n" in hot.wait()
        assert hot.ran == {FIRST: "call-passed", RATE: "call-failed", LAST: "call-passed"}
        hot.type("q")
        assert hot.process.wait(SECONDS) == pytest.ExitCode.TESTS_FAILED


def test_a_file_that_is_not_there_yet_can_be_named(project: pathlib.Path) -> None:
    """What is named on the command line and missing is told, and runs as soon as it is saved."""
    with running(project, "tests/test_new.py") as hot:
        assert hot.ran == {}
        (project / "tests" / "test_new.py").write_text(
            "import shop\n\ndef test_new():\n    assert shop.RATE\n"
        )
        hot.wait()
        assert hot.ran == {"tests/test_new.py::test_new": "call-passed"}
        hot.save("src/shop.py", "RATE = 1", "RATE = 0")
        assert hot.ran == {"tests/test_new.py::test_new": "call-failed"}
