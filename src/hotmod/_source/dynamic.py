"""Imports made by calls: `import_module("...")`, `__import__("...")`, and what only looks like one.

Touches: syntax trees.

Guarantees: a call that may import and whose target the text doesn't tell comes out as `Unsure`, never as
nothing. A call is recognised by name, so an unrelated function called `import_module` counts as well; its
literal then names no module in scope.

Assumes: `__name__` and `__package__` are not rebound.
"""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING

from hotmod._source.imports import ImportKind, ImportStatement, Unsure

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = [
    "BY_STRING",
    "COMPUTED",
    "OPAQUE",
    "Context",
    "attribute_path",
    "read_assignment",
    "read_call",
    "read_name",
    "reasonable",
    "root_of",
]

# Functions that import what no text says, and where they come from: a module that imports none of these
# packages means something else by the name.
OPAQUE = {
    "run_module": ("runpy", "runs a module by name"),
    "run_path": ("runpy", "runs a file"),
    "spec_from_file_location": ("importlib", "imports a file by its path"),
    "exec_module": ("importlib", "runs a module through its loader"),
    "load_module": ("importlib", "loads a module through its loader"),
    "walk_packages": ("pkgutil", "imports the packages that it walks"),
}
COMPUTED = "imports a module whose name is computed"
BY_STRING = "imports by a dotted string"
_CHANGES_MODULES = "changes sys.modules"
_PACKAGE_OF = {reason: package for package, reason in OPAQUE.values()} | {_CHANGES_MODULES: "sys"}
_MUTATORS = frozenset({"setdefault", "update", "pop", "__setitem__"})


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """Where a statement stands: the path of definitions around it and when it runs."""

    where: str = ""
    deferred: bool = False
    kind: ImportKind = ImportKind.EAGER

    def dynamic(self) -> ImportKind:
        """The kind of an import made by a call here."""
        never = self.kind is ImportKind.TYPE_CHECKING
        return ImportKind.TYPE_CHECKING if never else ImportKind.DYNAMIC


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """The module that a call names: relative if `level` is not 0."""

    module: str
    level: int
    anchor: str = ""


