from __future__ import annotations

import pytest

from tests.identity import table


@pytest.fixture(params=["modules", "minimal"], autouse=True)
def strategy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test of identity holds for every strategy."""
    found = str(request.param)
    monkeypatch.setattr(table, "STRATEGY", found)
    return found
