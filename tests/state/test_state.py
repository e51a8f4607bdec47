from __future__ import annotations

import pathlib

import pytest

from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play

FOLDER = pathlib.Path(__file__).with_name("cases")
CASES = all_cases(FOLDER)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_must_survive_survives_and_what_must_not_is_new(case: Case, tmp_path: pathlib.Path) -> None:
    """State survives an edit that does not concern it, and is made anew by one that does."""
    assert play(case, tmp_path, strategy="minimal").problems == []


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_it_is_there_again_after_a_rollback(case: Case, tmp_path: pathlib.Path) -> None:
    """What an edit made anew is the old object after a rollback, and the edit can be applied again."""
    assert play(case, tmp_path, strategy="minimal", back=True).problems == []


def test_there_are_enough_cases() -> None:
    """At least forty kinds of state must survive, and twenty must not; each case stands for another rule."""
    assert len([case for case in CASES if case.name.startswith("kept/")]) >= 40
    assert len([case for case in CASES if case.name.startswith("renewed/")]) >= 20
    assert len({case.rule for case in CASES}) == len(CASES)
    for case in CASES:
        expected = case.versions[-1].expected
        assert expected.survives or expected.renewed, case.name
