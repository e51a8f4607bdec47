"""Metrics: what reloads have come to, as values and as a hook for those who collect them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import hotmod
from tests.engine.watching import LONG, watching
from tests.oracle.project import Project

CART = "from shop.config import TAX\nRATE = TAX * 2\ndef total(net): return net + RATE\n"


def since(before: hotmod.Metrics) -> dict[str, object]:
    """What has been counted since, without what is nothing."""
    was, now = before.as_dict(), hotmod.metrics().as_dict()
    grown = {name: _grown(was[name], value) for name, value in now.items()}
    return {name: value for name, value in grown.items() if value}


def _grown(was: Any, now: Any) -> Any:
    if isinstance(now, dict):
        each = {key: value - was.get(key, 0) for key, value in now.items()}
        return {key: value for key, value in each.items() if value}
    return now - was


def test_what_reloads_did_is_counted(shop: Project) -> None:
    """Each attempt counts by its status, with what it ran and changed; a rollback counts as such."""
    shop.write({"shop/cart.py": CART})
    shop.load("shop.cart")
    reloader = hotmod.Reloader("shop")
    before = hotmod.metrics()
    shop.write({"shop/config.py": "TAX = 2\n"})
    reports = [reloader.reload(), reloader.rollback(), reloader.reload(), reloader.reload()]
    shop.write({"shop/config.py": "TAX = \n"})
    reports.append(reloader.reload())
    shop.write({"shop/config.py": "TAX = 2\n"})
    shop.write({"shop/cart.py": CART.replace("net + ", "")})
    reports.append(reloader.reload())
    found = since(before)
    assert found["reloads"] == {"applied": 3, "rolled-back": 1, "unchanged": 1, "rejected": 1}
    assert found["statements"] == sum(len(report.ran) for report in reports)
    assert found["patched"] == 1
    assert found["seconds"] == pytest.approx(sum(report.seconds for report in reports))
    assert found["phases"] == pytest.approx(
        {
            phase: sum(report.phases.get(phase, 0.0) for report in reports)
            for phase in {phase for report in reports for phase in report.phases}
        }
    )


def test_modules_and_hazards_are_counted(shop: Project) -> None:
    """Modules that ran as a whole and hazards by code are counted, and what is looked after is told."""
    shop.load("shop.cart")
    reloader = hotmod.Reloader("shop", strategy="modules")
    shop.load("shop.config").EXTRA = 1
    before = hotmod.metrics()
    shop.write({"shop/config.py": "TAX = 2\n"})
    report = reloader.reload()
    found = since(before)
    assert found["whole"] == len(report.ran) == 2
    assert sum(found["hazards"].values()) == len(report.hazards) > 0
    now = hotmod.metrics()
    assert now.modules >= 3
    assert now.sources > 0
    assert json.loads(json.dumps(now.as_dict())) == now.as_dict()
    if sys.platform == "linux":
        assert now.resident > 1_000_000


def test_samples_are_numbers_with_names() -> None:
    """Every number is told once for each of its labels, and never falls if it is a counter."""
    value = hotmod.Metrics(reloads={"applied": 2}, phases={"scan": 0.5}, hazards={"drift": 1}, modules=3)
    found = {(each.name, *each.labels.values()): each.value for each in value.samples()}
    assert found["hotmod_reloads", "applied"] == 2
    assert found["hotmod_phase_seconds", "scan"] == 0.5
    assert found["hotmod_hazards", "drift"] == 1
    assert {each.kind for each in value.samples() if each.name == "hotmod_modules"} == {"gauge"}
    assert len(found) == len(list(value.samples()))


def test_metrics_load_no_engine() -> None:
    """Asking costs a program that reloads nothing no more than the question."""
    code = (
        "import sys, hotmod; found = hotmod.metrics(); assert not found.reloads and not found.modules; "
        "sys.exit(any(name in sys.modules for name in ('hotmod._engine.reloader', 'watchfiles', 'asyncio')))"
    )
    env = {**os.environ, "HOTMOD": "off"}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_watcher_counts_its_own(shop: Project) -> None:
    """`watcher.metrics` has the attempts of this watcher and its modules, and not those of others."""
    shop.load("shop.cart")
    shop.write({"lone.py": "X = 1\n"})
    shop.load("lone")
    with watching("shop") as watcher, watching("lone") as other:
        shop.write({"shop/config.py": "TAX = 2\n"})
        reports = [watcher.next_report(LONG), watcher.rollback(), watcher.retry()]
        hotmod.reload("shop")
        found = watcher.metrics
        assert (found.reloads["applied"], found.reloads["rolled-back"]) == (2, 1)
        assert found.reloads.keys() <= {"applied", "rolled-back", "unchanged"}  # it may look once more
        assert found.seconds >= sum(report.seconds for report in reports) > 0
        assert found.statements == sum(len(report.ran) for report in reports) > 0
        loaded = [name for name in sys.modules if name.partition(".")[0] == "shop"]
        assert found.modules == len(loaded)
        assert other.metrics.reloads.keys() <= {"unchanged"}
        assert {each.name for each in found.samples()} >= {"hotmod_reloads", "hotmod_modules"}


def test_a_watcher_that_is_off_counts_nothing(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `HOTMOD=off` a watcher has metrics as well, and they are 0."""
    monkeypatch.setenv("HOTMOD", "off")
    found = hotmod.watch("shop").metrics
    assert (found.reloads, found.modules, found.sources) == ({}, 0, 0)
