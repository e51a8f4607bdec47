"""Registries: containers of modules that do not run again, filled by modules that do.

A module that registers its functions and classes elsewhere when it runs (`@app.route`, a metaclass
that lists its classes, `HANDLERS.append`) would register them a second time when it runs again: the
registry refuses, keeps the old object, or grows. So what the modules about to run had put there is
*withdrawn* first, and *settled* afterwards: an entry that came back takes its old place, one that did
not come back holds the new object of the same name, and one whose object is gone is dropped.

Touches: containers, closure cells, class attributes and instance attributes found by `State`; through
the journal.

Guarantees: entries that hold anything else than functions, classes and code objects of the modules
about to run (so: all data) stay untouched.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from hotmod._live.journal import Journal
from hotmod._live.state import State, contents, instance_dict, put_back

__all__ = ["Definitions", "Registries"]

_MISSING = object()
_LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
Key = tuple[str, str, str]


class Definitions:
    """Which objects are definitions of some modules, and what has replaced them."""

    def __init__(self, modules: Iterable[str], paths: Iterable[str]) -> None:
        self.modules = frozenset(modules)
        self.paths = frozenset(paths)

    def key(self, value: object) -> Key | None:
        """(module, qualified name, kind) of a definition of these modules; None for all else."""
        kind = type(value)
        if kind is types.FunctionType or kind is _LRU:
            module, name, label = value.__module__, value.__qualname__, "function"  # type: ignore[attr-defined]
        elif issubclass(kind, type):
            module = type.__getattribute__(value, "__module__")  # type: ignore[arg-type]
            name, label = type.__dict__["__qualname__"].__get__(value), "class"
        elif kind is types.CodeType:
            return (value.co_filename, value.co_qualname, "code") if value.co_filename in self.paths else None  # type: ignore[attr-defined]
        elif kind in (staticmethod, classmethod, types.MethodType):
            return None if kind is types.MethodType else self.key(value.__func__)  # type: ignore[attr-defined]
        else:
            return self._wrapper_key(value)
        return (module, name, label) if type(module) is str and module in self.modules else None

    def _wrapper_key(self, value: object) -> Key | None:
        """The key of an instance that functools.update_wrapper dressed as a function."""
        space = instance_dict(value)
        if not space or "__wrapped__" not in space:
            return None
        module, name = space.get("__module__"), space.get("__qualname__")
        if type(module) is str and type(name) is str and module in self.modules:
            return module, name, "function"
        return None

    def current(self, key: Key) -> object:
        """What stands at the key's module and qualified name now; `_MISSING` when nothing does."""
        module, name, label = key
        if label == "code" or "<locals>" in name:
            return _MISSING
        value: object = sys.modules.get(module, _MISSING)
        for part in name.split("."):
            if isinstance(value, type):
                space: Any = type.__dict__["__dict__"].__get__(value)
            elif isinstance(value, types.ModuleType):
                space = vars(value)
            else:
                return _MISSING
            value = space.get(part, _MISSING)
        return value if value is not _MISSING and self.key(value) == key else _MISSING

    def successor(self, value: object) -> object:
        """The definition that has replaced this one, `value` itself if it still stands, else `_MISSING`."""
        key = self.key(value)
        return value if key is None else self.current(key)


