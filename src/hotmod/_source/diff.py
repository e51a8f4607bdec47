"""What an edit did to the statements of a module.

Touches: text and syntax trees; parses only statements whose text is not in both versions.

Guarantees: every statement of either version is in exactly one edit. One that is told as `UNCHANGED`, `MOVED`
or `BODY` does what it did before when it runs, but for the insides of functions and the docstrings of classes
that are named. Spans that are not reordered ascend on both sides.

Assumes: both texts compile. A class is told as `BODY` though its decorator, base or metaclass may look at the
source or at docstrings: only running it could tell.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
from functools import partial
from typing import TYPE_CHECKING

from hotmod._source.align import Piece, align
from hotmod._source.compare import CELLS_OF_CLASS, Comparison, cells_of, compare, docstring_of, same_header
from hotmod._source.names import bound_names
from hotmod._source.part import edited_part, parse_part, shared_lines
from hotmod._source.scopes import joined
from hotmod._source.statements import SHORT, Statement, Statements, names_bound, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Edit", "EditKind", "Edits", "Member", "diff"]

_DOC = "__doc__"
Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class EditKind(enum.Enum):
    """What happened to a statement."""

    UNCHANGED = "unchanged"
    MOVED = "moved"  # other line numbers, layout or comments
    BODY = "body"  # only the inside of functions, or the docstrings of classes
    REDEFINED = "redefined"  # a function or class of the same name, more than its body differs
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # any other statement


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """What happened to a name that the body of a class binds.

    Attributes:
        name: the name; `__doc__` for the docstring, empty for a statement that binds nothing.
        kind: neither `UNCHANGED` nor `MOVED`.
        is_function: whether a `def` binds it, in each version that binds it at all.
        decorated: whether the definition has decorators, now or before.
    """

    name: str
    kind: EditKind
    is_function: bool = False
    decorated: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """What happened to one statement.

    Attributes:
        kind: what.
        old: the statement before, None if it is new.
        new: the statement now, None if it is gone.
        reordered: whether it stands elsewhere relative to those that are not reordered.
        bodies: the qualified names of the outermost functions whose inside differs (`BODY`, `REDEFINED`).
        docs: the qualified names of classes whose docstring differs (`BODY`, `REDEFINED`).
        members: for a redefined class its members that are neither unchanged nor moved.
        header: for a redefined function or class whether decorators, signature, bases, keywords or type
            parameters differ.
        docstring: whether it is the docstring of the module.
    """

    kind: EditKind
    old: Statement | None
    new: Statement | None
    reordered: bool = False
    bodies: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    header: bool = False
    docstring: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the statement binds, or bound if it is gone; `__doc__` for the docstring."""
        statement = self.new or self.old
        names = names_bound(statement.text) if statement else ()
        return (_DOC, *names) if self.docstring else names


@dataclasses.dataclass(frozen=True, slots=True)
class Edits:
    """The difference between two versions of a module.

    Attributes:
        edits: one for each statement, in the order of the new text; removed ones where they stood.
        old: the version before.
        new: the version now.
        whole: why no statement can be trusted to mean what it meant; empty if there is no such reason.
    """

    edits: tuple[Edit, ...]
    old: Statements
    new: Statements
    whole: str = ""

    @property
    def spans(self) -> tuple[tuple[int, int, int, int], ...]:
        """First and last line before, first and last line now, of each statement that is in both."""
        return tuple(
            (edit.old.first, edit.old.last, edit.new.first, edit.new.last)
            for edit in self.edits
            if edit.old and edit.new
        )


def diff(old: Statements, new: Statements) -> Edits:
    """Compare two versions of a module. The answer that was given last is remembered.

    Args:
        old: the statements before.
        new: the statements now.
    """
    last = _last[0]
    if last is None or last.old is not old or last.new is not new:
        last = _last[0] = _diff(old, new)
    return last


_last: list[Edits | None] = [None]


def _diff(old: Statements, new: Statements) -> Edits:
    edits: list[Edit] = []
    olds, news = old.statements, new.statements
    if old.docstring or new.docstring:
        # A string is a docstring by its place, so the two correspond whatever else there is.
        doc = olds[0] if old.docstring else None
        new_doc = news[0] if new.docstring else None
        edits.append(dataclasses.replace(_edit(doc, new_doc), docstring=True))
        olds, news = olds[old.docstring :], news[new.docstring :]
    head, tail = shared_lines([each.text for each in olds], [each.text for each in news])
    edits += map(_edit, olds[:head], news)
    middle, new_middle = olds[head : len(olds) - tail], news[head : len(news) - tail]
    for match in align([_piece(each) for each in middle], [_piece(each) for each in new_middle]):
        before = None if match.old is None else middle[match.old]
        now = None if match.new is None else new_middle[match.new]
        edits.append(_edit(before, now, reordered=match.reordered))
    edits += map(_edit, olds[len(olds) - tail :], news[len(news) - tail :])
    return Edits(tuple(edits), old, new, _whole(old, new))


def _whole(old: Statements, new: Statements) -> str:
    features = sorted(set(old.future) ^ set(new.future))
    return f"`from __future__ import {', '.join(features)}` came or went" if features else ""


def _piece(statement: Statement) -> Piece:
    text = statement.text
    return Piece(text, partial(parsed, text), partial(text.split, "\n"), text)


