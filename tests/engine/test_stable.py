"""Stable blocks: nothing changes inside, a reload waits, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

import hotmod
from hotmod._engine.gate import GATE
from hotmod._engine.stable import stable
from tests.engine.watching import LONG, Inbox, run_program, watching
from tests.oracle.project import Project

SOON = 0.05  # seconds; in which nothing must happen


@contextlib.contextmanager
def another_thread_inside() -> Iterator[threading.Event]:
    """A stable block in another thread; it ends when the event is set, or with the context."""
    began, end = threading.Event(), threading.Event()

    def run() -> None:
        with hotmod.stable():
            began.set()
            end.wait(LONG)

    thread = threading.Thread(target=run, name="trainer")
    thread.start()
    assert began.wait(LONG)
    yield end
    end.set()
    thread.join(LONG)
    assert not thread.is_alive()
    assert not GATE.inside


@contextlib.contextmanager
def in_a_thread(function: Callable[..., object], *arguments: object) -> Iterator[list[object]]:
    """Call something in another thread; gives a list of what it returned, to be read after the context."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)))
    thread.start()
    yield found
    thread.join(LONG)
    assert not thread.is_alive()


def test_a_reload_waits_for_the_blocks_that_have_begun(shop: Project) -> None:
    """A reload begins when the last block of another thread has ended, and not before."""
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    with another_thread_inside() as end, in_a_thread(reloader.reload) as reports:
        assert not end.wait(SOON)
        assert (config.TAX, reports) == (1, [])
        end.set()
    assert [report.status for report in reports] == ["applied"]
    assert config.TAX == 2


def test_new_blocks_wait_for_the_commit(shop: Project) -> None:
    """A block that begins while a reload is under way begins after it, and sees all of it."""
    shop.write({"shop/hooks.py": "began, go_on = None, None\n"})
    hooks = shop.load("shop.hooks")
    hooks.began, hooks.go_on = threading.Event(), threading.Event()
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop")
    shop.write(
        {
            "shop/config.py": """
                from shop import hooks
                TAX = 2
                hooks.began.set()
                hooks.go_on.wait(9)
                TAX = 3
                """
        }
    )

    def look() -> int:
        with hotmod.stable():
            return config.TAX

    with in_a_thread(reloader.reload) as reports:
        assert hooks.began.wait(LONG)
        with in_a_thread(look) as seen:
            threading.Event().wait(SOON)
            assert seen == []
            hooks.go_on.set()
    assert [report.status for report in reports] == ["applied"]
    assert seen == [3]


def test_a_reload_that_has_to_wait_too_long_is_postponed(shop: Project) -> None:
    """After the time limit nothing is changed, and the report says which block is in the way."""
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop", patience=0.02)
    shop.write({"shop/config.py": "TAX = 2\n"})
    with another_thread_inside():
        report = reloader.reload()
        assert (report.status, report.postponed, bool(report)) == ("rejected", True, False)
        assert report.changed == ("shop.config",)
        for words in (
            "1 stable block has not ended after 0.02 s",
            "test_stable.py:",
            "in trainer",
            "previous code",
        ):
            assert words in str(report)
        assert config.TAX == 1
        with pytest.raises(hotmod.ReloadError) as caught:
            reloader.reload(check=True)
        assert isinstance(caught.value.__cause__, hotmod.PostponedError)
    assert reloader.reload().status == "applied"
    assert config.TAX == 2


def test_what_changes_nothing_waits_for_nobody(shop: Project) -> None:
    """Where nothing is to be done, or the edit is broken, blocks are not waited for."""
    reloader = hotmod.Reloader("shop", patience=LONG)
    with another_thread_inside():
        assert reloader.reload().status == "unchanged"
        shop.write({"shop/config.py": "TAX = = 2\n"})
        assert isinstance(reloader.reload().error, SyntaxError)


