"""`hotmod config` and `hotmod watch --why`: what is in force, what is watched, and why."""

from __future__ import annotations

import json
import pathlib

import pytest

from hotmod import _cli
from hotmod._config import Config

PYPROJECT = """\
[tool.hotmod]
exclude = ["*_pb2.py", "!good_pb2.py"]
log_only = ["*.html"]

[tool.hotmod.depends]
"tool.settings" = ["tool/config/*.yaml"]
"""


@pytest.fixture(autouse=True)
def tool(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with options, in the working directory."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path), *__import__("sys").path])
    for name in ("__init__", "settings", "a_pb2", "good_pb2", "a-b", "node_modules/x", "env/lib/y"):
        path = tmp_path / "tool" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (
        "tool/page.html",
        "tool/notes.txt",
        "tool/config/a.yaml",
        "tool/env/pyvenv.cfg",
        "outside.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


def why(capsys: pytest.CaptureFixture[str], path: str, *targets: str) -> dict[str, str]:
    """The answer about a file, which is the same as text and as values."""
    codes = {_cli.main(["watch", "--why", path, *targets])}
    text = capsys.readouterr().out
    codes.add(_cli.main(["watch", "--why", path, *targets, "--json"]))
    found: dict[str, str] = json.loads(capsys.readouterr().out)
    assert found["why"] in text
    assert codes == {0 if found["state"] == "watched" else 1}
    return found


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("tool/settings.py", "watched", "it is the module tool.settings of the target tool"),
        ("tool/__init__.py", "watched", "it is the module tool of the target tool"),
        ("tool/good_pb2.py", "watched", "it is the module tool.good_pb2"),
        ("tool/to_come.py", "watched", "There is no such file now"),
        ("tool/config/a.yaml", "watched", "tool.settings reads it, as depends has 'tool/config/*.yaml'"),
        ("tool/page.html", "logged", "log_only has '*.html' (pyproject.toml:3)"),
        ("tool/a_pb2.py", "ignored", "exclude has '*_pb2.py' (pyproject.toml:2)"),
        ("tool/config", "ignored", "it is a folder"),
        ("tool/notes.txt", "ignored", "no Python source, and no module says that it reads it"),
        ("tool/a-b.py", "ignored", "'a-b' is no identifier"),
        ("tool/node_modules/x.py", "ignored", "the folder tool/node_modules is not entered"),
        ("tool/env/lib/y.py", "ignored", "the folder tool/env is not entered: it is a virtual environment"),
        ("outside.py", "ignored", "it is not in scope: the targets are tool"),
    ],
)
def test_why_a_file_is_watched_or_not(
    path: str, state: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`watch --why` names the target, or the first reason that a file is not watched."""
    found = why(capsys, path, "tool")
    assert (found["state"], reason in found["why"]) == (state, True), found


def test_the_answer_is_that_of_a_watcher(capsys: pytest.CaptureFixture[str]) -> None:
    """What `--why` calls watched are the files whose events a watcher takes in, and no others."""
    from hotmod._config import configure
    from hotmod._engine.data import DataFiles
    from hotmod._engine.roots import survey_folders
    from hotmod._scope import scope_for

    config = configure()
    scope = scope_for(["tool"], config)
    territory = survey_folders(scope, [], DataFiles(config.depends).globs())
    for path in pathlib.Path.cwd().rglob("*.*"):
        news = territory.news([str(path)]) if str(path.parent) in territory.folders else None
        takes = news is not None and str(path) in news.files
        logs = news is not None and str(path) in news.logged
        state = why(capsys, str(path), "tool")["state"]
        assert (state == "watched", state == "logged") == (takes, logs), path


def test_without_a_target_what_lies_here_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    """`watch --why` alone asks about the working directory, and `watch` alone is refused."""
    assert why(capsys, "outside.py")["module"] == "outside"
    assert _cli.main(["watch"]) == _cli.USAGE
    assert "no TARGET" in capsys.readouterr().err


def test_config_prints_every_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option has a line with its value and its origin, and the same as JSON."""
    monkeypatch.setenv("HOTMOD_DELAY", "0.5")
    monkeypatch.setenv("HOTMOD", "manual")
    assert _cli.main(["config"]) == _cli.OK
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {"HOTMOD", *Config.__dataclass_fields__}
    assert lines["delay"].endswith("0.5  (HOTMOD_DELAY)")
    assert lines["exclude"].endswith('["*_pb2.py", "!good_pb2.py"]  (pyproject.toml:2)')
    assert lines["depends"].endswith('{"tool.settings" = ["tool/config/*.yaml"]}  (pyproject.toml:5)')
    assert _cli.main(["config", "--json"]) == _cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["HOTMOD"] == {"value": "manual", "origin": "HOTMOD"}
    assert found["log_only"]["value"] == ["*.html"]


def test_config_tells_what_leads_nowhere(capsys: pytest.CaptureFixture[str], tool: pathlib.Path) -> None:
    """Folders and modules that options name and nobody finds are told beside the value."""
    (tool / "pyproject.toml").write_text(
        "[tool.hotmod]\npaths = ['tool', 'nowhere']\nkeep = ['tool.setings:X', 'tool.settings:X']\n"
        "depends = {'tol.settings' = ['x'], tool = ['y']}\n"
    )
    assert _cli.main(["config"]) == _cli.OK
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["paths"].endswith("(pyproject.toml:2; there is no nowhere)")
    assert lines["keep"].endswith("(pyproject.toml:3; there is no module tool.setings)")
    assert lines["depends"].endswith("(pyproject.toml:4; there is no module tol.settings)")
    (tool / "nowhere").mkdir()
    assert why(capsys, "y", "tool")["state"] == "watched"
    assert "there is no module tol.settings" in why(capsys, "x", "tool")["why"]


def test_config_names_a_bad_value(capsys: pytest.CaptureFixture[str], tool: pathlib.Path) -> None:
    """A value that is not allowed ends with 2 and the message that everybody else gets."""
    (tool / "pyproject.toml").write_text("[tool.hotmod]\npolling = 'often'\n")
    assert _cli.main(["config"]) == _cli.USAGE
    assert "polling" in capsys.readouterr().err
