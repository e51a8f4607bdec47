"""Programs that are patched, and what is compared afterwards."""

from __future__ import annotations

import ast
import functools
import types
from typing import Any

from hotmod._live import codes, patch, reach
from hotmod._live.journal import Journal

LRU = type(functools.lru_cache(maxsize=1)(lambda: None))


def compiled(text: str, path: str = "/src/shop.py") -> types.CodeType:
    return compile(text, path, "exec", dont_inherit=True)


def spans(old: str, new: str) -> list[codes.Span]:
    """Where the statements of two texts stand, which correspond one by one."""

    def lines(node: ast.stmt) -> tuple[int, int]:
        decorators = getattr(node, "decorator_list", [])
        return min(node.lineno, *(each.lineno for each in decorators), node.lineno), node.end_lineno or 0

    pairs = zip(ast.parse(old).body, ast.parse(new).body, strict=True)
    return [(*lines(one), *lines(other)) for one, other in pairs]


def paired(old: str, new: str) -> codes.Pairs:
    return codes.pair(compiled(old), compiled(new), spans(old, new))


def fresh(text: str, name: str = "shop") -> dict[str, Any]:
    """The namespace of a module that has just been imported, from code that nobody else knows."""
    space: dict[str, Any] = {"__name__": name}
    exec(compiled(text, "/elsewhere/shop.py"), space)
    return space


class Program:
    """A module that is edited again and again, as a transaction would do it."""

    def __init__(self, text: str, name: str = "shop") -> None:
        self.name, self.text = name, text
        self.space = fresh(text, name)
        self.tree = compiled(text)
        self.running: patch.Running | None = None

    def __getitem__(self, name: str) -> Any:
        return self.space[name]

    def edited(self, text: str) -> patch.Edited:
        tree = compiled(text)
        pairs = codes.pair(self.tree, tree, spans(self.text, text))
        return patch.Edited(self.name, self.space, pairs, self.running)

    def accept(self, text: str, edited: patch.Edited, done: patch.Patch) -> None:
        self.text, self.tree, self.running = text, edited.pairs.new, done.running[self.name]

    def edit(self, text: str, journal: Journal | None = None) -> patch.Patch:
        """Patch the program to run another text."""
        edited = self.edited(text)
        done = patch.prepare([edited])
        patch.commit(Journal() if journal is None else journal, done)
        self.accept(text, edited, done)
        return done

    def settle(self) -> None:
        """Let the program run code that hotmod knows, by an edit that changes nothing."""
        self.edit(self.text)


class Searches:
    """Counts the passes over the heap."""

    def __init__(self, monkeypatch: Any) -> None:
        self.count = 0
        real = reach.search

        def search(*args: Any) -> Any:
            self.count += 1
            return real(*args)

        monkeypatch.setattr(reach, "search", search)


def code_facts(code: types.CodeType) -> list[Any]:
    """Everything that a code object says of its text: program, constants, lines and columns."""
    consts = [code_facts(each) if isinstance(each, types.CodeType) else each for each in code.co_consts]
    return [code.co_qualname, code.co_code, consts, code.co_firstlineno, list(code.co_positions())]


def described(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """What tells whether two definitions behave and look alike."""
    if id(value) in seen:
        return "again"
    seen |= {id(value)}
    if isinstance(value, types.FunctionType):
        inside = [described(cell.cell_contents, seen) for cell in value.__closure__ or ()]
        return value.__qualname__, value.__doc__, code_facts(value.__code__), inside
    if isinstance(value, type):
        skip = ("__dict__", "__weakref__", "__module__")
        return {name: described(item, seen) for name, item in vars(value).items() if name not in skip}
    if isinstance(value, property):
        return value.__doc__, [described(each, seen) for each in (value.fget, value.fset, value.fdel)]
    if isinstance(value, (staticmethod, classmethod)):
        return value.__doc__, described(value.__func__, seen)
    if isinstance(value, (functools.partial, functools.cached_property, functools.partialmethod)):
        return value.__doc__, described(value.func, seen)
    if type(value) is LRU:
        return value.__doc__, described(value.__wrapped__, seen)
    if isinstance(value, (list, tuple)):
        return [described(each, seen) for each in value]
    if isinstance(value, dict):
        return {name: described(each, seen) for name, each in value.items()}
    return value if isinstance(value, (str, int, float, type(None))) else type(value).__name__


def of_space(space: dict[str, Any]) -> dict[str, Any]:
    """The description of all that a module's text binds."""
    return {
        name: described(value)
        for name, value in space.items()
        if not name.startswith("__") and not isinstance(value, types.ModuleType)
    }
