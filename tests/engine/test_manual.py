"""A watcher with `apply="manual"` watches and prepares; the program applies what waits when it wants to."""

from __future__ import annotations

import logging
import threading

import pytest

import hotmod
from tests.engine.watching import LONG, fresh, replace, run_program, until, watching
from tests.oracle.project import Project


def until_pending(watcher: hotmod.Watcher) -> None:
    until(lambda: watcher.pending)


def test_nothing_is_applied_before_apply(shop: Project) -> None:
    """A save waits, and `apply` applies it in the thread that calls, as a fresh process would have it."""
    cart = shop.load("shop.cart")
    shop.write({"shop/where.py": "import threading\nTHREAD = 0\n"})
    where = shop.load("shop.where")
    with watching("shop", apply="manual") as watcher:
        assert (watcher.pending, watcher.apply()) == (False, None)
        shop.write({"shop/config.py": "TAX = 20\n"})
        shop.write({"shop/where.py": "import threading\nTHREAD = threading.get_ident() + 0\n"})
        until_pending(watcher)
        assert (cart.total(1), watcher.history, watcher.status) == (2, (), "unchanged")
        report = watcher.apply(catch_up=True)
        assert report is not None
        assert (report.status, report.changed) == ("applied", ("shop.config", "shop.where"))
        assert threading.get_ident() == where.THREAD
        assert (watcher.pending, watcher.apply()) == (False, None)
        assert watcher.next_report(timeout=LONG) is report is watcher.history[-1]
    assert str(cart.total(1)) == fresh(shop, "shop.cart.total(1)", "shop.cart") == "21"


def test_a_save_the_instant_before_is_found(shop: Project) -> None:
    """With `catch_up` what was saved just before the call is applied by it, from the first call on."""
    config = shop.load("shop.config")
    with hotmod.watch("shop", apply="manual") as watcher:
        for tax in range(10, 30):
            replace(shop.folder / "shop" / "config.py", f"TAX = {tax}\n")
            report = watcher.apply(catch_up=True)
            assert report is not None
            assert (report.status, config.TAX) == ("applied", tax)
        assert watcher.apply(catch_up=True) is None


