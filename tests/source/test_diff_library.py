"""Edits of the standard library: whatever is written in it, an edit is told as what it is."""

from __future__ import annotations

import ast
import inspect
import pathlib
import random
import types
from collections.abc import Iterator

import pytest

from hotmod._source.compare import CELLS_OF_CLASS, ties
from hotmod._source.diff import EditKind, diff
from hotmod._source.parse import decode
from hotmod._source.statements import resplit, split
from tests.source.edits import check_whole, library, library_name, library_text, source
from tests.source.mutations import Module, outermost_functions

# Mutations put code of other versions, and escapes, where they were not before.
pytestmark = [
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LIBRARY = library()
SAME = {EditKind.UNCHANGED, EditKind.MOVED}
each_file = pytest.mark.parametrize("path", LIBRARY, ids=library_name)


@each_file
def test_a_module_is_unchanged_by_no_edit(path: pathlib.Path) -> None:
    """Every statement of a module is the one of the same text, where it was."""
    text = library_text(path)
    if text is None:
        pytest.skip("no Python of this version")
    edits = diff(split(text), split(text))
    assert {edit.kind for edit in edits.edits} <= {EditKind.UNCHANGED}
    assert len(edits.edits) == len(edits.spans) == len(edits.new.statements)


@each_file
def test_an_edit_that_was_made_is_the_edit_that_is_told(path: pathlib.Path) -> None:
    """A mutation of a known kind is told as one edit of that kind; all else is unchanged or moved below."""
    text = library_text(path)
    if text is None:
        pytest.skip("no Python of this version")
    old = split(text)
    choose = random.Random(library_name(path))  # noqa: S311 - the same mutations every time
    for mutation in Module(decode(text), choose).mutations():
        edited = source(mutation.text)
        new = resplit(old, edited)
        assert new == split(edited)
        edits = diff(old, new)
        check_whole(edits)
        differing = [edit for edit in edits.edits if edit.kind not in SAME]
        told = [(edit.kind.value, edit.bodies or edit.names, edit.header) for edit in differing]
        assert told == ([] if mutation.told is None else [mutation.told]), mutation.what
        reordered = sum(edit.reordered for edit in edits.edits)
        assert reordered == (mutation.what == "swapped"), mutation.what
        moved = [edit.old.first for edit in edits.edits if edit.kind is EditKind.MOVED and edit.old]
        assert min(moved, default=mutation.from_line) >= mutation.from_line, mutation.what


def functions_of_classes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of the functions that stand in classes, and in no function."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            if not inner.co_flags & inspect.CO_OPTIMIZED:
                yield from functions_of_classes(inner)
            elif not inner.co_name.startswith("<"):
                yield inner


@each_file
def test_what_ties_a_function_is_what_the_compiler_says(path: pathlib.Path) -> None:
    """Whether a method yields, and whether it has a cell for its class, is known from the text."""
    text = library_text(path)
    if text is None:
        pytest.skip("no Python of this version")
    code = compile(text.data, text.path, "exec", dont_inherit=True)
    compiled = {(each.co_qualname, each.co_firstlineno): each for each in functions_of_classes(code)}
    generators = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    for name, node in outermost_functions(ast.parse(text.data).body):
        line = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        found = compiled.get((name, line))
        if found is not None and "." in name:
            yields, cells, _ = ties(node, CELLS_OF_CLASS)
            assert yields == bool(found.co_flags & generators), name
            assert cells == CELLS_OF_CLASS.intersection(found.co_freevars), name