def test_a_rollback_waits_as_well(shop: Project) -> None:
    """A rollback that blocks are in the way of raises after the time limit, and can be made afterwards."""
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop", patience=0.02)
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    with another_thread_inside(), pytest.raises(hotmod.PostponedError, match="Nothing was taken back"):
        reloader.rollback()
    assert config.TAX == 2
    reloader.rollback()
    assert config.TAX == 1


def test_a_watcher_applies_what_was_postponed(shop: Project) -> None:
    """A watcher tells that an edit is postponed, stays not clean, and applies it when the block has ended."""
    with watching("shop", patience=0.02) as watcher:
        with another_thread_inside():
            shop.write({"shop/config.py": "TAX = 2\n"})
            assert watcher.next_report(timeout=LONG).postponed
            assert watcher.status == "rejected"
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert watcher.status == "applied"


def test_blocks_without_a_gap_cannot_keep_an_edit_out(shop: Project) -> None:
    """A loop whose every step is longer than the time limit gets the edit between two steps."""
    config = shop.load("shop.config")
    steps: list[tuple[int, int]] = []
    postponed, never = threading.Event(), threading.Event()

    def train() -> None:
        while len(steps) < 1_000 and config.TAX == 1:
            with hotmod.stable():
                before = config.TAX
                postponed.wait(LONG)
                never.wait(0.5)
                steps.append((before, config.TAX))

    with watching("shop", patience=0.4) as watcher, in_a_thread(train):
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert watcher.next_report(timeout=LONG).postponed
        postponed.set()
        assert watcher.next_report(timeout=LONG).status == "applied"
    assert all(before == after for before, after in steps)
    assert len(steps) < 10


def test_a_reload_inside_of_a_block_is_refused(shop: Project) -> None:
    """A reload or rollback from inside of a block would wait for itself: it raises."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    with hotmod.stable():
        for change in (reloader.reload, reloader.rollback, lambda: reloader.attempt(None)):
            with pytest.raises(hotmod.HotmodError, match=r"inside of a stable block .*test_stable.py:"):
                change()
        assert reloader.plan().changes.modules == ("shop.config",)
    assert reloader.reload().status == "applied"


def test_a_block_that_is_suspended_in_this_thread_is_not_waited_for(shop: Project) -> None:
    """A generator of the same thread can't end while the thread waits: the reload is told so at once."""

    def stepping() -> Iterator[int]:
        with hotmod.stable():
            yield 1

    reloader = hotmod.Reloader("shop", patience=LONG)
    shop.write({"shop/config.py": "TAX = 2\n"})
    steps = stepping()
    contextvars.copy_context().run(next, steps)
    report = reloader.reload()
    assert report.postponed
    assert "can't end while this thread waits" in str(report)
    steps.close()
    assert reloader.reload().status == "applied"


def test_blocks_can_be_nested(shop: Project) -> None:
    """An inner block, also one in another thread that has the context, never waits for a waiting reload."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})

    def enter() -> str:
        with hotmod.stable(), hotmod.stable():
            return "left"

    with contextlib.ExitStack() as stack:
        block = hotmod.stable()
        with block:
            reports = stack.enter_context(in_a_thread(reloader.reload))
            until_alert()
            assert enter() == "left"
            with in_a_thread(contextvars.copy_context().run, enter) as inner:
                pass
            assert (inner, reports) == (["left"], [])
    assert [report.status for report in reports] == ["applied"]


def until_alert() -> None:
    """Wait until a reload waits."""
    while not GATE.alert:
        threading.Event().wait(0.001)


def test_a_block_has_an_object_of_its_own() -> None:
    """An object that is inside can't be entered again; once left it can."""
    block = hotmod.stable()
    with block, pytest.raises(hotmod.HotmodError, match="begun already"):
        block.__enter__()
    with block:
        pass
    assert not GATE.inside


def test_functions_and_coroutine_functions_are_decorated() -> None:
    """Each call of a decorated function is a block, and the function keeps its name and what it gives."""

    @stable()
    def plain(value: int) -> tuple[int, int]:
        return value, len(GATE.inside)

    @stable()
    async def task(value: int) -> tuple[int, int]:
        return value, len(GATE.inside)

    assert plain.__name__ == "plain"
    assert plain(3) == (3, 1)
    assert asyncio.run(task(4)) == (4, 1)
    assert not GATE.inside


