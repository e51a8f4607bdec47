"""`hotmod check`: the hazards of a program's text, and the exit code."""

from __future__ import annotations

import json
import pathlib
import sys
import typing

import pytest

from hotmod import _cli
from hotmod._cli.arguments import CHECKED
from hotmod._source import checking


@pytest.fixture
def depot(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with a package, which is the working directory."""
    (tmp_path / "depot").mkdir()
    (tmp_path / "depot" / "store.py").write_text("import atexit\natexit.register(print)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / "depot"


def test_a_hazard_is_one_line(depot: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each hazard is told with file, line, code and advice, and the command ends with 1."""
    assert _cli.main(["check", "depot"]) == _cli.FAILED
    [line, summary] = capsys.readouterr().out.splitlines()
    assert line.startswith("depot/store.py:2: repeated-effect: atexit.register registers ")
    assert line.endswith(" Call it from a function, or undo it in __hotmod_dispose__().")
    assert summary == "1 hazard in 2 modules"


def test_without_hazards_it_ends_well(depot: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hazards that are left out count for nothing."""
    assert _cli.main(["check", "depot", "--ignore", "repeated-effect"]) == _cli.OK
    assert capsys.readouterr().out == "no hazard in 2 modules\n"


def test_a_file_that_can_not_be_read_is_told(depot: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file is named with its line, in text and JSON, and is reason enough for 1."""
    (depot / "store.py").write_text("\nx = = 1\n")
    assert _cli.main(["check", "depot"]) == _cli.FAILED
    assert capsys.readouterr().out.startswith("depot/store.py:2: unreadable: SyntaxError")
    assert _cli.main(["check", "depot", "--json"]) == _cli.FAILED
    found = json.loads(capsys.readouterr().out)
    assert (found["modules"], found["hazards"]) == (2, [])
    assert found["errors"][0]["line"] == 2


def test_json_has_what_a_report_has(depot: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` gives hazards in the form in which reports give them."""
    assert _cli.main(["check", "depot", "--json"]) == _cli.FAILED
    [hazard] = json.loads(capsys.readouterr().out)["hazards"]
    assert (hazard["code"], hazard["module"], hazard["line"]) == ("repeated-effect", "depot.store", 2)


def test_every_code_can_be_left_out() -> None:
    """`--ignore` knows exactly the codes that the check can give."""
    assert typing.get_args(checking.Code) == CHECKED