def attribute_path(node: ast.expr) -> str:
    """`a.b.c` for a chain of attributes on a name, with `…` for anything else at its start."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "…")
    return ".".join(reversed(parts))


def read_call(
    call: ast.Call, context: Context, target: str = "", attribute: str = "", aliases: Container[str] = ()
) -> ImportStatement | Unsure | None:
    """What a call imports.

    Args:
        call: the call.
        context: where it stands.
        target: the name that its result is assigned to.
        attribute: the attribute that is taken from its result.
        aliases: further names of `import_module`.
    """
    path = attribute_path(call.func)
    name = path.rpartition(".")[2]
    if name == "import_module" or path in aliases:
        return _import_module(call, context, target, attribute)
    if name == "__import__":
        return _dunder_import(call, context, target)
    if path in {"exec", "builtins.exec"}:
        return _exec(call)
    if name == "import_string":
        return Unsure(call.lineno, _shown(call), BY_STRING)
    if name in OPAQUE:
        return Unsure(call.lineno, _shown(call), OPAQUE[name][1])
    if path.endswith("sys.modules." + name) and name in _MUTATORS:
        return Unsure(call.lineno, _shown(call), _CHANGES_MODULES)
    return None


def read_name(node: ast.Name | ast.Attribute) -> Unsure | None:
    """What is to be said of an import function that is not called but handed on."""
    name = node.id if isinstance(node, ast.Name) else node.attr
    if name in {"import_module", "__import__"} and isinstance(node.ctx, ast.Load):
        return Unsure(node.lineno, attribute_path(node), "hands an import function on")
    return None


def read_assignment(target: ast.expr) -> Unsure | None:
    """What is to be said of an assignment to (or a deletion of) `sys.modules[...]`."""
    if isinstance(target, ast.Subscript) and attribute_path(target.value).endswith("sys.modules"):
        return Unsure(target.lineno, "sys.modules[...]", _CHANGES_MODULES)
    return None


def reasonable(note: Unsure, statements: Iterable[ImportStatement]) -> bool:
    """Whether a note stands, given all imports of its module: see `OPAQUE`."""
    package = _PACKAGE_OF.get(note.reason)
    return package is None or any(root_of(statement) == package for statement in statements)


def root_of(statement: ImportStatement) -> str:
    """The outermost package that an absolute import names; empty for a relative one."""
    return "" if statement.level else statement.module.partition(".")[0]


def _import_module(call: ast.Call, context: Context, target: str, attribute: str) -> ImportStatement | Unsure:
    names = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    name = names[0] if names else keywords.get("name")
    package = names[1] if len(names) > 1 else keywords.get("package")
    found = _module_of(name) if name is not None else None
    if found is not None and found.level and not found.anchor and isinstance(name, ast.Constant):
        found = _anchored(found, package)
    if found is None:
        return Unsure(call.lineno, _shown(call), COMPUTED)
    return _statement(call, context, found, target, ((attribute, None),) if attribute else ())


def _dunder_import(call: ast.Call, context: Context, target: str) -> ImportStatement | Unsure:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    arguments = dict(zip(("name", "globals", "locals", "fromlist", "level"), call.args, strict=False))
    arguments |= {key: value for key, value in keywords.items() if key is not None}
    name, level, fromlist = (arguments.get(key) for key in ("name", "level", "fromlist"))
    found = _module_of(name) if name is not None else None
    depth = level.value if isinstance(level, ast.Constant) else 0 if level is None else None
    if found is None or not isinstance(depth, int) or depth < 0 or (found.level and not found.anchor):
        return Unsure(call.lineno, _shown(call), COMPUTED)
    if depth:
        found = _Target(found.module, depth)
    wanted = _strings(fromlist)
    if fromlist is not None and wanted is None:
        return Unsure(call.lineno, _shown(call), "imports names that are computed")
    names: tuple[tuple[str, str | None], ...] = tuple((each, None) for each in wanted or ())
    if names:
        return _statement(call, context, found, target, names, is_from=True)
    # Like `import a.b`, it gives the outermost package.
    return _statement(call, context, found, target, ((found.module, None),))


def _statement(
    call: ast.Call,
    context: Context,
    found: _Target,
    target: str,
    names: tuple[tuple[str, str | None], ...],
    *,
    is_from: bool = False,
) -> ImportStatement:
    return ImportStatement(
        module=found.module,
        level=found.level,
        names=names,
        is_from=is_from,
        line=call.lineno,
        kind=context.dynamic(),
        where=context.where,
        deferred=context.deferred,
        anchor=found.anchor,
        target=target,
    )


def _exec(call: ast.Call) -> Unsure | None:
    source = call.args[0] if call.args else None
    if isinstance(source, ast.Constant) and isinstance(source.value, (str, bytes)):
        code = source.value if isinstance(source.value, str) else source.value.decode("utf-8", "replace")
        return Unsure(call.lineno, "exec(...)", "executes code that imports") if "import" in code else None
    return Unsure(call.lineno, _shown(call), "executes code that is computed")


def _anchored(found: _Target, package: ast.expr | None) -> _Target | None:
    """A literal relative name, given what the second argument says it is relative to."""
    if isinstance(package, ast.Constant) and isinstance(package.value, str) and package.value:
        return _Target(found.module, found.level, package.value)
    if package is None:
        return None
    path = attribute_path(package)
    if path in {"__package__", "__spec__.parent"}:
        return found
    return _Target(found.module, found.level, "__name__") if path == "__name__" else None


def _module_of(node: ast.expr) -> _Target | None:
    """The module that an expression names: a literal, or a literal after `__name__` or `__package__`."""
    parts = _parts(node)
    if not parts:
        return None
    head, rest = parts[0], parts[1:]
    if any(not isinstance(part, str) for part in rest):
        return None
    tail = "".join(part for part in rest if isinstance(part, str))
    if isinstance(head, str):
        name = head + tail
        module = name.lstrip(".")
        return _Target(module, len(name) - len(module)) if name else None
    if tail and not tail.startswith("."):
        return None
    anchor = {"__name__": "__name__", "__package__": "", "__spec__.parent": ""}.get(attribute_path(head))
    return None if anchor is None else _Target(tail[1:], 1, anchor)


def _parts(node: ast.expr) -> list[str | ast.expr]:
    """The pieces that a string expression joins, in order."""
    pieces: list[str | ast.expr] = []
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add):
            stack += [each.right, each.left]
        elif isinstance(each, ast.JoinedStr):
            stack += reversed(each.values)
        elif isinstance(each, ast.FormattedValue) and each.conversion == -1 and each.format_spec is None:
            stack.append(each.value)
        elif isinstance(each, ast.Constant):
            if not isinstance(each.value, str):
                return []
            pieces.append(each.value)
        else:
            pieces.append(each)
    return pieces


def _strings(node: ast.expr | None) -> tuple[str, ...] | None:
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return None
    values = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
    found = tuple(value for value in values if isinstance(value, str))
    return found if len(found) == len(values) else None


def _shown(call: ast.Call) -> str:
    """The call, shortened: whole expressions may nest deeper than `ast.unparse` can go."""
    first = call.args[0] if call.args else None
    if isinstance(first, (ast.Name, ast.Attribute)):
        inside = attribute_path(first)
    elif isinstance(first, ast.Constant):
        inside = repr(first.value)[:40]
    else:
        inside = "..." if call.args or call.keywords else ""
    return f"{attribute_path(call.func)}({inside})"
