"""Which attributes the instances of a class get when they are made, as its text tells.

Touches: nothing; works on parsed text.

Guarantees: an attribute in a shape is set by `__init__` (or `__post_init__`, `__attrs_post_init__`) through
its first parameter, or is a field that the class body annotates and a decorator or a base class may make
the constructor set. What a constructor sets by other means is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.diff import Edit, EditKind, Edits
from hotmod._source.memory import remembered
from hotmod._source.parse import parse
from hotmod._source.statements import parsed

__all__ = ["Shapes", "edited_shapes", "shapes"]

Shapes = Mapping[str, frozenset[str]]
"""The attributes that constructors set, by the qualified name of the class."""

_CONSTRUCTORS = frozenset(("__init__", "__post_init__", "__attrs_post_init__"))


@remembered
def shapes(text: SourceText) -> Shapes:
    """The shapes of the classes of a text; {} for text with errors."""
    try:
        return _shapes(parse(text).body)
    except SourceError:
        return {}


def edited_shapes(edits: Edits) -> tuple[Shapes, Shapes]:
    """The shapes before and after of the classes in statements that differ, if constructors may."""
    old, new = dict[str, frozenset[str]](), dict[str, frozenset[str]]()
    for edit in filter(_may_reshape, edits.edits):
        for statement, found in ((edit.old, old), (edit.new, new)):
            try:
                found.update(_shapes(parsed(statement.text)) if statement is not None else {})
            except SourceError:  # nested too deeply for the stack there is
                continue
    return old, new


def _may_reshape(edit: Edit) -> bool:
    if edit.kind is EditKind.BODY:
        return any(name.rpartition(".")[2] in _CONSTRUCTORS for name in edit.bodies)
    return edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED)


def _shapes(nodes: Iterable[ast.stmt]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    todo: list[tuple[str, ast.AST]] = [("", node) for node in reversed(list(nodes))]
    while todo:
        prefix, node = todo.pop()
        if isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}"
            found[prefix] = frozenset(_fields(node) | _assigned(node))
            prefix += "."
        elif not isinstance(node, ast.If | ast.Try | ast.With):
            continue
        todo += [(prefix, child) for child in reversed(list(ast.iter_child_nodes(node)))]
    return found


def _fields(node: ast.ClassDef) -> set[str]:
    if not node.decorator_list and not node.bases:
        return set()
    return {
        part.target.id
        for part in node.body
        if isinstance(part, ast.AnnAssign)
        and isinstance(part.target, ast.Name)
        and "ClassVar" not in ast.unparse(part.annotation)
    }


def _assigned(node: ast.ClassDef) -> set[str]:
    found = set()
    for part in node.body:
        if not isinstance(part, ast.FunctionDef) or part.name not in _CONSTRUCTORS:
            continue
        parameters = [*part.args.posonlyargs, *part.args.args]
        if not parameters:
            continue
        first = parameters[0].arg
        found |= {
            each.attr
            for each in ast.walk(part)
            if isinstance(each, ast.Attribute)
            and isinstance(each.ctx, ast.Store)
            and isinstance(each.value, ast.Name)
            and each.value.id == first
        }
    return found
