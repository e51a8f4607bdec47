from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from hotmod import _api
from tests.oracle.project import Project


@pytest.fixture(autouse=True)
def own_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has reloaders of its own, though all tests call their package `shop`."""
    monkeypatch.setattr(_api, "_beginnings", {})
    monkeypatch.setattr(_api, "_watchers", {})


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[Project]:
    """An empty folder on `sys.path`; what is imported from it is forgotten after the test."""
    found = Project(tmp_path)
    yield found
    found.forget()


@pytest.fixture
def shop(project: Project) -> Project:
    """A package with a constant, a function that another module imports, and a neighbour of both."""
    project.write(
        {
            "shop/__init__.py": "",
            "shop/config.py": "TAX = 1\n",
            "shop/cart.py": """
                from shop.config import TAX


                class Cart:
                    size = 1


                def total(net):
                    return net + TAX
                """,
            "shop/other.py": "STATE = []\n",
        }
    )
    project.load("shop", "shop.config", "shop.cart", "shop.other")
    return project