def test_catch_up_does_without_events(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where folders are compared and the kernel tells nothing, `catch_up` looks at the files."""
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")
    config = shop.load("shop.config")
    with hotmod.watch("shop", apply="manual") as watcher:
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            report = watcher.apply(catch_up=True)
            assert report is not None
            assert tax == config.TAX


def test_what_is_saved_again_as_it_was_does_not_wait(shop: Project) -> None:
    """Contents decide: neither a file saved as it is loaded nor an edit taken back is pending."""
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/other.py": "STATE = []\n"})
        assert watcher.apply(catch_up=True) is None
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
        shop.write({"shop/config.py": "TAX = 1\n"})
        until(lambda: not watcher.pending)


def test_a_refused_edit_does_not_wait(shop: Project) -> None:
    """A rejected save is not tried again at every turn of a loop, and joins the save that mends it."""
    config = shop.load("shop.config")
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/config.py": "TAX = \n"})
        report = watcher.apply(catch_up=True)
        assert report is not None
        assert report.status == watcher.status == "rejected"
        assert watcher.apply(catch_up=True) is None
        shop.write({"shop/config.py": "TAX = 4\n"})
        assert watcher.apply(catch_up=True)
        assert (config.TAX, watcher.status) == (4, "applied")


def test_a_deleted_file_is_believed_after_a_while(shop: Project) -> None:
    """A file that is missing waits for a moment, and its loss is applied by the first `apply` after it."""
    shop.load("shop.other")
    with watching("shop", apply="manual") as watcher:
        (shop.folder / "shop" / "other.py").unlink()
        report = watcher.apply(catch_up=True)
        assert report is not None
        assert report.changed == ("shop.other",)


def test_hold_keeps_apply_back(shop: Project) -> None:
    """Inside `hold` nothing is pending and `apply` does nothing; afterwards what was saved waits."""
    config = shop.load("shop.config")
    with watching("shop", apply="manual") as watcher:
        with watcher.hold():
            shop.write({"shop/config.py": "TAX = 20\n"})
            assert watcher.apply(catch_up=True) is None
            assert (watcher.pending, config.TAX) == (False, 1)
        assert watcher.apply(catch_up=True)
        assert config.TAX == 20


def test_apply_where_nothing_may_change_is_refused(shop: Project) -> None:
    """In a stable block, and in code that is imported, `apply` raises, and the edit still waits."""
    config = shop.load("shop.config")
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
        with hotmod.stable(), pytest.raises(hotmod.HotmodError, match="stable"):
            watcher.apply()
        hotmod.waiting = watcher
        shop.write({"shop/eager.py": "import hotmod\nhotmod.waiting.apply()\n"})
        try:
            with pytest.raises(hotmod.HotmodError, match="being imported"):
                shop.load("shop.eager")
        finally:
            del hotmod.waiting
        assert (watcher.pending, config.TAX) == (True, 1)
        assert watcher.apply()
        assert config.TAX == 20


def test_others_stable_blocks_postpone_an_apply(shop: Project) -> None:
    """An `apply` that another thread's block is in the way of says so, and the edit waits again."""
    config = shop.load("shop.config")
    inside, leave = threading.Event(), threading.Event()

    def block() -> None:
        with hotmod.stable():
            inside.set()
            leave.wait(LONG)

    thread = threading.Thread(target=block)
    with watching("shop", apply="manual", patience=0) as watcher:
        thread.start()
        try:
            assert inside.wait(LONG)
            shop.write({"shop/config.py": "TAX = 20\n"})
            report = watcher.apply(catch_up=True)
            assert report is not None
            assert (report.status, report.postponed, config.TAX) == ("rejected", True, 1)
        finally:
            leave.set()
            thread.join()
        report = watcher.apply(catch_up=True)
        assert report is not None
        assert (report.status, config.TAX) == ("applied", 20)


def test_somebody_else_may_apply_what_waits(shop: Project) -> None:
    """What `reload` has applied meanwhile is not there for `apply` any more."""
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
        assert hotmod.reload("shop").status == "applied"
        assert not watcher.history
        watcher.apply()
        assert not watcher.history


def test_a_watcher_that_applies_by_itself_has_nothing_for_apply(shop: Project) -> None:
    """On other watchers, stopped ones and with HOTMOD=off, `apply` returns None and changes nothing."""
    with watching("shop") as watcher:
        assert (watcher.pending, watcher.apply(catch_up=True)) == (False, None)
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
    assert (watcher.pending, watcher.apply(), watcher.apply(catch_up=True)) == (False, None, None)


def test_the_handle_says_that_something_waits(shop: Project) -> None:
    """The repr of the watcher tells of an edit that waits."""
    with watching("shop", apply="manual") as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
        assert "an edit waits for apply()" in repr(watcher)


def test_the_environment_makes_every_watcher_manual(
    shop: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With HOTMOD=manual a plain `watch` waits for `apply` as well, and one line says so."""
    caplog.set_level(logging.INFO, "hotmod")
    monkeypatch.setenv("HOTMOD", "manual")
    config = shop.load("shop.config")
    with watching("shop", apply=lambda run: run()) as watcher:
        shop.write({"shop/config.py": "TAX = 20\n"})
        until_pending(watcher)
        assert (config.TAX, watcher.history) == (1, ())
        assert watcher.apply()
    assert "HOTMOD=manual: edits of shop wait" in caplog.text


@pytest.mark.parametrize("value", ["auto", 3])
def test_a_bad_apply_is_named(shop: Project, value: object) -> None:
    """What is neither a function nor `"manual"` is an error that lists what is allowed."""
    with pytest.raises(hotmod.ConfigError, match=r'apply.*allowed are "manual" and a function'):
        hotmod.watch("shop", apply=value)


def test_a_loop_of_its_own(shop: Project) -> None:
    """A program whose loop calls `apply` at each turn runs the new code at the next turn, with its state."""
    done = run_program(
        shop,
        """
        import itertools, pathlib, hotmod
        import shop.cart, shop.other

        watcher = hotmod.watch("shop", apply="manual")
        for turn in itertools.count():
            if (report := watcher.apply()) is not None:
                print(report.status, shop.cart.total(1), shop.other.STATE)
                break
            shop.cart.total(1)
            if turn == 3:
                shop.other.STATE.append(turn)
                pathlib.Path("shop/config.py").write_text("TAX = 20\\n")
        """,
    )
    assert (done.stdout, done.stderr) == ("applied 21 [3]\n", "")
