from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import pytest

from tests.identity.table import Live
from tests.oracle.project import Project

django = pytest.importorskip("django", reason="part of the test extra only")

MODEL = """
from django.db import models


class Thing(models.Model):
    size = models.IntegerField(default={0})

    class Meta:
        app_label = "shop"

    def f(self):
        return {0}
"""


@pytest.fixture
def shop(project: Project) -> Iterator[Live]:
    """A module with a Django model, registered where the program can't be reached from."""
    from django.apps import apps
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        )
        django.setup()
    yield Live(project, MODEL.format(1))
    apps.all_models.pop("shop")
    apps.clear_cache()


def test_a_model_is_registered_once(shop: Live) -> None:
    """Django's own registry holds the live model after a reload, and Django sees nothing to warn of."""
    from django.apps import apps

    thing = shop.space["m"].Thing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in (2, 3):
            assert shop.edit(MODEL.format(number))
            assert apps.all_models["shop"]["thing"] is shop.space["m"].Thing is thing
            assert (thing().f(), thing().size) == (number, number)


def test_a_model_is_registered_again_after_a_refusal(shop: Live) -> None:
    """A model whose module fails to run is in Django's registry as before, in its place."""
    from django.apps import apps

    thing, before = shop.space["m"].Thing, list(apps.all_models["shop"].items())
    assert shop.edit(MODEL.format(2) + "1 / 0\n").status == "rejected"
    assert list(apps.all_models["shop"].items()) == before == [("thing", thing)]
    assert shop.edit(MODEL.format(2))
    shop.reloader.rollback()
    assert list(apps.all_models["shop"].items()) == before
    assert thing().f() == 1


def test_a_removed_model_is_no_longer_registered(shop: Live) -> None:
    """A model that the text no longer defines is not in Django's registry."""
    from django.apps import apps

    thing = shop.space["m"].Thing
    assert shop.edit("")
    assert dict(apps.all_models["shop"]) == {}
    shop.reloader.rollback()
    assert apps.all_models["shop"]["thing"] is thing is shop.space["m"].Thing


BASE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")
"""
ORDER = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop.n import Base


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped["Customer"] = relationship(back_populates="orders")
"""
FIELD = '    note: Mapped[str] = mapped_column(default="new")\n'


def customers(live: Live) -> str | None:
    """What an order of a customer says after a way through a database."""
    import sqlalchemy
    from sqlalchemy.orm import Session

    module, related = live.space["m"], sys.modules.get("shop.n", live.space["m"])
    engine = sqlalchemy.create_engine("sqlite://")
    try:
        module.Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(related.Customer(id=1, orders=[module.Order(id=1)]))
            session.commit()
            (order,) = session.scalars(sqlalchemy.select(related.Customer)).one().orders
            assert type(order) is module.Order
            return getattr(order, "note", None)
    finally:
        engine.dispose()


@pytest.mark.parametrize("strategy", ["modules"], indirect=True)
def test_another_mapping_is_refused_where_others_are_related(project: Project) -> None:
    """A new column is refused where a related class is in a module that does not run; nothing is changed."""
    pytest.importorskip("sqlalchemy", reason="part of the test extra only")
    live = Live(project, ORDER, BASE)
    assert customers(live) is None
    report = live.edit(ORDER + FIELD)
    assert report.status == "rejected"
    assert "shop.n.Customer, which is related to it, is not built again" in str(report.error)
    assert customers(live) is None


@pytest.mark.parametrize("strategy", ["minimal"], indirect=True)
@pytest.mark.parametrize("used", [True, False], ids=["used", "not used before"])
@pytest.mark.parametrize("single", [True, False], ids=["one module", "two modules"])
def test_related_classes_are_built_again_together(project: Project, *, single: bool, used: bool) -> None:
    """A new column is there, and the related class is mapped anew, in its own module too."""
    pytest.importorskip("sqlalchemy", reason="part of the test extra only")
    text = f"{BASE}\n{ORDER.replace('from shop.n import Base', '')}" if single else ORDER
    live = Live(project, text, BASE)
    assert not used or customers(live) is None
    for _ in range(2):
        report = live.edit(text + FIELD)
        assert report, report.error
        assert any("class Customer" in each.why for each in report.reasons)
        assert customers(live) == "new"
        live.reloader.rollback()
        assert customers(live) is None


def test_another_mapping_follows_with_what_is_related(project: Project) -> None:
    """A new column is there when the module of the related class is edited in the same transaction."""
    pytest.importorskip("sqlalchemy", reason="part of the test extra only")
    live = Live(project, ORDER, BASE)
    order = live.space["m"].Order
    assert customers(live) is None
    live.project.write({"shop/n.py": BASE + "\n\nEDITED = True\n"})
    assert live.edit(ORDER + FIELD)
    assert customers(live) == "new"
    assert live.space["m"].Order is order
