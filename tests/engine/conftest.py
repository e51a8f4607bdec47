from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import hotmod
from hotmod import _api
from tests.engine.watching import until_up
from tests.oracle.project import Project


@pytest.fixture(autouse=True)
def own_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has reloaders of its own, though all tests call their package `shop`."""
    monkeypatch.setattr(_api, "_beginnings", {})
    monkeypatch.setattr(_api, "_watchers", {})


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


@pytest.fixture
def serve(project: Project) -> Iterator[Callable[..., hotmod.Served]]:
    """Serves objects of a test's folder until the test is over; gives proxies whose watchers are up."""
    proxies: list[hotmod.Served] = []

    def one(*args: object, **kwargs: object) -> hotmod.Served:
        proxies.append(hotmod.live(*args, **kwargs))
        until_up(proxies[-1].__hotmod__.watcher)
        return proxies[-1]

    yield one
    for proxy in proxies:
        proxy.__hotmod__.close()
