"""The blocks around the lines of a text, told from indentation.

Touches: text.

Guarantees: what `Nest` says of a line is what the tree says of the statement there, or it gives up
(`Undecided`): on tabs and form feeds, and on heads of blocks that can't be read for sure.

Assumes: the text is Python, begins with a newline, and the lines asked about are the first lines of their
statements. Then every line above that is indented by less and begins with a keyword of a block opens one,
unless it stands in a string or, for the few keywords that expressions have too, in brackets.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import TYPE_CHECKING

from hotmod._source.dynamic import Context
from hotmod._source.imports import ImportKind
from hotmod._source.lexer import Undecided, balanced, blocks
from hotmod._source.parse import LOOKED_AT
from hotmod._source.treescan import Guard, guard_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotmod._source.lexer import Block, Strings

__all__ = ["TOP", "Nest"]

TOP = Context()

# What a test has to hold to be more than plain, unless it is a constant.
_TEST_WORDS = ("TYPE_CHECKING", "__main__")
# The lines of a head up to the first one that ends in a colon.
_HEAD = re.compile(r"(?:\n[^\n]*[^\n: ])*?\n[^\n]*: *(?=\n|#)")
_CONSTANT = re.compile(r"""[(\s]*(?:not\b[(\s]*)?(?:False\b|None\b|[0-9.]|[bBrRuUfF]*["'])""")
_TABBED = re.compile(r"\n *\t")
_NAME = re.compile(r" +([A-Za-z_]\w*) *[\[(:]", re.ASCII)
_CODE = re.compile(r"\n( *+)[^ \n#)\]}]")


@dataclasses.dataclass(slots=True)
class _Open:
    """A block that is open at some line, with the blocks of the same statement before it."""

    block: Block
    before: _Open | None
    context: Context | None = None


class Nest:
    """The blocks around the lines of a text, asked for from top to bottom."""

    def __init__(self, text: str, last: int, indent: int, strings: Strings) -> None:
        self._text = text
        self._strings = strings
        self._open: list[_Open] = []
        self._next = 0
        self._blocks: list[Block] = []
        if last:
            if "\f" in text or ("\t" in text and not all(map(strings.cover, _tabs(text, last)))):
                raise Undecided
            cover = strings.cover
            self._blocks = [block for block in blocks(text, last, indent) if not cover(block[3])]

    def around(self, line_start: int, indent: int) -> Context:
        """Where an indented statement stands, given the position of its line."""
        opened = self._opened(line_start, indent)
        if not opened or opened[0].block[0]:
            raise Undecided
        return self._context(opened, line_start)

    def function(self, position: int) -> tuple[int, int, Context] | None:
        """The innermost function around a position, from newline to newline, and where it stands."""
        text = self._text
        line_start = text.rfind("\n", 0, position) + 1
        indent = len(text[line_start:position]) - len(text[line_start:position].lstrip(" "))
        opened = self._opened(line_start, indent)
        while opened and opened[-1].block[1] != "def":
            opened = opened[:-1]
        if len(opened) < 2:  # noqa: PLR2004 - a top-level one is no smaller than its statement
            return None
        indent, _, _, start = opened[-1].block
        end = text.find("\n", start + 1)
        while end + 1 < len(text):
            found = _CODE.match(text, end)
            if found and len(found[1]) <= indent and not self._strings.cover(end):
                break
            end = text.find("\n", end + 1)
        return (start, end, self._context(opened[:-1], line_start)) if end > position else None

    def _opened(self, line_start: int, indent: int) -> list[_Open]:
        """The blocks that are open at a line, outermost first."""
        opened, listed = self._open, self._blocks
        while self._next < len(listed) and listed[self._next][3] < line_start - 1:
            block = listed[self._next]
            before = None
            while opened and opened[-1].block[0] >= block[0]:
                closed = opened.pop()
                before = closed if closed.block[0] == block[0] else None
            opened.append(_Open(block, before))
            self._next += 1
        # Not for good: the line may be the continuation of one that stands deeper.
        return [each for each in opened if each.block[0] < indent]

    def _context(self, opened: list[_Open], line_start: int) -> Context:
        context = TOP
        for each in opened:
            if each.context is None:
                each.context = self._inside(each, context, line_start)
            context = each.context
        return context

    def _inside(self, each: _Open, outer: Context, line_start: int) -> Context:
        _, keyword, end, position = each.block
        if keyword in {"def", "class"}:
            found = _NAME.match(self._text, end)
            if found is None:
                raise Undecided
            where = f"{outer.where}.{found[1]}" if outer.where else found[1]
            if keyword == "class":
                return dataclasses.replace(outer, where=where)
            never = outer.kind is ImportKind.TYPE_CHECKING
            kind = outer.kind if never else ImportKind.DEFERRED
            return Context(where, deferred=True, kind=kind)
        if keyword in {"if", "for", "match", "case"} and not balanced(self._text[position:line_start]):
            raise Undecided  # a line inside brackets that only looks like the head of a block
        plain = outer
        if outer.kind is ImportKind.EAGER:
            plain = dataclasses.replace(outer, kind=ImportKind.CONDITIONAL)
        if keyword in {"if", "elif", "else"}:
            return self._branch(each, outer, plain)
        return plain

    def _branch(self, each: _Open, outer: Context, plain: Context) -> Context:
        keyword = each.block[1]
        before, guards = each.before, []
        if keyword != "if":
            if before is None:
                raise Undecided
            while before is not None and before.block[1] in {"if", "elif"}:
                guards.append(_guard(self._text, before.block))
                if before.block[1] == "if":
                    break
                before = before.before
                if before is None:
                    raise Undecided
        guard = Guard.PLAIN if keyword == "else" else _guard(self._text, each.block)
        if Guard.NOT_TYPES in guards or guard is Guard.TYPES:
            return dataclasses.replace(outer, kind=ImportKind.TYPE_CHECKING)
        return dataclasses.replace(plain, deferred=True) if guard is Guard.MAIN else plain


def _tabs(text: str, end: int) -> Iterator[int]:
    """The lines before `end` that are indented by tabs."""
    return (found.start() for found in _TABBED.finditer(text, 0, end))


def _guard(text: str, block: Block) -> Guard:
    """What the test on the head of an `if` or `elif` says."""
    _, keyword, end, position = block
    test = text[end : text.find("\n", end)].partition("#")[0].strip()
    if test in {"TYPE_CHECKING:", "typing.TYPE_CHECKING:", "t.TYPE_CHECKING:"}:
        return Guard.TYPES
    if not test.endswith(":") or "\\" in test or not balanced(test):
        found = _HEAD.match(text, position)
        if found is None or not balanced(found[0]):
            raise Undecided
        test = found[0].partition(keyword)[2].strip()
    if not any(word in test for word in _TEST_WORDS) and not _CONSTANT.match(test):
        return Guard.PLAIN
    return guard_of(ast.parse(f"({test.removesuffix(':')}\n)", LOOKED_AT, mode="eval").body)
