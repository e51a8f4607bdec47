"""The scan of a syntax tree: the truth that the faster scan is measured against.

Touches: syntax trees.

Guarantees: every import statement of the tree is found, however deep it stands; nothing here recurses,
so the depth of a tree is no limit.

Assumes: `TYPE_CHECKING` is false at run time; `__name__` is not `"__main__"` in a module that is imported.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
from bisect import bisect_left
from typing import TYPE_CHECKING

from hotmod._source.dynamic import Context, read_assignment, read_call, read_name, reasonable
from hotmod._source.imports import ImportKind, ImportStatement, Scan, Unsure
from hotmod._source.tables import Exports, defines_getattr, lazy_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Guard", "guard_of", "scan_parts", "scan_tree"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPOUND = (
    *(ast.If, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While, ast.Match),
    *(ast.excepthandler, ast.match_case),
)
_LEAVES = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop, ast.Constant)


class Guard(enum.Enum):
    """What the test of an `if` says about its two branches."""

    PLAIN = "plain"
    TYPES = "types"  # the body never runs
    NOT_TYPES = "not-types"  # the body always runs, the else branch never
    MAIN = "main"  # the body runs in the main module only


def guard_of(test: ast.expr) -> Guard:
    """Which kind of test this is."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        negated = _is_types(test.operand) or (
            isinstance(test.operand, ast.Constant) and not test.operand.value
        )
        return Guard.NOT_TYPES if negated else Guard.PLAIN
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        if any(_is_types(value) for value in test.values):
            return Guard.TYPES
        return Guard.MAIN if any(_is_main_test(value) for value in test.values) else Guard.PLAIN
    if isinstance(test, ast.Constant):
        return Guard.PLAIN if test.value else Guard.TYPES
    if _is_types(test):
        return Guard.TYPES
    return Guard.MAIN if _is_main_test(test) else Guard.PLAIN


def scan_tree(tree: ast.Module) -> Scan:
    """What the text of a tree imports.

    Args:
        tree: a module's tree, as `ast.parse` gives it.
    """
    return scan_parts([(tree.body, Context())])


def scan_parts(
    parts: Iterable[tuple[list[ast.stmt], Context]],
    lines: Sequence[int] | None = None,
    others: Iterable[ImportStatement] = (),
    notes: Iterable[Unsure] = (),
) -> Scan:
    """What a text imports, of which only some parts were parsed.

    Args:
        parts: statements, and where each part stands.
        lines: the lines, ascending, outside of which nothing but import statements is looked for; all
            by default.
        others: the imports outside of the parts.
        notes: what is unsure outside of the parts.
    """
    scan = _TreeScan(lines)
    outermost: list[ast.stmt] = []
    for body, context in parts:
        scan.run(body, context)
        if not context.where:
            outermost += body
    has_getattr = defines_getattr(outermost)
    statements = sorted([*scan.statements, *others], key=lambda statement: statement.line)
    unsure = [note for note in (*scan.unsure, *notes) if reasonable(note, statements)]
    exports = scan.exports
    return Scan(
        statements=tuple(statements),
        exports=None if exports.names is None else tuple(exports.names),
        exports_unsure=exports.unsure,
        getattr_module=has_getattr,
        lazy=lazy_rows(outermost) if has_getattr else (),
        unsure=tuple(sorted(unsure, key=lambda note: note.line)),
    )


