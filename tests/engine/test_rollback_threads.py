"""Going back while other threads of the program are at work: what the transaction bound is its own doing."""

from __future__ import annotations

import builtins
import queue
import sys
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
            tables = sys.modules.get("shop.tables")
            if tables is not None:
                tables.TABLE["hits"] += 1
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


TABLES = """
    class Rates(dict):
        level = 1

    TABLE = {"hits": 0, "tax": 1, "more": 2, 3: "three"}
    RATES = Rates(tax=1)
    """


@pytest.mark.parametrize(
    "statement",
    [
        'TABLE["tax"] = 7',
        'TABLE["tax"] = [7]',
        "TABLE[3] = object()",
        'TABLE.update(tax=7, more="x")',
        'TABLE |= {"tax": 7.5}',
        'TABLE["new"] = 8',
        'RATES["tax"] = 7',
        "Rates.level = [7]",
        'for key in ("tax", "more"): TABLE[key] = 7',
        'TABLE["tax"] += 5',
        "TABLE[3] += '!'",
        'del TABLE["tax"]',
        "Rates.level += 1",
    ],
)
@pytest.mark.usefixtures("work")
def test_an_entry_is_what_it_was_after_a_failure(shop: Project, statement: str) -> None:
    """What a statement writes over is there again, and what another thread writes meanwhile stays."""
    tables = shop.write({"shop/tables.py": TABLES}).load("shop.tables")
    table, rates = dict(tables.TABLE), dict(tables.RATES)
    reloader = hotmod.Reloader("shop")
    imported = "    from shop.tables import RATES, TABLE, Rates\n"
    shop.write({"shop/config.py": f"{imported}{EDIT}{statement}\n    1 / 0\n"})
    assert reloader.reload().status == "rejected"
    assert {**table, "hits": 1} == tables.TABLE
    assert rates == tables.RATES
    assert tables.Rates.level == 1
