"""What the visitor asks of single nodes: dotted names, parameters, what a scope binds.

Touches: syntax trees.

Guarantees: nothing here looks into a scope below the one that it is asked about.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
from collections.abc import Iterable, Sequence

from hotmod._source.regions import Builder, Chain

__all__ = [
    "CALLING",
    "COMPREHENSIONS",
    "FUNCTIONS",
    "MUTATING",
    "WITH_KEY",
    "Scope",
    "asked_in",
    "bound_in",
    "chain_of",
    "chains_in",
    "converts",
    "is_looked_at",
    "is_super",
    "is_text",
    "origin_of",
    "parameters_of",
    "plain_functions",
    "signature_of",
    "spelled",
    "spelled_out",
]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# Methods of the standard library that change the object they belong to.
MUTATING = frozenset(
    (
        *("append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard"),
        *("clear", "sort", "reverse", "appendleft", "extendleft", "popleft", "rotate", "move_to_end"),
        *("difference_update", "intersection_update", "symmetric_difference_update", "subtract"),
    )
)
# Functions that call what they are given.
CALLING = frozenset(
    ("map", "filter", "sorted", "min", "max", "reduce", "next", "iter", "accumulate", "starmap", "takewhile")
)
WITH_KEY = frozenset(("sorted", "min", "max", "sort", "groupby", "nlargest", "nsmallest"))
_LEAVES = frozenset((ast.Constant, ast.Load, ast.Store, ast.Pass, ast.Break, ast.Continue))
_SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
_TRANSPARENT = frozenset(
    ("staticmethod", "classmethod", "property", "overload", "abstractmethod", "override")
)
# Builtins that keep what they are given, or look at its type alone. All others, but exceptions, may call its
# special methods.
_KEEPING = frozenset(
    (
        *("callable", "classmethod", "id", "isinstance", "issubclass", "object", "property", "slice"),
        *("staticmethod", "super", "type"),
    )
)
_CONVERTING = frozenset(
    name
    for name, value in vars(builtins).items()
    if callable(value)
    and not name.startswith("_")
    and not (isinstance(value, type) and issubclass(value, BaseException))
).difference(_KEEPING)
# Decorators that do not look at the signature of what they decorate.
_BLIND = frozenset(
    ("wraps", "cache", "lru_cache", "cached_property", "contextmanager", "asynccontextmanager")
)


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """Where a node stands."""

    builder: Builder
    name: str = ""  # qualified, of the function or class around it
    local: frozenset[str] = frozenset()  # names that do not lead to module level
    imported: frozenset[str] = frozenset()  # local names that imports bind
    parameters: frozenset[str] = frozenset()
    owner: str = ""  # the first parameter of a method
    in_function: bool = False
    guarded: bool = False
    methods: frozenset[str] = frozenset()  # in a class body: its functions

    def ask(self, nodes: Iterable[ast.AST]) -> None:
        """Note that what some expressions give is asked by its special methods."""
        self.builder.asked.update(chain for chain in map(chain_of, nodes) if self.leads_out(chain))

    def leads_out(self, chain: Chain) -> bool:
        """Whether a dotted name leads to module level, or to what is imported here."""
        return bool(chain) and (chain[0] not in self.local or chain[0] in self.imported)


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def converts(node: ast.Call, callee: Chain) -> bool:
    """Whether a call asks what it is given for an order, a text, a length and so on, as builtins do."""
    by_text = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Constant)
    return by_text or (len(callee) == 1 and callee[0] in _CONVERTING)


def asked_in(node: ast.AST) -> Sequence[ast.AST]:
    """The parts of a syntax that are asked by special methods for a hash, an index, or what they hold."""
    match node:
        case ast.Subscript(slice=ast.Tuple(elts=parts)) | ast.Set(elts=parts):
            return parts
        case ast.Slice(lower=lower, upper=upper, step=step):
            return [each for each in (lower, upper, step) if each is not None]
        case ast.Subscript(slice=part) | ast.Starred(value=part) | ast.keyword(arg=None, value=part):
            return [part]
        case ast.Dict(keys=keys, values=values):
            return [value if key is None else key for key, value in zip(keys, values, strict=True)]
        case ast.Assign(targets=targets, value=value) if any(
            isinstance(each, (ast.Tuple, ast.List)) for each in targets
        ):
            return [value]
    return []


def spelled_out(node: ast.Call, callee: Chain) -> list[ast.expr]:
    """The arguments of a call; what `getattr` is asked for by a literal name is an attribute."""
    match callee, node.args:
        case [("getattr",) | ("hasattr",), [value, ast.Constant(value=str(name)), *rest]] if (
            name.isidentifier()
        ):
            return [ast.Attribute(value, name, ast.Load()), *rest]
    return node.args


def is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def chain_of(node: ast.AST) -> Chain:
    """`("a", "b")` of `a.b`; empty for what is no dotted name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ()
    return (node.id, *reversed(parts))


