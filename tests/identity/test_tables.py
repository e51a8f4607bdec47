from __future__ import annotations

import pytest

from tests.identity.table import FOLDER, Case, Live, cases, told
from tests.oracle.project import Project

BY_NAME = {
    f"{path.stem}: {case.name}": case for path in sorted(FOLDER.glob("*.txt")) for case in cases(path.name)
}
CASES = [pytest.param(case, id=name) for name, case in BY_NAME.items()]
UNTOLD = [pytest.param(case, id=name) for name, case in BY_NAME.items() if not case.told]


@pytest.mark.parametrize("case", CASES)
def test_what_is_held_follows_the_edit_or_is_told(project: Project, case: Case) -> None:
    """After an edit every held reference is live, or the hazards say why it is not."""
    live = Live(project, case.before, case.beside)
    live.hold(case.held)
    assert live.failing(case.was) == []
    live.renew(case)
    report = live.edit(case.after)
    assert report, report.error or report
    assert live.failing(case.now + case.once) == []
    assert told(report) == case.hazards(), report


@pytest.mark.parametrize("case", CASES)
def test_what_is_taken_back_is_as_it_was(project: Project, case: Case) -> None:
    """A refused edit changes nothing, a rollback takes back everything, and both can be done again."""
    live = Live(project, case.before, case.beside)
    live.hold(case.held)
    live.renew(case)
    live.refuse = True
    assert live.edit(case.after).status == "rejected"
    assert live.failing(case.was) == []
    live.refuse = False
    for _ in range(2):
        assert live.reloader.reload(), "the edit was refused"
        assert live.failing(case.now) == []
        live.reloader.rollback()
        assert live.failing(case.was) == []


@pytest.mark.parametrize("case", UNTOLD)
def test_later_edits_work_as_the_first(project: Project, case: Case) -> None:
    """Going back and forth between two texts gives the same after many edits as after one."""
    live = Live(project, case.before, case.beside)
    live.hold(case.held)
    live.renew(case)
    for _ in range(4):
        assert live.edit(case.after), "the edit was refused"
        assert live.failing(case.now) == []
        assert live.edit(case.before), "the edit was refused"
    assert live.edit(case.after), "the edit was refused"
    assert live.failing(case.now) == []
