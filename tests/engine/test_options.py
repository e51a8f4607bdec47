"""Options: where they come from, what is allowed, and what those about files do."""

from __future__ import annotations

import logging
import pathlib
import re

import pytest

import hotmod
from hotmod._config import Config, configure, settings
from tests.engine.watching import LONG, until, watching
from tests.oracle.project import Project

PYPROJECT = """\
[build-system]
requires = []

[tool.hotmod]
delay = 0.5
"exclude" = ["*_pb2.py"]
paths = ["plugins"]

[tool.hotmod.depends]
"shop.settings" = ["config/*.yaml"]
"""


@pytest.fixture
def origin(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A project with a file of options, seen from a folder inside."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    monkeypatch.setenv("HOTMOD_DELAY", "0.25")
    monkeypatch.setenv("HOTMOD_KEEP", "shop.db:ENGINE,shop.db:POOL")
    return tmp_path


def test_each_value_says_where_it_comes_from(origin: pathlib.Path) -> None:
    """An argument wins over a variable, and that over the file, whose line is told."""
    found = {each.key: (each.value, each.origin) for each in settings(strategy="modules")}
    file = origin / "pyproject.toml"
    assert found["strategy"] == ("modules", "an argument")
    assert found["delay"] == (0.25, "HOTMOD_DELAY")
    assert found["keep"] == (("shop.db:ENGINE", "shop.db:POOL"), "HOTMOD_KEEP")
    assert found["exclude"] == (("*_pb2.py",), f"{file}:6")
    assert found["paths"] == ((str(origin / "plugins"),), f"{file}:7")
    assert found["depends"][1] == f"{file}:9"
    assert found["patience"] == (5.0, "the default")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool]\nhotmod.delay = 1\n", 2),
        ("tool.hotmod.delay = 1\n", 1),
        ("[ tool . hotmod ]\n\n  delay=1\n", 3),
        ("[tool.hotmod]\n# delay = 2\ndelay = 1\n", 3),
        ("[tool.hotmod.keep]\n", None),
        ("[tool]\nhotmod = { delay = 1 }\n", 0),
    ],
    ids=["dotted", "from the top", "spaced", "commented", "bad", "inline"],
)
def test_the_line_of_an_option_is_found(tmp_path: pathlib.Path, text: str, line: int | None) -> None:
    """However an option is written in the file, its line is told, or the file alone."""
    (tmp_path / "pyproject.toml").write_text(text)
    if line is None:
        with pytest.raises(hotmod.ConfigError, match="keep"):
            settings(tmp_path)
        return
    origin = next(each.origin for each in settings(tmp_path) if each.key == "delay")
    assert origin == f"{tmp_path / 'pyproject.toml'}{f':{line}' if line else ''}"


