"""Going back while other threads of the program are at work: what the transaction bound is its own doing."""

from __future__ import annotations

import builtins
import queue
import threading
from collections.abc import Iterator

import pytest

import hotmod
from tests.oracle.project import Project

EDIT = """
    import builtins
    TAX = 7
    builtins.hotmod_test_work()
    """


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A thread that uses CPU time whenever a statement of an edit asks for it."""
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def serve() -> None:
        while orders.get():
            done.put(sum(range(10_000)))

    def ask() -> None:
        orders.put("work")
        done.get()

    thread = threading.Thread(target=serve)
    thread.start()
    monkeypatch.setattr(builtins, "hotmod_test_work", ask, raising=False)
    yield
    orders.put("")
    thread.join()


@pytest.mark.usefixtures("work")
def test_a_constant_is_what_it_was_after_a_rollback(shop: Project) -> None:
    """In the module that binds it, and in the one that imports it."""
    reloader = hotmod.Reloader("shop")
    before = shop.snapshot()
    shop.write({"shop/config.py": EDIT})
    assert reloader.reload()
    reloader.rollback()
    assert not before.differences(shop.snapshot())


@pytest.mark.usefixtures("work")
def test_a_constant_is_what_it_was_after_a_failure(shop: Project) -> None:
    """A statement below failed, and nothing was changed."""
    reloader = hotmod.Reloader("shop")
    before = shop.snapshot()
    shop.write({"shop/config.py": EDIT + "1 / 0\n"})
    assert reloader.reload().status == "rejected"
    assert not before.differences(shop.snapshot())


@pytest.mark.usefixtures("work")
def test_a_name_that_comes_by_a_star_is_what_it_was(shop: Project) -> None:
    """The module that imports everything binds names that it does not spell."""
    shop.write({"shop/stars.py": "from shop.config import *\n"}).load("shop.stars")
    reloader = hotmod.Reloader("shop")
    before = shop.snapshot()
    shop.write({"shop/config.py": EDIT})
    assert reloader.reload()
    assert reloader.rollback().status == "applied"
    assert not before.differences(shop.snapshot())
