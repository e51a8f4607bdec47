"""The scopes of a module: which functions and classes it defines, and what is bound where.

Touches: syntax trees.

Guarantees: every definition has a dotted path (`Cart.total`, `outer.inner`), under which all definitions
of that path are kept, in whatever branch they stand. Nothing here recurses.

Assumes: names are looked up lexically; what is rebound at run time is not followed.
"""

from __future__ import annotations

import ast

__all__ = ["Function", "Scopes", "dotted", "joined", "last", "parameters"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_IMPORTING = frozenset({"import_module", "__import__"})
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
_LEAVES = (ast.Constant, ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)


class Scopes:
    """The definitions of a module, by dotted path, and what is bound where."""

    def __init__(self, tree: ast.Module | None) -> None:
        self.functions: dict[str, list[Function]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.methods: dict[str, list[str]] = {}
        self.properties: dict[str, list[str]] = {}
        self.instances: dict[str, list[str]] = {}
        self.imported: set[str] = set()
        self.bound: set[str] = {"__name__", "__file__", "__doc__", "__path__", "__spec__", "__package__"}
        self.rooted: set[tuple[int, str]] = set()
        self.postponed = False
        self._calling: dict[str, bool] = {}
        self._assigned: list[tuple[str, ast.expr]] = []
        self._tree = tree
        self._used_calls: set[int] | None = None
        left: list[tuple[ast.AST, str, bool]] = [] if tree is None else [(tree, "", True)]
        while left:
            node, path, at_module = left.pop()
            self._record(node, path, at_module=at_module)
            inside = joined(path, node.name) if isinstance(node, DEFINITIONS) else path
            for child in ast.iter_child_nodes(node):
                if isinstance(child, _BLOCKS):
                    left.append((child, inside, at_module and not isinstance(node, DEFINITIONS)))
                elif at_module and not isinstance(child, _LEAVES):
                    self._bind(child)
        for name, func in self._assigned:
            kinds = [kind for kind in self.find(dotted(func), "") if kind in self.classes]
            if kinds:
                self.instances.setdefault(name, []).extend(kinds)

    def find(self, parts: tuple[str, ...], path: str) -> list[str]:
        """The functions or classes that a dotted name means in the scope `path`."""
        if not parts:
            return []
        name = ".".join(parts)
        while True:
            candidate = joined(path, name)
            if candidate in self.functions or candidate in self.classes:
                return [candidate]
            kind, _, method = candidate.rpartition(".")
            if len(parts) > 1 and kind in self.classes:
                inherited = [joined(base, method) for base in self.lineage(kind)]
                return [each for each in inherited if each in self.functions][:1]
            if not path:
                return []
            path = path.rpartition(".")[0]

    def kinds(self, parts: tuple[str, ...], path: str) -> list[str]:
        """The local classes that a name means or is an instance of."""
        found = [each for each in self.find(parts, path) if each in self.classes]
        return found or (self.instances.get(parts[0], []) if len(parts) == 1 else [])

    def lineage(self, kind: str) -> list[str]:
        """A class and its local bases, nearest first."""
        found: dict[str, None] = {}
        left = [kind]
        while left:
            each = left.pop()
            if each in found or each not in self.classes:
                continue
            found[each] = None
            outer = each.rpartition(".")[0]
            for node in self.classes[each]:
                for base in node.bases:
                    target = base.value if isinstance(base, ast.Subscript) else base
                    # A class that is defined again from itself would find itself: harmless here.
                    left.extend(self.find(dotted(target), outer))
        return list(found)

    def calls_parameter(self, path: str) -> bool:
        """Whether a function calls one of its own parameters."""
        if path not in self._calling:
            self._calling[path] = any(
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in parameters(function)
                for function in self.functions.get(path, ())
                for node in ast.walk(function)
            )
        return self._calling[path]

    def metaclasses(self, kind: str) -> list[str]:
        """The local metaclasses of a class."""
        found = []
        for each in self.lineage(kind):
            for node in self.classes[each]:
                for keyword in node.keywords:
                    if keyword.arg == "metaclass":
                        found += self.find(dotted(keyword.value), each.rpartition(".")[0])
        return found

    def returned(self, path: str) -> list[str]:
        """The functions nested in a function that it returns by name."""
        found = []
        for function in self.functions.get(path, ()):
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
                    inner = joined(path, node.value.id)
                    if inner in self.functions:
                        found.append(inner)
        return found

    @property
    def used_calls(self) -> set[int]:
        """The lines of importing calls whose result is used at once, neither dropped nor just named."""
        if self._used_calls is None:
            nodes = [] if self._tree is None else list(ast.walk(self._tree))
            bare = {id(node.value) for node in nodes if isinstance(node, (ast.Assign, ast.Expr))}
            calls = [node for node in nodes if isinstance(node, ast.Call) and id(node) not in bare]
            self._used_calls = {call.lineno for call in calls if last(call.func) in _IMPORTING}
        return self._used_calls

    def _record(self, node: ast.AST, path: str, *, at_module: bool) -> None:
        if isinstance(node, DEFINITIONS):
            self._define(node, path, at_module=at_module)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, at_module=at_module)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            self._assigned += [(name, node.value.func) for name in names]
        elif at_module and isinstance(node, ast.ExceptHandler) and node.name:
            self.bound.add(node.name)

    def _bind(self, root: ast.AST) -> None:
        """Record the names that an expression or a pattern at module level binds."""
        for node in ast.walk(root):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.bound.add(node.id)
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                self.bound.add(node.name)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                self.bound.add(node.rest)

    def _define(self, node: Function | ast.ClassDef, path: str, *, at_module: bool) -> None:
        inside = joined(path, node.name)
        if at_module:
            self.bound.add(node.name)
        if isinstance(node, ast.ClassDef):
            self.classes.setdefault(inside, []).append(node)
            return
        self.functions.setdefault(inside, []).append(node)
        if path in self.classes:
            self.methods.setdefault(node.name, []).append(inside)
            if any("property" in last(each).lower() for each in node.decorator_list):
                self.properties.setdefault(node.name, []).append(inside)

    def _import(self, node: ast.Import | ast.ImportFrom, *, at_module: bool) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self.postponed |= any(alias.name == "annotations" for alias in node.names)
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if isinstance(node, ast.Import) and alias.asname is None:
                self.rooted.add((node.lineno, name))
            if at_module:
                self.imported.add(name)
                self.bound.add(name)


def parameters(function: Function | ast.Lambda) -> set[str]:
    """The names of a function's parameters."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return {each.arg for each in every}


def dotted(node: ast.AST) -> tuple[str, ...]:
    """`("a", "b")` for `a.b`; empty for what is no chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def last(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
