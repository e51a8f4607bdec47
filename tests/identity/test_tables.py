from __future__ import annotations

import pytest

from tests.identity.table import FOLDER, Case, Live, cases, told
from tests.oracle.project import Project

CASES = [
    pytest.param(case, id=f"{path.stem}: {case.name}")
    for path in sorted(FOLDER.glob("*.txt"))
    for case in cases(path.name)
]


@pytest.mark.parametrize("case", CASES)
def test_what_is_held_follows_the_edit_or_is_told(project: Project, case: Case) -> None:
    """After an edit every held reference is live, or the hazards say why it is not."""
    live = Live(project, case.before)
    live.hold(case.held)
    assert live.failing(case.was) == []
    live.renew(case.after)
    report = live.edit(case.after)
    assert report, report.error or report
    assert live.failing(case.now + case.once) == []
    assert told(report) == sorted(case.told), report


@pytest.mark.parametrize("case", CASES)
def test_what_is_taken_back_is_as_it_was(project: Project, case: Case) -> None:
    """A refused edit changes nothing, a rollback takes back everything, and both can be done again."""
    live = Live(project, case.before)
    live.hold(case.held)
    live.renew(case.after)
    live.refuse = True
    assert live.edit(case.after).status == "rejected"
    assert live.failing(case.was) == []
    live.refuse = False
    for _ in range(2):
        assert live.reloader.reload(), "the edit was refused"
        assert live.failing(case.now) == []
        live.reloader.rollback()
        assert live.failing(case.was) == []


@pytest.mark.parametrize("case", [each for each in CASES if not each.values[0].told])
def test_later_edits_work_as_the_first(project: Project, case: Case) -> None:
    """Going back and forth between two texts gives the same after many edits as after one."""
    live = Live(project, case.before)
    live.hold(case.held)
    live.renew(case.after)
    for _ in range(4):
        assert live.edit(case.after), "the edit was refused"
        assert live.failing(case.now) == []
        assert live.edit(case.before), "the edit was refused"
    assert live.edit(case.after), "the edit was refused"
    assert live.failing(case.now) == []
