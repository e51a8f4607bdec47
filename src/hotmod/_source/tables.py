"""What a module says it exports, and the tables from which its `__getattr__` imports on demand.

Touches: syntax trees.

Guarantees: `exports` is exact, or says that it is unsure. Rows of lazy tables are candidates: a row that
names no module is dropped when the graph is built.

Assumes: a table is a literal of strings, at module level, in a call at module level or in the module's
`__getattr__` itself; the shapes are those of hand-written tables, `lazy_loader.attach`, `apipkg.initpkg`
and structures of the form `{"module": ["name", ...]}`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from hotmod._source.imports import LazyEntry

__all__ = ["Exports", "defines_getattr", "lazy_rows"]

_NESTED = (ast.If, ast.Try, ast.TryStar, ast.With, ast.For, ast.While, ast.Match)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Exports:
    """Follows what the statements of a module body do to `__all__`."""

    def __init__(self) -> None:
        self.names: list[str] | None = None
        self.unsure = False

    def follow(self, statement: ast.stmt, *, conditional: bool) -> None:
        """Take one module-level statement into account."""
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                self._assign(target, statement.value, conditional=conditional)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, statement.value, conditional=conditional)
        elif isinstance(statement, ast.AugAssign) and _is_all(statement.target):
            self._extend(_literal(statement.value), conditional=conditional)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            self._call(statement.value, conditional=conditional)
        elif isinstance(statement, ast.Delete) and any(_is_all(target) for target in statement.targets):
            self.names, self.unsure = None, True

    def _assign(self, target: ast.expr, value: ast.expr, *, conditional: bool) -> None:
        if _is_all(target):
            if not conditional:
                self.names, self.unsure = [], False
            self._extend(_literal(value), conditional=conditional)
        elif isinstance(target, (ast.Tuple, ast.List)) and any(_is_all(each) for each in target.elts):
            self.names, self.unsure = self.names or [], True
        elif isinstance(target, ast.Subscript) and _is_all(target.value):
            self.unsure = True

    def _call(self, call: ast.Call, *, conditional: bool) -> None:
        if not isinstance(call.func, ast.Attribute) or not _is_all(call.func.value):
            return
        argument = call.args[0] if len(call.args) == 1 else None
        if call.func.attr == "extend" and argument is not None:
            self._extend(_literal(argument), conditional=conditional)
        elif call.func.attr == "append" and isinstance(argument, ast.Constant):
            self._extend([argument.value], conditional=conditional)
        else:
            self.unsure = True

    def _extend(self, names: list[object] | None, *, conditional: bool) -> None:
        found = [name for name in names or () if isinstance(name, str)]
        self.unsure = self.unsure or conditional or names is None or len(found) != len(names)
        self.names = [*(self.names or ()), *found]


def defines_getattr(body: list[ast.stmt]) -> bool:
    """Whether a module body binds `__getattr__`, at its level or below a condition there."""
    for statement in _at_module_level(body):
        if isinstance(statement, _FUNCTIONS) and statement.name == "__getattr__":
            return True
        if isinstance(statement, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "__getattr__"
            for target in statement.targets
            for name in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])
        ):
            return True
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and any(
            (alias.asname or alias.name) == "__getattr__" for alias in statement.names
        ):
            return True
    return False


def lazy_rows(body: list[ast.stmt]) -> tuple[LazyEntry, ...]:
    """The rows of the literal tables of a module that has a `__getattr__`."""
    rows: list[LazyEntry] = []
    for statement in _at_module_level(body):
        if isinstance(statement, (ast.ClassDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(statement, ast.FunctionDef) and statement.name != "__getattr__":
            continue
        for node in _tables(statement):
            rows.extend(_rows(node))
        rows.extend(_structure_row(statement))
    return tuple(sorted(set(rows), key=lambda row: (row.line, row.name, row.module)))


def _at_module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    stack = list(reversed(body))
    while stack:
        statement = stack.pop()
        if not isinstance(statement, _NESTED):
            yield statement
            continue
        inner = [
            child for child in ast.walk(statement) if isinstance(child, (ast.excepthandler, ast.match_case))
        ]
        bodies = [statement, *inner]
        for owner in reversed(bodies):
            for field in ("finalbody", "orelse", "body"):
                stack.extend(reversed(getattr(owner, field, ())))


def _tables(root: ast.AST) -> Iterator[ast.Dict | ast.List | ast.Tuple | ast.Set]:
    """The outermost literal displays below a node."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.Set)) and not isinstance(
            getattr(node, "ctx", None), ast.Store
        ):
            yield node
        else:
            stack.extend(ast.iter_child_nodes(node))


def _rows(table: ast.Dict | ast.List | ast.Tuple | ast.Set) -> Iterator[LazyEntry]:
    if not isinstance(table, ast.Dict):
        for element in table.elts:
            if isinstance(element, ast.Constant) and _is_path(element.value):
                yield LazyEntry(str(element.value), str(element.value), element.lineno)
        return
    for key, value in zip(table.keys, table.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            continue
        yield from _pairs(key.value, value)


def _pairs(key: str, value: ast.expr) -> Iterator[LazyEntry]:
    """Both readings of a row: `name: module`, `name: (module, attribute)`, or `module: [name, ...]`."""
    if isinstance(value, ast.Constant) and _is_path(value.value):
        yield LazyEntry(key, str(value.value), value.lineno)
    elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        strings = [each.value for each in value.elts if isinstance(each, ast.Constant)]
        names = [each for each in strings if isinstance(each, str)]
        if names and _is_path(names[0]):
            yield LazyEntry(key, names[0], value.lineno)
        if _is_path(key):
            for name in names:
                yield LazyEntry(name, key, value.lineno)


def _structure_row(statement: ast.stmt) -> Iterator[LazyEntry]:
    """`_import_structure["module"] = ["name", ...]`."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        key = statement.targets[0].slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield from _pairs(key.value, statement.value)


def _is_path(value: object) -> bool:
    """Whether a value may name a module (`.cart`, `shop.cart`, `shop.cart:Cart`)."""
    return isinstance(value, str) and all(
        part.isidentifier() for part in value.lstrip(".").replace(":", ".").split(".")
    )


def _is_all(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__all__"


def _literal(node: ast.expr) -> list[object] | None:
    """The elements of a literal sequence, None if it is more than a literal."""
    values: list[object] = []
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add):
            stack += [each.right, each.left]
        elif isinstance(each, ast.Starred):
            stack.append(each.value)
        elif isinstance(each, (ast.List, ast.Tuple)):
            stack += reversed(each.elts)
        elif isinstance(each, ast.Constant):
            values.append(each.value)
        else:
            return None
    return values
