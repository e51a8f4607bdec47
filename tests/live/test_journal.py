from __future__ import annotations

import functools

import pytest

from hotmod._live.journal import Journal
from hotmod._model.errors import RollbackError


def test_steps_are_undone_in_reverse() -> None:
    """The last change is taken back first, and the journal is empty afterwards."""
    journal, done = Journal(), list[object]()
    for number in range(3):
        journal.record(f"step {number}", functools.partial(done.append, number))
    journal.undo()
    assert done == [2, 1, 0]
    assert len(journal) == 0
    journal.undo()
    assert done == [2, 1, 0]


def test_one_failing_step_does_not_keep_the_others() -> None:
    """A step that fails is told by its name; all others are undone all the same."""
    journal, done = Journal(), list[object]()
    journal.record("first", lambda: done.append("first"))
    journal.record("second", lambda: 1 / 0)
    journal.record("third", lambda: done.append("third"))
    with pytest.raises(RollbackError, match="second: ZeroDivisionError: division by zero") as caught:
        journal.undo()
    assert done == ["third", "first"]
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "Restart it" in str(caught.value)


def test_after_the_commit_only_lasting_steps_remain() -> None:
    """Steps that protect state which the program goes on changing do not belong into a later rollback."""
    journal, done = Journal(), list[object]()
    journal.record("data", lambda: done.append("data"), lasting=False)
    journal.record("name", lambda: done.append("name"))
    journal.settle()
    journal.undo()
    assert done == ["name"]
