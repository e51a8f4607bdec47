"""Packages that we did not write: edited while they run, and compared with a fresh process each time."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import pathlib
import shutil

import pytest

from tests.oracle.check import differences
from tests.oracle.processes import Program, server


@dataclasses.dataclass(frozen=True)
class Package:
    """One package and how it is used.

    Attributes:
        name: the distribution, for people.
        tops: its top-level packages.
        imports: what a user imports.
        client: statements of a program that uses it.
        asks: what the program then wants to know.
        answer: what it gets.
        body: (file, function) whose body is edited.
        statement: the statement that is put first in it.
        edited: what the program gets then.
        lower: a module that gets a new constant.
        upper: a module that imports the constant.
        least: how many modules the package has at least.
        counts: what counts uses, and so differs from a program that was used less.
    """

    name: str
    tops: tuple[str, ...]
    imports: tuple[str, ...]
    client: str
    asks: str
    answer: str
    body: tuple[str, str]
    statement: str
    edited: str
    lower: str
    upper: str
    least: int
    counts: tuple[str, ...] = ()


PACKAGES = [
    Package(
        "click",
        ("click",),
        ("click", "click.testing"),
        """
import click
import click.testing

@click.command()
@click.option("--name", default="you", help="Who it is.")
def hello(name):
    click.echo(f"hello {name}")

def ask():
    runner = click.testing.CliRunner()
    return [runner.invoke(hello).output, "Who it is." in runner.invoke(hello, ["--help"]).output]
""",
        "ask()",
        "['hello you\\n', True]",
        ("click/utils.py", "echo"),
        "message = str(message).upper()",
        "['HELLO YOU\\n', False]",
        "click.globals",
        "click.testing",
        13,
    ),
    Package(
        "jinja2",
        ("jinja2",),
        ("jinja2", "jinja2.nativetypes", "jinja2.sandbox", "jinja2.constants"),
        """
import jinja2

environment = jinja2.Environment()
template = environment.from_string("{% for x in xs %}{{ x|upper }},{% endfor %}")

def ask():
    source = "{{ 'a'|upper }}{{ loop(1) }}{% macro loop(n) %}{{ n }}{% endmacro %}"
    return [template.render(xs="ab"), jinja2.Environment().from_string("{{ 'a'|upper }}").render()]
""",
        "ask()",
        "['A,B,', 'A']",
        ("jinja2/filters.py", "do_upper"),
        'return "up"',
        "['up,up,', 'up']",
        "jinja2.constants",
        "jinja2.loaders",
        20,
    ),
    Package(
        "marshmallow",
        ("marshmallow",),
        ("marshmallow", "marshmallow.fields", "marshmallow.validate"),
        """
import marshmallow

class Author(marshmallow.Schema):
    name = marshmallow.fields.String(required=True)
    age = marshmallow.fields.Integer()

def ask():
    loaded = Author().load({"name": "a", "age": "3"})
    return [loaded, Author().dump({"name": "b"}), sorted(Author().validate({}))]
""",
        "ask()",
        "[{'name': 'a', 'age': 3}, {'name': 'b'}, ['name']]",
        ("marshmallow/fields.py", "String._serialize"),
        'return "edited"',
        "[{'name': 'a', 'age': 3}, {'name': 'edited'}, ['name']]",
        "marshmallow.error_store",
        "marshmallow.schema",
        12,
    ),
    Package(
        "networkx",
        ("networkx",),
        ("networkx",),
        """
import networkx

graph = networkx.path_graph(4)

def ask():
    return [networkx.number_connected_components(graph), networkx.shortest_path(graph, 0, 3)]
""",
        "ask()",
        "[1, [0, 1, 2, 3]]",
        ("networkx/algorithms/components/connected.py", "number_connected_components"),
        "return 42",
        "[42, [0, 1, 2, 3]]",
        "networkx.algorithms.cuts",
        "networkx.algorithms.cycles",
        200,
    ),
    Package(
        "attrs",
        ("attr", "attrs"),
        ("attr", "attrs", "attr.validators", "attrs.converters"),
        """
import attr
import attrs

@attrs.define
class Point:
    x: int = attrs.field(default=1, validator=attrs.validators.instance_of(int))
    y: list = attrs.field(factory=list)

point = Point(2)

def ask():
    return [attrs.asdict(point), repr(Point()), attr.fields(Point).x.default]
