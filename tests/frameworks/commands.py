"""More programs: commands, tasks, models; see `programs`."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from types import SimpleNamespace as Modules
from typing import Any

from tests.frameworks import fixtures
from tests.frameworks.programs import PROGRAMS, Program

__all__: list[str] = []
assert fixtures  # it adds its program to the others

CLICK_APP = """
import click

SEEN = []


@click.group()
def cli():
    SEEN.append(1)
"""

CLICK_VIEWS = """
import functools

import click

from shop.app import cli


def loud(command):
    @functools.wraps(command)
    def wrapper(*args, **kwargs):
        print("LOUD")
        return command(*args, **kwargs)

    return wrapper


@cli.command("home")
def home():
    print("home")


@cli.command("item")
def item():
    print("item one")


@cli.command("other")
def other():
    print("other")
"""

_WHOLE = '@cli.command("item")\ndef item():\n    print("item one")\n'
CLICK_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (_WHOLE, _WHOLE + '\n\n@cli.command("extra")\ndef extra():\n    print("extra")\n'),
    "path": ('"item")', '"thing")'),
    "parameter": (
        'def item():\n    print("item one")',
        '@click.option("--size", default=7)\ndef item(size):\n    print(f"item {size}")',
    ),
    "removed": (_WHOLE, ""),
    "decorator": ('@cli.command("item")\n', '@cli.command("item")\n@loud\n'),
}
LINES = (["--help"], ["home"], ["item"], ["item", "--size", "3"], ["thing"], ["extra"], ["other"])


def _see_click(modules: Modules) -> Any:
    from click.testing import CliRunner

    answers = [CliRunner().invoke(modules.app.cli, line) for line in LINES]
    return [(each.exit_code, each.output) for each in answers]


def _touch_click(modules: Modules) -> list[Any]:
    _see_click(modules)
    return [modules.app.cli, modules.app.SEEN]


PROGRAMS["click"] = Program(
    "click", CLICK_APP, CLICK_VIEWS, CLICK_EDITS, _see_click, _touch_click, lambda on: len(on.app.SEEN) > 2
)

TYPER_APP = """
import typer

SEEN = []
cli = typer.Typer()


@cli.callback()
def main():
    SEEN.append(1)
"""


def _see_typer(modules: Modules) -> Any:
    from typer.testing import CliRunner

    answers = [CliRunner().invoke(modules.app.cli, line) for line in LINES]
    return [(each.exit_code, each.output) for each in answers]


def _touch_typer(modules: Modules) -> list[Any]:
    _see_typer(modules)
    return [modules.app.cli, modules.app.SEEN]


PROGRAMS["Typer"] = Program(
    "typer",
    TYPER_APP,
    CLICK_VIEWS.replace("import click\n\n", ""),
    {
        **CLICK_EDITS,
        "parameter": (
            'def item():\n    print("item one")',
            'def item(size: int = 7):\n    print(f"item {size}")',
        ),
    },
    _see_typer,
    _touch_typer,
    lambda on: len(on.app.SEEN) > 2,
)

CELERY_APP = """
from celery import Celery

app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.task_always_eager = True
SEEN = []
"""

CELERY_VIEWS = """
import functools

from shop.app import SEEN, app


def loud(task):
    @functools.wraps(task)
    def wrapper(*args, **kwargs):
        return task(*args, **kwargs).upper()

    return wrapper


@app.task(name="home")
def home():
    return "home"


@app.task(name="item")
def item():
    return "item one"


@app.task(name="other")
def other():
    SEEN.append(1)
    return "other"
