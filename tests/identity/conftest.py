from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.identity import table
from tests.oracle.project import Project


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[Project]:
    """An empty folder on `sys.path`; what is imported from it is forgotten after the test."""
    found = Project(tmp_path)
    yield found
    found.forget()


@pytest.fixture(params=["modules", "minimal"], autouse=True)
def strategy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test of identity holds for every strategy."""
    found = str(request.param)
    monkeypatch.setattr(table, "STRATEGY", found)
    return found