def test_an_object_with_an_async_call_is_a_coroutine_function() -> None:
    """An application of ASGI, an object whose `__call__` is `async`, is inside until its call has ended."""

    class Application:
        async def __call__(self) -> bool:
            return bool(GATE.inside)

    assert asyncio.run(hotmod.stable()(Application())())
    assert not GATE.inside


def test_a_generator_is_not_decorated() -> None:
    """A decorated generator would be inside for as long as somebody holds it: it is refused."""

    def steps() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"write `with hotmod\.stable"):
        hotmod.stable()(steps)


def test_an_exception_ends_a_block() -> None:
    """A block that is left by an exception has ended."""
    with pytest.raises(ZeroDivisionError), hotmod.stable():
        raise ZeroDivisionError
    assert not GATE.inside


def test_code_that_is_reloaded_can_use_blocks(shop: Project) -> None:
    """What a transaction runs enters blocks without waiting for the transaction."""
    reloader = hotmod.Reloader("shop", patience=LONG)
    shop.write({"shop/config.py": "import hotmod\nwith hotmod.stable():\n    TAX = 2\n"})
    assert reloader.reload().status == "applied"
    assert not GATE.inside


def test_a_reload_that_waits_for_a_block_goes_on(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """A check that waits for a block of another thread hangs nothing: that begins, with a warning."""

    def enter() -> bool:
        with hotmod.stable():
            return True

    def check() -> bool:
        with in_a_thread(enter) as found:
            pass
        return found == [True]

    reloader = hotmod.Reloader("shop", patience=0.05, verify=check)
    shop.write({"shop/config.py": "TAX = 2\n"})
    with caplog.at_level(logging.WARNING, "hotmod"):
        assert reloader.reload().status == "applied"
    assert "begins in the middle of a reload" in caplog.text


def test_apply_that_is_run_late_lets_blocks_go_on(shop: Project) -> None:
    """While `apply` keeps what it was given, blocks begin and end; the edit is applied when it is run."""
    inbox = Inbox()
    config = shop.load("shop.config")
    with watching("shop", apply=inbox, patience=0.05) as watcher:
        with another_thread_inside() as end:
            shop.write({"shop/config.py": "TAX = 2\n"})
            inbox.run_next()
            assert config.TAX == 1
            end.set()
            given = inbox.waiting.get(timeout=LONG)
            with hotmod.stable():
                assert config.TAX == 1
            given()
        assert watcher.next_report(timeout=LONG).status == "applied"


def test_a_forked_child_does_not_wait_for_blocks_of_its_parent(shop: Project) -> None:
    """In a forked child the blocks of threads that are not there are over."""
    done = run_program(
        shop,
        """
        import os, sys, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import hotmod, shop.config
        reloader = hotmod.Reloader("shop", patience=0)
        began = threading.Event()
        def stay():
            with hotmod.stable():
                began.set()
                threading.Event().wait()
        threading.Thread(target=stay, daemon=True).start()
        began.wait()
        open("shop/config.py", "w").write("TAX = 2\\n")
        print(reloader.reload().postponed, flush=True)
        child = os.fork()
        if not child:
            print(reloader.reload().status, shop.config.TAX, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(shop.config.TAX, flush=True)
        """,
    )
    assert done.stdout.splitlines() == ["True", "applied 2", "1"], done.stderr


def test_blocks_load_no_engine(shop: Project) -> None:
    """A program that only marks its blocks loads neither the engine nor asyncio."""
    done = run_program(
        shop,
        """
        import sys, hotmod
        with hotmod.stable():
            print([name for name in ("hotmod._engine.reloader", "asyncio") if name in sys.modules])
        """,
    )
    assert done.stdout.strip() == "[]", done.stderr
