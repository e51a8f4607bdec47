"""Where two versions of a statement differ: inside of functions, in the docstrings of classes, or elsewhere.

Touches: syntax trees and the lines that they were read from.

Guarantees: positions, comments and layout are no difference; the type of a literal is (`1`, `1.0` and `True`
differ). Nothing here recurses, so the depth of a tree is no limit. Statements whose text is the same are not
looked into.

Assumes: nobody declares `__class__` or a type parameter `nonlocal`. What only some interpreters count as a
use of them (in the annotation of a local name, say) counts.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING

from hotmod._source.names import bound_names
from hotmod._source.scopes import joined, parameters
from hotmod._source.statements import is_docstring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["CELLS_OF_CLASS", "Comparison", "cells_of", "compare", "docstring_of", "same_header", "ties"]

Function = ast.FunctionDef | ast.AsyncFunctionDef

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match),
)
_SUITES = frozenset(("body", "orelse", "finalbody"))
_CLAUSES = frozenset(("handlers", "cases"))

# A node, whether what it yields is yielded by the function itself, and the cells that it can use.
_Visit = tuple[ast.AST, bool, frozenset[str]]

_NONE: frozenset[str] = frozenset()
_CLASS = "__class__"

# What functions in the body of a class without type parameters can take from it.
CELLS_OF_CLASS = frozenset((_CLASS,))


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Where two versions of statements differ.

    Attributes:
        outside: whether they differ in more than bodies of functions and docstrings of classes, or so that
            the function can't just be given the new body.
        bodies: the qualified names of the outermost functions whose inside differs, in the order of the text.
        docs: the qualified names of the classes whose docstring differs, in the order of the text.
    """

    outside: bool
    bodies: tuple[str, ...]
    docs: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether they differ at all."""
        return bool(self.outside or self.bodies or self.docs)


def compare(
    old: tuple[Sequence[ast.stmt], Sequence[str]],
    new: tuple[Sequence[ast.stmt], Sequence[str]],
    path: str = "",
    cells: frozenset[str] = _NONE,
) -> Comparison:
    """Compare two versions of statements.

    Args:
        old: nodes, and the lines in which their positions count.
        new: the same after the edit.
        path: the qualified name of the class in whose body they stand.
        cells: the names that functions among them can take from the classes around (`cells_of`).
    """
    walk = _Walk(old[1], new[1])
    walk.run(old[0], new[0], path, cells)
    bodies = dict.fromkeys(name for _, name in sorted(walk.bodies))
    docs = dict.fromkeys(name for _, name in sorted(walk.docs))
    return Comparison(walk.outside, tuple(bodies), tuple(docs))


def same_header(old: Function | ast.ClassDef, new: Function | ast.ClassDef) -> bool:
    """Whether two definitions agree in all but their bodies and the word `async`."""
    return all(
        _same(getattr(old, field, None), getattr(new, field, None))
        for field in new._fields
        if field != "body"
    )


def docstring_of(node: ast.ClassDef) -> tuple[str | None, list[ast.stmt]]:
    """The docstring of a class as its text spells it, and the other statements of its body."""
    first = node.body[0]
    if is_docstring(first) and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return str(first.value.value), node.body[1:]
    return None, node.body


def cells_of(node: ast.stmt, around: frozenset[str]) -> frozenset[str]:
    """The names that functions in the body of a definition can take from it, and from what is around."""
    parameters = frozenset(each.name for each in getattr(node, "type_params", ()))
    return around | parameters | (CELLS_OF_CLASS if isinstance(node, ast.ClassDef) else _NONE)


class _Walk:
    """One walk over two versions at once."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old, self._new = old, new
        self._left: list[tuple[Sequence[ast.stmt], Sequence[ast.stmt], str, frozenset[str]]] = []
        self.outside = False
        self.bodies: list[tuple[int, str]] = []
        self.docs: list[tuple[int, str]] = []

    def run(
        self, olds: Sequence[ast.stmt], news: Sequence[ast.stmt], path: str, cells: frozenset[str]
    ) -> None:
        self._left.append((olds, news, path, cells))
        while self._left:
            olds, news, path, cells = self._left.pop()
            if len(olds) != len(news):
                self.outside = True
                continue
            for old, new in zip(olds, news, strict=True):
                if not self._same_text(old, new):
                    self._statement(old, new, path, cells)

    def _statement(self, old: ast.stmt, new: ast.stmt, path: str, cells: frozenset[str]) -> None:
        if isinstance(old, _FUNCTIONS) and isinstance(new, _FUNCTIONS):
            self._function(old, new, path, cells)
        elif type(old) is not type(new):
            self.outside = True
        elif isinstance(old, ast.ClassDef) and isinstance(new, ast.ClassDef):
            self._class(old, new, path, cells)
        elif isinstance(old, _BLOCKS):
            self._block(old, new, path, cells)
        elif not self._same(old, new):
            self.outside = True

    def _function(self, old: Function, new: Function, path: str, cells: frozenset[str]) -> None:
        if type(old) is not type(new) or not same_header(old, new):
            self.outside = True
        if not self._same(old.body, new.body):
            self.bodies.append((new.lineno, joined(path, new.name)))
            cells = cells_of(new, cells)
            if ties(old, cells) != ties(new, cells):
                self.outside = True

    def _class(self, old: ast.ClassDef, new: ast.ClassDef, path: str, cells: frozenset[str]) -> None:
        path = joined(path, new.name)
        if not same_header(old, new):
            self.outside = True
        (doc, olds), (new_doc, news) = docstring_of(old), docstring_of(new)
        if doc != new_doc:
            self.docs.append((new.lineno, path))
            # Such a body uses its docstring, or replaces it, so that setting `__doc__` would not do.
            if any(map(_mentions_doc, (*olds, *news))):
                self.outside = True
        self._left.append((olds, news, path, cells_of(new, cells)))

    def _block(self, old: ast.AST, new: ast.AST, path: str, cells: frozenset[str]) -> None:
        """A statement with blocks, or one of its clauses; both of the same type."""
        for field in new._fields:
            one, other = getattr(old, field), getattr(new, field)
            if field in _SUITES and isinstance(one, list):
                self._left.append((one, other, path, cells))
            elif field in _CLAUSES:
                if len(one) != len(other):
                    self.outside = True
                else:
                    for clause, new_clause in zip(one, other, strict=True):
                        self._block(clause, new_clause, path, cells)
            elif not self._same(one, other):
                self.outside = True

    def _same(self, old: object, new: object) -> bool:
        return _same(old, new, self._same_text)

    def _same_text(self, old: ast.stmt, new: ast.stmt) -> bool:
        """Whether two statements stand in the same columns of the same text."""
        first, new_first = _start(old), _start(new)
        return (
            first[1:] == new_first[1:]
            and old.end_col_offset == new.end_col_offset
            and self._old[first[0] - 1 : old.end_lineno] == self._new[new_first[0] - 1 : new.end_lineno]
        )


