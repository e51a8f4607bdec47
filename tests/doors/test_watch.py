"""`hotmod watch`: the plan of each save, without a program."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys

import pytest

from hotmod._cli import watch
from hotmod._cli.output import Paint
from hotmod._config import Config, configure
from hotmod._engine.foresee import foresee
from hotmod._model.errors import SourceError
from hotmod._plan import Plan
from hotmod._scope import scope_of
from tests.doors.shell import bounded, environment

API = "from store.config import TAX\nLIMIT = TAX * 2\n"


@pytest.fixture
def store(tmp_path: pathlib.Path) -> pathlib.Path:
    """A package on disk."""
    (tmp_path / "store").mkdir()
    for name, text in {"__init__": "", "config": "TAX = 1\n", "api": API}.items():
        (tmp_path / "store" / f"{name}.py").write_text(text)
    return tmp_path / "store"


def test_each_save_is_told_until_it_is_interrupted(store: pathlib.Path) -> None:
    """The plan of a save is printed with the files, a broken one with its error, and Ctrl-C ends with 130."""
    with (
        subprocess.Popen(
            [sys.executable, "-m", "hotmod", "watch", "store"],
            cwd=store.parent,
            env=environment(store.parent / "temporary"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        bounded(process),
    ):
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == "hotmod: watching 3 modules of store; nothing is applied\n"
        (store / "config.py").write_text("TAX = = 2\n")
        told = process.stdout.readline()
        assert told.startswith("store/config.py:1: SyntaxError: invalid syntax.")
        assert process.stdout.readline() == "\n"
        (store / "config.py").write_text("TAX = 2\n")
        lines = [process.stdout.readline().strip() for _ in range(6)]
        assert lines[:3] == [
            "store/config.py edited",
            "run store.config: 1 statement",
            "store/config.py:1 TAX = 2, edited",
        ]
        assert lines[5] == "store/api.py:2 LIMIT = TAX * 2, because TAX changed (store/config.py:1)"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""


def test_a_save_is_told_against_the_one_before(store: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each plan begins where the last one ended, new files and folders included, and JSON is one line."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setattr(sys, "path", [str(store.parent), *sys.path])
    with contextlib.closing(foresee(scope_of(["store"]), Config())) as saves:
        assert next(saves) == 3
        (store / "config.py").write_text("TAX = = 1\n")
        broken = next(saves)
        assert isinstance(broken, SourceError)
        assert json.loads(watch._json(broken))["error"]["line"] == 1
        (store / "config.py").write_text("TAX = 2\n")
        first = next(saves)
        assert isinstance(first, Plan)
        assert first.changes.modules == ("store.config",)
        (store / "sub").mkdir()
        (store / "sub" / "__init__.py").write_text("X = 1\n")
        (store / "api.py").write_text(API + "from store.sub import X\n")
        modules, line = set[str](), ""
        while modules != {"store.api", "store.sub"}:
            found = next(saves)
            assert isinstance(found, Plan)
            modules |= set(found.changes.modules)
            line = watch._json(found)
        assert line.count("\n") == 1
        assert json.loads(line)["error"] is None


def words(found: int | Plan | SourceError) -> str:
    """What is printed of a save."""
    assert not isinstance(found, int)
    return watch._text(found, Paint(sys.stdout))


def test_other_files_that_modules_read_are_followed(
    store: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The save of a file that `depends` names is told like any other, alone or beside its module's own."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setattr(sys, "path", [str(store.parent), *sys.path])
    read = "import pathlib\nTAX = int(pathlib.Path('tax.txt').read_text())\n"
    (store / "config.py").write_text(read)
    tax = store.parent / "tax.txt"
    tax.write_text("1")
    with contextlib.closing(
        foresee(scope_of(["store"]), configure(depends={"store.config": "*.txt"}))
    ) as saves:
        assert next(saves) == 3
        tax.write_text("2")
        told = words(next(saves)).splitlines()
        assert told[:2] == ["tax.txt changed", "run store.config: 1 statement"]
        assert "store/api.py:2 LIMIT = TAX * 2, because TAX changed" in told[5]
        (store.parent / "more.txt").touch()
        (store / "config.py").write_text(read + "X = 1\n")
        seen = ""
        while "more.txt" not in seen or "X = 1" not in seen:
            seen += words(next(saves))


def test_what_ends_the_watch_is_raised(store: pathlib.Path) -> None:
    """A file that can't be read at the beginning ends the command with its error."""
    (store / "config.py").unlink()
    (store / "config.py").mkdir()
    with (
        pytest.raises(SourceError),
        contextlib.closing(foresee(scope_of([store / "config.py"]), Config())) as saves,
    ):
        next(saves)
