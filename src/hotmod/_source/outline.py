"""What a text says that its module defines: functions, classes and plain constants, by qualified name.

Touches: text only.

Guarantees: what is `sure` is bound once in its scope, by a statement that always runs, unless the text
reaches for its own namespace: then nothing is sure.

Assumes: nobody else sets the names; whoever asks looks at the other texts.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hotmod._source.definitions import bindings
from hotmod._source.memory import remembered
from hotmod._source.parse import parse

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText

__all__ = ["Definition", "Outline", "outline"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_WRAPPERS = ("staticmethod", "classmethod", "property")
_STAR = re.compile(rb"import\s*\*")
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """One function, class or constant of a text.

    Attributes:
        name: its qualified name.
        kind: `function`, `class` or `constant`.
        line: the line of its statement, without decorators.
        plain: whether what stands under the name is the object itself, or a `wrapper` around it.
        wrapper: `staticmethod`, `classmethod` or `property`, if nothing else decorates the function.
        sure: whether the name is bound by this statement, always, and by no other.
        bases: the names of the bases of a class, as far as they are names.
        value: the value of a constant.
        defaults: the default values of a function's positional parameters, if all are literals.
    """

    name: str
    kind: str
    line: int
    plain: bool = True
    sure: bool = True
    bases: tuple[str, ...] = ()
    value: Any = None
    defaults: tuple[Any, ...] | None = None
    wrapper: str = ""

    @property
    def key(self) -> str:
        """The name under which the namespace around it holds it; private names of classes are mangled."""
        around, _, name = self.name.rpartition(".")
        owner = around.rpartition(".")[2].lstrip("_")
        return f"_{owner}{name}" if owner and name.startswith("__") and not name.endswith("__") else name


@dataclasses.dataclass(frozen=True, slots=True)
class Outline:
    """What a text defines.

    Attributes:
        definitions: in the order of the text.
    """

    definitions: tuple[Definition, ...]


@remembered
def outline(text: SourceText) -> Outline:
    """What a text defines at module level and in the classes there.

    Raises:
        SourceError: the text can't be decoded or parsed.
    """
    tree = parse(text)
    unsure = bindings(text).unsure or _STAR.search(text.data) is not None
    nodes = ast.walk(tree) if b"global" in text.data else ()
    declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    return Outline(tuple(_defined(tree.body, "", unsure=unsure, taken=declared)))


def _defined(body: list[ast.stmt], around: str, *, unsure: bool, taken: set[str]) -> Iterator[Definition]:
    counts = collections.Counter(_bound_in(body))
    top = set(map(id, body))
    for node in _statements(body):
        sure = id(node) in top and not unsure
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            sure = sure and counts[node.name] == 1 and node.name not in taken
            yield from _definition(node, f"{around}{node.name}", sure=sure, unsure=unsure)
        elif not around and sure and isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            name = targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
            known, value = _literal(node.value)
            if name and known and counts[name] == 1 and name not in taken:
                yield Definition(name, "constant", node.lineno, value=value)


def _definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, name: str, *, sure: bool, unsure: bool
) -> Iterator[Definition]:
    plain = not node.decorator_list
    if isinstance(node, _FUNCTIONS):
        found = [_literal(each) for each in node.args.defaults]
        values = tuple(value for _, value in found) if all(known for known, _ in found) else None
        wrapper = _wrapper(node.decorator_list)
        yield Definition(
            name, "function", node.lineno, plain or bool(wrapper), sure, defaults=values, wrapper=wrapper
        )
        return
    bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
    yield Definition(name, "class", node.lineno, plain and not node.keywords, sure, bases)
    yield from _defined(node.body, f"{name}.", unsure=unsure, taken=set())


def _wrapper(decorators: list[ast.expr]) -> str:
    only = decorators[0] if len(decorators) == 1 else None
    return only.id if isinstance(only, ast.Name) and only.id in _WRAPPERS else ""


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements and those inside of them, in order, but not what is inside of functions and classes."""
    todo: list[ast.AST] = list(
        reversed([*body])
    )  # no recursion: a chain of `elif` nests as deep as it is long
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.expr)):
            todo += reversed([*ast.iter_child_nodes(node)])


def _bound_in(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Every name that the statements of one scope bind or delete, as often as they do."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node.name
            todo += [*node.decorator_list]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                yield node.id
        elif not isinstance(node, ast.Lambda):
            named = getattr(node, "name", None) or getattr(node, "rest", None)  # except as, match
            yield from (named,) if isinstance(named, str) else ()
            todo += ast.iter_child_nodes(node)


def _literal(node: ast.expr | None) -> tuple[bool, Any]:
    """Whether an expression is a literal of an immutable kind, and its value."""
    try:
        value = ast.literal_eval(node) if node is not None else ...
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False, None
    parts = value if type(value) is tuple else (value,)
    return all(type(part) in _PLAIN for part in parts), value