def _edit(old: Statement | None, new: Statement | None, *, reordered: bool = False) -> Edit:
    if old is None or new is None:
        return Edit(EditKind.REMOVED if new is None else EditKind.ADDED, old, new)
    if old.text == new.text:
        kind = EditKind.UNCHANGED if old.first == new.first else EditKind.MOVED
        return Edit(kind, old, new, reordered)
    lines, new_lines = old.text.split("\n"), new.text.split("\n")
    found = _compare_part(lines, new_lines) if len(lines) > SHORT else None
    if found is not None and not found.outside:
        kind = EditKind.BODY if found else EditKind.MOVED
        return Edit(kind, old, new, reordered, found.bodies, found.docs)
    nodes, new_nodes = parsed(old.text), parsed(new.text)
    found = compare((nodes, lines), (new_nodes, new_lines))
    kind = _kind(nodes, new_nodes, found)
    if kind is EditKind.CHANGED:
        return Edit(kind, old, new, reordered)
    if kind is not EditKind.REDEFINED:
        return Edit(kind, old, new, reordered, found.bodies, found.docs)
    node, new_node = nodes[0], new_nodes[0]
    members = _Members()
    if isinstance(node, ast.ClassDef) and isinstance(new_node, ast.ClassDef):
        members.compare((node, lines), (new_node, new_lines))
        found = Comparison(outside=True, bodies=tuple(members.bodies), docs=tuple(members.docs))
    header = not same_header(node, new_node)  # type: ignore[arg-type] # only definitions are redefined
    return Edit(kind, old, new, reordered, found.bodies, found.docs, tuple(members.found), header)


def _compare_part(old: Sequence[str], new: Sequence[str]) -> Comparison | None:
    """Compare those members of a class that were edited; None if only all of the class tells."""
    part = edited_part(old, new)
    nodes = part and parse_part(old, part, part.old_end)
    new_nodes = part and parse_part(new, part, part.new_end)
    if not part or not nodes or not new_nodes:
        return None
    return compare(nodes, new_nodes, part.owner, CELLS_OF_CLASS)


def _kind(old: Sequence[ast.stmt], new: Sequence[ast.stmt], found: Comparison) -> EditKind:
    """What happened to a statement whose text differs."""
    if not found:
        return EditKind.MOVED
    if not found.outside:
        return EditKind.BODY
    node, new_node = old[0], new[0]
    both = [
        kind for kind in (_FUNCTIONS, ast.ClassDef) if isinstance(node, kind) and isinstance(new_node, kind)
    ]
    redefined = both and getattr(node, "name", None) == getattr(new_node, "name", None)
    return EditKind.REDEFINED if redefined else EditKind.CHANGED


class _Members:
    """The differences between the bodies of two versions of a class."""

    def __init__(self) -> None:
        self.found: list[Member] = []
        self.bodies: dict[str, None] = {}
        self.docs: dict[str, None] = {}

    def compare(
        self, old: tuple[ast.ClassDef, Sequence[str]], new: tuple[ast.ClassDef, Sequence[str]]
    ) -> None:
        name, cells = new[0].name, cells_of(new[0], frozenset())
        (doc, olds), (new_doc, news) = docstring_of(old[0]), docstring_of(new[0])
        if doc != new_doc:
            kind = (
                EditKind.ADDED if doc is None else EditKind.REMOVED if new_doc is None else EditKind.CHANGED
            )
            self.found.append(Member(_DOC, kind))
            self.docs[name] = None
        pieces = (
            [_member_piece(node, old[1]) for node in olds],
            [_member_piece(node, new[1]) for node in news],
        )
        for match in align(*pieces):
            before = [] if match.old is None else [olds[match.old]]
            now = [] if match.new is None else [news[match.new]]
            if not before or not now:
                kind = EditKind.ADDED if now else EditKind.REMOVED
                self._tell(dict.fromkeys(bound_names([*before, *now]) or [""], kind), before, now)
                continue
            found = compare((before, old[1]), (now, new[1]), name, cells)
            if found:
                self.bodies |= dict.fromkeys(found.bodies)
                self.docs |= dict.fromkeys(found.docs)
                self._tell(_kinds(before, now, found, name), before, now)

    def _tell(self, kinds: dict[str, EditKind], old: list[ast.stmt], new: list[ast.stmt]) -> None:
        sides = [(set(bound_names(side)), list(_definitions(side))) for side in (old, new)]
        for name, kind in kinds.items():
            own = [[node for node in every if node.name == name] for names, every in sides if name in names]
            function = bool(own) and all(side and isinstance(side[-1], _FUNCTIONS) for side in own)
            decorated = any(node.decorator_list for side in own for node in side)
            self.found.append(Member(name, kind, function, decorated))


def _kinds(old: list[ast.stmt], new: list[ast.stmt], found: Comparison, owner: str) -> dict[str, EditKind]:
    """What happened to each name that two versions of a statement in the body of a class bind."""
    kind = _kind(old, new, found)
    if kind is EditKind.BODY:
        inside = [name.removeprefix(joined(owner, "")) for name in (*found.bodies, *found.docs)]
        return {name.partition(".")[0]: kind for name in inside}
    names, new_names = bound_names(old), bound_names(new)
    gone = {name: EditKind.REMOVED for name in names if name not in new_names}
    return gone | {name: kind if name in names else EditKind.ADDED for name in new_names} or {"": kind}


def _member_piece(node: ast.stmt, lines: Sequence[str]) -> Piece:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    key = (node.col_offset, node.end_col_offset, *lines[first - 1 : node.end_lineno])
    return Piece(key, lambda: (node,), lambda: lines)


def _definitions(
    nodes: Sequence[ast.stmt],
) -> Iterator[Function | ast.ClassDef]:
    """The definitions among statements and in their blocks, in the order of the text."""
    left: list[ast.AST] = list(reversed(nodes))
    while left:
        node = left.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node
        elif isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)):
            left += reversed(list(ast.iter_child_nodes(node)))
