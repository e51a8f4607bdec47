"""Which names a module's text binds.

Touches: nothing; works on text through the compiler's own symbol tables.

Guarantees: a name that the module binds when it runs, in a function by `global`, or in a class body by
`global`, is in `names`, unless `unsure` is true: then the text can bind names that it does not spell.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import symtable

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.facts import statements_known
from hotmod._source.files import read
from hotmod._source.memory import remembered
from hotmod._source.parse import decode, parse
from hotmod._source.statements import parsed

__all__ = ["Bindings", "bindings", "line_of"]

_REACHES_NAMESPACE = frozenset(("globals", "exec", "vars", "locals", "eval"))
_REACHES_MODULE = re.compile(r"\bsys\s*\.\s*modules\b|__dict__|\bfrom\s+sys\s+import\b.*\bmodules\b")


@dataclasses.dataclass(frozen=True, slots=True)
class Bindings:
    """What a module's text binds at module level.

    Attributes:
        names: every name it spells as bound.
        unsure: whether it may bind names that it does not spell (`globals()`, `exec`, ...).
    """

    names: frozenset[str]
    unsure: bool


@remembered
def bindings(text: SourceText) -> Bindings:
    """The names that a module's text binds.

    Raises:
        SourceError: the text can't be decoded or compiled.
    """
    source = decode(text)
    try:
        table = symtable.symtable(source, text.path, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 0
        raise SourceError(text.path, line, f"{type(error).__name__}: {error}") from error
    names, used = set[str](), set[str]()
    scopes = [table]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            binds = symbol.is_assigned() or symbol.is_imported()
            if binds and (scope is table or symbol.is_declared_global()):
                names.add(symbol.get_name())
            if symbol.is_global() or scope is table:
                used.add(symbol.get_name())
    if any(symbol.is_annotated() for symbol in table.get_symbols()):
        names.add("__annotations__")
    unsure = bool(used & _REACHES_NAMESPACE) or _REACHES_MODULE.search(source) is not None
    return Bindings(frozenset(names), unsure)


def line_of(source: SourceText | str, name: str) -> int:
    """The line on which a module's text first binds a name at module level; 0 when none can be named.

    Args:
        source: the text, or the path of the file to read it from.
        name: the name.
    """
    try:
        text = read(source) if isinstance(source, str) else source
        known = statements_known(text)
        if known is None:
            return next((node.lineno for node in parse(text).body if name in _bound(node)), 0)
        for statement in known:
            for node in parsed(statement.text) if name in statement.text else ():
                if name in _bound(node):
                    return statement.first - 1 + node.lineno
    except (SourceError, OSError):
        return 0
    return 0


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement binds, and some that it reads."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