"""

_TASK = '@app.task(name="item")\ndef item():\n    return "item one"\n'
CELERY_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (_TASK, _TASK + '\n\n@app.task(name="extra")\ndef extra():\n    return "extra"\n'),
    "path": ('"item")', '"thing")'),
    "parameter": ('def item():\n    return "item one"', 'def item(size=7):\n    return f"item {size}"'),
    "removed": (_TASK, ""),
    "decorator": ('@app.task(name="item")\n', '@app.task(name="item")\n@loud\n'),
}


def _see_celery(modules: Modules) -> Any:
    app = modules.app.app
    app.finalize()
    found: dict[str, Any] = {}
    for name in sorted(name for name in app.tasks if not name.startswith("celery.")):
        found[name] = app.tasks[name].delay().get()
        with contextlib.suppress(TypeError):
            found[f"{name}(3)"] = app.tasks[name].delay(3).get()
    for name in ("home", "item", "extra", "other"):
        if hasattr(modules.views, name):
            found[f"views.{name}"] = getattr(modules.views, name).delay().get()
    return found


def _touch_celery(modules: Modules) -> list[Any]:
    _see_celery(modules)
    return [modules.app.app, modules.app.SEEN]


PROGRAMS["Celery"] = Program(
    "celery",
    CELERY_APP,
    CELERY_VIEWS,
    CELERY_EDITS,
    _see_celery,
    _touch_celery,
    lambda on: len(on.app.SEEN) > 1,
)

ARGPARSE_APP = """
import argparse

SEEN = []
parser = argparse.ArgumentParser("shop")
parser.add_argument("--seen", action="append_const", dest="seen", const=1)
commands = parser.add_subparsers()
"""

ARGPARSE_VIEWS = """
import functools

from shop.app import SEEN, commands, parser


def loud(command):
    @functools.wraps(command)
    def wrapper(*args, **kwargs):
        print("LOUD")
        return command(*args, **kwargs)

    return wrapper


def home(options):
    print("home")


def item(options):
    print("item one")


def other(options):
    SEEN.append(1)
    print("other")


commands.add_parser("home").set_defaults(run=home)
commands.add_parser("item").set_defaults(run=item)
commands.add_parser("other").set_defaults(run=other)


def main(line):
    options = parser.parse_args(line)
    options.run(options)
"""

ARGPARSE_EDITS = {
    "body": ('"item one"', '"item two"'),
    "new": (
        'commands.add_parser("item").set_defaults(run=item)\n',
        'commands.add_parser("item").set_defaults(run=item)\ncommands.add_parser("extra").set_defaults(run=home)\n',
    ),
    "path": ('add_parser("item")', 'add_parser("thing")'),
    "parameter": (
        'commands.add_parser("item").set_defaults(run=item)\n',
        (
            'one = commands.add_parser("item")\n'
            'one.add_argument("--size", default=7)\none.set_defaults(run=item)\n'
        ),
    ),
    "removed": ('commands.add_parser("item").set_defaults(run=item)\n', ""),
    "decorator": ("def item(", "@loud\ndef item("),
}


def _see_argparse(modules: Modules) -> Any:
    found = []
    for line in LINES:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                modules.views.main(line)
            except SystemExit as error:
                found.append(error.code)
        found.append(out.getvalue())
    return found


def _touch_argparse(modules: Modules) -> list[Any]:
    _see_argparse(modules)
    return [modules.app.SEEN]


PROGRAMS["argparse"] = Program(
    "argparse",
    ARGPARSE_APP,
    ARGPARSE_VIEWS,
    ARGPARSE_EDITS,
    _see_argparse,
    _touch_argparse,
    lambda on: len(on.app.SEEN) > 0,
)

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
        (
            '    name: Mapped[str] = mapped_column(default="one")\n'
            "    size: Mapped[int] = mapped_column(default=7)\n"
        ),
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


STAYS = {
    "click": "the group, unless it is edited",
    "Typer": "the `Typer` object",
    "Celery": "the application and its settings",
    "argparse": "everything but the parser, which is made anew",
    "SQLAlchemy": "the classes, the engine, the connection and the session",
    "pytest": "what the fixtures refer to",
}
PROGRAMS.update({name: dataclasses.replace(PROGRAMS[name], stays=stays) for name, stays in STAYS.items()})
