"""What runs when a module body runs: the functions it visibly calls and the names it reads.

Touches: syntax trees.

Guarantees: the body itself, class bodies, decorators, defaults, and whatever local function or
constructor they call, transitively, is counted as running. Nothing here recurses.

Assumes: a call is visible if the text names the function, its class or, on an object of unknown kind,
a method of that name in the same module; functions that are handed to foreign code are not called by it.
Annotations run unless the module postpones them (or the interpreter does, from 3.14).
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from typing import TYPE_CHECKING

from hotmod._source.lexer import without_strings
from hotmod._source.scopes import Function, Scopes, dotted, joined, last, parameters
from hotmod._source.treescan import Guard, guard_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

__all__ = ["FUNCTION_BODY", "EagerCode", "may_run"]

# A function: its head, and below it the lines that are blank or indented by more. Brackets and backslashes
# may continue a line further left: then the function seems to end early, which errs on the side of running
# code.
FUNCTION_BODY = re.compile(
    r"(\n( *+)(?:async +)?def +(\w+)[^\n]*(?:(?<!:)\n[^\n]*)*?:)(?=[^\n:]*\n)"
    r"([^\n]*(?:\n(?:\2 [^\n]*+|[ \t]*+(?=\n)))*+)"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINED = re.compile(r"(?:\bdef|\bclass) +\w+")
_CLASS = re.compile(r"\bclass +(\w+)")
_SPECIAL = frozenset({"__new__", "__init__", "__post_init__", "__call__", "__enter__", "__exit__"})
_SPECIAL |= {"__aenter__", "__aexit__"}
_HOOKS = ("__init_subclass__", "__set_name__", "metaclass")

_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")
_OF_METACLASS = ("__prepare__", "__new__", "__init__", "__call__")
_CALLING_BUILTINS = frozenset({"map", "filter", "sorted", "min", "max", "reduce", "next", "iter"})


def may_run(decoded: str, places: Iterable[str]) -> bool:
    """Whether the body of a module may run one of its own functions; if not, no need to parse it.

    Follows words: from those outside of functions to the functions of that name, whatever class they are
    in, to the words in these, and so on. What `EagerCode` finds to run is found here, and more.

    Args:
        decoded: the text of the module.
        places: the dotted paths of the functions.
    """
    if not decoded.isascii() or any(hook in decoded for hook in _HOOKS):
        return True
    classes = set(_CLASS.findall(decoded))
    wanted = {part for place in places for part in place.split(".")} - classes
    bodies: dict[str, list[str]] = {}

    def keep_head(found: re.Match[str]) -> str:
        bodies.setdefault(found[3], []).append(found[4])
        return found[1]

    left = [FUNCTION_BODY.sub(keep_head, without_strings(f"\n{decoded}\n"))]
    seen: set[str] = set()
    while left:
        words = set(_WORD.findall(_DEFINED.sub("", left.pop()))) - seen
        if not classes.isdisjoint(words):
            words |= _SPECIAL.difference(seen)
        if not wanted.isdisjoint(words):
            return True
        seen |= words
        for word in words:
            left += bodies.get(word, ())
    return False


class EagerCode:
    """The part of a module that runs when it is imported.

    Args:
        tree: the module's tree; None for a module without a readable text, of which nothing runs.

    Attributes:
        called: the dotted paths of the functions that run.
    """

    def __init__(self, tree: ast.Module | None) -> None:
        self._names = Scopes(tree)
        self._chains: set[tuple[str, ...]] = set()
        self._ran: dict[str, None] = {}
        self._left: list[tuple[ast.AST, str, frozenset[str]]] = []
        self._postponed = sys.version_info >= (3, 14) or self._names.postponed
        if tree is not None:
            self._push(tree.body, "", frozenset())
            self._run()
        self.called = frozenset(self._ran)

    def reads(self, names: Iterable[str], imported: str, line: int, known: Container[str]) -> bool:
        """Whether running code reads one of the names that an import on `line` binds.

        Args:
            names: the names bound.
            imported: the module that they lead to.
            line: the line of the import.
            known: the modules in scope, to tell `a.b` the module from `b` the attribute of `a`.
        """
        wanted = set(names)
        if line in self._names.used_calls:
            return True
        for chain in self._chains:
            if chain[0] not in wanted:
                continue
            if (line, chain[0]) not in self._names.rooted or len(chain) == 1:
                return True
            depth = len(chain)
            while depth > 1 and ".".join(chain[:depth]) not in known:
                depth -= 1
            if ".".join(chain[:depth]) == imported:
                return True
        return False

    @property
    def chains(self) -> frozenset[tuple[str, ...]]:
        """The dotted names that running code reads, split at the dots."""
        return frozenset(self._chains)

    def free_names(self) -> frozenset[str]:
        """The names that running code reads and that the module neither binds nor has as builtins."""
        roots = {chain[0] for chain in self._chains}
        return frozenset(roots - self._names.bound - set(dir(builtins)))

    def _push(self, nodes: Iterable[ast.AST], path: str, local: frozenset[str]) -> None:
        self._left.extend((node, path, local) for node in nodes)

    def _run(self) -> None:
        while self._left:
            node, path, local = self._left.pop()
            if isinstance(node, Function):
                self._push(self._header(node), path, local)
                self._decorate(node, path)
            elif isinstance(node, ast.ClassDef):
                self._class(node, path, local)
            elif isinstance(node, ast.If):
                self._if(node, path, local)
            elif isinstance(node, ast.Lambda):
                self._push([node.args], path, local)
            elif isinstance(node, ast.AnnAssign):
                annotation = [] if self._postponed or (path and path in self._ran) else [node.annotation]
                self._push([node.target, *annotation, *([node.value] if node.value else [])], path, local)
            else:
                self._visit(node, path, local)

    def _visit(self, node: ast.AST, path: str, local: frozenset[str]) -> None:
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load) and node.id not in local:
                self._chains.add((node.id,))
            return
        if isinstance(node, ast.Attribute):
            self._attribute(node, path, local)
            return
        if isinstance(node, ast.Call):
            self._call(node, path)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                self._enter(item.context_expr, path)
        self._push(ast.iter_child_nodes(node), path, local)

    def _header(self, node: Function) -> Iterator[ast.AST]:
        """What of a function definition runs where it stands."""
        yield from node.decorator_list
        arguments = node.args
        yield from arguments.defaults
        yield from (default for default in arguments.kw_defaults if default is not None)
        if not self._postponed:
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
            yield from (each.annotation for each in every if each.annotation is not None)
            if node.returns is not None:
                yield node.returns

    def _class(self, node: ast.ClassDef, path: str, local: frozenset[str]) -> None:
        inside = joined(path, node.name)
        self._push([*node.decorator_list, *node.bases, *node.keywords], path, local)
        self._push(node.body, inside, local)
        self._decorate(node, path)
        for base in self._names.lineage(inside)[1:]:
            self._start(joined(base, "__init_subclass__"))
        for meta in self._names.metaclasses(inside):
            for method in _OF_METACLASS[:3]:
                self._start_method(meta, method)
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                for kind in self._names.find(dotted(statement.value.func), path):
                    self._start_method(kind, "__set_name__")

    def _if(self, node: ast.If, path: str, local: frozenset[str]) -> None:
        guard = guard_of(node.test)
        if guard not in {Guard.TYPES, Guard.MAIN}:
            self._push(node.body, path, local)
        if guard is not Guard.NOT_TYPES:
            self._push(node.orelse, path, local)
        self._push([node.test], path, local)

    def _attribute(self, node: ast.Attribute, path: str, local: frozenset[str]) -> None:
        parts = dotted(node)
        if not parts:
            self._push([node.value], path, local)
        elif parts[0] not in local and isinstance(node.ctx, ast.Load):
            self._chains.add(parts)
        elif parts[0] not in local:
            self._chains.add(parts[:-1])
        if node.attr in self._names.properties and (not parts or parts[0] not in self._names.imported):
            for found in self._names.properties[node.attr]:
                self._start(found)

    def _call(self, node: ast.Call, path: str) -> None:
        func = node.func
        again = False
        while isinstance(func, ast.Call):
            func, again = func.func, True
        self._start_callee(func, path, again=again)
        takes = any(map(self._names.calls_parameter, self._names.find(dotted(func), path)))
        if takes or last(func) in _CALLING_BUILTINS:
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(argument, (ast.Name, ast.Attribute)):
                    self._start_callee(argument, path)

    def _decorate(self, node: Function | ast.ClassDef, path: str) -> None:
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call):
                self._start_callee(decorator.func, path, again=True)
            else:
                self._start_callee(decorator, path)

    def _enter(self, node: ast.expr, path: str) -> None:
        """A `with` statement calls the methods of its context manager."""
        func = node.func if isinstance(node, ast.Call) else node
        for kind in self._names.kinds(dotted(func), path):
            for method in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                self._start_method(kind, method)

    def _start_callee(self, func: ast.expr, path: str, *, again: bool = False) -> None:
        """Start what a call of `func` runs.

        Args:
            func: what is called.
            path: where.
            again: whether the result is called as well.
        """
        parts = dotted(func)
        found = self._names.find(parts, path)
        for each in found:
            self._start(each)
            for method in _CONSTRUCTORS:
                self._start_method(each, method)
            for meta in self._names.metaclasses(each):
                self._start_method(meta, "__call__")
            if again:
                self._start_method(each, "__call__")
                for inner in self._names.returned(each):
                    self._start(inner)
        if found:
            return
        for kind in self._names.instances.get(parts[0], ()) if len(parts) == 1 else ():
            self._start_method(kind, "__call__")
        if isinstance(func, ast.Attribute):
            self._start_by_name(func, parts)

    def _start_by_name(self, func: ast.Attribute, parts: tuple[str, ...]) -> None:
        """A method call on an object: of known kind, or of any kind that has such a method here."""
        if isinstance(func.value, ast.Constant) or (parts and parts[0] in self._names.imported):
            return
        kinds = self._names.instances.get(parts[0], ()) if len(parts) == 2 else ()  # noqa: PLR2004
        if kinds:
            for kind in kinds:
                self._start_method(kind, func.attr)
            return
        for found in self._names.methods.get(func.attr, ()):
            self._start(found)

    def _start_method(self, kind: str, method: str) -> None:
        if kind in self._names.classes:
            for base in self._names.lineage(kind):
                self._start(joined(base, method))

    def _start(self, path: str) -> None:
        """Run the function at `path`, once."""
        nodes = self._names.functions.get(path)
        if nodes is None or path in self._ran:
            return
        self._ran[path] = None
        for node in nodes:
            self._push(node.body, path, _locals_of(node))
            for decorator in node.decorator_list:
                func = decorator.func if isinstance(decorator, ast.Call) else decorator
                for outer in self._names.find(dotted(func), path):
                    for inner in self._names.returned(outer):
                        self._start(inner)


def _locals_of(function: Function) -> frozenset[str]:
    """The names that a function binds itself, other than by importing."""
    names = parameters(function)
    shared: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            shared.update(node.names)
    return frozenset(names - shared)
