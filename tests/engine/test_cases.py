from __future__ import annotations

import os
import pathlib

import pytest

from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play

CASES = [
    pytest.param(case, strategy, id=f"{case.name} {strategy}")
    for case in all_cases()
    for strategy in case.strategies
]

# `HOTMOD_STRESS=identity` runs all modules once more, with `modules`; what these expect ends with that.
AGAIN = {
    "failures/hook-raises modules": "its hooks raise when they are called once more",
    "files/init-keeps-submodules modules": "it expects that the submodules do not run",
    "identity/imported-value-becomes-own modules": "it holds a list of a module that runs once more",
    "registries/data-stays modules": "it expects what was added by hand to a module that runs once more",
    "registries/instance modules": "it holds an instance that a module makes once more",
    "tricks/user-hooks minimal": "it lists the calls of hooks, which are called once more",
    "tricks/user-hooks modules": "it lists the calls of hooks, which are called once more",
    "values/no-edit modules": "it expects that nothing runs",
    "values/one-of-many-imports modules": "it expects that a neighbour does not run",
}
IDENTITY = "identity" in os.environ.get("HOTMOD_STRESS", "")


@pytest.fixture(autouse=True)
def _unless_running_again_ends_it(request: pytest.FixtureRequest) -> None:
    reason = AGAIN.get(request.node.callspec.id) if hasattr(request.node, "callspec") else None
    if IDENTITY and reason is not None:
        pytest.skip(reason)


@pytest.mark.parametrize(("case", "strategy"), CASES)
def test_the_live_process_is_the_fresh_one(case: Case, strategy: str, tmp_path: pathlib.Path) -> None:
    """After each save the live process equals a fresh one that imports the same files."""
    assert play(case, tmp_path, strategy=strategy).problems == []


@pytest.mark.skipif(IDENTITY, reason="what comes back is the version from before all modules ran once more")
@pytest.mark.parametrize(("case", "strategy"), CASES)
def test_a_version_comes_back_and_goes_again(case: Case, strategy: str, tmp_path: pathlib.Path) -> None:
    """Each applied save can be rolled back to the program before and applied again, also without `.pyc`."""
    assert play(case, tmp_path, strategy=strategy, bytecode=False, back=True).problems == []


def test_there_are_enough_cases() -> None:
    """The cases are at least sixty, and each stands for another rule."""
    cases = all_cases()
    assert len(cases) >= 60
    assert len({case.rule for case in cases}) == len(cases)
