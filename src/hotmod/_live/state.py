"""The mutable state that modules hold: what it was, and how it is put back.

Touches: reads the contents of containers, classes, closures and instances reachable from module
namespaces. Never calls code of the subject: no `==`, no `repr`, no overridden method, no descriptor.

Guarantees: after the `undos(everything)` ran, every container that was seen holds the same objects in the
same order.

Assumes: contents deeper than `MAX_DEPTH`, containers of more than `MAX_SAVED` entries, and what comes
after `MAX_VISITS` objects are data, no registry; they are left alone.
"""

from __future__ import annotations

import collections
import functools
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hotmod._live.heap import identity
from hotmod._live.kinds import space_in
from hotmod._live.takeback import (
    Mine,
    contents,
    put_back,
    size_of,
    undo_of_cell,
    undo_of_class,
    undo_of_container,
)

__all__ = ["Cell", "State", "instance_dict"]

MAX_DEPTH = 6
MAX_VISITS = 400_000
MAX_SAVED = 10_000  # a longer container is data, no registry

_PLAIN = frozenset(
    [
        *(str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented)),
        *(types.ModuleType, types.CodeType, types.BuiltinFunctionType, property, range, slice),
    ]
)
_WEAK = (weakref.WeakSet, weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
_class_dict = type.__dict__["__dict__"].__get__
_class_module = type.__getattribute__
Cell = types.CellType


def instance_dict(value: object) -> dict[str, Any] | None:
    """The attribute dictionary of an instance, without running a property of its class."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found if type(found) is dict else None


class State:
    """The state reachable from some modules, as it was when this was made."""

    def __init__(
        self,
        modules: Iterable[types.ModuleType],
        owned: Callable[[str], bool],
        depth: int = MAX_DEPTH,
    ) -> None:
        self._depth = depth
        self.containers: list[tuple[Any, list[Any]]] = []
        self.roots: dict[int, int] = {}  # id of a container to that of the module-level value it belongs to
        self.classes: list[tuple[type, dict[str, Any]]] = []
        self.cells: list[tuple[Cell, Any]] = []
        self.functions: list[types.FunctionType] = []
        self.attribute_dicts: list[dict[str, Any]] = []  # of instances and functions; also containers
        self.instances: list[Any] = []  # that have attributes
        self.memories: list[tuple[dict[Any, Any], list[Any]]] = []  # what dispatchers remember to have chosen
        self._owned = owned
        self._bare: list[types.FunctionType] = []  # functions without attributes
        self._seen: set[int] = set()
        self._keep: list[Any] = []
        self._walk(modules)

    def _walk(self, modules: Iterable[types.ModuleType]) -> None:
        queue: collections.deque[tuple[Any, int, int | None]] = collections.deque()
        for module in modules:
            queue.extend((value, 0, None) for value in list(space_in(module).values()))
        while queue and len(self._seen) < MAX_VISITS:
            value, depth, root = queue.popleft()
            kind = type(value)
            if kind in _PLAIN or (at := identity(value)) in self._seen:
                continue
            self._seen.add(at)
            self._keep.append(value)  # an id is only good while its object lives
            key = id(value)
            root = key if root is None else root
            self.roots[key] = root
            if depth < self._depth:
                queue.extend((part, depth + 1, root) for part in self._enter(value, kind, depth))

    def _enter(self, value: Any, kind: type, depth: int) -> Iterator[Any]:
        """Save what one object holds, and give what to look into next."""
        items = contents(value) if size_of(value) <= MAX_SAVED else []
        if items is not None:
            if size_of(value) <= MAX_SAVED:
                self.containers.append((value, items))
                yield from _parts(items, pairs=issubclass(kind, dict))
            if kind in (dict, list, set, collections.deque):
                return
        if kind is tuple:
            yield from value
        elif issubclass(kind, type):
            yield from self._enter_class(value)
        elif kind is types.FunctionType:
            yield from self._enter_function(value)
        elif kind in (staticmethod, classmethod, types.MethodType):
            yield value.__func__
        elif kind in (functools.partial, functools.partialmethod):
            yield value.func
        elif kind in _WEAK or depth == 0 or self._is_ours(kind):
            yield from self._enter_instance(value)

    def _is_ours(self, kind: type) -> bool:
        """Whether an instance below the top level is walked: never those of the standard library."""
        module = _class_module(kind, "__module__")
        if type(module) is not str:
            return False
        return self._owned(module) or module.partition(".")[0] not in sys.stdlib_module_names

    def _enter_class(self, value: type) -> Iterator[Any]:
        module = _class_module(value, "__module__")
        if type(module) is str and self._owned(module):
            space = dict(_class_dict(value))
            self.classes.append((value, space))
            yield from space.values()

    def _enter_function(self, value: types.FunctionType) -> Iterator[Any]:
        self.functions.append(value)
        if not value.__dict__:
            self._bare.append(value)
        else:
            self.attribute_dicts.append(value.__dict__)
            yield value.__dict__
        for cell in value.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:  # an empty cell
                continue
            if type(held) is weakref.WeakKeyDictionary and value.__code__.co_filename == functools.__file__:
                data: dict[Any, Any] = held.__dict__["data"]
                self.memories.append((data, contents(data) or []))  # of `singledispatch`
                continue
            self.cells.append((cell, held))
            yield held

    def _enter_instance(self, value: object) -> Iterator[Any]:
        space = instance_dict(value)
        if space is not None:
            self.instances.append(value)
            self.attribute_dicts.append(space)
            yield space

    def found(self, key: int) -> Any:
        """An object that was met, by its id; None if there was none."""
        return next((value for value in self._keep if id(value) == key), None)

    def undos(self, mine: Mine) -> Iterator[Callable[[], None]]:
        """What takes back, one by one, the changes since this was made.

        Args:
            mine: which changes are the transaction's doing; see `takeback.Mine`.
        """
        for value, items in self.containers:
            yield from _given(undo_of_container(value, items, mine))
        for cls, space in self.classes:
            yield from _given(undo_of_class(cls, space, mine))
        for cell, held in self.cells:
            yield from _given(undo_of_cell(cell, held, mine))
        for memory, items in self.memories:  # whatever came to it meanwhile was chosen from another registry
            yield functools.partial(put_back, memory, items)
        for function in self._bare:
            if function.__dict__:
                yield from _given(undo_of_container(function.__dict__, [], mine))


def _given(undo: Callable[[], None] | None) -> tuple[Callable[[], None], ...]:
    return () if undo is None else (undo,)


def _parts(items: list[Any], *, pairs: bool) -> Iterator[Any]:
    if not pairs:
        yield from items
        return
    for _, item in items:
        yield item
