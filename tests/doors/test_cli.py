"""The command line: what it understands, what it says, and how it ends."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys

import pytest

from hotmod import _cli
from hotmod._cli import shows
from hotmod._cli.arguments import parser
from hotmod._model.errors import ConfigError, HotmodError

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"

HELP = """\
usage: hotmod [-h] [--version] COMMAND ...

Save a file, and the running program is the program on disk, with its state
still there.

options:
  -h, --help  show this help message and exit
  --version   show the version and exit

commands:
  COMMAND
    run       run a program as python does, and apply edits of its files as
              they are saved
    explain   tell what the save of a file would do to a running program,
              statement by statement, and why
    plan      tell what all edits since a revision would do to a program that
              runs that revision, and why
    watch     tell at each save what it would do to a running program, and
              why; nothing is applied
    graph     show which module imports which, in layers by load order, with
              cycles and hard edges
    check     tell what the text of a program shows that reloading it will
              find hard
    config    print the options that are in force here, and where each value
              comes from
    demo      watch a small shop take edits while it serves, refuse a broken
              one, and keep its orders
    diagnose  print versions, options and state as a block to paste into a bug
              report
"""

COMMANDS: dict[str, argparse.ArgumentParser] = next(
    action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
)

DEMO_HELP = """\
usage: hotmod demo [-h] [--keep DIR] [--json]

Watch a small shop take edits while it serves, refuse a broken one, and keep
its orders.

options:
  -h, --help  show this help message and exit
  --keep DIR  leave the shop's files in DIR, which must be empty or not exist
              yet
  --json      show each thing that happens as one line of JSON
"""


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help is wrapped for 80 columns, without colours (Python 3.14 has them)."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def leave(*arguments: str) -> int:
    """The code with which the parser leaves."""
    with pytest.raises(SystemExit) as left:
        _cli.main(arguments)
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "text"), [(["--help"], HELP), (["demo", "--help"], DEMO_HELP)], ids=["hotmod", "demo"]
)
def test_help_says_what_there_is(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help names the program `hotmod`, lists what there is and nothing else, and exits with 0."""
    assert leave(*arguments) == 0
    assert capsys.readouterr().out == text


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version of the installed distribution, and exits with 0."""
    assert leave("--version") == 0
    assert capsys.readouterr().out == f"hotmod {importlib.metadata.version('hotmod')}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["--speed"], "the following arguments are required: COMMAND"),
        (["demo", "--speed"], "unrecognized arguments: --speed"),
        (["demo", "--ke", "x"], "unrecognized arguments: --ke x"),
        (["demo", "--keep"], "argument --keep: expected one argument"),
        (["demo", "there"], "unrecognized arguments: there"),
    ],
    ids=["nothing", "command", "option", "demo option", "abbreviation", "no value", "operand"],
)
def test_what_is_not_understood_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Arguments that mean nothing end with 2, a usage line and the reason, all on standard error."""
    assert leave(*arguments) == _cli.USAGE
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("usage: hotmod")
    assert complaint in said.err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (HotmodError("It is so."), _cli.FAILED, "hotmod: It is so.\n"),
        (ConfigError("x is bad."), _cli.USAGE, "hotmod: x is bad.\n"),
        (KeyboardInterrupt(), _cli.INTERRUPTED, ""),
    ],
    ids=["failed", "configuration", "interrupted"],
)
def test_a_failed_command_is_a_message_and_a_code(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a command raises on purpose becomes one line on standard error and an exit code."""

    def fail(_: object) -> int:
        raise raised

    monkeypatch.setattr(shows, "demo", fail)
    assert _cli.main(["demo"]) == code
    assert capsys.readouterr().err == said


def test_an_error_of_another_kind_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw goes on, with its traceback."""

    def fail(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(shows, "demo", fail)
    with pytest.raises(ZeroDivisionError):
        _cli.main(["demo"])


def section(name: str) -> str:
    """What the reference says of a command."""
    [found] = re.findall(
        rf"^## `hotmod {name}\b.*?(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option(name: str) -> None:
    """The reference lists exactly the options that the help of a command lists, and the values they take."""
    listed = set(re.findall(r"^`(--?[a-z][-a-z]*)", section(name), re.MULTILINE))
    actions = [
        action for action in COMMANDS[name]._actions if action.option_strings and action.dest != "help"
    ]
    assert listed == {option for action in actions for option in action.option_strings}
    values = {str(value) for action in actions for value in action.choices or ()}
    assert values <= set(re.findall(r"[-a-z]+", section(name)))


def test_the_reference_has_every_command() -> None:
    """The reference has a section for each command, and for nothing else."""
    assert set(re.findall(r"^## `hotmod ([a-z]+)", PAGE.read_text("utf-8"), re.MULTILINE)) == set(COMMANDS)


def test_a_diagnosis_can_be_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`diagnose --json` gives versions, options and which are not the default, without the home folder."""
    monkeypatch.setenv("HOTMOD_DELAY", "0.5")
    monkeypatch.setenv("HOTMOD_EXCLUDE", str(pathlib.Path("~/secret").expanduser()))
    assert _cli.main(["diagnose", "--json"]) == _cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["hotmod"] == importlib.metadata.version("hotmod")
    assert (found["options"]["delay"], found["options"]["exclude"]) == (0.5, ["~/secret"])
    assert found["changed_options"] == ["delay", "exclude"]


def test_every_exit_code_is_documented() -> None:
    """The reference lists exactly the exit codes that there are."""
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE)}
    assert listed == {_cli.OK, _cli.FAILED, _cli.USAGE, _cli.INTERRUPTED}


def test_both_ways_in_are_the_same(tmp_path: pathlib.Path) -> None:
    """`python -m hotmod` and the installed `hotmod` print the same."""
    [script] = importlib.metadata.entry_points(group="console_scripts", name="hotmod")
    call = f"import sys; from {script.module} import {script.attr} as run; sys.exit(run())"
    outputs = [
        subprocess.run(
            [sys.executable, *way, "--help"], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        for way in (["-m", "hotmod"], ["-c", call])
    ]
    assert outputs == [HELP, HELP]


def test_help_loads_no_engine(tmp_path: pathlib.Path) -> None:
    """Until a command runs, neither the engine nor the demo is loaded."""
    code = (
        "import sys, hotmod._cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('hotmod._engine', 'hotmod._demo')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0
