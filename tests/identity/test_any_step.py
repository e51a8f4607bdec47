from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from hotmod._live.journal import Journal
from tests.identity.portrait import portrait
from tests.identity.table import Case, Live, cases
from tests.oracle.project import Project

RICH = cases("rich.txt")


class BrokenError(Exception):
    """The step that this test lets fail."""


class Breaking:
    """Lets one step of the next transaction fail: before it is noted, or between note and change."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.at, self.noted = 0, 0, False
        record = Journal.record

        def counted(journal: Journal, what: str, undo: Callable[[], object], **options: Any) -> None:
            self.count += 1
            if self.count == self.at and not self.noted:
                raise BrokenError(what)
            record(journal, what, undo, **options)
            if self.count == self.at:
                raise BrokenError(what)

        patch.setattr(Journal, "record", counted)

    def next_at(self, number: int, *, noted: bool) -> None:
        """Let the step of this number fail; 0 for none."""
        self.count, self.at, self.noted = 0, number, noted


@pytest.mark.parametrize("noted", [False, True], ids=["not noted", "noted"])
@pytest.mark.parametrize("case", RICH, ids=lambda case: case.name)
def test_what_any_step_interrupts_is_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch, case: Case, *, noted: bool
) -> None:
    """Whichever step of a reload fails, every object afterwards is the one of before and holds the same."""
    live = Live(project, case.before, case.beside)
    live.hold(case.held)
    breaking = Breaking(monkeypatch)
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
    assert differing(before, portrait("shop", *held)) == {}
    assert live.failing(case.was) == []


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The places at which two portraits differ, with what is only in the one and only in the other."""
    found = {}
    for name in sorted((before.keys() | after.keys()) - {"keep"}):
        one, two = before.get(name, ("", ())), after.get(name, ("", ()))
        if one != two:
            parts = [part for part in (*one[1], *two[1]) if (part in one[1]) != (part in two[1])]
            found[name] = (one[0], two[0], parts or "another order")
    return found
