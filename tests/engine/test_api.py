"""The functions of the package: they share a reloader per set of targets, and cost nothing when off."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

import hotmod
from hotmod import _api
from tests.oracle.project import Project


@pytest.fixture
def program(project: Project):
    """Runs a program of its own beside a small package; gives what it prints."""
    project.write(
        {
            "shop/__init__.py": "",
            "shop/config.py": "TAX = 1\n",
            "shop/cart.py": "import shop.config\n",
        }
    )

    def run(text: str, **environment: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text)],
            cwd=project.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_reload_rollback_and_plan_share_a_reloader(program) -> None:
    """The functions called with the same target, as a name or a module, act on one history."""
    text = """
        import hotmod, shop.config
        print(hotmod.reload("shop").status)
        open("shop/config.py", "w").write("TAX = 20")
        print(bool(hotmod.plan("shop")), shop.config.TAX)
        print(hotmod.reload(shop).status, shop.config.TAX)
        print(hotmod.rollback("shop").status, shop.config.TAX)
        print(hotmod.reload("shop", check=True).status, shop.config.TAX)
        """
    assert program(text) == ["unchanged", "True", "1", "applied", "20", "applied", "1", "applied", "20"]


def test_each_set_of_targets_has_its_own_reloader(program) -> None:
    """What is rolled back is what was reloaded for the same targets."""
    text = """
        import hotmod, shop.config
        hotmod.reload("shop"), hotmod.reload("shop.config")
        open("shop/config.py", "w").write("TAX = 20")
        hotmod.reload("shop")
        try:
            hotmod.rollback("shop.config")
        except hotmod.RollbackError:
            print(shop.config.TAX, hotmod.reload("shop.config").status)
        """
    assert program(text) == ["20", "unchanged"]


def test_reload_is_light(program) -> None:
    """`hotmod.reload` loads neither watchfiles nor asyncio, and starts no thread."""
    text = """
        import sys, threading, hotmod, shop.config
        hotmod.reload("shop"), hotmod.plan("shop"), hotmod.graph("shop")
        print(*{"watchfiles", "asyncio"} & sys.modules.keys(), threading.active_count())
        """
    assert program(text) == ["1"]


def test_graph_runs_no_code(program) -> None:
    """`graph` reads a package that is not loaded, and loads nothing of it."""
    text = """
        import sys, hotmod
        graph = hotmod.graph("shop")
        print(*graph, *(edge.importer for edge in graph.importers("shop.config")))
        print("shop" in sys.modules)
        """
    assert program(text) == ["shop", "shop.cart", "shop.config", "shop.cart", "False"]


def test_off_does_nothing(program) -> None:
    """With HOTMOD=off all functions do nothing: no thread, no engine, no reading."""
    text = """
        import asyncio, sys, threading, hotmod, shop.config
        with hotmod.watch("no such package", on_reload=print) as watcher:
            print(watcher.status, watcher.stopped, watcher.history, repr(watcher).replace(" ", ""))
            with watcher.hold():
                print(watcher.retry().status)
            for call in (watcher.next_report, watcher.rollback, lambda: hotmod.rollback("shop")):
                try:
                    call()
                except (TimeoutError, hotmod.RollbackError) as error:
                    print(type(error).__name__)
        print(hotmod.reload("shop").status, bool(hotmod.plan("shop")), threading.active_count())
        async def reports():
            return [report async for report in hotmod.awatch("shop")]
        print(asyncio.run(reports()))
        print({"hotmod._engine.reloader", "watchfiles"} & sys.modules.keys())
        """
    assert program(text, HOTMOD="off") == [
        *("unchanged", "True", "()", "<hotmod.Watcher,off>", "unchanged"),
        *("TimeoutError", "RollbackError", "RollbackError", "unchanged", "False", "1", "[]", "set()"),
    ]


def test_the_environment_sets_the_delay(program) -> None:
    """An option that is not given comes from the environment."""
    text = """
        import hotmod
        with hotmod.watch("shop") as watcher:
            print(watcher._delay)
        """
    assert program(text, HOTMOD_DELAY="0.5") == ["0.5"]


@pytest.mark.parametrize(
    ("targets", "options", "words"),
    [
        ((), {}, "no target"),
        (("no_such_package_anywhere",), {}, "no module of that name"),
        (("sys",), {"delay": "soon"}, "delay"),
        (("sys",), {"strategy": "hopeful"}, "hopeful"),
        (("hotmod",), {}, "can't reload itself"),
    ],
)
def test_a_mistake_is_an_error_that_starts_nothing(targets, options, words) -> None:
    """A wrong target or option is a ConfigError, and leaves no watcher behind."""
    before = dict(_api._watchers)
    with pytest.raises(hotmod.ConfigError, match=words):
        hotmod.watch(*targets, **options)
    assert _api._watchers == before


def test_watch_returns_at_once(project: Project) -> None:
    """Starting a watcher reads none of a thousand files and takes some milliseconds of work."""
    files = {f"wide/m{n}.py": f"V = {n}\n" for n in range(1000)}
    project.write({"wide/__init__.py": "", **files})
    text = """
        import importlib, sys, threading, time
        for n in range(1000):
            importlib.import_module(f"wide.m{n}")
        import hotmod
        hotmod.watch
        opened = []
        def note(event, arguments):
            if event == "open" and threading.current_thread() is threading.main_thread():
                opened.append(str(arguments[0]))
        sys.addaudithook(note)
        started = time.thread_time()
        watcher = hotmod.watch("wide")
        took = time.thread_time() - started
        print([path for path in opened if "wide" in path][:1], took < 0.03 or took)
        watcher.stop()
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["[]", "True"], done.stderr
