"""The rules of the house: what no reader should have to check by eye."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import io
import pathlib
import re
import subprocess
import sys
import tokenize

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "hotmod"
TESTS = ROOT / "tests"
DOCS = ROOT / "docs"

MAX_FILE = 450
MAX_FUNCTION = 60
MAX_EXPORTS = 25

# Time stamps never decide what is reloaded. A file that must read one is listed here with its reason.
MTIME_ALLOWED: dict[str, str] = {}

# Rooms of src/hotmod that have tests in a folder of their own.
ROOMS = ("model", "source", "live", "engine")

# Folders that hold text which is not Python of ours: packages before and after an edit.
DATA_FOLDERS = {"cases", "data"}


@dataclasses.dataclass(frozen=True)
class Source:
    """One Python file of the project, read and parsed once."""

    path: pathlib.Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The path as people say it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function of the file, nested ones too."""
        return [
            node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    @property
    def names_used(self) -> list[tuple[int, str]]:
        """Every identifier with its line: comments and strings do not count."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.NAME]


def read(path: pathlib.Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, text, ast.parse(text, str(path)))


def sources(folder: pathlib.Path) -> list[Source]:
    """The Python files below `folder`, without data."""
    return [
        read(path)
        for path in sorted(folder.rglob("*.py"))
        if not DATA_FOLDERS.intersection(path.relative_to(folder).parts)
    ]


OURS = sources(SRC)
TESTING = sources(TESTS)
BENCHMARKS = sources(ROOT / "benchmarks")


def each(files: list[Source]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("source", files, ids=[file.name for file in files])


def headings(page: pathlib.Path) -> set[str]:
    """The words of a page's headings, without back-quotes."""
    lines = re.sub(
        r"^(```+|~~~+).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    ).splitlines()
    return {line.lstrip("#").replace("`", "").strip() for line in lines if line.startswith("#")}


# The sizes of things


@each(OURS + TESTING + BENCHMARKS)
def test_a_file_fits_in_the_head(source: Source) -> None:
    """No file is longer than 450 lines."""
    assert len(source.text.splitlines()) <= MAX_FILE


@each(OURS)
def test_a_function_fits_on_a_screen(source: Source) -> None:
    """No function is longer than 60 lines, docstring included."""
    long = {
        node.name: length
        for node in source.functions
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION
    }
    assert not long


@each(OURS)
def test_a_module_exports_little(source: Source) -> None:
    """No `__all__` holds more than 25 names, and each is there once."""
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List | ast.Tuple):
                names = [ast.unparse(element) for element in value.elts]
                assert len(names) <= MAX_EXPORTS
                assert len(names) == len(set(names))


# What is said about things


@each(OURS)
def test_a_module_says_what_it_is(source: Source) -> None:
    """Every module opens with a docstring."""
    assert ast.get_docstring(source.tree)


@each(TESTING)
def test_the_suite_reads_as_a_specification(source: Source) -> None:
    """Every test has a docstring whose first paragraph is a single sentence that ends with a full stop."""
    for node in source.functions:
        if not node.name.startswith("test_"):
            continue
        docstring = ast.get_docstring(node)
        assert docstring, f"{source.name}:{node.lineno}: {node.name} has no docstring"
        sentence = docstring.partition("\n\n")[0]
        assert sentence.endswith("."), f"{source.name}:{node.lineno}: {sentence!r} has no full stop"
        assert not re.search(r"[a-z)`]\. [A-Z]", sentence), (
            f"{source.name}:{node.lineno}: more than one sentence"
        )


def test_every_hazard_has_its_page() -> None:
    """Each hazard code is a heading of docs/reference/hazards.md, so that a report can link to it."""
    hazards = importlib.import_module("hotmod._model.hazards")
    assert set(hazards.HAZARDS) <= headings(DOCS / "reference" / "hazards.md")


def test_no_hazard_is_promised_that_is_not_reported() -> None:
    """The hazards page says `reported` of exactly those hazards that can be made."""
    hazards = importlib.import_module("hotmod._model.hazards")
    page = (DOCS / "reference" / "hazards.md").read_text(encoding="utf-8")
    status = dict(
        re.findall(r"^## `([a-z-]+)`\n\n\*\*Status:\*\* (reported|planned)", page, flags=re.MULTILINE)
    )
    assert {code for code, word in status.items() if word == "reported"} == set(hazards.HAZARDS)


def test_every_error_is_documented() -> None:
    """Each error class is a heading of docs/reference/errors.md."""
    errors = importlib.import_module("hotmod._model.errors")
    assert set(errors.__all__) <= headings(DOCS / "reference" / "errors.md")


def test_every_public_name_is_documented() -> None:
    """Each name of `hotmod.__all__` stands in the reference, if only through its docstring."""
    hotmod = importlib.import_module("hotmod")
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^ *\.\. auto\w+:: hotmod\.(\w+)", page, flags=re.MULTILINE))
    missing = set(hotmod.__all__) - documented - headings(DOCS / "reference" / "api.md")
    assert not missing - set(importlib.import_module("hotmod._model.errors").__all__)


def test_every_guarantee_names_tests_that_exist() -> None:
    """The page of guarantees is about each of them, and names files of tests that exist."""
    page = (DOCS / "explanation" / "guarantees.md").read_text("utf-8")
    parts = page.split("\n## ")[1:]
    named = [re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", part) for part in parts]
    assert all(named)
    assert [path for paths in named for path in paths if not (ROOT / path).is_file()] == []
    design = (DOCS / "explanation" / "design.md").read_text("utf-8")
    for number, name in re.findall(r"^(\d)\. \*\*(.+?)\.\*\*", design, re.MULTILINE):
        assert parts[int(number) - 1].startswith(f"{number}. {name}\n")


def test_every_answer_to_the_rfc_names_tests_that_exist() -> None:
    """The page of the RFC answers nine issues, and names tests that exist, by file or by function."""
    page = (DOCS / "explanation" / "rfc-hot-reload.md").read_text("utf-8")
    parts = page.split("\n### ")[1:]
    assert len(parts) == 9
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)(?:::(\w+))?`", page)
    assert all("`tests/" in part for part in parts)
    for path, function in named:
        assert f"def {function}" in (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_tests(room: str) -> None:
    """Each room of the source has a folder of tests by its name."""
    assert list((TESTS / room).glob("test_*.py"))


# What is not done


@each(OURS + TESTING)
def test_nobody_sleeps(source: Source) -> None:
    """Neither the library nor its tests wait for time to pass: they wait for events."""
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
    sleeping = [node.lineno for node in calls if ast.unparse(node.func).rpartition(".")[2] == "sleep"]
    assert not sleeping


BROAD = {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"}


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether nothing is done with what was caught; to go on with a loop is enough for a named error."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or ast.unparse(kind) in BROAD for kind in caught)
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (broad and isinstance(statement, ast.Continue))
        for statement in handler.body
    )


@each(OURS)
def test_no_exception_is_swallowed(source: Source) -> None:
    """No handler passes over what it caught, and no bare `except` or `suppress(Exception)` is there."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{source.name}:{node.lineno}: bare except"
            assert not swallows(node), f"{source.name}:{node.lineno}: swallowed"
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            assert not BROAD.intersection(map(ast.unparse, node.args)), (
                f"{source.name}:{node.lineno}: swallowed"
            )


@each(OURS)
def test_no_time_stamp_decides(source: Source) -> None:
    """The content of a file decides, never its modification time."""
    if source.name in MTIME_ALLOWED:
        pytest.skip(MTIME_ALLOWED[source.name])
    stamps = [
        (line, name) for line, name in source.names_used if name in {"st_mtime", "st_mtime_ns", "getmtime"}
    ]
    assert not stamps


def project_texts() -> list[pathlib.Path]:
    """Every text file that belongs to the project, whatever its kind."""
    kept = [
        ROOT / name
        for name in (
            "README.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
            "pyproject.toml",
            ".ci/run",
            ".ci/nightly",
        )
    ]
    for folder in ("src", "tests", "docs", "benchmarks", "examples", "changelog.d"):
        kept.extend(
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".py", ".md", ".toml", ".json", ".yaml", ".txt"} and "_build" not in path.parts
        )
    return kept


def test_no_path_of_any_machine() -> None:
    """No text of the project names a folder of the machine it was written on."""
    pattern = re.compile("/" + "(?:work|root)/")
    found = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    }
    assert not found


@pytest.mark.parametrize("heavy", ["IPython", "_pytest", "asyncio", "pytest", "watchfiles"])
def test_importing_hotmod_is_light(heavy: str) -> None:
    """`import hotmod` loads neither watchfiles nor asyncio, pytest or IPython."""
    check = f"import sys, hotmod; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
