"""Edits: what happened to each statement of a module, told from two texts."""

from __future__ import annotations

import pytest

from hotmod._source.diff import EditKind
from hotmod._source.statements import resplit
from tests.source.edits import Case, cases, check_whole, compared, in_words, source, statements

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_edit_is_told_as_what_it_is(case: Case) -> None:
    """Each case of the table has exactly the edits that are written below it."""
    assert in_words(compared(case.before, case.after)) == case.told


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_edits_hold_every_statement_once(case: Case) -> None:
    """In either direction edits make the one text of the other, and nothing edits a text into itself."""
    check_whole(compared(case.before, case.after))
    check_whole(compared(case.after, case.before))
    for text in (case.before, case.after):
        assert {edit.kind for edit in compared(text, text).edits} <= {EditKind.UNCHANGED}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_edited_part_tells_as_much_as_the_whole(case: Case) -> None:
    """Statements found from those before the edit are those of the text itself, in either direction."""
    before, after = statements(case.before), statements(case.after)
    assert resplit(before, source(case.after)) == after
    assert resplit(after, source(case.before)) == before


def test_the_table_is_large_and_without_repetition() -> None:
    """At least 150 cases have names of their own and texts of their own."""
    assert len({case.name for case in CASES}) == len(CASES) >= 150
    assert len({(case.before, case.after) for case in CASES}) == len(CASES)
