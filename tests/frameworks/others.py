"""More programs: models, listeners and fixtures; see `programs`."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pathlib
from types import SimpleNamespace as Modules
from typing import Any

import pytest

from tests.frameworks.programs import PROGRAMS, Program

__all__: list[str] = []

SQL_APP = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


engine = create_engine("sqlite://", poolclass=StaticPool)
session = Session(engine)
LOG = []
"""

SQL_VIEWS = """
from sqlalchemy import event
from sqlalchemy.orm import Mapped, mapped_column

from shop.app import LOG, Base


def loud(method):
    def wrapper(self):
        return method(self).upper()

    return wrapper


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="one")

    def label(self):
        return "item one"


class Other(Base):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)


@event.listens_for(Item, "before_insert")
def stamp(mapper, connection, target):
    LOG.append("stamped")
"""

_MODEL = """class Extra(Base):
    __tablename__ = "extra"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
_EVENT = """@event.listens_for(Item, "before_insert")
def stamp(mapper, connection, target):
"""
SQL_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": ("class Other", f"{_MODEL}\n\nclass Other"),
    "path": (
        '    name: Mapped[str] = mapped_column(default="one")\n',
        '    name: Mapped[str] = mapped_column(default="one")\n    size: Mapped[int] = mapped_column(default=7)\n',
    ),
    "parameter": ("def label(self):\n        return", "def label(self, size=7):\n        return f'{size}' +"),
    "removed": (_EVENT + '    LOG.append("stamped")\n', ""),
    "decorator": ("    def label(", "    @loud\n    def label("),
}


def _see_sql(modules: Modules) -> Any:
    app, views = modules.app, modules.views
    app.session.rollback()
    app.session.expunge_all()
    app.Base.metadata.drop_all(app.session.connection())
    app.Base.metadata.create_all(app.session.connection())
    app.LOG.clear()
    item = views.Item()
    app.session.add(item)
    app.session.commit()
    tables = sorted(
        (table.name, sorted(column.name for column in table.columns))
        for table in app.Base.metadata.tables.values()
    )
    names = sorted(name for name in app.Base.registry._class_registry if not name.startswith("_"))
    return item.label(), list(app.LOG), tables, names, app.session.query(views.Item).one() is item


def _touch_sql(modules: Modules) -> list[Any]:
    _see_sql(modules)
    return [modules.app.Base, modules.app.engine, modules.app.session, modules.views.Item]


def _close_sql(modules: Modules) -> None:
    modules.app.session.close()
    modules.app.engine.raw_connection().driver_connection.close()


PROGRAMS["SQLAlchemy"] = Program(
    "sqlalchemy",
    SQL_APP,
    SQL_VIEWS,
    SQL_EDITS,
    _see_sql,
    _touch_sql,
    lambda on: on.app.session.is_active,
    close=_close_sql,
)


# pytest: the next run in the same process

PYTEST_APP = """
SEEN = []
"""

PYTEST_VIEWS = """
import functools

import pytest

from shop.app import SEEN


def loud(fixture):
    @functools.wraps(fixture)
    def wrapper():
        return fixture().upper()

    return wrapper


@pytest.fixture
def home():
    return "home"


@pytest.fixture(name="item")
def item():
    return "item one"


@pytest.fixture
def other():
    SEEN.append(1)
    return "other"
"""

_FIXTURE = '@pytest.fixture(name="item")\ndef item():\n    return "item one"\n'
PYTEST_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (_FIXTURE, _FIXTURE + '\n\n@pytest.fixture\ndef extra():\n    return "extra"\n'),
    "path": ('"item")', '"thing")'),
    "parameter": ('def item():\n    return "item one"', 'def item(home):\n    return f"item {home}"'),
    "removed": (_FIXTURE, ""),
    "decorator": ('@pytest.fixture(name="item")\n', '@pytest.fixture(name="item")\n@loud\n'),
}
RUN = """
import pytest


@pytest.mark.parametrize("name", ["home", "item", "thing", "extra", "other"])
def test_fixture(request, spy, name):
    spy[name] = None
    spy[name] = request.getfixturevalue(name)
"""


class Spy:
    """Takes down what the fixtures of a run give."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    @pytest.fixture
    def spy(self) -> dict[str, Any]:
        return self.found


def _see_pytest(modules: Modules) -> Any:
    folder = pathlib.Path(modules.app.__file__).parents[1]
    file = folder / "test_fixtures.py"
    file.write_text(RUN, "utf-8")
    spy = Spy()
    off = [
        part
        for name in ("cacheprovider", "randomly", "faulthandler", "terminal")
        for part in ("-p", f"no:{name}")
    ]
    line = [str(file), *off, "--rootdir", str(folder), "-c", os.devnull, "--import-mode=importlib"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        pytest.main(line, plugins=[spy, modules.views])
    return spy.found


def _touch_pytest(modules: Modules) -> list[Any]:
    _see_pytest(modules)
    return [modules.app.SEEN]


PROGRAMS["pytest"] = Program(
    "pytest",
    PYTEST_APP,
    PYTEST_VIEWS,
    PYTEST_EDITS,
    _see_pytest,
    _touch_pytest,
    lambda on: len(on.app.SEEN) > 1,
)

STAYS = {
    "click": "the group, unless it is edited",
    "Typer": "the `Typer` object",
    "Celery": "the application and its settings",
    "argparse": "everything but the parser, which is made anew",
    "SQLAlchemy": "the classes, the engine, the connection and the session",
    "pytest": "what the fixtures refer to",
}
PROGRAMS.update({name: dataclasses.replace(PROGRAMS[name], stays=stays) for name, stays in STAYS.items()})
