"""The switch that compares the program with a fresh process after each reload."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Any

import pytest

import hotmod
from hotmod._engine import planning
from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play
from tests.oracle.project import Project

# A comparison starts two interpreters: each tenth case is enough to see that nothing is told wrongly.
SAMPLE = [case for case in all_cases() if "minimal" in case.strategies][::10]


@pytest.mark.parametrize("case", SAMPLE, ids=[case.name for case in SAMPLE])
def test_what_is_right_is_not_told(case: Case, tmp_path: pathlib.Path) -> None:
    """Where the oracle of the tests finds no difference, the switch finds none either."""
    assert play(case, tmp_path, strategy="minimal", paranoid=True).problems == []


def drifting(report: hotmod.Report) -> list[str]:
    return [f"{each.module}:{each.name}" for each in report.hazards if each.code == "drift"]


def forgetting(plan: Any, module: str) -> Any:
    """A plan that has forgotten to run anything of a module."""
    parts = tuple(
        dataclasses.replace(part, runs=()) if part.module == module else part for part in plan.parts
    )
    entries = tuple(name for name in plan.entries if name != module)
    return dataclasses.replace(plan, parts=parts, entries=entries)


def test_a_statement_that_should_have_run_is_told(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that forgets a statement leaves a value that a fresh process does not have, and that is told."""
    made = planning.make_minimal_plan
    reloader = hotmod.Reloader("shop", strategy="minimal", paranoid=True)
    monkeypatch.setattr(planning, "make_minimal_plan", lambda *a, **k: forgetting(made(*a, **k), "shop.cart"))
    shop.write({"shop/config.py": "TAX = 2\n"})
    report = reloader.reload()
    assert (report.status, bool(report), drifting(report)) == ("applied", False, ["shop.cart:TAX"])
    assert "shop.cart:TAX differs from a fresh process: 1 here, 2 there" in str(report)


def test_a_function_with_old_code_is_told(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that still runs its old code is told."""
    monkeypatch.setattr("hotmod._live.patch.commit", lambda *_: None)
    reloader = hotmod.Reloader("shop", strategy="minimal", paranoid=True)
    shop.write(
        {"shop/cart.py": (shop.folder / "shop/cart.py").read_text("utf-8").replace("net + TAX", "net * TAX")}
    )
    report = reloader.reload()
    assert drifting(report) == ["shop.cart:total"]
    assert "/code differs" in str(report)


STATE = """\
import itertools
import os

from shop.config import TAX

__hotmod_keep__ = ("KEPT",)
COUNT = 0
SEEN = {}
STARTED = (os.getpid(), id(SEEN))
KEPT = [TAX]
RATES = {"tax": TAX}


def look(name):
    global COUNT
    COUNT += 1
    SEEN[name] = COUNT
"""


def test_state_of_the_program_is_no_drift(shop: Project) -> None:
    """Counters, caches, kept names and values that differ from process to process are not told."""
    shop.write({"shop/state.py": STATE})
    shop.load("shop.state")
    space = vars(sys.modules["shop.state"])
    reloader = hotmod.Reloader("shop", strategy="minimal", paranoid=True)
    space["look"]("a")
    space["RATES"]["mine"] = 1
    shop.write(
        {
            "shop/config.py": "TAX = 2\n",
            "shop/state.py": STATE.replace("COUNT += 1", "COUNT += 2") + "\n\nLATER = os.getpid()\n",
        }
    )
    report = reloader.reload()
    assert (report.status, drifting(report)) == ("applied", [])
    assert (space["COUNT"], space["KEPT"], space["RATES"]) == (1, [1], {"tax": 2})


def test_a_fresh_process_that_fails_is_told(shop: Project) -> None:
    """A program that a fresh process can't become is told, with what it said."""
    shop.write({"shop/late.py": "import os\n\n\ndef f():\n    return 1\n"})
    shop.load("shop.late")
    reloader = hotmod.Reloader("shop", strategy="minimal", paranoid=True)
    shop.write({"shop/late.py": "import os\nimport shop.ghost\n\n\ndef f():\n    return 2\n"})
    ghost = type(sys)("shop.ghost")
    sys.modules["shop.ghost"] = ghost
    try:
        (hazard,) = [each for each in reloader.reload().hazards if each.code == "drift"]
    finally:
        del sys.modules["shop.ghost"]
    assert (
        "can't import the texts that run now: ModuleNotFoundError: No module named 'shop.ghost'"
        in hazard.message
    )


def test_what_the_program_prints_is_no_answer(shop: Project) -> None:
    """Modules that print while they are imported do not disturb the comparison."""
    shop.write(
        {"shop/loud.py": "import sys\nprint('{}')\nsys.stdout.write('x')\n\n\ndef f():\n    return 1\n"}
    )
    shop.load("shop.loud")
    reloader = hotmod.Reloader("shop", paranoid=True)
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert drifting(reloader.reload(check=True)) == []


def test_it_is_off_unless_it_is_asked_for(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`HOTMOD_PARANOID` turns the comparison on, and nothing else does."""
    assert shop
    assert not hotmod.Reloader("shop").config.paranoid
    monkeypatch.setenv("HOTMOD_PARANOID", "1")
    assert hotmod.Reloader("shop").config.paranoid
    monkeypatch.setenv("HOTMOD_PARANOID", "perhaps")
    with pytest.raises(hotmod.ConfigError, match="paranoid"):
        hotmod.Reloader("shop")