class _TreeScan:
    """One walk over a tree, with an explicit stack of what is left to do, last first."""

    def __init__(self, lines: Sequence[int] | None) -> None:
        self._lines = lines
        self._aliases: set[str] = set()
        self.statements: list[ImportStatement] = []
        self.unsure: list[Unsure] = []
        self.exports = Exports()
        self._left: list[tuple[ast.AST, Context]] = []

    def run(self, body: list[ast.stmt], context: Context) -> None:
        self._push(body, context)
        while self._left:
            node, context = self._left.pop()
            if isinstance(node, ast.stmt):
                self._statement(node, context)
            elif isinstance(node, _COMPOUND):
                self._compound(node, context)
            elif self._matters(node):
                self._expression(node, context)

    def _matters(self, node: ast.AST) -> bool:
        """Whether a node may hold more than import statements."""
        if self._lines is None:
            return True
        first, last = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if first is None or last is None:
            return True
        index = bisect_left(self._lines, first)
        return index < len(self._lines) and self._lines[index] <= last

    def _push(self, nodes: Sequence[ast.AST], context: Context) -> None:
        self._left.extend((node, context) for node in reversed(nodes))

    def _statement(self, node: ast.stmt, context: Context) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                pair = (alias.name, alias.asname)
                self._emit(ImportStatement(alias.name, 0, (pair,), False, node.lineno), context)  # noqa: FBT003
        elif isinstance(node, ast.ImportFrom):
            names = tuple((alias.name, alias.asname) for alias in node.names)
            self._aliases.update(alias for name, alias in names if name == "import_module" and alias)
            found = ImportStatement(node.module or "", node.level, names, is_from=True, line=node.lineno)
            self._emit(found, context)
        elif isinstance(node, _FUNCTIONS):
            inner = _inside(context, node.name)
            never = context.kind is ImportKind.TYPE_CHECKING
            kind = context.kind if never else ImportKind.DEFERRED
            self._definition(node, context, dataclasses.replace(inner, deferred=True, kind=kind))
        elif isinstance(node, ast.ClassDef):
            self._definition(node, context, _inside(context, node.name))
        elif isinstance(node, ast.If):
            self._if(node, context)
        elif isinstance(node, _COMPOUND):
            self._compound(node, context)
        elif self._matters(node):
            self._simple(node, context)

    def _emit(self, found: ImportStatement, context: Context) -> None:
        placed = found._replace(kind=context.kind, where=context.where, deferred=context.deferred)
        self.statements.append(placed)

    def _definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, outer: Context, inner: Context
    ) -> None:
        """A definition: its decorators, defaults and bases run where it stands, its body inside."""
        self._push(node.body, inner)
        header = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
        self._push(header, outer)

    def _if(self, node: ast.If, context: Context) -> None:
        guard = guard_of(node.test)
        plain = _conditional(context)
        never = dataclasses.replace(context, kind=ImportKind.TYPE_CHECKING)
        body, orelse = plain, plain
        if guard is Guard.TYPES:
            body = never
        elif guard is Guard.NOT_TYPES:
            orelse = never
        elif guard is Guard.MAIN:
            body = dataclasses.replace(plain, deferred=True)
        self._push(node.orelse, orelse)
        self._push(node.body, body)
        self._push([node.test], context)

    def _compound(self, node: ast.AST, context: Context) -> None:
        """A statement with blocks: what stands in them may run."""
        inner = _conditional(context)
        children = list(ast.iter_child_nodes(node))
        blocks = isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case))
        self._left.extend(
            (child, inner if blocks and isinstance(child, (ast.stmt, *_COMPOUND)) else context)
            for child in reversed(children)
        )

    def _simple(self, node: ast.stmt, context: Context) -> None:
        if not context.where and not context.deferred:
            conditional = context.kind is not ImportKind.EAGER
            self.exports.follow(node, conditional=conditional)
        targets: list[ast.expr] = []
        name = ""
        if isinstance(node, (ast.Assign, ast.Delete)):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        self.unsure.extend(filter(None, map(read_assignment, targets)))
        value = getattr(node, "value", None) if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            name = targets[0].id
        if isinstance(value, ast.expr) and name:
            self._value(value, context, name)
            self._push([child for child in ast.iter_child_nodes(node) if child is not value], context)
        else:
            self._push(list(ast.iter_child_nodes(node)), context)

    def _value(self, value: ast.expr, context: Context, target: str) -> None:
        """The value of a plain assignment: the name assigned to belongs to the import."""
        call, attribute = value, ""
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Call):
            call, attribute = value.value, value.attr
        if isinstance(call, ast.Call):
            self._call(call, context, target, attribute)
        else:
            self._push([value], context)

    def _expression(self, node: ast.AST, context: Context) -> None:
        if isinstance(node, ast.Call):
            self._call(node, context)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call):
            self._call(node.value, context, attribute=node.attr)
        elif isinstance(node, ast.Lambda):
            kind = context.kind if context.kind is ImportKind.TYPE_CHECKING else ImportKind.DEFERRED
            self._push([node.body], dataclasses.replace(context, deferred=True, kind=kind))
            self._push([node.args], context)
        else:
            if isinstance(node, (ast.Name, ast.Attribute)):
                self._note(read_name(node))
            self._push(
                [each for each in ast.iter_child_nodes(node) if not isinstance(each, _LEAVES)], context
            )

    def _call(self, call: ast.Call, context: Context, target: str = "", attribute: str = "") -> None:
        found = read_call(call, context, target, attribute, self._aliases)
        if isinstance(found, ImportStatement):
            self.statements.append(found)
        else:
            self._note(found)
        func = [] if isinstance(found, (ImportStatement, Unsure)) else [call.func]
        if isinstance(call.func, ast.Attribute) and func == []:
            func = [call.func.value]
        self._push([*func, *call.args, *call.keywords], context)

    def _note(self, note: Unsure | None) -> None:
        if note is not None:
            self.unsure.append(note)


def _inside(context: Context, name: str) -> Context:
    return dataclasses.replace(context, where=f"{context.where}.{name}" if context.where else name)


def _conditional(context: Context) -> Context:
    if context.kind is ImportKind.EAGER:
        return dataclasses.replace(context, kind=ImportKind.CONDITIONAL)
    return context


def _is_types(test: ast.expr) -> bool:
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _is_main_test(test: ast.expr) -> bool:
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = (test.left, test.comparators[0])
    has_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return has_name and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