def chains_in(*nodes: ast.AST) -> Iterable[Chain]:
    """Every dotted name in some expressions; what a lambda does comes later."""
    left = list(nodes)
    while left:
        node = left.pop()
        chain = chain_of(node)
        if chain:
            yield chain
        elif not isinstance(node, ast.Lambda):
            left += ast.iter_child_nodes(node)


def spelled(node: ast.expr) -> ast.expr:
    """What an annotation says in strings, that are all of it or parts: `Optional["Cart"]`."""
    match node:
        case ast.Constant(value=str(text)):
            with contextlib.suppress(SyntaxError, ValueError):
                return spelled(ast.parse(text.strip(), mode="eval").body)
        case ast.Subscript(value=origin, slice=ast.Tuple(elts=[first, *rest])) if _says(origin, "Annotated"):
            return ast.Subscript(origin, ast.Tuple([spelled(first), *rest], ast.Load()), ast.Load())
        case ast.Subscript(value=origin, slice=inner) if not _says(origin, "Literal"):
            return ast.Subscript(origin, spelled(inner), ast.Load())
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return ast.Tuple([spelled(part) for part in parts], ast.Load())
        case ast.BinOp(left=left, op=operator, right=right):
            return ast.BinOp(spelled(left), operator, spelled(right))
    return node


def _says(node: ast.expr, name: str) -> bool:
    return chain_of(node)[-1:] == (name,)


def origin_of(node: ast.expr) -> ast.expr:
    """`Generic` of `Generic[T]`."""
    return node.value if isinstance(node, ast.Subscript) else node


def parameters_of(arguments: ast.arguments) -> frozenset[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return frozenset(each.arg for each in every)


def signature_of(arguments: ast.arguments, returns: ast.expr | None) -> tuple[list[ast.expr], list[ast.expr]]:
    """The annotations and the defaults of a function's signature."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    annotations = [each for each in (*(one.annotation for one in every), returns) if each is not None]
    return annotations, [each for each in (*arguments.defaults, *arguments.kw_defaults) if each is not None]


def is_looked_at(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function has a decorator that may look at its signature."""
    for decorator in node.decorator_list:
        chain = chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if not _is_transparent(decorator) and _BLIND.isdisjoint(chain[-1:]):
            return True
    return False


def plain_functions(body: list[ast.stmt]) -> frozenset[str]:
    return frozenset(
        node.name
        for node in body
        if isinstance(node, FUNCTIONS)
        and all(_is_transparent(decorator) for decorator in node.decorator_list)
    )


def _is_transparent(decorator: ast.expr) -> bool:
    chain = chain_of(decorator)
    last = chain[-1] if chain else ""
    return last in _TRANSPARENT or (len(chain) == 2 and last in ("setter", "getter", "deleter"))  # noqa: PLR2004


def bound_in(body: Iterable[ast.stmt]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The names that a scope binds, those of them that it declares as belonging elsewhere, and imports."""
    bound, shared, imported = set[str](), set[str](), set[str]()
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        kind = type(node)  # every node of every function comes by here, most of them names
        if kind is ast.Name:
            if type(node.ctx) is not ast.Load:  # type: ignore[attr-defined]
                bound.add(node.id)  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            left.append(node.value)  # type: ignore[attr-defined]
        elif kind is ast.Call:
            left += (node.func, *node.args, *node.keywords)  # type: ignore[attr-defined]
        elif kind not in _LEAVES:
            _binding(node, bound, shared, imported)
            left += _within(node)
    return frozenset(bound | imported), frozenset(shared), frozenset(imported)


def _binding(node: ast.AST, bound: set[str], shared: set[str], imported: set[str]) -> None:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        bound.add(node.name)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        imported.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Global):
        shared.update(node.names)
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        bound.add(node.name)
    elif isinstance(node, ast.MatchMapping) and node.rest:
        bound.add(node.rest)


def _within(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes below one that belong to the same scope: what is in functions and classes does not."""
    if isinstance(node, _SCOPES):
        return () if isinstance(node, ast.Lambda) else node.decorator_list
    if isinstance(node, COMPREHENSIONS):
        return [each for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
    return ast.iter_child_nodes(node)
