"""Which names a statement binds in the scope in which it stands, while it runs.

Touches: syntax trees.

Guarantees: every form of binding is found (assignment, `:=` also in comprehensions, `def`, `class`, `import`,
`for`, `with`, `except`, `match`, `type`), what only a later call binds is not, and nothing here recurses.

Assumes: `TYPE_CHECKING` is false at run time.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from hotmod._source.treescan import Guard, guard_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["STAR", "bound_names"]

STAR = "*"

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
_LEAVES = (ast.Constant, ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)

# The class in whose body a node stands, and the names that the body declares global; None outside of classes.
_Scope = tuple[str, frozenset[str]] | None
_Place = tuple[int, int]


def bound_names(nodes: Iterable[ast.stmt]) -> tuple[str, ...]:
    """The names that statements bind in their own scope, in the order of the text, each once.

    Args:
        nodes: statements of a module or a class body.

    Returns:
        The names. `from m import *` counts as `*`, an annotation without a value and `del` bind nothing, the
        body of a class binds only what it declares `global`.
    """
    found: list[tuple[_Place, str]] = []
    left: list[tuple[ast.AST, _Scope]] = [(node, None) for node in nodes]
    while left:
        node, scope = left.pop()
        for place, name in _bindings(node):
            if scope is None:
                found.append((place, name))
            elif name in scope[1]:
                found.append((place, _mangled(name, scope[0])))
        left += _running(node, scope)
    return tuple(dict.fromkeys(name for _, name in sorted(found)))


def _bindings(node: ast.AST) -> Iterator[tuple[_Place, str]]:
    """What a node itself binds, and where."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            yield (node.lineno, node.col_offset), node.id
    elif isinstance(node, _DEFINITIONS):
        yield (node.lineno, node.col_offset), node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            first = alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name
            yield (alias.lineno, alias.col_offset), alias.asname or first
    elif isinstance(node, ast.ExceptHandler):
        if node.name and node.type:
            yield _end(node.type), node.name
    elif isinstance(node, (ast.MatchAs, ast.MatchStar)):
        if node.name:
            yield _end(node), node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield _end(node), node.rest


def _running(node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.AST, _Scope]]:
    """The parts of a node that run, and may bind names, when the node does."""
    parts: Iterable[ast.AST | None]
    if isinstance(node, _FUNCTIONS):
        parts = (*node.decorator_list, node.args, node.returns)
    elif isinstance(node, ast.Lambda):
        parts = (node.args,)
    elif isinstance(node, ast.ClassDef):
        parts = (*node.decorator_list, *node.bases, *node.keywords)
        inside = (node.name, _declared_global(node))
        yield from ((child, inside) for child in node.body)
    elif isinstance(node, ast.comprehension):
        # The target is the comprehension's own.
        parts = (node.iter, *node.ifs)
    elif isinstance(node, ast.AnnAssign):
        declares = node.value is None and isinstance(node.target, ast.Name)
        parts = (None if declares else node.target, node.annotation, node.value)
    elif isinstance(node, ast.If):
        guard = guard_of(node.test)
        body = () if guard is Guard.TYPES else node.body
        parts = (node.test, *body, *(() if guard is Guard.NOT_TYPES else node.orelse))
    elif type(node).__name__ == "TypeAlias":
        # From Python 3.12 on; its value is not evaluated before someone asks.
        parts = (getattr(node, "name", None),)
    else:
        parts = ast.iter_child_nodes(node)
    yield from ((part, scope) for part in parts if part is not None and not isinstance(part, _LEAVES))


def _declared_global(definition: ast.ClassDef) -> frozenset[str]:
    names: set[str] = set()
    left: list[ast.AST] = list(definition.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Global):
            names.update(node.names)
        elif not isinstance(node, _DEFINITIONS):
            left += (child for child in ast.iter_child_nodes(node) if isinstance(child, _BLOCKS))
    return frozenset(names)


def _mangled(name: str, owner: str) -> str:
    """A name as the compiler spells it in the body of the class `owner`."""
    stripped = owner.lstrip("_")
    private = name.startswith("__") and not name.endswith("__")
    return f"_{stripped}{name}" if private and stripped else name


def _end(node: ast.expr | ast.pattern) -> _Place:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
