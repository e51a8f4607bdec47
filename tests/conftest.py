"""What holds for all tests: how hypothesis searches, how much heap there is, and a folder to import from."""

from __future__ import annotations

import gc
import os
import pathlib
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from tests.oracle.project import Project

# No deadline: an example may start processes, and the machine may be busy. No explaining: it takes longer
# than finding.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
settings.register_profile("hotmod", deadline=None, phases=PHASES)
# In CI the same examples every time, so that a red run is about the change; new ones are found elsewhere.
settings.register_profile(
    "ci", settings.get_profile("hotmod"), derandomize=True, database=None, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "hotmod")


@pytest.fixture(autouse=True)
def _small_heap() -> Iterator[None]:
    """Leave out of the heap, for the length of a test, what was there before it.

    A reload that changes classes walks the heap, and that of a whole test run, with every package in it that
    other tests have loaded, is a hundred times that of the program under test.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[Project]:
    """An empty folder on `sys.path`; what is imported from it is forgotten after the test."""
    found = Project(tmp_path)
    yield found
    found.forget()
