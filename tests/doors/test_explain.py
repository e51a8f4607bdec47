"""`hotmod explain` and `hotmod plan`: what an edit would do, told without a running program."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

import hotmod
from hotmod import _cli
from tests.doors.shell import piped
from tests.oracle.project import Project

FILES = {
    "store/__init__.py": "",
    "store/config.py": "TAX = 1\n",
    "store/api.py": """
        from store.config import TAX

        __hotmod_keep__ = ("CACHE",)
        LIMIT = TAX * 2
        CACHE = {"tax": TAX}


        def total(net):
            return net * TAX
        """,
    "store/__main__.py": 'from store import api\n\n\nif __name__ == "__main__":\n    print(api.LIMIT)\n',
}
WHY = """\
run store.config: 1 statement
  store/config.py:1 TAX = 2, edited
run store.api: 2 statements
  store/api.py:1 from store.config import TAX, because TAX changed (store/config.py:1)
  store/api.py:4 LIMIT = TAX * 2, because TAX changed (store/config.py:1)
keep store.api:CACHE
"""
BODY = """\
patch store.api: edited
  store/api.py:8 total: new code, without running it
"""

Say = Callable[..., str]


def git(folder: pathlib.Path, *arguments: str) -> None:
    """Run git as somebody, with nobody's configuration."""
    options = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    command = ["git", *options, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def store(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A package that git has a version of; the working directory is its folder's."""
    project = Project(tmp_path)
    project.write(FILES)
    monkeypatch.chdir(project.folder)
    git(project.folder, "init", "-q")
    git(project.folder, "add", "-A")
    git(project.folder, "commit", "-qm", "one")
    yield project
    project.forget()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """What a command prints; it must end with a code."""

    def run(*arguments: str, code: int = 0) -> str:
        assert _cli.main(arguments) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return run


def test_a_save_is_explained_statement_by_statement(store: Project, say: Say) -> None:
    """Every statement that would run is told with the chain of reasons, and so is what would be kept."""
    store.write({"store/config.py": "TAX = 2\n"})
    assert say("explain", "store/config.py") == WHY
    assert "store.api" not in sys.modules


def test_a_body_runs_nothing(store: Project, say: Say) -> None:
    """Functions that would get new code are told with their lines."""
    store.write({"store/api.py": FILES["store/api.py"].replace("net * TAX", "net + TAX")})
    assert say("explain", "store/api.py") == BODY


def test_only_the_file_that_was_asked_about_counts(store: Project, say: Say) -> None:
    """`explain` takes every other file to be loaded as it is; `plan` takes all edits together."""
    store.write({"store/config.py": "TAX = 2\n", "store/api.py": FILES["store/api.py"].replace(" * TAX", "")})
    assert "store.config" not in say("explain", "store/api.py")
    both = say("plan", "store")
    assert "run store.config" in both
    assert "store/api.py:8 total: new code" in both


def test_a_live_reloader_says_the_same(store: Project, say: Say) -> None:
    """What is told from texts alone is the plan of a reloader that has loaded the earlier version."""
    store.load("store.config", "store.api")
    reloader = hotmod.Reloader("store")
    store.write({"store/config.py": "TAX = 2\n"})
    assert f"{reloader.plan()}\n" == say("plan", "store") == WHY


def test_another_file_or_revision_can_be_the_reference(store: Project, say: Say) -> None:
    """`--against` names a revision or a file that holds the earlier text."""
    store.write({"store/config.py": "TAX = 2\n", "old.txt": "TAX = 2\n"})
    git(store.folder, "commit", "-qam", "two")
    assert say("explain", "store/config.py") == "nothing to do: it is what HEAD has\n"
    assert say("explain", "store/config.py", "--against", "HEAD~1") == WHY
    assert (
        say("explain", "store/config.py", "--against", "old.txt") == "nothing to do: it is what old.txt has\n"
    )
    assert say("plan", "store", "--against", "HEAD~1") == WHY


def test_the_other_strategy_runs_modules(store: Project, say: Say) -> None:
    """With the strategy `modules` the plan tells modules, and what they keep."""
    store.write({"store/config.py": "TAX = 2\n"})
    told = say("explain", "store/config.py", "--strategy", "modules")
    assert told.splitlines() == [
        "execute store.config: edited",
        "execute store.api: imports store.config (line 1)",
        "keep store.api:CACHE",
    ]


def test_options_of_the_project_count(store: Project, say: Say) -> None:
    """The options of `pyproject.toml` are those of the plan."""
    store.write(
        {"pyproject.toml": '[tool.hotmod]\nkeep = ["store.api:LIMIT"]\n', "store/config.py": "TAX = 2\n"}
    )
    assert "keep store.api:CACHE, store.api:LIMIT" in say("explain", "store/config.py")


def test_the_main_module_is_told_as_such(store: Project, say: Say) -> None:
    """Of the `__main__` of a package it is told which statement asks for a restart."""
    store.write({"store/__main__.py": FILES["store/__main__.py"].replace("api.LIMIT", "api.TAX")})
    told = say("explain", "store/__main__.py")
    assert "main-module store.__main__: store/__main__.py:4 if __name__" in told


def test_files_that_came_and_went(store: Project, say: Say) -> None:
    """A plan tells of modules that are gone; a file that git does not have yet is one that was added."""
    store.write(
        {"store/new.py": "X = 1\n", "store/api.py": "from store.new import X\nfrom store.config import TAX\n"}
    )
    store.delete("store/config.py")
    told = say("plan", "store")
    assert "remove store.config: deleted" in told
    assert "store/api.py:1 from store.new import X" in told


def test_json(store: Project, say: Say) -> None:
    """`--json` prints the plan as values."""
    store.write({"store/config.py": "TAX = 2\n"})
    values = json.loads(say("explain", "store/config.py", "--json"))
    assert values["kept"] == ["store.api:CACHE"]
    assert [step["module"] for step in values["steps"]] == ["store.config", "store.api"]
    assert values["steps"][1]["runs"][1]["why"] == "because TAX changed (store/config.py:1)"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["explain", "store/none.py"], 2, "not a Python file that exists"),
        (["explain", "store/api.py", "--against", "nowhere"], 1, "git can't tell what was there before"),
        (["plan", "nothing_of_the_kind"], 2, "no module of that name"),
        (["explain", "broken.py"], 1, "broken.py:1"),
    ],
    ids=["no file", "no revision", "no target", "syntax error"],
)
def test_what_can_not_be_explained(
    store: Project, say: Say, arguments: list[str], code: int, words: str
) -> None:
    """What can't be explained is one message on standard error, and a code."""
    store.write({"broken.py": "X = (\n"})
    assert words in say(*arguments, code=code)


