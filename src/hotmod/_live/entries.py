"""Entries of registries that are objects of a library: what is in them, and which statement put it there.

A framework does not list functions; it lists routes, rules, commands and tasks that hold the functions. Such
an entry, or a tuple that holds one, belongs to a statement if that called into the object in which the
registry is, and handed it the function that stands in the entry.

Touches: nothing; reads objects. Never calls code of the subject.

Guarantees: an entry is told to belong to a statement only if the text of that statement says so.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._live.kinds import is_class
from hotmod._live.ordering import Ordering
from hotmod._live.parts import PLAIN, Chain, parts_of, resolved

__all__ = ["Ties", "line_of"]

Mark = tuple[str, int]  # a statement, by its module and a line


class Ties:
    """What statements that run again, or are gone, had registered, and with whom.

    Attributes:
        renewed: ids of the code that stands in other lines already: that of functions which were patched.
        ordering: in which order statements register something.
    """

    def __init__(self) -> None:
        self.renewed: frozenset[int] = frozenset()
        self.ordering = Ordering()
        self._marks: dict[int, set[Mark]] = {}  # by id of what was handed to somebody
        self._roots: dict[Mark, set[int]] = {}  # ids of what each statement called into
        self._classes: dict[int, set[Mark]] = {}  # by id of classes whose methods they called
        self._bound: dict[tuple[int, str], set[Mark]] = {}  # by id of objects and name of their methods
        self._methods: dict[tuple[str, str], set[Mark]] = {}  # by module and name of classes
        self._makers: dict[tuple[str, str], set[Mark]] = {}  # by module and name of functions
        self._spans: dict[str, list[tuple[int, int, Mark]]] = {}
        self._met: set[Mark] = set()
        self._keep: list[Any] = []  # an id is only good while its object lives

    def add(
        self,
        mark: Mark,
        space: Mapping[str, Any],
        where: tuple[str, int, int],
        callees: Iterable[Chain],
        names: Iterable[Chain],
    ) -> None:
        """Note a statement of a module.

        Args:
            mark: how it is told from others.
            space: the names of the module as they were.
            where: its file, and its first and last line.
            callees: the dotted names that it called.
            names: the dotted names of what it handed to them.
        """
        path, first, last = where
        self._spans.setdefault(path, []).append((first, last, mark))
        roots = [value for chain in callees for value in resolved(chain, space)]
        self._keep += roots
        self._roots.setdefault(mark, set()).update(map(id, roots))
        for value in roots:
            if is_class(value):
                self._classes.setdefault(id(value), set()).add(mark)
        self._note(mark, space, names)

    def add_called(
        self, mark: Mark, space: Mapping[str, Any], function: tuple[str, str], names: Iterable[Chain]
    ) -> None:
        """Note a function that such a statement called.

        Args:
            mark: how the statement is told from others.
            space: the names of the function's module as they were.
            function: its module and qualified name. What it made when it was called is the statement's; so
                are methods of its class, bound to an object that the statement called into.
            names: the dotted names of what it handed to others.
        """
        self._makers.setdefault(function, set()).add(mark)
        module, name = function
        self._methods.setdefault((module, name.rpartition(".")[0]), set()).add(mark)
        self._note(mark, space, names)

    def _note(self, mark: Mark, space: Mapping[str, Any], names: Iterable[Chain]) -> None:
        values = []
        for chain in names:
            found = resolved(chain, space)
            if len(found) == len(chain):
                values.append(found[-1])
            elif (
                found and len(found) == len(chain) - 1
            ):  # a method, of which each look-up makes another object
                self._bound.setdefault((id(found[-1]), chain[-1]), set()).add(mark)
                self._keep.append(found[-1])
        values += [part for value in values for part in parts_of(value) if type(part) is types.FunctionType]
        self._keep += values
        for value in values:
            if type(value) not in PLAIN:
                self._marks.setdefault(id(value), set()).add(mark)

    def _of(self, value: Any) -> set[Mark]:
        """The statements that handed a value to somebody, or in whose lines a function was made."""
        if type(value) in PLAIN or not (self._marks or self._spans):
            return set()
        found = self._marks.get(id(value), set())
        if type(value) is types.MethodType:
            return found | self._of_method(value)
        if type(value) is types.FunctionType and self._makers:
            maker, inside, _ = value.__qualname__.partition(".<locals>.")
            found = found | self._makers.get((value.__module__, maker), set()) if inside else found
        if type(value) is types.FunctionType and self._classes:
            for part in value.__dict__.values():
                found = found | self._classes.get(id(part), set())
        if type(value) is not types.FunctionType or id(value.__code__) in self.renewed:
            return found
        line = value.__code__.co_firstlineno
        spans = self._spans.get(value.__code__.co_filename, ())
        return found | {mark for first, last, mark in spans if first <= line <= last}

    def _of_method(self, value: types.MethodType) -> set[Mark]:
        """The statements that handed a bound method to somebody, or had a method of the object do so."""
        owner, function = value.__self__, value.__func__
        if type(function) not in (types.FunctionType, types.BuiltinFunctionType):
            return set()
        found = self._bound.get((id(owner), function.__name__), set())
        if type(function) is types.FunctionType:
            cls = function.__qualname__.rpartition(".")[0]
            makers = self._methods.get((function.__module__, cls), set())
            found = found | {mark for mark in makers if id(owner) in self._roots[mark]}
        return found

    def holds(self, value: Any) -> bool:
        """Whether one of the statements handed a value to somebody, or made it."""
        found = self._of(value)
        self._met |= found
        return bool(found)

    def tied(self, root: int, value: Any) -> bool:
        """Whether a statement handed a value to the object with this id, or made it and called that."""
        found = {mark for mark in self._of(value) if root in self._roots[mark]}
        self._met |= found
        return bool(found)

    def settled(self, mark: Mark) -> bool:
        """Whether what a statement had registered was found in a registry, and so taken out of it."""
        return mark in self._met


def line_of(entry: Any, is_ours: Callable[[Any], bool]) -> tuple[str, int] | None:
    """The file and line of the first definition that an entry is, or holds."""
    for part in (entry, *parts_of(entry)):
        if type(part) is types.FunctionType and is_ours(part):
            return part.__code__.co_filename, part.__code__.co_firstlineno
    return None
