from __future__ import annotations

import gc
import traceback

import pytest

from tests.identity.breaking import Breaking, BrokenError, differing
from tests.identity.portrait import portrait
from tests.identity.table import Case, Live, cases
from tests.oracle.project import Project

RICH = cases("rich.txt")


@pytest.mark.parametrize(("strategy", "noted"), [("modules", False), ("modules", True), ("minimal", False)])
@pytest.mark.parametrize("case", RICH, ids=lambda case: case.name)
def test_what_any_step_interrupts_is_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch, case: Case, strategy: str, noted: bool
) -> None:
    """Whichever step of a reload fails, every object afterwards is the one of before and holds the same."""
    live = Live(project, case.before, case.beside, strategy)
    live.hold(case.held)
    breaking = Breaking(monkeypatch.setattr)
    held = [value for name, value in live.space.items() if name not in ("m", "sys", "__builtins__")]
    before = portrait("shop", *held)
    number, steps = 0, 1
    while number < steps:
        number += 1
        breaking.next_at(number, noted=noted)
        report = live.edit(case.after)
        if report.status != "rejected":
            break
        steps = number + 1
        assert isinstance(report.error, BrokenError), report
        traceback.clear_frames(report.error.__traceback__)  # `counted` holds the step that it did not note
        gc.collect()
        after = portrait("shop", *held)
        assert differing(before, after) == {}, f"step {number}: {report.error}"
    assert number > 10, "the case is too small to say much"
    assert live.failing(case.now) == []
    breaking.next_at(0, noted=noted)
    live.reloader.rollback()
    gc.collect()
    if strategy == "modules":  # single statements leave the names of their module in another order
        assert differing(before, portrait("shop", *held)) == {}
    assert live.failing(case.was) == []