class Registries:
    """The containers of some modules from which definitions were withdrawn."""

    def __init__(self, state: State, definitions: Definitions) -> None:
        self._state = state
        self._definitions = definitions
        self._attributes = {id(space) for space in state.attribute_dicts}
        self._withdrawn: list[tuple[Any, list[Any], list[Any]]] = []
        self.dropped: list[Key] = []

    def _is_ours(self, item: Any, *, pair: bool) -> bool:
        if not pair:
            return self._definitions.key(item) is not None
        return any(self._definitions.key(part) is not None for part in item)

    def withdraw(self) -> None:
        """Take the definitions of the modules about to run out of the containers of the others.

        `State.restore` undoes it.
        """
        for container, items in self._state.containers:
            if id(container) in self._attributes:
                continue
            pair = isinstance(container, dict)
            left = [item for item in items if not self._is_ours(item, pair=pair)]
            if len(left) != len(items):
                self._withdrawn.append((container, items, left))
                put_back(container, left)

    def settle(self, journal: Journal) -> list[str]:
        """Put the containers in order after the modules ran; gives the keys of what was dropped."""
        emptied = []
        for container, before, left in self._withdrawn:
            now = contents(container)
            if now is None:
                continue
            merge = self._merged_pairs if isinstance(container, dict) else self._merged_items
            put_back(container, merge(before, left, now))
            if before and not left and not contents(container):
                emptied.append(id(container))
        self._drop_emptied(set(emptied))
        self._substitute(journal)
        return sorted({f"{module}:{name}" for module, name, label in self.dropped if label != "code"})

    def _successor(self, value: object) -> object:
        """What now stands in the place of a withdrawn value."""
        found = self._definitions.successor(value)
        if found is not _MISSING:
            return found
        key = self._definitions.key(value)
        if key is not None and "<locals>" in key[1] and key[2] != "code":
            return value  # made while the program ran: nothing of the kind is made at import
        if key is not None:
            self.dropped.append(key)
        return _MISSING

    def _merged_items(self, before: list[Any], left: list[Any], now: list[Any]) -> list[Any]:
        size = len(left)
        if len(now) < size or any(a is not b for a, b in zip(left, now[:size], strict=True)):
            # the run rebuilt it (a set also moves its items): keep its order
            came = {id(item) for item in now}
            back = (self._successor(item) for item in before if self._is_ours(item, pair=False))
            return now + [item for item in back if item is not _MISSING and id(item) not in came]
        added = now[size:]
        merged = []
        for item in before:
            new = self._successor(item) if self._is_ours(item, pair=False) else item
            if new is not _MISSING:
                merged.append(new)
                added = [other for other in added if other is not new]
        return merged + added

    def _merged_pairs(self, before: list[Any], _left: list[Any], now: list[Any]) -> list[Any]:
        current = dict(now)
        holding = {id(value) for _, value in now} | {id(key) for key, _ in now}
        merged: dict[Any, Any] = {}
        for key, value in before:
            ours = self._is_ours((key, value), pair=True)
            new_key = self._successor(key) if ours else key
            if new_key is not _MISSING and new_key in current:
                merged[new_key] = current[new_key]
            elif ours and new_key is not _MISSING:
                new = self._successor(value)
                if new is not _MISSING and id(new) not in holding:
                    merged[new_key] = new
        merged.update((key, value) for key, value in now if key not in merged)
        return list(merged.items())

    def _drop_emptied(self, emptied: set[int]) -> None:
        """A list per name that held only withdrawn entries is an entry itself, and goes with them."""
        for container, items in self._state.containers if emptied else ():
            if isinstance(container, dict) and any(id(value) in emptied for _, value in items):
                now = contents(container) or []
                put_back(container, [pair for pair in now if id(pair[1]) not in emptied])

    def _substitute(self, journal: Journal) -> None:
        """Let attributes and closures that still hold an old definition hold the new one."""
        for space in self._state.attribute_dicts:
            for name, value in list(space.items()):
                new = self._definitions.successor(value)
                if new is not _MISSING and new is not value:
                    journal.record(f"attribute {name}", functools.partial(space.__setitem__, name, value))
                    space[name] = new
        for cell, held in self._state.cells:
            new = self._definitions.successor(held)
            if new is not _MISSING and new is not held:
                journal.record("closure cell", _cell_setter(cell, held))
                cell.cell_contents = new
        for cls, members in self._state.classes:
            for name, value in members.items():
                new = self._definitions.successor(value)
                if new is not _MISSING and new is not value and not _own(cls, value):
                    journal.record(f"{cls.__name__}.{name}", functools.partial(type.__setattr__, cls, name, value))
                    type.__setattr__(cls, name, new)


def _own(cls: type, value: object) -> bool:
    """Whether a class attribute is a definition of the class itself, which lives and dies with it."""
    name = getattr(value, "__qualname__", "")
    return isinstance(name, str) and name.startswith(f"{cls.__qualname__}.")


def _cell_setter(cell: types.CellType, value: object) -> Callable[[], None]:
    def undo() -> None:
        cell.cell_contents = value

    return undo
