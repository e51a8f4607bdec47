"""The watcher applies what is saved, tells of it, and can be held, undone and stopped."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

import hotmod
from tests.engine.watching import LONG, Inbox, fresh, replace, watching
from tests.oracle.project import Project


def test_a_save_is_applied(shop: Project) -> None:
    """A file that is written in place is live when its report is there, as in a fresh process."""
    cart = shop.load("shop.cart")
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        report = watcher.next_report(timeout=LONG)
    assert (report.status, report.changed) == ("applied", ("shop.config",))
    assert str(cart.total(1)) == fresh(shop, "shop.cart.total(1)", "shop.cart") == "21"


def test_a_save_by_renaming_is_applied(shop: Project) -> None:
    """Many saves in a row, each a rename over the file, are all seen."""
    cart = shop.load("shop.cart")
    with watching("shop") as watcher:
        for tax in range(10, 30):
            replace(shop.folder / "shop" / "config.py", f"TAX = {tax}\n")
            assert watcher.next_report(timeout=LONG).status == "applied"
            assert cart.total(1) == tax + 1


def test_a_save_right_after_the_call_is_applied(shop: Project) -> None:
    """An edit of the same size that follows `watch` at once is not taken for what was loaded."""
    cart = shop.load("shop.cart")
    with hotmod.watch("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 7\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)
    assert cart.total(1) == 8


def test_nothing_is_reported_that_did_not_happen(shop: Project) -> None:
    """A file written again with the same contents makes no report, and no watcher begins with one."""
    with watching("shop") as watcher:
        shop.write({"shop/other.py": "STATE = []\n"})
        shop.write({"shop/config.py": "TAX = 3\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)
        assert len(watcher.history) == 1


def test_status_and_history_tell_how_things_stand(shop: Project) -> None:
    """A rejected save stays visible in the status until a later save puts it right."""
    with watching("shop") as watcher:
        assert (watcher.status, watcher.history) == ("unchanged", ())
        shop.write({"shop/config.py": "TAX = \n"})
        assert watcher.next_report(timeout=LONG).status == watcher.status == "rejected"
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert watcher.next_report(timeout=LONG).status == watcher.status == "applied"
        assert [report.status for report in watcher.history] == ["rejected", "applied"]


def test_a_broken_edit_that_is_taken_back_is_told(shop: Project) -> None:
    """When a rejected file is saved as it was before, a report says that memory equals disk again."""
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "raise ValueError\n"})
        assert watcher.next_report(timeout=LONG).status == "rejected"
        shop.write({"shop/config.py": "TAX = 1\n"})
        assert watcher.next_report(timeout=LONG).status == watcher.status == "unchanged"


def test_a_pending_edit_joins_the_one_that_mends(shop: Project) -> None:
    """An edit that waits for a broken file is applied in one transaction with its repair."""
    cart = shop.load("shop.cart")
    with watching("shop", delay=0) as watcher:
        shop.write({"shop/cart.py": "from shop.config import VAT\ndef total(net): return net + VAT\n"})
        assert watcher.next_report(timeout=LONG).status == "rejected"
        shop.write({"shop/config.py": "VAT = 5\n"})
        report = watcher.next_report(timeout=LONG)
    assert (report.status, report.changed) == ("applied", ("shop.cart", "shop.config"))
    assert cart.total(1) == 6


def test_on_reload_is_called_with_every_report(shop: Project) -> None:
    """`on_reload` gets the report, and the next one too when it raises for the first."""
    seen: list[hotmod.Report] = []

    def on_reload(report: hotmod.Report) -> None:
        seen.append(report)
        raise RuntimeError("in on_reload")

    with watching("shop", on_reload=on_reload) as watcher:
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            watcher.next_report(timeout=LONG)
    assert [report.status for report in seen] == ["applied", "applied"]


def test_what_on_reload_raises_is_logged(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of `on_reload` stands in the log with its traceback."""

    def on_reload(report: hotmod.Report) -> None:
        raise RuntimeError(f"told of {report.status}")

    with watching("shop", on_reload=on_reload) as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        watcher.next_report(timeout=LONG)
    assert "on_reload failed" in caplog.text
    assert "RuntimeError: told of applied" in caplog.text


def test_an_edit_is_applied_where_apply_wants_it(shop: Project) -> None:
    """With `apply` nothing changes before what it was given is called, and then in that thread."""
    shop.write({"shop/where.py": "import threading\nTHREAD = threading.get_ident()\n"})
    where, cart = shop.load("shop.where"), shop.load("shop.cart")
    inbox = Inbox()
    with watching("shop", apply=inbox) as watcher:
        with watcher.hold():
            shop.write({"shop/config.py": "TAX = 9\n"})
            shop.write({"shop/where.py": "import threading\nTHREAD = threading.get_ident() + 0\n"})
        run = inbox.waiting.get(timeout=LONG)
        assert cart.total(1) == 2
        where.THREAD = 0
        run()
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert (cart.total(1), where.THREAD) == (10, threading.get_ident())