def test_relative_paths_begin_where_they_stand(origin: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in the file are seen from its folder, others from the working directory."""
    assert configure().depends == (("shop.settings", (str(origin / "config/*.yaml"),)),)
    monkeypatch.setenv("HOTMOD_DEPENDS", "shop.a=x.csv,shop.b=y/,shop.a=z.csv")
    inner = origin / "inner"
    assert configure().depends == (
        ("shop.a", (str(inner / "x.csv"), str(inner / "z.csv"))),
        ("shop.b", (f"{inner / 'y'}/",)),
    )
    assert configure(paths=["../more", pathlib.Path("/abs")]).paths == (str(origin / "more"), "/abs")


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("delay", "soon", "allowed are 0 to 60"),
        ("delay", True, "allowed are 0 to 60"),
        ("patience", False, "allowed are 0 to 3600"),
        ("polling", "often", "allowed are auto, on, off, or 0.01 to 60"),
        ("polling", 0, "allowed are auto"),
        ("depends", ["config.yaml"], "allowed are modules with lists of patterns"),
        ("depends", {"shop settings": ["x"]}, "allowed are modules with lists of patterns"),
        ("depends", {"shop": [3]}, "allowed is a list"),
        ("paths", 3, "allowed is a list of folders and files"),
        ("log_only", 3, "allowed is a list of gitignore-style patterns"),
        ("dealy", 3, "allowed are delay, depends, exclude, include"),
    ],
)
def test_a_bad_value_is_named(key: str, value: object, allowed: str) -> None:
    """What is not allowed is named, with its place and what is allowed, before anything is started."""
    with pytest.raises(hotmod.ConfigError, match=f"{key}.*{allowed}"):
        hotmod.watch("this", **{key: value})


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HOTMOD_DELAY", "soon", "option 'delay' in HOTMOD_DELAY has the bad value 'soon'"),
        ("HOTMOD_STRATGY", "minimal", "unknown option 'stratgy' in HOTMOD_STRATGY; allowed are delay"),
    ],
)
def test_a_bad_variable_is_named(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable says wrong is told by its name, as it has to be mended there."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(hotmod.ConfigError, match=re.escape(words)):
        configure()


def test_a_bad_line_is_named(origin: pathlib.Path) -> None:
    """What the file says wrong is told with its line."""
    file = origin / "pyproject.toml"
    file.write_text("[tool.hotmod]\ndelay = 1\npolling = 'often'\n")
    with pytest.raises(hotmod.ConfigError, match=re.escape(f"'polling' in [tool.hotmod] of {file}:3 has")):
        configure()


def test_one_value_or_several() -> None:
    """A single pattern stands for a list of one, and any iterable for a list."""
    config = configure(include="a/*", exclude=iter(["b", "c"]), depends={"shop": "x.yaml"}, polling=True)
    assert (config.include, config.exclude, config.polling) == (("a/*",), ("b", "c"), "on")
    assert config.depends == (("shop", (str(pathlib.Path.cwd() / "x.yaml"),)),)
    assert hash(config) == hash(config)
    assert Config().polling == "auto"


def test_log_only_is_logged_and_not_applied(
    shop: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A save of such a file is one line of the log for each change of its contents, whatever kind it is."""
    monkeypatch.chdir(shop.folder)
    caplog.set_level(logging.INFO, "hotmod")
    shop.write({"shop/page.html": "one"})
    other = shop.load("shop.other")
    with watching("shop", log_only=["*.html", "shop/other.py"]) as watcher:
        shop.write({"shop/other.py": "STATE = [1]\n", "shop/page.html": "two"})
        until(lambda: "page.html" in caplog.text and "other.py" in caplog.text)
        shop.write({"shop/page.html": "two", "shop/config.py": "TAX = 9\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)
        (shop.folder / "shop/page.html").unlink()
        until(lambda: "deleted" in caplog.text)
        assert (other.STATE, bool(watcher.verify())) == ([], True)
    told = [record.message for record in caplog.records if "log_only" in record.message]
    assert sorted(told) == [
        "shop/other.py was saved; log_only: nothing is applied",
        "shop/page.html was deleted; log_only: nothing is applied",
        "shop/page.html was saved; log_only: nothing is applied",
    ]


def test_paths_beside_the_targets_are_watched(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plug-ins in a folder and a module outside of the package come with every watch of the project."""
    project.write(
        {
            "shop/__init__.py": "",
            "plugins/red.py": "NAME = 'red'\n",
            "alone.py": "ONE = 1\n",
            "pyproject.toml": "[tool.hotmod]\npaths = ['plugins', 'alone.py']\n",
        }
    )
    monkeypatch.chdir(project.folder)
    monkeypatch.syspath_prepend(str(project.folder / "plugins"))
    project.load("shop")
    red, alone = project.load("red"), project.load("alone")
    with watching("shop") as watcher:
        project.write({"plugins/red.py": "NAME = 'blue'\n", "alone.py": "ONE = 2\n"})
        assert set(watcher.next_report(timeout=LONG).changed) <= {"red", "alone"}
        until(lambda: (red.NAME, alone.ONE) == ("blue", 2))


def test_paths_that_do_not_exist_are_named(shop: Project) -> None:
    """A folder of plug-ins that is not there is an error of the option, and nothing is started."""
    with pytest.raises(hotmod.ConfigError, match=r"option 'paths' names .*nowhere.*no such folder"):
        hotmod.watch("shop", paths=["nowhere"])


@pytest.mark.parametrize("polling", ["on", 0.05])
def test_polling_compares_folders(shop: Project, polling: object) -> None:
    """With `polling` saves are found without the kernel telling of them."""
    config = shop.load("shop.config")
    with watching("shop", polling=polling) as watcher:
        shop.write({"shop/config.py": "TAX = 4711\n"})
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert config.TAX == 4711


def test_shares_are_polled_unless_told_not_to(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Folders to which another machine may write are compared, and one line says so; `off` watches them."""
    from hotmod._engine import notify

    caplog.set_level(logging.INFO, "hotmod")
    monkeypatch.setattr(notify.sys, "platform", "linux")
    monkeypatch.setattr(notify, "shared", lambda _: True)
    for polling, told in (("off", 0), ("auto", 1)):
        notifier = notify.Notifier(polling=polling)
        notifier.arm([str(tmp_path)])
        notifier.close()
        assert caplog.text.count("file system that others may write to") == told
