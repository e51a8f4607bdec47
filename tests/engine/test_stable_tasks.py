"""Stable blocks among the tasks of an event loop: it goes on, whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import threading

import hotmod
from hotmod._engine.gate import GATE
from tests.engine.watching import LONG
from tests.oracle.project import Project

SOON = 0.05  # seconds; in which nothing must happen


def test_the_event_loop_goes_on(shop: Project) -> None:
    """`async with` waits for a reload without keeping other tasks from running."""
    shop.write({"shop/hooks.py": "began, go_on = None, None\n"})
    hooks = shop.load("shop.hooks")
    hooks.began, hooks.go_on = threading.Event(), threading.Event()
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop")
    shop.write(
        {"shop/config.py": "from shop import hooks\nhooks.began.set()\nhooks.go_on.wait(9)\nTAX = 3\n"}
    )

    async def look() -> int:
        async with hotmod.stable():
            return config.TAX

    async def main() -> tuple[int, hotmod.Report]:
        reloading = asyncio.create_task(asyncio.to_thread(reloader.reload))
        await asyncio.to_thread(hooks.began.wait, LONG)
        looking = asyncio.create_task(look())
        done, _ = await asyncio.wait((looking,), timeout=SOON)
        assert not done
        hooks.go_on.set()
        return await looking, await reloading

    seen, report = asyncio.run(main())
    assert (seen, report.status) == (3, "applied")
    assert not GATE.inside


def test_a_task_that_is_cancelled_while_it_waits_is_not_inside(shop: Project) -> None:
    """A task that gives up before its block begins leaves nothing behind."""

    async def enter() -> None:
        async with hotmod.stable():
            raise AssertionError("it has not begun")

    async def main() -> None:
        task = asyncio.create_task(enter())
        await asyncio.wait((task,), timeout=SOON)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    with GATE.close(LONG):
        asyncio.run(main())
        assert not GATE.inside


def test_a_loop_that_applies_edits_itself_waits_for_its_tasks(shop: Project) -> None:
    """An edit that the loop itself applies waits for the tasks that are inside, and the loop goes on."""
    config = shop.load("shop.config")
    seen: list[tuple[int, int]] = []

    async def request() -> None:
        async with hotmod.stable():
            before = config.TAX
            await asyncio.wait((asyncio.get_running_loop().create_future(),), timeout=0.02)
            seen.append((before, config.TAX))

    async def serve() -> None:
        while config.TAX == 1:  # there is always a request under way
            tasks.append(asyncio.create_task(request()))
            await asyncio.wait((tasks[-1],), timeout=0.005)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with hotmod.watch("shop", apply=loop.call_soon_threadsafe, patience=LONG) as watcher:
            server = asyncio.create_task(serve())
            shop.write({"shop/config.py": "TAX = 2\n"})
            report = await asyncio.to_thread(watcher.next_report, LONG)
            assert report.status == "applied"
            await server
            await asyncio.gather(*tasks)

    tasks: list[asyncio.Task[None]] = []
    asyncio.run(main())
    assert all(before == after for before, after in seen)
    assert not GATE.inside


def test_a_task_that_stays_inside_postpones_what_the_loop_applies(shop: Project) -> None:
    """A task that does not end in time postpones the edit; it is applied when the task has ended."""

    async def main() -> list[str]:
        end = asyncio.Event()

        async def request() -> None:
            async with hotmod.stable():
                await end.wait()

        task = asyncio.create_task(request())
        await asyncio.wait((task,), timeout=0)
        reports = hotmod.awatch("shop", patience=0.05)
        first = asyncio.ensure_future(anext(reports))
        while not first.done():
            await asyncio.wait((first,), timeout=0.05)
            shop.write({"shop/config.py": "TAX = 2\n"})
        end.set()
        found = [first.result(), await anext(reports)]
        await reports.aclose()
        return ["postponed" if report.postponed else report.status for report in found]

    assert asyncio.run(main()) == ["postponed", "applied"]


def test_a_block_in_the_thread_of_a_loop_does_not_wait_for_the_loop(shop: Project) -> None:
    """A plain `with` in a loop's thread begins while a reload waits for that loop's tasks."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})

    async def main() -> hotmod.Report:
        with hotmod.stable():
            waiting = asyncio.to_thread(reloader.reload)
            reloading = asyncio.create_task(waiting, context=contextvars.Context())
            while not GATE.alert:
                await asyncio.wait((reloading,), timeout=0.001)
            await asyncio.create_task(other(), context=contextvars.Context())
        return await reloading

    async def other() -> None:
        with hotmod.stable():
            pass

    assert asyncio.run(main()).status == "applied"


def test_a_consumer_of_awatch_is_cancelled_while_an_edit_waits(shop: Project) -> None:
    """Whoever cancels a task that watches does not wait for the block that its edit waits for."""

    async def consume() -> None:
        async for _ in hotmod.awatch("shop", patience=LONG):
            raise AssertionError("nothing can be applied")

    async def main() -> None:
        async with hotmod.stable():
            task = asyncio.create_task(consume(), context=contextvars.Context())
            for number in itertools.count(2):
                shop.write({"shop/config.py": f"TAX = {number}\n"})
                await asyncio.wait((task,), timeout=SOON)
                if GATE.alert:
                    break
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(main(), LONG))
    assert not GATE.inside
