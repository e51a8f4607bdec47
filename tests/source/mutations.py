"""Edits of real modules, made by lines, whose kind is known by the way in which they are made."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A text after an edit.

    Attributes:
        what: how it was made.
        text: the text.
        told: the one edit that is neither unchanged nor moved: kind, names or bodies, whether in the header.
        from_line: no statement that ends above this line has moved.
    """

    what: str
    text: str
    told: tuple[str, tuple[str, ...], bool] | None
    from_line: int


class Module:
    """A module of which mutations are made."""

    def __init__(self, text: str, choose: random.Random) -> None:
        self.lines = text.split("\n")
        self.tree = ast.parse(text)
        self.choose = choose

    def mutations(self) -> Iterator[Mutation]:
        """One mutation of each kind that the module allows."""
        for make in (
            self.body, self.method_body, self.comment_above, self.comment_inside, self.function_added,
            self.function_removed, self.decorated, self.default, self.constant, self.swapped,
        ):  # fmt: skip
            mutation = make()
            if mutation is not None:
                yield mutation

    def body(self) -> Mutation | None:
        """A statement more in a function that stands in no class."""
        return self._body(lambda name: "." not in name)

    def method_body(self) -> Mutation | None:
        """A statement more in a method."""
        return self._body(lambda name: "." in name)

    def comment_above(self) -> Mutation | None:
        """A comment above a statement."""
        nodes = [node for node in self.tree.body if self._begins_line(node)]
        if not nodes:
            return None
        line = first(self.choose.choice(nodes))
        return Mutation("comment above", self._with(line, "# hotmod"), None, line)

    def comment_inside(self) -> Mutation | None:
        """A comment inside of a statement."""
        nodes = [node for node in self._statements() if node.col_offset and self._begins_line(node)]
        if not nodes:
            return None
        line = first(self.choose.choice(nodes))
        return Mutation("comment inside", self._with(line, "# hotmod"), None, self._outermost(line))

    def function_added(self) -> Mutation | None:
        """A function more, between two statements."""
        nodes = [node for node in self.tree.body[1:] if self._begins_line(node)]
        line = first(self.choose.choice(nodes)) if nodes else len(self.lines)
        told = ("added", ("hotmod_added",), False)
        return Mutation("function added", self._with(line, "def hotmod_added(): pass"), told, line)

    def function_removed(self) -> Mutation | None:
        """A function less."""
        nodes = [
            node for node in self.tree.body[1:] if isinstance(node, FUNCTIONS) and self._begins_line(node)
        ]
        if not nodes:
            return None
        node = self.choose.choice(nodes)
        lines = [*self.lines[: first(node) - 1], *self.lines[end(node) :]]
        return Mutation("function removed", "\n".join(lines), ("removed", (node.name,), False), first(node))

    def decorated(self) -> Mutation | None:
        """A decorator more, of a function or class."""
        nodes = [node for node in self.tree.body if isinstance(node, Definition) and self._begins_line(node)]
        if not nodes:
            return None
        node = self.choose.choice(nodes)
        told = ("redefined", (node.name,), True)
        return Mutation("decorated", self._with(node.lineno, "@hotmod"), told, first(node))

    def default(self) -> Mutation | None:
        """Another default in a function."""
        nodes = [
            node
            for node in self.tree.body
            if isinstance(node, FUNCTIONS) and node.args.defaults and one_line(node.args.defaults[-1])
        ]
        if not nodes:
            return None
        node = self.choose.choice(nodes)
        told = ("redefined", (node.name,), True)
        return self._replaced("default", node.args.defaults[-1], told, first(node))

    def constant(self) -> Mutation | None:
        """Another value of a constant."""
        nodes = [
            node
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
            and one_line(node.value)
            and self._begins_line(node)
        ]
        if not nodes:
            return None
        node = self.choose.choice(nodes)
        names = tuple(each.id for each in node.targets if isinstance(each, ast.Name))
        return self._replaced("constant", node.value, ("changed", names, False), first(node))

    def swapped(self) -> Mutation | None:
        """Two statements that change places."""
        body = self.tree.body[1:]
        pairs = [
            (one, other)
            for one, other in itertools.pairwise(body)
            if end(one) < first(other)
            and self._begins_line(one)
            and self._begins_line(other)
            and ast.dump(one) != ast.dump(other)
            and (end(other) == len(self.lines) or not self.lines[end(other) - 1].endswith("\\"))
        ]
        if not pairs:
            return None
        one, other = self.choose.choice(pairs)
        lines = self.lines
        text = [
            *lines[: first(one) - 1],
            *lines[first(other) - 1 : end(other)],
            *lines[end(one) : first(other) - 1],
            *lines[first(one) - 1 : end(one)],
            *lines[end(other) :],
        ]
        return Mutation("swapped", "\n".join(text), None, first(one))

    def _body(self, wanted: Callable[[str], bool]) -> Mutation | None:
        functions = [
            (name, node)
            for name, node in outermost_functions(self.tree.body)
            if wanted(name) and self._begins_line(node.body[-1])
        ]
        if not functions:
            return None
        name, node = self.choose.choice(functions)
        last = node.body[-1]
        text = self._with(first(last), f"{self._indent(last)}hotmod = 1")
        return Mutation("body", text, ("body", (name,), False), self._outermost(node.lineno))

    def _replaced(
        self, what: str, node: ast.expr, told: tuple[str, tuple[str, ...], bool], from_line: int
    ) -> Mutation:
        line = self.lines[node.lineno - 1].encode()
        changed = line[: node.col_offset] + b"('hotmod', 1)" + line[node.end_col_offset :]
        lines = [*self.lines[: node.lineno - 1], changed.decode(), *self.lines[node.lineno :]]
        return Mutation(what, "\n".join(lines), told, from_line)

    def _with(self, line: int, text: str) -> str:
        return "\n".join([*self.lines[: line - 1], text, *self.lines[line - 1 :]])

    def _begins_line(self, node: ast.stmt) -> bool:
        """Whether a statement is the first on its line, and the line a new one."""
        line = self.lines[first(node) - 1]
        new = first(node) == 1 or not self.lines[first(node) - 2].endswith("\\")
        alone = all(
            each is node or first(each) > end(node) or end(each) < first(node) for each in self.tree.body
        )
        in_front = line.encode()[: node.col_offset].decode()
        decorated = getattr(node, "decorator_list", [])
        shared = node.col_offset == 0 and not alone
        return new and not shared and (line.lstrip().startswith("@") if decorated else not in_front.strip())

    def _indent(self, node: ast.stmt) -> str:
        line = self.lines[first(node) - 1]
        return line[: len(line) - len(line.lstrip())]

    def _statements(self) -> list[ast.stmt]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]

    def _outermost(self, line: int) -> int:
        return next(first(node) for node in self.tree.body if end(node) >= line)


def outermost_functions(
    body: list[ast.stmt], path: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The functions that stand in no function, by qualified name."""
    for node in body:
        if isinstance(node, FUNCTIONS):
            yield path + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from outermost_functions(node.body, f"{path}{node.name}.")
        else:
            for block in ("body", "orelse", "finalbody", "handlers", "cases"):
                inner = getattr(node, block, [])
                if block in {"handlers", "cases"}:
                    inner = [each for clause in inner for each in clause.body]
                yield from outermost_functions(inner, path)


def first(node: ast.stmt) -> int:
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])


def end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def one_line(node: ast.expr) -> bool:
    return node.lineno == node.end_lineno
