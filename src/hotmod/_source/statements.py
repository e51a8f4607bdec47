r"""A module's text as a sequence of top-level statements, found anew at the cost of what was edited.

Touches: text and syntax trees; keeps no tree but those that a cache of limited size holds.

Guarantees: the text of each statement parses by itself (`parsed`), to what it is in the module. No line
belongs to two statements; what belongs to none is blank or a comment. `resplit(old, text)` is `split(text)`,
errors included.

Assumes: whoever trusts a text compiles all of it as well. What only the compiler refuses (`return` outside of
a function, say) is not found here.

Why it is enough to parse what was edited
    The tokenizer reads from left to right. After the last line of a statement its state is the same whatever
    comes next, unless the text ends there: no bracket, string or continued line is open. So the statements
    that end above the first edited line stay what they are, if nothing that follows is attached to them; what
    is attached begins with an indented line, `else`, `except`, and doesn't parse by itself. What lies below
    begins with an unindented line, at which the state is the same again if the edited part left nothing open.
    That is tried: the part is parsed with one more statement in place of those below, which must come out as
    a statement of one line. Whenever any of this fails, the whole text is parsed.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError
from hotmod._source.names import bound_names
from hotmod._source.parse import decode, parse_decoded
from hotmod._source.part import edited_part, parse_part, shared_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hotmod._model.changes import SourceText

__all__ = [
    "SHORT",
    "Statement",
    "Statements",
    "future_features",
    "is_docstring",
    "names_bound",
    "parsed",
    "resplit",
    "split",
    "split_nodes",
]

SHORT = 60  # lines of a statement that is parsed sooner than it is looked through for its members
_SENTINEL = "pass"
# What the text of a docstring can begin with: a prefix, a quote, a bracket or a continued line.
_BEGINS_STRING = frozenset("\"'rRuU(\\")


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    r"""One top-level statement of a module, or several that share a line.

    Attributes:
        first: its first line, counted from 1, decorators included.
        last: its last line.
        text: these lines, joined by `\n`, without a final one.
    """

    first: int
    last: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Statements:
    """The statements of one text.

    Attributes:
        statements: in the order of the text.
        lines: the lines of the decoded text; the last one is empty if the text ends with a line end.
        docstring: whether the first statement is the module's docstring.
        future: the features that `from __future__ import ...` names, in order.
    """

    statements: tuple[Statement, ...]
    lines: tuple[str, ...] = dataclasses.field(repr=False)
    docstring: bool
    future: tuple[str, ...]


def split(text: SourceText) -> Statements:
    """The statements of a text.

    Raises:
        SourceError: the text can't be decoded or parsed.
    """
    return _split(decode(text), text.path)


def split_nodes(text: SourceText) -> tuple[Statements, tuple[tuple[ast.stmt, ...], ...]]:
    """The statements of a text, and the nodes of each, which nobody should keep.

    Raises:
        SourceError: the text can't be decoded or parsed.
    """
    decoded = decode(text)
    lines = tuple(decoded.split("\n"))
    body = parse_decoded(decoded, text.path).body
    statements = _told(_grouped(body, lines, 0), lines)
    grouped: list[list[ast.stmt]] = [[] for _ in statements.statements]
    ends = [each.last for each in statements.statements]
    for node in body:
        grouped[bisect_left(ends, node.lineno)].append(node)
    return statements, tuple(map(tuple, grouped))


def resplit(old: Statements, text: SourceText) -> Statements:
    """The statements of a text that was edited; the same value as `split(text)`.

    Args:
        old: the statements before the edit.
        text: the text after it.

    Raises:
        SourceError: the text can't be decoded or parsed.
    """
    decoded = decode(text)
    lines = tuple(decoded.split("\n"))
    before = old.statements
    head, tail = shared_lines(old.lines, lines)
    # A statement on the last line is read again: a line continued onto an empty one is an error only there.
    leading = bisect_right(before, min(head, len(lines) - 1), key=attrgetter("last"))
    following = max(leading, bisect_right(before, len(old.lines) - tail, key=attrgetter("first")))
    shift = len(lines) - len(old.lines)
    above = before[leading - 1].last if leading else 0
    below = before[following].first - 1 + shift if following < len(before) else len(lines)
    edited: Sequence[Statement] | None = None
    if following - leading == 1:
        edited = _resplit_one(before[leading], lines, shift, (head, len(old.lines) - tail))
    if edited is None:
        edited = _parse_between(lines, above, below)
    if edited is None:
        return _split(decoded, text.path)
    rest = before[following:]
    if shift:
        rest = tuple(Statement(each.first + shift, each.last + shift, each.text) for each in rest)
    return _told((*before[:leading], *edited, *rest), lines)


@functools.lru_cache(maxsize=64)  # trees are large
def parsed(text: str) -> tuple[ast.stmt, ...]:
    """The nodes of a statement, with lines counted from its first. Nobody may change them.

    Args:
        text: the text of a `Statement`.

    Raises:
        SourceError: the text is not that of a statement, or nests too deeply for the stack there is.
    """
    # The line end is needed below a continued line: the tokenizer wants a line there, though an empty one.
    return tuple(parse_decoded(f"{text}\n", "<statement>").body)


@functools.lru_cache(maxsize=1024)  # asked of edited statements only
def names_bound(text: str) -> tuple[str, ...]:
    """The names that a statement binds at module level when it runs, in the order of the text, each once.

    Args:
        text: the text of a `Statement`.

    Raises:
        SourceError: the text is not that of a statement, or nests too deeply for the stack there is.
    """
    return bound_names(parsed(text))


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a docstring if it comes first."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def future_features(text: str) -> list[str]:
    """The features that a top-level statement turns on, or several that share a line.

    Args:
        text: the text of a `Statement`.
    """
    return [each for node in parsed(text) for each in _features(node)] if "__future__" in text else []


def _features(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "__future__" and not node.level:
        return [alias.name for alias in node.names]
    return []


def _split(decoded: str, path: str) -> Statements:
    lines = tuple(decoded.split("\n"))
    return _told(_grouped(parse_decoded(decoded, path).body, lines, 0), lines)


def _told(statements: Sequence[Statement], lines: tuple[str, ...]) -> Statements:
    """The statements with what only their order tells: which is the docstring, which features are on."""
    docstring = False
    future: list[str] = []
    for number, statement in enumerate(statements):
        if "__future__" not in statement.text and (
            number or statement.text.lstrip()[:1] not in _BEGINS_STRING
        ):
            break
        for place, node in enumerate(parsed(statement.text)):
            if features := _features(node):
                future += features
            elif number == place == 0 and is_docstring(node):
                docstring = True
            else:
                return Statements(tuple(statements), lines, docstring, tuple(future))
    return Statements(tuple(statements), lines, docstring, tuple(future))


def _resplit_one(
    old: Statement, lines: tuple[str, ...], shift: int, edit: tuple[int, int]
) -> list[Statement] | None:
    """A statement that was edited below its first line, if it is plain that it is still one.

    One of a few lines tells by itself, and its nodes will be asked for again; a class by its members.

    Args:
        old: the statement before.
        lines: all lines of the text.
        shift: how many lines there are more than before.
        edit: how many lines come before the edited ones; how many came before the end of these.
    """
    last = old.last + shift
    if not old.first <= edit[0] or not edit[1] <= old.last:
        return None
    new_lines = lines[old.first - 1 : last]
    text = "\n".join(new_lines)
    if len(new_lines) <= SHORT:
        return [Statement(old.first, last, text)] if _is_one(text, len(new_lines)) else None
    part = edited_part(old.text.split("\n"), new_lines)
    if part is None or parse_part(new_lines, part, part.new_end) is None:
        return None
    return [Statement(old.first, last, text)]


def _is_one(text: str, lines: int) -> bool:
    """Whether some lines are one statement, that ends with them."""
    try:
        nodes = parsed(text)
    except SourceError:
        return False
    # what joins the last line to those below is for the whole text to tell
    return len(nodes) == 1 and nodes[0].end_lineno == lines and not text.endswith("\\")


def _parse_between(lines: tuple[str, ...], above: int, below: int) -> list[Statement] | None:
    """The statements between two lines, if these lines are statements by themselves.

    Args:
        lines: all lines of the text.
        above: how many of them come before.
        below: how many come before the statement that follows.

    Returns:
        The statements; None if only the whole text tells.
    """
    sentinel = [] if below == len(lines) else [_SENTINEL]
    part = (*lines[:below], *sentinel)
    # Empty lines above keep the line numbers right. They cost 0.3 ms for 10,000.
    try:
        body = parse_decoded("\n" * above + "\n".join(part[above:]), "<statement>").body
    except SourceError:
        return None
    statements = _grouped(body, part, above)
    if sentinel and statements.pop() != Statement(below + 1, below + 1, _SENTINEL):
        return None
    return statements


def _grouped(body: Iterable[ast.stmt], lines: Sequence[str], above: int) -> list[Statement]:
    """Nodes as statements, those together that share a line.

    Args:
        body: consecutive nodes of a module.
        lines: the lines of the module.
        above: how many lines belong to what comes before.
    """
    extents: list[tuple[int, int]] = []
    last = above
    for node in body:
        first = extents.pop()[0] if extents and node.lineno <= last else _begin(lines, last)
        last = max(last, _reach(node, lines))
        extents.append((first, last))
    return [Statement(first, last, "\n".join(lines[first - 1 : last])) for first, last in extents]


def _begin(lines: Sequence[str], last: int) -> int:
    """The first line below `last` that is neither blank nor a comment.

    No node tells: `@` and its brackets are part of no node, nor is a continued line above a statement.
    """
    index = last
    while not (stripped := lines[index].lstrip()) or stripped[0] == "#":
        index += 1
    return index + 1


def _reach(node: ast.stmt, lines: Sequence[str]) -> int:
    r"""The last line of a node, and those below that a `\` at the end joins to it."""
    last = node.end_lineno or node.lineno
    rest = lines[last - 1]
    if rest.endswith("\\"):
        rest = rest.encode()[node.end_col_offset :].decode()
        while rest.endswith("\\") and "#" not in rest:
            rest = lines[last]
            last += 1
    return last
