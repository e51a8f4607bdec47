"""The last reports, the reasons of each decision, going back, and the block for a bug report."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading

import pytest

import hotmod
from hotmod._engine.reloader import LOCK
from tests.engine.watching import LONG, fresh, watching
from tests.oracle.project import Project


def rate(project: Project, number: int) -> None:
    project.write({"shop/config.py": f"TAX = {number}\n"})


# Going back


def test_several_versions_are_taken_back_at_once(shop: Project) -> None:
    """`rollback(2)` returns to the version before the last two reloads, and one report tells of it."""
    reloader = hotmod.Reloader("shop")
    before = shop.snapshot()
    cart = sys.modules["shop.cart"]
    rate(shop, 2)
    reloader.reload(check=True)
    shop.write({"shop/other.py": "STATE = [1]\n"})
    reloader.reload(check=True)
    report = reloader.rollback(2)
    assert not before.differences(shop.snapshot())
    assert (report.took_back, set(report.changed)) == (1, {"shop.config", "shop.other"})
    assert (reloader.status, cart.total(1)) == ("rejected", 2)
    assert set(reloader.reload(check=True).changed) == {"shop.config", "shop.other"}
    assert fresh(shop, "shop.cart.total(1)", "shop.cart") == str(cart.total(1))


@pytest.mark.parametrize("n", [2, 4])
def test_too_many_versions_change_nothing(shop: Project, n: int) -> None:
    """Where fewer reloads are kept than are to be taken back, none is."""
    reloader = hotmod.Reloader("shop")
    for number in range(2, n + 1):
        rate(shop, number)
        reloader.reload(check=True)
    with pytest.raises(
        hotmod.RollbackError, match=rf"{n} reloads can't be taken back: {n - 1} (is|are) kept"
    ):
        reloader.rollback(n)
    assert sys.modules["shop.cart"].total(0) == n
    assert reloader.rollback(n - 1).took_back == 1
    assert sys.modules["shop.cart"].total(0) == 1


def test_no_version_is_no_number(shop: Project) -> None:
    """To take back less than one reload is a mistake of the caller."""
    assert shop
    with pytest.raises(ValueError, match="one reload or more, not 0"):
        hotmod.Reloader("shop").rollback(0)


def test_all_doors_go_back_several_versions(shop: Project) -> None:
    """The watcher leaves alone what was taken back, `hotmod.rollback` counts the same versions."""
    with watching("shop") as watcher:
        for number in (2, 3):
            rate(shop, number)
            watcher.next_report(LONG)
        assert watcher.rollback(2).took_back == 1
        assert (watcher.status, sys.modules["shop.config"].TAX) == ("rejected", 1)
        assert watcher.retry().status == "applied"
        assert hotmod.rollback("shop", n=1).took_back == 4
        assert sys.modules["shop.config"].TAX == 1


# Why


def test_every_decision_is_one_record(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, `hotmod.why` has one record for each change, statement and function, with its reason."""
    caplog.set_level(logging.DEBUG, "hotmod.why")
    reloader = hotmod.Reloader("shop")
    text = (shop.folder / "shop/cart.py").read_text("utf-8")
    shop.write({"shop/config.py": "TAX = 2\n", "shop/cart.py": text.replace("net + TAX", "net * TAX")})
    reloader.reload(check=True)
    told = [record.getMessage() for record in caplog.records if record.name == "hotmod.why"]
    assert told[0].startswith("changed shop.cart: edited, ")
    assert told[1].startswith("changed shop.config: edited, ")
    assert any(each.startswith("run shop/config.py:1 TAX = 2, edited") for each in told)
    assert any("from shop.config import TAX, because TAX changed (shop/config.py:1)" in each for each in told)
    assert any(each.startswith("in place shop/cart.py:8 total: new code") for each in told)
    assert len(told) == len(set(told))


def test_reasons_cost_nothing_where_nobody_listens(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """At INFO an applied reload is one record."""
    caplog.set_level(logging.INFO, "hotmod")
    reloader = hotmod.Reloader("shop")
    rate(shop, 2)
    reloader.reload(check=True)
    assert [record.name for record in caplog.records] == ["hotmod"]


# The block for a bug report


def block() -> str:
    file = io.StringIO()
    hotmod.diagnose(file)
    return file.getvalue()


def test_the_block_says_how_things_stand(shop: Project) -> None:
    """It has versions, options, each reloader with reports and drift, each watcher, the last traceback."""
    with watching("shop", strategy="modules") as watcher:
        rate(shop, 2)
        watcher.next_report(LONG)
        shop.write({"shop/config.py": "TAX = {}['no such key']\n"})
        watcher.next_report(LONG)
        sys.modules["shop.cart"].total = len
        said = block()
    assert said.startswith("<details><summary>hotmod.diagnose()</summary>")
    assert said.count("```") == 2
    for part in (
        f"CPython {sys.version_info.major}.{sys.version_info.minor}",
        "strategy='modules'",
        "- applied shop in ",
        "- Could not reload shop.config",
        "    KeyError: 'no such key'",
        "drift: drifted shop",
        "- shop.cart:total: set from outside",
        "<hotmod.Watcher of shop, watching",
        "hotmod._engine.hooks.Finder",
    ):
        assert part in said


def test_the_block_names_no_home(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home directory is a tilde in it."""
    monkeypatch.setenv("HOME", str(shop.folder.parent))
    reloader = hotmod.Reloader(shop.folder / "shop" / "other.py")
    said = block()
    assert reloader
    assert str(shop.folder.parent) not in said
    assert f"~{os.sep}{shop.folder.name}" in said


def test_the_block_does_not_wait_for_a_reload_that_hangs(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another thread is in the middle of a transaction, the block says so and is there."""
    monkeypatch.setattr("hotmod._engine.diagnosis.PATIENCE", 0.01)
    reloader = hotmod.Reloader("shop")
    with LOCK:
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.append(block()))
        thread.start()
        thread.join(LONG)
    assert "not compared, as a reload is under way" in said[0]
    assert reloader
    assert shop


def test_a_part_that_fails_is_said(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a part of the block can't be made, for instance as an option is bad, the others are there."""
    assert shop
    monkeypatch.setenv("HOTMOD_STRATEGY", "hopeful")
    said = block()
    assert "ConfigError: option 'strategy'" in said
    assert "finders: " in said


def test_the_command_prints_the_block() -> None:
    """`python -m hotmod diagnose` prints it in a process that has loaded nothing, also when hotmod is off."""
    for value in ("on", "off"):
        done = subprocess.run(
            [sys.executable, "-m", "hotmod", "diagnose"],
            env={**os.environ, "HOTMOD": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "```text\nhotmod " in done.stdout
        assert f"HOTMOD={value}" in done.stdout
