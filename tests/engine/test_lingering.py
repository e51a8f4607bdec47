"""Calls that still run old code are told: whose they are, where, and when they go on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest

import hotmod
from hotmod._engine import lingering
from tests.engine.watching import LONG
from tests.oracle.project import Project

WORK = """
    import asyncio


    def loop(began, end):
        began.set()
        end.wait(60)
        return {0}


    def numbers():
        yield {0}
        yield {0}


    async def serve(end):
        await end.wait()
        return {0}


    def quiet():
        return 1
    """


def lines(report: hotmod.Report) -> dict[str, tuple[str, ...]]:
    """The hazards about calls: the function, and who holds it."""
    return {each.name: each.holders for each in report.hazards if each.code == "lingering-call"}


@pytest.fixture
def work(shop: Project) -> Project:
    """A module with a loop, a generator and a coroutine."""
    shop.write({"shop/work.py": WORK.format(1)})
    shop.load("shop.work")
    return shop


@contextlib.contextmanager
def in_the_loop(project: Project) -> Iterator[None]:
    """A thread inside of the loop."""
    began, end = threading.Event(), threading.Event()
    loop = project.load("shop.work").loop
    thread = threading.Thread(target=loop, args=(began, end), name="worker", daemon=True)
    thread.start()
    assert began.wait(LONG)
    yield
    end.set()
    thread.join(LONG)


def test_a_thread_that_runs_old_code_is_told(work: Project) -> None:
    """A thread in the middle of an edited function is named, with the line where it is."""
    reloader = hotmod.Reloader("shop")
    with in_the_loop(work):
        work.write({"shop/work.py": WORK.format(2)})
        found = lines(reloader.reload())
        assert found == {"loop": ("thread worker at work.py:6",)}


def test_a_generator_and_a_coroutine_that_wait_are_told(work: Project) -> None:
    """A generator that is suspended in old code is told, and so is a coroutine that nobody runs."""
    module = work.load("shop.work")
    reloader = hotmod.Reloader("shop")
    steps, waiting = module.numbers(), module.serve(None)
    next(steps)
    work.write({"shop/work.py": WORK.format(2)})
    found = lines(reloader.reload())
    assert found == {"numbers": ("a generator at work.py:11",), "serve": ("a coroutine at work.py:15",)}
    waiting.close()
    assert next(steps) == 1
    assert next(module.numbers()) == 2


def test_a_generator_that_waits_in_old_code_is_told_until_it_ends(work: Project) -> None:
    """An edit of another function tells a generator again that began before an earlier edit."""
    reloader = hotmod.Reloader("shop")
    numbers = work.load("shop.work").numbers()
    next(numbers)
    told = []
    for number in range(3):
        if number == 2:
            numbers.close()
        text = WORK.format(2).replace("return 1", f"return {number + 10}")
        work.write({"shop/work.py": text})
        told.append("numbers" in lines(reloader.reload(check=True)))

    assert told == [True, True, False]


def test_a_task_is_told_by_its_name(work: Project) -> None:
    """A coroutine that a task waits for is told with the name of the task, through those between them."""
    module = work.load("shop.work")
    reloader = hotmod.Reloader("shop")

    async def outer(end: asyncio.Event) -> object:
        return await module.serve(end)

    async def main() -> tuple[dict[str, tuple[str, ...]], object, object]:
        end = asyncio.Event()
        task = asyncio.create_task(outer(end), name="request 7")
        await asyncio.wait((task,), timeout=0)
        work.write({"shop/work.py": WORK.format(2)})
        found = lines(reloader.reload())
        end.set()
        return found, await task, await module.serve(end)

    found, old, new = asyncio.run(main())
    assert found == {"serve": ("task request 7 at work.py:16",)}
    assert (old, new) == (1, 2)


def test_calls_of_functions_that_did_not_change_are_not_told(work: Project) -> None:
    """Code that moved to other lines, and code of other functions, is not old."""
    module = work.load("shop.work")
    reloader = hotmod.Reloader("shop")
    steps = module.numbers()
    next(steps)
    with in_the_loop(work):
        work.write({"shop/work.py": "# moved\n" + textwrap.dedent(WORK.format(1)) + "\n\nADDED = 1\n"})
        report = reloader.reload()
    assert (report.status, lines(report)) == ("applied", {})


def test_what_runs_old_code_can_be_asked(work: Project) -> None:
    """`hotmod.lingering` lists the calls at any moment: those that ended are not among them."""
    hotmod.reload("shop")
    with in_the_loop(work):
        work.write({"shop/work.py": WORK.format(2)})
        hotmod.reload("shop", check=True)
        (hazard,) = hotmod.lingering("shop")
        assert (hazard.code, hazard.module, hazard.name) == ("lingering-call", "shop.work", "loop")
        assert hazard.holders == ("thread worker at work.py:6",)
    assert hotmod.lingering("shop") == ()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no sys.monitoring")
def test_old_code_that_goes_on_is_logged(work: Project, caplog: pytest.LogCaptureFixture) -> None:
    """When a generator goes on with old code, or somebody calls a removed function, that is logged once."""
    module = work.load("shop.work")
    reloader = hotmod.Reloader("shop")
    steps, quiet = module.numbers(), module.quiet
    next(steps)
    text = WORK.format(2).partition("    def quiet")[0]
    work.write({"shop/work.py": text})
    with caplog.at_level(logging.WARNING, "hotmod"):
        assert reloader.reload().status == "applied"
        caplog.clear()
        assert (next(steps), quiet(), quiet()) == (1, 1, 1)
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "old code of shop.work:numbers went on",
        "old code of shop.work:quiet was called",
    ]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 has no sys.monitoring")
def test_code_that_a_rollback_brings_back_is_not_old(work: Project, caplog: pytest.LogCaptureFixture) -> None:
    """After a rollback the code of before is in force, and nobody is warned of it."""
    module = work.load("shop.work")
    reloader = hotmod.Reloader("shop")
    steps = module.numbers()
    next(steps)
    work.write({"shop/work.py": WORK.format(2)})
    reloader.reload(check=True)
    reloader.rollback()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "hotmod"):
        assert (next(steps), next(module.numbers())) == (1, 1)
    assert not caplog.records


def test_where_it_cannot_be_told_that_is_said(
    work: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `sys.monitoring` the log says, once, that nothing will be told."""
    monkeypatch.setattr(lingering, "_monitoring", None)
    monkeypatch.setattr(lingering, "_monitor", lingering._Monitor())
    reloader = hotmod.Reloader("shop")
    with caplog.at_level(logging.WARNING, "hotmod"), in_the_loop(work):
        for number in (2, 3):
            work.write({"shop/work.py": WORK.format(number)})
            assert lines(reloader.reload())
    said = [each for each in caplog.records if "can't be told" in each.getMessage()]
    assert len(said) == 1