def test_what_is_saved_while_apply_waits_comes_with_it(shop: Project) -> None:
    """A save between the call of `apply` and the moment it acts belongs to the same attempt."""
    inbox = Inbox()
    with watching("shop", apply=inbox) as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        run = inbox.waiting.get(timeout=LONG)
        shop.write({"shop/config.py": "TAX = 10\n"})
        run()
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert shop.load("shop.config").TAX == 10


def test_an_apply_that_fails_is_logged_and_asked_again(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """When `apply` raises, as a closed event loop does, the edit is applied with the next save."""
    calls: list[str] = []
    failed = threading.Event()

    def apply(run: object) -> None:
        calls.append("called")
        if len(calls) == 1:
            failed.set()
            raise RuntimeError("the loop is closed")
        assert callable(run)
        run()

    with watching("shop", apply=apply) as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        assert failed.wait(LONG)
        shop.write({"shop/other.py": "STATE = [1]\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config", "shop.other")
    assert "the loop is closed" in caplog.text


def test_hold_makes_one_transaction(shop: Project) -> None:
    """Saves inside nested `hold` blocks are applied together when the last block ends, and not before."""
    cart = shop.load("shop.cart")
    with watching("shop") as watcher:
        with watcher.hold(), watcher.hold():
            shop.write({"shop/config.py": "RATE = 4\n"})
            shop.write({"shop/cart.py": "from shop.config import RATE\ndef total(net): return net * RATE\n"})
            with pytest.raises(TimeoutError):
                watcher.next_report(timeout=0.3)
            assert cart.total(1) == 2
        report = watcher.next_report(timeout=LONG)
    assert (report.status, report.changed) == ("applied", ("shop.cart", "shop.config"))
    assert cart.total(2) == 8


def test_hold_keeps_a_handed_over_attempt_back(shop: Project) -> None:
    """What `apply` was given before `hold` does nothing inside the block, and comes again after it."""
    inbox = Inbox()
    with watching("shop", apply=inbox) as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        run = inbox.waiting.get(timeout=LONG)
        with watcher.hold():
            run()
            assert shop.load("shop.config").TAX == 1
        inbox.run_next()
        assert watcher.next_report(timeout=LONG).status == "applied"


def test_a_reload_inside_hold_is_obeyed(shop: Project) -> None:
    """`hotmod.reload` inside a `hold` block applies at once, and nothing is left to do at the end of it."""
    with watching("shop") as watcher:
        with watcher.hold():
            shop.write({"shop/config.py": "TAX = 9\n"})
            assert hotmod.reload("shop").status == "applied"
        shop.write({"shop/other.py": "STATE = [1]\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.other",)


def test_rollback_lasts_until_something_new_is_saved(shop: Project) -> None:
    """A version that was rolled back is not applied by itself, not even when it is saved again."""
    cart = shop.load("shop.cart")
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        watcher.next_report(timeout=LONG)
        assert (watcher.rollback().status, watcher.status, cart.total(1)) == ("applied", "rejected", 2)
        shop.write({"shop/config.py": "TAX = 9\n"})
        shop.write({"shop/config.py": "TAX = 11\n"})
        watcher.next_report(timeout=LONG)
        assert (watcher.status, cart.total(1)) == ("applied", 12)
        assert watcher.rollback().status == "applied"
        shop.write({"shop/other.py": "STATE = [1]\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config", "shop.other")


def test_two_rollbacks_go_back_two_versions(shop: Project) -> None:
    """After two rollbacks in a row the watcher leaves both edits alone, and `retry` applies both."""
    config = shop.load("shop.config")
    with watching("shop") as watcher:
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            watcher.next_report(timeout=LONG)
        watcher.rollback()
        watcher.rollback()
        shop.write({"shop/config.py": "TAX = 3\n"})
        assert config.TAX == 1
        assert (watcher.retry().status, config.TAX) == ("applied", 3)


def test_a_rollback_of_the_engine_is_respected(shop: Project) -> None:
    """`hotmod.rollback` takes back what the watcher of the same target did, and the watcher leaves it so."""
    config = shop.load("shop.config")
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        watcher.next_report(timeout=LONG)
        hotmod.rollback("shop")
        with watcher.hold():
            pass
        assert (config.TAX, watcher.status) == (1, "rejected")


def test_rollback_without_a_version_says_so(shop: Project) -> None:
    """A rollback with nothing to go back to is a RollbackError."""
    with watching("shop") as watcher, pytest.raises(hotmod.RollbackError):
        watcher.rollback()


def test_retry_attempts_what_was_rejected(shop: Project) -> None:
    """`retry` runs a rejected edit again, here after the world has changed, and returns its report."""
    shop.write({"shop/gate.py": "import os\n"})
    shop.load("shop.gate")
    edit = "import os, pathlib\nTEXT = pathlib.Path(__file__).with_name('data.txt').read_text()\n"
    with watching("shop") as watcher:
        shop.write({"shop/gate.py": edit})
        assert watcher.next_report(timeout=LONG).status == "rejected"
        assert watcher.retry().status == "rejected"
        shop.write({"shop/data.txt": "here"})
        assert (watcher.retry().status, watcher.status) == ("applied", "applied")
        assert watcher.retry().status == "unchanged"
        assert [report.status for report in watcher.history] == [
            "rejected",
            "rejected",
            "applied",
            "unchanged",
        ]


def test_a_report_that_was_returned_does_not_come_again(shop: Project) -> None:
    """`next_report` gives each report of a save once, and none that `retry` or `rollback` returned."""
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        first = watcher.next_report(timeout=LONG)
        watcher.rollback()
        watcher.retry()
        shop.write({"shop/config.py": "TAX = 10\n"})
        assert watcher.next_report(timeout=LONG) is watcher.history[-1] is not first


def test_verify_can_refuse(shop: Project) -> None:
    """An edit that fails the `verify` check is taken back and reported as rejected."""
    config = shop.load("shop.config")
    with watching("shop", verify=lambda: config.TAX < 5) as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        assert watcher.next_report(timeout=LONG).status == "rejected"
        assert config.TAX == 1


def test_next_report_times_out(shop: Project) -> None:
    """Without a save `next_report` raises TimeoutError, at once when the watcher is stopped."""
    with watching("shop") as watcher, pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        watcher.next_report(timeout=0.01)
    with pytest.raises(TimeoutError, match="stopped"):
        watcher.next_report()


def test_a_stopped_watcher_applies_nothing(shop: Project) -> None:
    """After `stop`, however often, the program keeps its version, and old reports can still be read."""
    inbox = Inbox()
    watcher = hotmod.watch("shop", apply=inbox)
    shop.write({"shop/config.py": "TAX = 9\n"})
    run = inbox.waiting.get(timeout=LONG)
    watcher.stop()
    watcher.stop()
    run()
    assert (shop.load("shop.config").TAX, watcher.stopped, watcher.history) == (1, True, ())


def test_the_handle_says_what_it_is(shop: Project) -> None:
    """The repr tells targets, what is going on, status and generation."""
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        watcher.next_report(timeout=LONG)
        assert repr(watcher) == "<hotmod.Watcher of shop, watching 2 folders, applied, generation 1>"
        with watcher.hold():
            assert "held" in repr(watcher)
    assert "stopped" in repr(watcher)


def test_one_line_is_logged_per_reload(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """The logger `hotmod` has one line for an applied edit, and none about how it was noticed."""
    caplog.set_level(logging.INFO, "hotmod")
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 9\n"})
        watcher.next_report(timeout=LONG)
    assert [record.message.partition(" in ")[0] for record in caplog.records] == ["applied shop"]


def test_reports_can_be_iterated_in_an_event_loop(shop: Project) -> None:
    """`awatch` applies edits in the loop's thread, gives their reports, and stops with the iteration."""
    config = shop.load("shop.config")

    async def program() -> list[str]:
        found: list[str] = []
        reports = hotmod.awatch("shop", delay=0.001)
        try:
            step = asyncio.ensure_future(anext(reports))
            await asyncio.wait([step], timeout=0)
            for tax in (2, 3):
                shop.write({"shop/config.py": f"TAX = {tax}\n"})
                found.append((await asyncio.wait_for(step, LONG)).status)
                assert tax == config.TAX
                step = asyncio.ensure_future(anext(reports))
                await asyncio.wait([step], timeout=0)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
        finally:
            await reports.aclose()
        return found

    assert asyncio.run(program()) == ["applied", "applied"]


def test_two_watchers_of_one_package_agree(shop: Project) -> None:
    """Of two watchers one applies an edit, the code runs once, and both know that it is applied."""
    shop.write({"shop/count.py": "import shop\nshop.runs = getattr(shop, 'runs', 0) + 1\n"})
    shop.load("shop.count")
    package = shop.load("shop")
    with watching("shop") as one, watching("shop") as two:
        with one.hold(), two.hold():
            shop.write({"shop/count.py": "import shop\nshop.runs = getattr(shop, 'runs', 0) + 1 + 0\n"})
            shop.write({"shop/config.py": "TAX = \n"})
        for watcher in (one, two):
            assert watcher.next_report(timeout=LONG).status == "rejected"
        shop.write({"shop/config.py": "TAX = 4\n"})
        reports = [watcher.next_report(timeout=LONG).status for watcher in (one, two)]
        assert (sorted(reports), package.runs) == (["applied", "unchanged"], 2)
        assert {one.status, two.status} == {"applied", "unchanged"}