def test_no_code_of_the_project_runs(store: Project) -> None:
    """Explaining imports nothing: a module that would end the process is read like any other."""
    store.write({"store/config.py": "raise SystemExit('it was run')\n"})
    call = [sys.executable, "-m", "hotmod", "plan", "store"]
    done = subprocess.run(call, cwd=store.folder, check=True, capture_output=True, text=True)
    assert "store/config.py:1 raise SystemExit" in done.stdout
    assert textwrap.dedent(FILES["store/api.py"]).lstrip() == (store.folder / "store/api.py").read_text(
        "utf-8"
    )


def test_a_file_that_modules_read(tmp_path: pathlib.Path) -> None:
    """Of a file that a module reads, by the option `depends`, the statements are told that read it."""
    (tmp_path / "stall").mkdir()
    (tmp_path / "stall/__init__.py").write_text("STATE = []\nTAX = float(open('tax.txt').read())\n")
    (tmp_path / "tax.txt").write_text("1")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.hotmod.depends]\nstall = ['*.txt']\nmissing = ['*.csv']\n"
    )
    done = piped("explain", "tax.txt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "TAX = float(open('tax.txt').read()), because tax.txt changed" in done.stdout
    assert "STATE" not in done.stdout
    for name, complaint in (
        ("a.csv", "and there is no such module"),
        ("a.xml", "no module says that it reads it"),
    ):
        done = piped("explain", name, cwd=tmp_path)
        assert done.returncode == 2
        assert complaint in done.stderr
