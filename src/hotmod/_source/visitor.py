"""The walk over one statement that collects its facts.

Touches: syntax trees.

Guarantees: each name that running code reads at module level is noted with the most that is done with
it; where it is not plain which, with more.

Assumes: a function that is handed to code of others is called by it only if the result is used.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable

from hotmod._source import trees
from hotmod._source.dynamic import Context, read_call
from hotmod._source.imports import ImportStatement
from hotmod._source.regions import Builder, Chain, ClassFacts, Mode, NameImport
from hotmod._source.trees import Scope
from hotmod._source.treescan import Guard, guard_of

__all__ = ["Visitor"]

_LITERALS = (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.Set, *trees.COMPREHENSIONS)
_DYNAMIC = frozenset(("exec", "eval", "globals", "locals", "vars", "dir", "__import__", "import_module"))
_IMPORTING = frozenset(("import_module", "__import__"))


class Visitor:
    """Collects the facts of some statements; see `Facts` for the attributes."""

    def __init__(self, eager: Builder, *, postponed: bool, inside: bool) -> None:
        self._enters = inside
        self.binds: list[str] = []
        self.annotates: list[str] = []
        self.imports: list[NameImport] = []
        self.functions: dict[str, Builder] = {}
        self.classes: dict[str, ClassFacts] = {}
        self.ran = False  # whether anything happens when the statements run
        self._postponed = postponed
        self._top = Scope(eager)

    def block(self, nodes: Iterable[ast.stmt]) -> None:
        """Visit the statements of a module."""
        self._block(nodes, self._top)

    # statements

    def _block(self, nodes: Iterable[ast.stmt], scope: Scope) -> None:
        for node in nodes:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        if isinstance(node, (ast.Pass, ast.Global, ast.Nonlocal)) or trees.is_text(node):
            return
        self.ran = True
        if isinstance(node, trees.FUNCTIONS):
            self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            self._class(node, scope)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, scope)
        elif isinstance(node, ast.If):
            self._if(node, scope)
        elif isinstance(node, ast.Expr):
            self._discarded(node.value, scope)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._assign(node, scope)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                self._target(target, scope, deletes=True)
        elif isinstance(node, ast.Return):
            if node.value is not None:
                self._value(node.value, scope)
        else:
            self._compound(node, scope)

    def _compound(self, node: ast.stmt, scope: Scope) -> None:
        """Loops, `try`, `with`, `match`, `raise`, `assert` and whatever else there is."""
        inside = dataclasses.replace(scope, guarded=True)
        for field, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.stmt):
                    self._statement(part, inside)
                elif isinstance(part, ast.expr):
                    if field == "target":
                        self._target(part, inside)
                    elif type(node).__name__ != "TypeAlias":
                        self._expression(part, inside, Mode.USED)
                    elif field == "name":
                        self._target(part, inside)
                    else:
                        self._deferred(part, inside)
                elif isinstance(part, ast.AST):
                    self._clause(part, inside)

    def _clause(self, node: ast.AST, scope: Scope) -> None:
        """A `with` item, an exception handler, a case, a pattern."""
        if isinstance(node, ast.withitem):
            if isinstance(node.context_expr, ast.Call):
                self._call(node.context_expr, scope, Mode.HANDED, Mode.APPLIED)
            else:
                self._expression(node.context_expr, scope, Mode.USED)
            if node.optional_vars is not None:
                self._target(node.optional_vars, scope)
            return
        if isinstance(node, ast.MatchClass):
            scope.builder.attributes.update(node.kwd_attrs)
        for name in (getattr(node, "name", None), getattr(node, "rest", None)):
            if isinstance(name, str) and isinstance(node, (ast.excepthandler, ast.pattern)):
                self._bind(name, scope)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._statement(child, scope)
            elif isinstance(child, ast.expr):
                self._expression(child, scope, Mode.USED)
            else:
                self._clause(child, scope)

    def _if(self, node: ast.If, scope: Scope) -> None:
        guard = guard_of(node.test)
        inside = dataclasses.replace(scope, guarded=True)
        self._expression(node.test, scope, Mode.USED)
        ran = self.ran
        if guard is not Guard.TYPES and (guard is not Guard.MAIN or scope.in_function):
            self._block(node.body, inside)
        if guard is not Guard.NOT_TYPES:
            self._block(node.orelse, inside)
        if guard in (Guard.TYPES, Guard.MAIN) and not node.orelse:
            self.ran = ran and self.ran

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope) -> None:
        if isinstance(node, ast.AnnAssign):
            if not self._postponed and not scope.in_function:
                self._expression(node.annotation, scope, Mode.PLAIN)
            if scope.name and not scope.in_function:
                for chain in trees.chains_in(trees.spelled(node.annotation)):
                    self._read(chain, scope, Mode.NOTED)
            elif not scope.in_function:
                self.binds.append("__annotations__")
                if isinstance(node.target, ast.Name) and node.simple:
                    self.annotates.append(node.target.id)
        if isinstance(node, ast.AugAssign):
            self._target(node.target, scope)
            chain = trees.chain_of(node.target)
            if chain:
                self._read(chain, scope, Mode.USED)
        if node.value is not None:
            mode = Mode.USED if isinstance(node, ast.AugAssign) else Mode.PLAIN
            if mode is Mode.PLAIN and scope.in_function:
                self._value(node.value, scope)
            else:
                self._expression(node.value, scope, mode)
        if isinstance(node, ast.Assign):
            scope.ask(trees.asked_in(node))
            for target in node.targets:
                self._target(target, scope)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._target(node.target, scope)

    def _target(self, node: ast.expr, scope: Scope, *, deletes: bool = False) -> None:
        if isinstance(node, ast.Name):
            self._bind(node.id, scope)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for part in node.elts:
                self._target(part, scope, deletes=deletes)
        elif isinstance(node, ast.Starred):
            self._target(node.value, scope)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            self._expression(node.value, scope, Mode.USED)
            if isinstance(node, ast.Subscript):
                self._expression(node.slice, scope, Mode.PLAIN)
            self._changed(node.value, scope)

    def _changed(self, node: ast.expr, scope: Scope) -> None:
        """The object that an expression gives is changed."""
        while isinstance(node, ast.Subscript):
            node = node.value
        chain = trees.chain_of(node)
        if chain and (chain[0] not in scope.local or chain[0] in scope.imported):
            scope.builder.changes.add(chain)
        elif chain and chain[0] in scope.parameters:
            scope.builder.changes_parameters = True
        elif isinstance(node, ast.Call) and trees.chain_of(node.func) == ("globals",):
            scope.builder.stores.add("*")

    def _bind(self, name: str, scope: Scope) -> None:
        if scope.in_function:
            if name not in scope.local:
                scope.builder.stores.add(name)
        elif not scope.name or name not in scope.local:
            self.binds.append(name)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        found = []
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                local = "*" if alias.name == "*" else alias.asname or alias.name
                found.append(NameImport(local, node.module or "", node.level, alias.name, scope.guarded))
            elif alias.asname:
                found.append(NameImport(alias.asname, alias.name, 0, "", scope.guarded))
            else:
                first = alias.name.partition(".")[0]
                found.append(NameImport(first, first, 0, "", scope.guarded))
                if "." in alias.name:
                    found.append(NameImport("", alias.name, 0, "", scope.guarded))
        if scope.in_function:
            scope.builder.imports += found
            return
        self.imports += found
        if not scope.name:
            self.binds += [each.local for each in found if each.local]

    # definitions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        if not scope.in_function and not scope.name:
            self.binds.append(node.name)
        for decorator in node.decorator_list:
            self._decorator(decorator, scope)
        arguments = node.args
        annotations, defaults = trees.signature_of(arguments, node.returns)
        for part in (*defaults, *(() if self._postponed else annotations)):
            self._expression(part, scope, Mode.PLAIN)
        if trees.is_looked_at(node):  # as by frameworks that make parameters of a signature
            for chain in trees.chains_in(*map(trees.spelled, annotations), *defaults):
                self._read(chain, scope, Mode.HANDED)
        name = f"{scope.name}.{node.name}" if scope.name else node.name
        if scope.in_function:
            builder, parameters = scope.builder, frozenset[str]()
        else:
            builder, parameters = self.functions.setdefault(name, Builder()), trees.parameters_of(arguments)
        if self._enters or scope.in_function:
            self._inside(node.body, arguments, scope, builder, name, parameters)

    def _inside(
        self,
        body: list[ast.stmt],
        arguments: ast.arguments,
        scope: Scope,
        builder: Builder,
        name: str,
        parameters: frozenset[str],
    ) -> None:
        bound, shared, imported = trees.bound_in(body)
        outer = scope.local if scope.in_function else frozenset[str]()
        local = (outer | trees.parameters_of(arguments) | bound) - shared
        kept = (scope.imported - bound if scope.in_function else frozenset[str]()) | (imported - shared)
        ran = self.ran
        first = next((each.arg for each in (*arguments.posonlyargs, *arguments.args)), "")
        owner = scope.owner if scope.in_function else first if scope.name else ""
        inside = Scope(builder, name, local, kept, parameters, owner, in_function=True)
        self._block(body, inside)
        self.ran = ran

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        if not scope.in_function and not scope.name:
            self.binds.append(node.name)
        for decorator in node.decorator_list:
            self._decorator(decorator, scope)
        for part in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self._expression(part, scope, Mode.BASE if trees.chain_of(part) else Mode.USED)
        name = f"{scope.name}.{node.name}" if scope.name else node.name
        bound, shared, _ = trees.bound_in(node.body)
        functions = trees.plain_functions(node.body)
        if not scope.in_function:
            self.classes[name] = ClassFacts(
                tuple(trees.chain_of(trees.origin_of(base)) for base in node.bases),
                tuple(trees.chain_of(trees.origin_of(keyword.value)) for keyword in node.keywords),
                not node.decorator_list and not node.keywords,
                functions,
                bound - shared - functions,
            )
            inside = Scope(scope.builder, name, bound - shared, methods=functions, guarded=scope.guarded)
        else:
            inside = dataclasses.replace(scope, local=scope.local | (bound - shared))
        self._block(node.body, inside)

    def _decorator(self, node: ast.expr, scope: Scope) -> None:
        if isinstance(node, ast.Call):
            self._call(node, scope, Mode.STORED, Mode.APPLIED)
        else:
            self._expression(node, scope, Mode.CALLED)
            scope.builder.unknown.add(trees.chain_of(node))

    def _deferred(self, node: ast.expr, scope: Scope) -> None:
        """An expression that runs later, if ever: the inside of a lambda, the value of a type alias."""
        builder = scope.builder if scope.in_function else self.functions.setdefault("<lambda>", Builder())
        if not self._enters and not scope.in_function:
            return
        self._value(node, dataclasses.replace(scope, builder=builder, in_function=True))

    # expressions

    def _discarded(self, node: ast.expr, scope: Scope) -> None:
        """An expression whose value nobody uses: what it is handed is registered somewhere, not called."""
        if isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            self._call(node, scope, Mode.PLAIN)
        else:
            self._expression(node, scope, Mode.USED)

    def _value(self, node: ast.expr, scope: Scope) -> None:
        """A value in a function that goes on under another name, so that it may be called."""
        chain = trees.chain_of(node)
        if chain and scope.in_function:
            self._read(chain, scope, Mode.CALLED)
        else:
            self._expression(node, scope, Mode.PLAIN)

    def _expression(self, node: ast.AST, scope: Scope, mode: Mode) -> None:
        if type(node) is ast.Constant:
            return
        if isinstance(node, (ast.Name, ast.Attribute)):
            self._name(node, scope, mode)
        elif isinstance(node, ast.Call):
            self._call(node, scope, Mode.HANDED, Mode.APPLIED if mode >= Mode.USED else Mode.CALLED)
        elif isinstance(node, ast.Lambda):
            self._lambda(node, scope, mode)
        elif isinstance(node, trees.COMPREHENSIONS):
            self._comprehension(node, scope)
        elif isinstance(node, ast.NamedExpr):
            self._expression(node.value, scope, Mode.USED)
            self._target(node.target, scope)
        elif isinstance(node, ast.IfExp):
            self._expression(node.test, scope, Mode.USED)
            self._expression(node.body, scope, mode)
            self._expression(node.orelse, scope, mode)
        elif isinstance(node, ast.Subscript):
            scope.ask(trees.asked_in(node))
            self._expression(node.value, scope, max(Mode.USED, mode))
            self._expression(node.slice, scope, Mode.USED if type(node.slice) is ast.Call else Mode.PLAIN)
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Slice, ast.keyword)):
            scope.ask(trees.asked_in(node))
            for child in ast.iter_child_nodes(node):
                asked = mode >= Mode.USED and type(child) is ast.Call
                self._expression(child, scope, Mode.USED if asked else Mode.PLAIN)
        elif isinstance(node, ast.Yield) and node.value is not None:
            self._value(node.value, scope)
        else:
            for child in ast.iter_child_nodes(node):
                self._expression(child, scope, Mode.USED)

    def _name(self, node: ast.Name | ast.Attribute, scope: Scope, mode: Mode) -> None:
        chain = trees.chain_of(node)
        if chain:
            self._read(chain, scope, mode)
            return
        names = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value  # type: ignore[assignment]
        # the last is looked up first, on what the expression gives; what a literal gives is known
        rest = names[:-1]
        if trees.is_super(node):
            scope.builder.own.update(names[-1:])
        elif not isinstance(node, _LITERALS):
            rest = names
        scope.builder.attributes.update(rest)
        self._expression(node, scope, Mode.USED)

    def _read(self, chain: Chain, scope: Scope, mode: Mode) -> None:
        builder, root = scope.builder, chain[0]
        if root in _DYNAMIC and root not in scope.local:
            builder.dynamic = True
        if chain[-1] in ("__dict__", "import_module") or chain[:2] == ("sys", "modules"):
            builder.dynamic = True
        if root not in scope.local or root in scope.imported:
            builder.read(chain, mode)
            return
        (builder.own if root == scope.owner else builder.attributes).update(chain[1:2])
        builder.attributes.update(chain[2:])
        if mode >= Mode.CALLED:
            if root in scope.parameters and len(chain) == 1:
                builder.calls_parameters = True
            if root in scope.methods:
                builder.read((*scope.name.split("."), *chain), mode)

    def _call(self, node: ast.Call, scope: Scope, handing: Mode, calling: Mode = Mode.CALLED) -> None:
        callee = trees.chain_of(node.func)
        last = callee[-1] if callee else getattr(node.func, "attr", "")
        if last in _IMPORTING and self._imports_by_name(node, scope):
            return
        if callee:
            self._read(callee, scope, calling)
            self._mutation(node.func, scope, last)
        else:
            self._expression(node.func, scope, Mode.CALLED)
        if not (isinstance(node.func, ast.Attribute) and isinstance(node.func.value, _LITERALS)):
            local = bool(callee) and callee[0] in scope.local and callee[0] not in scope.imported
            scope.builder.unknown.add(() if local else callee)
        handed = Mode.STORED if handing is Mode.HANDED and last[:1].isupper() else handing
        mode = Mode.CALLED if last in trees.CALLING else Mode.USED if trees.converts(node, callee) else handed
        for argument in (*trees.spelled_out(node, callee), *node.keywords):
            value = argument.value if isinstance(argument, (ast.keyword, ast.Starred)) else argument
            chain = trees.chain_of(value)
            keyed = isinstance(argument, ast.keyword) and argument.arg == "key" and last in trees.WITH_KEY
            self._expression(value, scope, Mode.CALLED if keyed else mode)
            scope.ask(trees.asked_in(argument) if mode < Mode.USED else [value])
            if scope.leads_out(chain):
                scope.builder.handed.add((callee, chain))
            elif chain and chain[0] in scope.parameters and mode is Mode.CALLED:
                scope.builder.calls_parameters = True

    def _imports_by_name(self, node: ast.Call, scope: Scope) -> bool:
        """A call that imports a module by its literal name: anything of that module may be used."""
        found = read_call(node, Context())
        if not isinstance(found, ImportStatement) or found.anchor:
            return False
        imported = NameImport("", found.module, found.level, "*", scope.guarded)
        (scope.builder.imports if scope.in_function else self.imports).append(imported)
        return True

    def _mutation(self, func: ast.expr, scope: Scope, last: str) -> None:
        if isinstance(func, ast.Attribute) and last in trees.MUTATING:
            self._changed(func.value, scope)

    def _lambda(self, node: ast.Lambda, scope: Scope, mode: Mode) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self._expression(default, scope, Mode.PLAIN)
        runs = mode >= Mode.HANDED  # handed to a call that may call it before it returns
        builder = scope.builder
        if not runs and not scope.in_function:
            builder = self.functions.setdefault("<lambda>", Builder())
            if not self._enters:
                return
        local = (scope.local if scope.in_function else frozenset[str]()) | trees.parameters_of(node.args)
        inside = dataclasses.replace(
            scope, builder=builder, local=local, in_function=True, parameters=frozenset()
        )
        self._value(node.body, inside)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope
    ) -> None:
        inside = scope
        for generator in node.generators:
            self._expression(generator.iter, inside, Mode.USED)
            names = {part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name)}
            # what a class body binds is not seen in a comprehension, but what the module binds is
            inside = dataclasses.replace(inside, local=inside.local | names, imported=inside.imported - names)
            for test in generator.ifs:
                self._expression(test, inside, Mode.USED)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for element in elements:
            self._expression(element, inside, Mode.PLAIN)
