r"""The members of a class among which an edit lies, so that the rest of the class need not be parsed.

Touches: text and syntax trees.

Guarantees: what is parsed by itself is, in either version of the class, a run of whole statements of one
block directly in the class; all else is the same text in both. It gives up (None) rather than guess.

Assumes: the old text is a statement that parses.

Why it is enough to parse that
    A line outside of strings, not continued from the line before, that begins with `def` or `class` begins a
    statement: both are keywords. With the smallest indentation of all such lines below the head of the class
    it stands in no other class or function. The part between two such lines parses as one block, with one
    more statement below it that must come out by itself; so it leaves nothing open and ends no block around.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError
from hotmod._source.lexer import Strings, Undecided
from hotmod._source.parse import parse_decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Part", "edited_part", "parse_part", "shared_lines"]

_OWNER = re.compile(r"^class +(\w+) *[(:]", re.MULTILINE)
_MEMBER = re.compile(r"^([ \t]+)(?:def|class|async +def)\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The members of a class among which two versions of it differ.

    Attributes:
        owner: the name of the class.
        indent: the columns by which the members are indented.
        begin: the index of their first line, in both versions.
        old_end: the index of the line after their last, in the old version.
        new_end: the same in the new version.
        is_last: whether the class ends there.
    """

    owner: str
    indent: int
    begin: int
    old_end: int
    new_end: int
    is_last: bool


def edited_part(old: Sequence[str], new: Sequence[str]) -> Part | None:
    """Find the members of a class among which two versions of it differ.

    Args:
        old: the lines of a statement.
        new: the lines of it after an edit.

    Returns:
        Where they stand; None if it is no class, or the edit is not limited to members that are definitions.
    """
    head, tail = shared_lines(old, new)
    text = "\n".join(("", *old, ""))
    owner = _OWNER.search(text) if old[0].startswith(("class", "@")) else None
    if owner is None:
        return None
    try:
        members = _members(text, Strings(text), owner)
    except Undecided:
        return None
    indent = min((columns for columns, _ in members), default=0)
    above = [line for columns, line in members if columns == indent and line < head]
    below = [line for columns, line in members if columns == indent and line >= len(old) - tail]
    if not above:
        return None
    end = below[0] if below else len(old)
    return Part(owner[1], indent, above[-1], end, end + len(new) - len(old), not below)


def parse_part(lines: Sequence[str], part: Part, end: int) -> tuple[Sequence[ast.stmt], Sequence[str]] | None:
    """Parse the members of a class that are a part.

    Args:
        lines: the lines of the statement, in one of its versions.
        part: the part.
        end: its end in that version.

    Returns:
        The nodes, and the lines in which their positions count; None if the part is nothing by itself.
    """
    sentinel = ("" if part.is_last else " " * part.indent) + "pass"
    # The block begins on the line above, so that line numbers are those of the file.
    block = (*[""] * (part.begin - 1), "if 1:", *lines[part.begin : end], sentinel)
    try:
        body = parse_decoded("\n".join(block), "<statement>").body
    except SourceError:
        return None
    frame = body.pop(0)
    # A continued line could join the sentinel to what is above it (`a; \`), though no definition.
    if not isinstance(frame, ast.If) or frame.orelse or block[-2].endswith("\\"):
        return None
    if part.is_last:
        # What ends the class must still end it: it may be a comment by now.
        closed = len(body) == 1 and frame.end_lineno == len(block) - 1
        return (frame.body, block) if closed else None
    last = frame.body.pop()
    return (frame.body, block) if last.lineno == len(block) else None


def shared_lines(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines two texts have in common from the first on, and from the last back; none twice."""
    old, new = tuple(old), tuple(new)
    head = _shared(old, new)
    tail = _shared(old[::-1], new[::-1])
    return head, min(tail, min(len(old), len(new)) - head)


def _members(text: str, strings: Strings, owner: re.Match[str]) -> list[tuple[int, int]]:
    """Indentation and line index of each definition below the head of a class.

    Raises:
        Undecided: strings or indentation can't be followed.
    """
    if strings.cover(owner.start()):
        raise Undecided
    members = []
    line, position = -1, 0
    for found in _MEMBER.finditer(text, owner.end()):
        start = found.start()
        line += text.count("\n", position, start)
        position = start
        if strings.cover(start) or text[start - 2] == "\\":
            continue
        if "\t" in found[1]:
            raise Undecided
        members.append((len(found[1]), line))
    return members


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        # Slices are compared in C; halves of what is left cost about one pass in all.
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
