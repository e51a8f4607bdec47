"""Which attributes the instances of a class get when they are made, as its text tells.

Touches: nothing; works on parsed text.

Guarantees: an attribute in a shape is set by `__init__` (or `__post_init__`, `__attrs_post_init__`) through
its first parameter, or is a field that the class body annotates and a decorator or a base class may make
the constructor set. What a constructor sets by other means is not seen.
"""

from __future__ import annotations

import ast
import functools

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.parse import parse

__all__ = ["shapes"]

_CONSTRUCTORS = frozenset(("__init__", "__post_init__", "__attrs_post_init__"))


@functools.lru_cache(maxsize=256)
def shapes(text: SourceText) -> dict[str, frozenset[str]]:
    """The attributes that constructors set, by the qualified name of the class; {} for text with errors."""
    try:
        tree = parse(text)
    except SourceError:
        return {}
    found: dict[str, frozenset[str]] = {}
    todo: list[tuple[str, ast.AST]] = [("", tree)]
    while todo:
        prefix, node = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                name = f"{prefix}{child.name}"
                found[name] = frozenset(_fields(child) | _assigned(child))
                todo.append((f"{name}.", child))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                todo.append((prefix, child))
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
