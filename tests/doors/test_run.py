"""`hotmod run`: a program is what it is under python itself, and its edits are applied."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hotmod import _cli
from tests.doors.shell import bounded, environment, in_terminal, piped

# What a program can see of how it was started, but for the addresses of objects.
LOOKS = """\
import json, sys
note: int = 1
names = {name: repr(value).partition(" object at ")[0] for name, value in vars().copy().items()}
names["__spec__"] = getattr(__spec__, "name", None)
print(json.dumps([names, sys.argv, sys.path[0], sys.modules["__main__"].note]))
"""
STARTS = {
    "script": ["app/look.py", "one", "--two"],
    "folder": ["app", "-x"],
    "module": ["-m", "app.look", "--help", "-m"],
}
ENDS = {
    "words": "import sys; sys.exit('bad')",
    "exception": "def f(): 1 / 0\n\nf()",
    "syntax": "x = = 1",
    "SIGINT": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "SIGTERM": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
}
ECHO = """\
import sys
import farm

def answer(line):
    return f"{line.strip()}: {farm.LEGS}"

print("ready", flush=True)
for line in sys.stdin:
    print(answer(line), flush=True)
"""


def plainly(*arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """What python itself makes of a program."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment(cwd / "temporary"),
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def app(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a package that looks around."""
    package = tmp_path / "app"
    package.mkdir()
    for name in ("__init__.py", "__main__.py", "look.py"):
        (package / name).write_text("" if name == "__init__.py" else LOOKS)
    return tmp_path


@pytest.mark.parametrize("start", STARTS)
def test_a_program_sees_what_python_shows(start: str, app: pathlib.Path) -> None:
    """The names in `__main__`, `sys.argv` and `sys.path[0]` are those that python itself gives."""
    ours, theirs = piped("run", *STARTS[start], cwd=app), plainly(*STARTS[start], cwd=app)
    assert (ours.returncode, theirs.returncode) == (0, 0), ours.stderr
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_as_under_python(end: str, tmp_path: pathlib.Path) -> None:
    """Exit code or signal, output and traceback are those that python itself gives."""
    (tmp_path / "end.py").write_text(ENDS[end])
    ours, theirs = piped("run", "--quiet", "end.py", cwd=tmp_path), plainly("end.py", cwd=tmp_path)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stderr == theirs.stderr


def test_a_package_that_fails_is_shown_without_our_frames(tmp_path: pathlib.Path) -> None:
    """An exception in the package around a module begins with the package's own frame."""
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "__init__.py").write_text("1 / 0")
    (tmp_path / "bad" / "tool.py").write_text("")
    done = piped("run", "--quiet", "-m", "bad.tool", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('Traceback (most recent call last):\n  File "')
    assert "hotmod" not in done.stderr.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "no program: name a script, or a module with -m"),
        (["nope.py"], "there is no such program: 'nope.py'"),
        (["."], "is a folder and has no __main__.py"),
        (["-m", "no.such"], "no module named no.such is found"),
        (["-m", "collections"], "collections is a package and has no __main__.py"),
        (["-m"], "-m needs the name of a module"),
        (["--target", "no_such", "-m", "this"], "target 'no_such'"),
    ],
    ids=["none", "script", "folder", "module", "package", "no name", "target"],
)
def test_what_is_no_program_is_told(
    arguments: list[str],
    complaint: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a program that can be run, the command ends with 2 and says why."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [""])
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    assert _cli.main(["run", *arguments]) == _cli.USAGE
    assert complaint in capsys.readouterr().err


@contextlib.contextmanager
def running(*options: str, cwd: pathlib.Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The program that echoes, with a module of its own, under `hotmod run`."""
    (cwd / "farm.py").write_text("LEGS = 4\n")
    (cwd / "echo.py").write_text(ECHO)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "hotmod", "run", *options, "echo.py"],
            cwd=cwd,
            env=environment(cwd / "temporary", **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        bounded(process),
    ):
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def ask(process: subprocess.Popen[str], word: str) -> str:
    """What the program answers."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_edits_are_applied_while_it_runs(tmp_path: pathlib.Path) -> None:
    """Saves of a module and of the script itself reach the running program, and each is told in a line."""
    with running(cwd=tmp_path) as process:
        assert process.stderr
        assert process.stderr.readline() == "hotmod: echo.py runs; what is saved in ./ is applied\n"
        assert ask(process, "cow") == "cow: 4\n"
        (tmp_path / "farm.py").write_text("LEGS = 2\n")
        assert process.stderr.readline().startswith("hotmod: applied farm in ")
        assert ask(process, "hen") == "hen: 2\n"
        (tmp_path / "echo.py").write_text(ECHO.replace("{farm.LEGS}", "{farm.LEGS}!"))
        told = process.stderr.readline()
        assert told.startswith("hotmod: applied __main__ in ")
        assert "patched answer" in told
        assert ask(process, "hen") == "hen: 2!\n"
        (tmp_path / "farm.py").write_text("LEGS = \n")
        refused = process.stderr.readline()
        assert refused.startswith("hotmod: Could not reload farm (farm.py:1): SyntaxError")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT
        assert "Could not" not in process.stderr.read()


def test_why_a_module_ran_as_a_whole_is_told(tmp_path: pathlib.Path) -> None:
    """Where more runs than what was edited, the next line says why, unless the strategy wants it so."""
    for options, told in (((), True), (("--strategy", "modules"), False)):
        with running(*options, cwd=tmp_path) as process:
            assert process.stderr
            process.stderr.readline()
            (tmp_path / "farm.py").write_text("LEGS = 4\nexec('X = 1')\n")
            assert "re-ran farm" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            why = "  farm ran as a whole: exec('X = 1') was added (farm.py:2)\n"
            assert (why in process.stderr.read()) == told


def test_reports_can_be_json(tmp_path: pathlib.Path) -> None:
    """With `--json` each reload is one line of JSON on standard error, and nothing else is there."""
    with running("--json", "--strategy", "modules", cwd=tmp_path) as process:
        (tmp_path / "farm.py").write_text("LEGS = 2\n")
        assert process.stderr
        report = json.loads(process.stderr.readline())
        assert (report["status"], report["executed"]) == ("applied", ["farm"])


def test_switched_off_the_program_runs_all_the_same(tmp_path: pathlib.Path) -> None:
    """With `HOTMOD=off` the program runs, and the one line says that edits are not applied.

    Nobody looks at the options then, so that mistakes in them do not matter.
    """
    (tmp_path / "pyproject.toml").write_text("[tool.hotmod]\ndelay = 'soon'\n")
    with running(cwd=tmp_path, HOTMOD="off") as process:
        assert ask(process, "cow") == "cow: 4\n"
        told = process.communicate()[1]
    assert told == "hotmod: HOTMOD=off: edits are not applied\n"


def test_a_terminal_gets_colours(app: pathlib.Path) -> None:
    """In a terminal what hotmod tells is set apart by colour."""
    assert "\x1b[2mhotmod: -m app runs;" in in_terminal("run", "-m", "app", cwd=app)[1]