""",
        "ask()",
        "[{'x': 2, 'y': []}, 'Point(x=1, y=[])', 1]",
        ("attr/_funcs.py", "asdict"),
        "return 'edited'",
        "['edited', 'Point(x=1, y=[])', 1]",
        "attr._config",
        "attr._funcs",
        15,
        ("attr._make:_CountingAttr.cls_counter",),
    ),
]


def with_statement(text: str, qualname: str, statement: str) -> str:
    """The text with a statement put first, below the docstring, into the last function of that name."""
    nodes: list[ast.AST] = [ast.parse(text)]
    for part in qualname.split("."):
        nodes = [
            child
            for node in nodes
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == part
        ]
    function = nodes[-1]
    assert isinstance(function, ast.FunctionDef)
    first = function.body[1 if ast.get_docstring(function) else 0]
    lines = text.splitlines(keepends=True)
    lines.insert(first.lineno - 1, " " * first.col_offset + statement + "\n")
    return "".join(lines)


class Copy:
    """A package copied out of site-packages, in a running program and on disk."""

    def __init__(self, package: Package, folder: pathlib.Path) -> None:
        self.package, self.folder, self.root = package, folder, folder / "live"
        for top in package.tops:
            spec = importlib.util.find_spec(top)
            assert spec is not None
            assert spec.submodule_search_locations is not None
            ignored = shutil.ignore_patterns("__pycache__", "tests", "*.pyc")
            shutil.copytree(spec.submodule_search_locations[0], self.root / top, ignore=ignored)
        self.originals: dict[str, str] = {}
        self.count = 0

    def file(self, module: str) -> str:
        return module.replace(".", "/") + ".py"

    def read(self, file: str) -> str:
        return (self.root / file).read_text("utf-8")

    def write(self, file: str, text: str) -> None:
        self.originals.setdefault(file, self.read(file))
        (self.root / file).write_text(text, "utf-8")

    def append(self, file: str, text: str) -> None:
        self.write(file, self.read(file) + text)

    def start(self, program: Program, root: pathlib.Path) -> Program:
        assert program.load(str(root), self.package.imports, self.package.tops) == []
        return program

    def check(self, quiet: Program, used: Program, answer: str, more: str = "", result: str = "") -> None:
        """An unused program holds what a fresh one holds, and a used one says what a fresh one says."""
        self.count += 1
        root = self.folder / f"fresh{self.count}"
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns("__pycache__"))
        with server().program() as fresh:
            self.start(fresh, root)
            look = fresh.look(sources=False)
            assert differences(quiet.look(sources=False), look, self.package.counts) == []
            fresh.run(self.package.client)
            for who in (used, fresh):
                assert who.evaluate([self.package.asks, *([more] if more else [])]) == [
                    answer,
                    *([result] if more else []),
                ]


def reload(quiet: Program, used: Program, status: str) -> None:
    """Let both programs take the edit."""
    for who in (quiet, used):
        report = who.reload(watched=who is quiet)
        assert report["status"] == status, report["text"]
        assert report["broken"] == []


@pytest.mark.parametrize("package", PACKAGES, ids=[package.name for package in PACKAGES])
def test_a_real_package_is_edited_while_it_runs(package: Package, tmp_path: pathlib.Path) -> None:
    """Whatever is saved, from a body to a broken text and its undo, the program is the fresh one."""
    copy = Copy(package, tmp_path)
    upper, lower = copy.file(package.upper), copy.file(package.lower)
    with server().program() as quiet, server().program() as used:
        for who in (quiet, used):
            copy.start(who, copy.root).attach("hotmod", package.tops)
        used.run(package.client)
        assert used.evaluate([package.asks]) == [package.answer]
        assert len(quiet.look(sources=False)["modules"]) >= package.least

        file, function = package.body
        copy.write(file, with_statement(copy.read(file), function, package.statement))
        copy.append(lower, "\n\nADDED_RATE = 1\n")
        copy.append(
            upper, f"\n\nfrom {package.lower} import ADDED_RATE\n\n\ndef added():\n    return ADDED_RATE\n"
        )
        reload(quiet, used, "applied")
        asks = f"__import__('sys').modules[{package.upper!r}].added()"
        copy.check(quiet, used, package.edited, asks, "1")

        copy.write(lower, copy.read(lower).replace("ADDED_RATE = 1", "ADDED_RATE = 2"))
        reload(quiet, used, "applied")
        copy.check(quiet, used, package.edited, asks, "2")

        copy.append(upper, "\n\n1 / 0\n")
        reload(quiet, used, "rejected")
        assert used.evaluate([package.asks, asks]) == [package.edited, "2"]

        for file, text in copy.originals.items():
            copy.write(file, text)
        reload(quiet, used, "applied")
        copy.check(quiet, used, package.answer)
        reload(quiet, used, "unchanged")
