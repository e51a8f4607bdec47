from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.frameworks.observe import forget_elsewhere
from tests.oracle.project import Project


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[Project]:
    """An empty folder on `sys.path`; what is imported from it is forgotten after the test."""
    found = Project(tmp_path)
    forget_elsewhere()
    yield found
    forget_elsewhere()
    found.forget()
