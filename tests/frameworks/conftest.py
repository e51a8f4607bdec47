from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.frameworks.observe import forget_elsewhere
from tests.oracle.project import Project


@pytest.fixture
def project(project: Project) -> Iterator[Project]:
    """The folder of a test; what frameworks remember elsewhere is forgotten before and after it."""
    forget_elsewhere()
    yield project
    forget_elsewhere()
