from __future__ import annotations

import pathlib

import pytest

from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play

CASES = [
    pytest.param(case, strategy, id=f"{case.name} {strategy}")
    for case in all_cases()
    for strategy in case.strategies
]


@pytest.mark.parametrize(("case", "strategy"), CASES)
def test_the_live_process_is_the_fresh_one(case: Case, strategy: str, tmp_path: pathlib.Path) -> None:
    """After each save the live process equals a fresh one that imports the same files."""
    assert play(case, tmp_path, strategy=strategy).problems == []


@pytest.mark.parametrize(("case", "strategy"), CASES)
def test_a_version_comes_back_and_goes_again(case: Case, strategy: str, tmp_path: pathlib.Path) -> None:
    """Each applied save can be rolled back to the program before and applied again, also without `.pyc`."""
    assert play(case, tmp_path, strategy=strategy, bytecode=False, back=True).problems == []


def test_there_are_enough_cases() -> None:
    """The cases are at least sixty, and each stands for another rule."""
    cases = all_cases()
    assert len(cases) >= 60
    assert len({case.rule for case in cases}) == len(cases)
