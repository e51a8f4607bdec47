"""The names that a module keeps over a reload, as its text declares them, and what makes their values.

Touches: text, through its statements.

Guarantees: what is declared is told from the text alone, without running it.

Assumes: `__hotmod_keep__` is assigned at the top level, from string literals.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError
from hotmod._source.facts import Facts, Kind, facts_in
from hotmod._source.statements import Statement, parsed

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText

__all__ = ["KEEP", "declared", "defined_in", "is_readable", "makers_in", "only_makes", "rest_of"]

KEEP = "__hotmod_keep__"
_DEFINING = (Kind.FUNCTION, Kind.CLASS, Kind.IMPORT)


def is_readable(text: SourceText) -> bool:
    """Whether the statements of a text can be told; if not, whoever compiles it says what is wrong."""
    try:
        facts_in(text)
    except (SourceError, RecursionError, MemoryError):
        return False
    return True


def declared(text: SourceText) -> frozenset[str]:
    """The names that `__hotmod_keep__` lists; none in a text that can't be read.

    Raises:
        SourceError: the value is not made of string literals.
    """
    if KEEP.encode() not in text.data or not is_readable(text):
        return frozenset()
    found: set[str] = set()
    for statement in facts_in(text)[0].statements:
        for node in parsed(statement.text) if KEEP in statement.text else ():
            value = _assigned(node)
            if value is not None:
                found.update(_names(value, text.path, statement.first + value.lineno - 1))
    return frozenset(found)


def _assigned(node: ast.stmt) -> ast.expr | None:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    mine = any(isinstance(target, ast.Name) and target.id == KEEP for target in targets)
    return node.value if mine and isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) else None


def _names(value: ast.expr, path: str, line: int) -> Iterator[str]:
    parts = value.elts if isinstance(value, (ast.Tuple, ast.List, ast.Set)) else [value]
    for part in parts:
        if not (isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier()):
            reason = f'{KEEP} has to list names as literals, as in {KEEP} = ("CACHE",)'
            raise SourceError(path, line, reason)
        yield part.value


def defined_in(facts: Collection[Facts]) -> set[str]:
    """The names to which statements give functions, classes or imports: these stay by themselves."""
    found: set[str] = set()
    for each in facts:
        found.update(each.functions, each.classes, (imported.local for imported in each.imports))
    return found


def only_makes(facts: Facts, names: Collection[str]) -> bool:
    """Whether all that a statement does for its module is to make the values of some names."""
    binds = set(facts.binds) - {"__annotations__"}
    return bool(binds) and binds.issubset(names) and facts.kind not in _DEFINING


def rest_of(statement: Statement) -> str:
    """What is left of a statement that makes no value: `CACHE: dict = {}` is still an annotation."""
    nodes = parsed(statement.text)
    if len(nodes) != 1 or not isinstance(nodes[0], ast.AnnAssign):
        return ""
    end = nodes[0].annotation
    lines = statement.text.split("\n")[: end.end_lineno]
    lines[-1] = lines[-1].encode()[: end.end_col_offset].decode()
    return "\n".join(lines)


def makers_in(text: SourceText, names: Collection[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What makes the values of some names: `CACHE = store.Cache()` gives `("CACHE", ("store", "Cache"))`."""
    found: dict[str, tuple[str, ...]] = {}
    for statement in facts_in(text)[0].statements:
        for node in parsed(statement.text) if any(name in statement.text for name in names) else ():
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets:
                if isinstance(target, ast.Name) and target.id in names:
                    found[target.id] = _callee(getattr(node, "value", None))
    return tuple((name, chain) for name, chain in found.items() if chain)


def _callee(value: ast.expr | None) -> tuple[str, ...]:
    callee = value.func if isinstance(value, ast.Call) else None
    chain: list[str] = []
    while isinstance(callee, ast.Attribute):
        chain.insert(0, callee.attr)
        callee = callee.value
    return (callee.id, *chain) if isinstance(callee, ast.Name) else ()