def _same(old: object, new: object, same_text: Callable[[ast.stmt, ast.stmt], bool] | None = None) -> bool:
    """Whether two trees, lists of trees or values are equal, positions apart.

    Args:
        old: the one.
        new: the other.
        same_text: tells without a walk that two statements are equal; it may not know.
    """
    left = [(old, new)]
    while left:
        one, other = left.pop()
        if one is other:
            continue
        if type(one) is not type(other):
            return False
        if isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            left += zip(one, other, strict=True)
        elif isinstance(one, ast.Constant) and isinstance(other, ast.Constant):
            # Not their `kind`: the u of u"..." changes nothing.
            left.append((one.value, other.value))
        elif isinstance(one, ast.AST):
            if (
                same_text
                and isinstance(one, ast.stmt)
                and isinstance(other, ast.stmt)
                and same_text(one, other)
            ):
                continue
            left += ((getattr(one, field, None), getattr(other, field, None)) for field in one._fields)
        elif one != other:
            return False
    return True


def _start(node: ast.stmt) -> tuple[int, int, int]:
    """The first line of a statement, the column there, and the column below its decorators."""
    decorators = getattr(node, "decorator_list", None)
    if decorators:
        return decorators[0].lineno, decorators[0].col_offset, node.col_offset
    return node.lineno, node.col_offset, node.col_offset


def ties(function: Function, cells: frozenset[str]) -> tuple[bool, frozenset[str], frozenset[str]]:
    """What ties the body of a function to what is around, or makes it another kind of function.

    Returns:
        Whether it yields, which of `cells` it uses, which names it declares global.
    """
    found = _mentions(function, cells, hidden=False)
    # To know which names a function binds itself takes longer than all the rest, and it is rarely asked.
    return _mentions(function, found[1], hidden=True) if found[1] else found


def _mentions(
    function: Function, cells: frozenset[str], *, hidden: bool
) -> tuple[bool, frozenset[str], frozenset[str]]:
    yields = False
    used: set[str] = set()
    shared: set[str] = set()
    cells = _seen(function, cells, hidden=hidden)
    todo: list[_Visit] = [(node, True, cells) for node in function.body]
    while todo:
        node, own, cells = todo.pop()
        if isinstance(node, ast.Name):
            name = _CLASS if node.id == "super" and isinstance(node.ctx, ast.Load) else node.id
            used.update(cells & {name})
            continue
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            yields |= own
        elif isinstance(node, ast.Global):
            shared.update(node.names)
        todo += _inside(node, own=own, cells=cells, hidden=hidden)
    return yields, frozenset(used), frozenset(shared)


def _inside(node: ast.AST, *, own: bool, cells: frozenset[str], hidden: bool) -> Iterator[_Visit]:
    """The children of a node, whether what they yield is the function's own, and the cells they can use."""
    if not isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
        yield from ((child, own, cells) for child in ast.iter_child_nodes(node))
        return
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    inner = cells - {_CLASS} if isinstance(node, ast.ClassDef) else _seen(node, cells, hidden=hidden)
    for child in ast.iter_child_nodes(node):
        inside = any(child is each for each in body)
        yield child, own and not inside, inner if inside else cells


def _seen(function: Function | ast.Lambda, cells: frozenset[str], *, hidden: bool) -> frozenset[str]:
    """Those of the cells that a function sees; if asked, without those whose names it binds itself."""
    if not hidden or not cells:
        return cells
    bound = () if isinstance(function, ast.Lambda) else bound_names(function.body)
    return cells - parameters(function) - set(bound)


def _mentions_doc(statement: ast.stmt) -> bool:
    """Whether a statement of a class body uses the name `__doc__` while it runs."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        if isinstance(node, ast.Name) and node.id == "__doc__":
            return True
        children: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            children = (child for child in children if not isinstance(child, ast.stmt))
        left += children
    return False
