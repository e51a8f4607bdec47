"""What the tests of `verify()` share: their package, and what an answer tells."""

from __future__ import annotations

import sys

import pytest

import hotmod
from tests.oracle.project import Project


def told(verification: hotmod.Verification) -> dict[str, str]:
    """Why, by name."""
    return {f"{each.module}:{each.name}": each.why for each in verification.differences}


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has been imported before the fixture rewrites it: nothing of that is read again."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def shop(project: Project) -> Project:
    """A package that is written, and imported by the tests."""
    project.write({"shop/__init__.py": "", "shop/config.py": "TAX = 1\nRATES = {}\n"})
    return project
