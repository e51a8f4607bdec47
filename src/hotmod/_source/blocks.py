"""Which names of a compound statement an edit concerns.

Touches: syntax trees.

Guarantees: a name that is left out is bound by the same statements, under the same conditions, as before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from hotmod._source.facts import is_literal
from hotmod._source.names import bound_names
from hotmod._source.statements import parsed
from hotmod._source.treescan import Guard, guard_of

__all__ = ["differing_names"]

_BLOCKS = ("body", "orelse")


def differing_names(old: str, new: str) -> tuple[str, ...]:
    """The names bound by what differs between two versions of a statement."""
    found: dict[str, None] = {}
    _compare(parsed(old), parsed(new), found)
    return tuple(found)


def _compare(old: Sequence[ast.AST], new: Sequence[ast.AST], found: dict[str, None]) -> None:
    """Compare two blocks; where both have one statement left that differs, look into it."""
    olds, news = [ast.dump(each) for each in old], [ast.dump(each) for each in new]
    gone = [node for node, key in zip(old, olds, strict=True) if key not in news]
    come = [node for node, key in zip(new, news, strict=True) if key not in olds]
    if len(gone) == len(come) == 1 and _same_head(gone[0], come[0]):
        for name in _BLOCKS:
            if not (name == "body" and _never_runs(come[0])):
                _compare(getattr(gone[0], name, []), getattr(come[0], name, []), found)
    else:
        same = _constants(gone).items() & _constants(come).items()
        names = bound_names([*_statements(gone), *_statements(come)])
        found.update(dict.fromkeys(name for name in names if name not in dict(same)))
    size = -1
    while size != (size := len(found)):
        for node in new:  # what is as it was may be computed from what is not
            if isinstance(node, ast.stmt) and any(
                isinstance(part, ast.Name) and part.id in found for part in ast.walk(node)
            ):
                found.update(dict.fromkeys(bound_names([node])))


def _constants(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """The names that are bound to immutable literals and to nothing else, and to which."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and is_literal(node.value):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = f"{found.get(target.id, '')}{ast.dump(node.value)}"
    others = {
        name for node in nodes if not _is_constant(node) for name in bound_names(list(_statements([node])))
    }
    return {name: value for name, value in found.items() if name not in others}


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and is_literal(node.value)


def _statements(nodes: Sequence[ast.AST]) -> Iterator[ast.stmt]:
    for node in nodes:
        if isinstance(node, ast.stmt):
            yield node
        else:  # an exception handler
            yield from _statements(getattr(node, "body", []))


def _never_runs(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and guard_of(node.test) is Guard.TYPES


def _same_head(one: ast.AST, two: ast.AST) -> bool:
    """Whether two compound statements differ in their blocks only, and run the same ones of them.

    In a `try` whatever differs may decide what runs.
    """
    if type(one) is not type(two) or not isinstance(one, (ast.If, ast.With, ast.AsyncWith)):
        return False
    return _head(one) == _head(two)


def _head(node: ast.AST) -> list[str]:
    return [
        ast.dump(part) if isinstance(part, ast.AST) else repr(part)
        for name, value in ast.iter_fields(node)
        if name not in _BLOCKS
        for part in (value if isinstance(value, list) else [value])
    ]
