"""Edits between texts that were edited at random: nothing is lost, and short cuts tell the same."""

from __future__ import annotations

import functools
import itertools
import pathlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotmod._model.errors import SourceError
from hotmod._source import diff as diffs
from hotmod._source.align import common
from hotmod._source.diff import EditKind, diff
from hotmod._source.statements import Statements, parsed, resplit, split
from tests.source.edits import check_whole, compared, library, library_text, source
from tests.source.random_lines import OPERATIONS, Operation, operate

# Edited texts have escapes where no string was before; that is the parser's business, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

SMALL = [path for path in library() if path.stat().st_size < 30_000]


def whole_way(old: Statements, new: Statements) -> diffs.Edits:
    """The edits, with all of each class compared."""
    short_cut = diffs._compare_part
    diffs._compare_part = lambda *_: None
    try:
        return diff(old, new)
    finally:
        diffs._compare_part = short_cut


@given(st.sampled_from(SMALL), st.lists(OPERATIONS, min_size=1, max_size=4))
@settings(max_examples=200)
def test_random_edits_are_whole(path: pathlib.Path, operations: list[Operation]) -> None:
    """Edits of a text whose lines came, went or changed places hold every statement once, in order."""
    text = library_text(path)
    if text is None:
        return
    old = split(text)
    lines = list(old.lines)
    for operation in operations:
        operate(lines, operation)
    try:
        new = resplit(old, source("\n".join(lines)))
    except SourceError:
        return
    edits = diff(old, new)
    check_whole(edits)
    check_whole(diff(new, old))
    assert edits == whole_way(old, new)


@given(st.sampled_from(SMALL), st.sampled_from(SMALL))
@settings(max_examples=25)
def test_unlike_modules_are_compared_whole(one: pathlib.Path, other: pathlib.Path) -> None:
    """Edits between two modules that have nothing in common hold every statement once, in order."""
    text, other_text = library_text(one), library_text(other)
    if text is not None and other_text is not None:
        check_whole(diff(split(text), split(other_text)))


SHORT = ["a = 1", "a = 2", "b = 1", "f()", "f( )", "g()", "def c(): 1", "def c(): 2", "def d(): 1", '"s"']
SHORT += ["from m import a", "from m import b", "import a", "a, b = 1, 2", "if x: a = 1", "class c: 1", "\n#"]


@given(st.lists(st.sampled_from(SHORT), max_size=8), st.lists(st.sampled_from(SHORT), max_size=8))
@settings(max_examples=400)
def test_repeated_names_and_statements_are_compared_whole(before: list[str], after: list[str]) -> None:
    """However often statements are repeated, each is told once, and none as gone that is told as new."""
    edits = compared("\n".join(before), "\n".join(after))
    check_whole(edits)
    gone = {edit.old.text for edit in edits.edits if edit.kind is EditKind.REMOVED and edit.old}
    new = {edit.new.text for edit in edits.edits if edit.kind is EditKind.ADDED and edit.new}
    # A docstring that goes is not the string that comes elsewhere.
    assert not (gone & new) - {'"s"'}


def longest(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """The length of a longest common subsequence, by its definition."""

    @functools.cache
    def length(left: int, right: int) -> int:
        if not left or not right:
            return 0
        if one[left - 1] == other[right - 1]:
            return length(left - 1, right - 1) + 1
        return max(length(left - 1, right), length(left, right - 1))

    return length(len(one), len(other))


NUMBERS = st.lists(st.integers(0, 5), max_size=12).map(tuple)


@given(NUMBERS, NUMBERS)
@settings(max_examples=300)
def test_the_common_subsequence_is_longest(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """The pairs ascend on both sides, hold equal elements, and there are as many as can be."""
    pairs = common(one, other)
    assert all(one[left] == other[right] for left, right in pairs)
    for (left, right), (next_left, next_right) in itertools.pairwise(pairs):
        assert left < next_left
        assert right < next_right
    assert len(pairs) == longest(one, other)


def test_many_equal_elements_cost_no_square() -> None:
    """Thousands of equal elements around edits are matched, by no more comparisons than a few for each."""
    compared_elements = 0

    class Element:
        def __eq__(self, other: object) -> bool:
            nonlocal compared_elements
            compared_elements += 1
            return isinstance(other, Element)

        def __hash__(self) -> int:
            return 1

    old: list[object] = ["x", *(Element() for _ in range(3000)), "y"]
    new: list[object] = ["z", *(Element() for _ in range(2990)), "z"]
    assert len(common(old, new)) == 2990
    assert compared_elements < 50 * 3000


def test_only_edited_statements_are_parsed() -> None:
    """To compare long texts with few edits parses the statements at the edits, and no others."""
    lines = [f"x{number} = {number}" for number in range(3000)]
    old = split(source("\n".join(lines)))
    choose = random.Random(1)  # noqa: S311 - the same edits every time
    for number in choose.sample(range(3000), 10):
        lines[number] += " + 1"
    new = resplit(old, source("\n".join(lines)))
    before = parsed.cache_info()
    edits = diff(old, new)
    after = parsed.cache_info()
    assert sum(edit.kind is EditKind.CHANGED for edit in edits.edits) == 10
    assert after.hits + after.misses - before.hits - before.misses <= 60
