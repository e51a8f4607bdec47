"""The mutable state that modules hold: what it was, and how it is put back.

Touches: reads the contents of containers, classes, closures and instances reachable from module
namespaces; `restore` writes them back. Never calls code of the subject: no `==`, no `repr`, no
overridden method, no descriptor.

Guarantees: after `restore()` every container that was seen holds the same objects in the same order.

Assumes: contents deeper than `MAX_DEPTH`, or of more than `MAX_VISITS` objects, are not a registry of
the modules; they are left alone.
"""

from __future__ import annotations

import collections
import functools
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hotmod._live.journal import Journal
from hotmod._live.namespaces import keep_undo

__all__ = ["Cell", "State", "contents", "put_back"]

_MISSING = object()
MAX_DEPTH = 6
MAX_VISITS = 400_000
MAX_WALKED = 5_000  # a longer container is saved, but its elements are not walked into

_PLAIN = frozenset(
    (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented))
    + (types.ModuleType, types.CodeType, types.BuiltinFunctionType, property, range, slice)
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


def contents(value: object) -> list[Any] | None:
    """What a builtin container (or a subclass) holds; None for anything else. Dicts give pairs."""
    kind = type(value)
    if issubclass(kind, dict):
        return list(dict.items(value))  # type: ignore[arg-type]
    for base in (list, set, collections.deque):
        if issubclass(kind, base):
            return list(base.__iter__(value))
    return None


def put_back(value: object, items: Iterable[Any]) -> None:
    """Make a builtin container hold exactly these items, whatever methods its class overrides."""
    kind = type(value)
    if issubclass(kind, collections.OrderedDict):
        # it keeps a linked list of its own, which dict's methods would corrupt
        collections.OrderedDict.clear(value)  # type: ignore[arg-type]
        for key, item in items:
            collections.OrderedDict.__setitem__(value, key, item)  # type: ignore[arg-type]
    elif issubclass(kind, dict):
        dict.clear(value)  # type: ignore[arg-type]
        dict.update(value, items)  # type: ignore[arg-type]
    elif issubclass(kind, list):
        list.__setitem__(value, slice(None), items)  # type: ignore[arg-type]
    elif issubclass(kind, set):
        set.clear(value)  # type: ignore[arg-type]
        set.update(value, items)  # type: ignore[arg-type]
    else:
        collections.deque.clear(value)  # type: ignore[arg-type]
        collections.deque.extend(value, items)  # type: ignore[arg-type]


def _same(one: list[Any], two: list[Any]) -> bool:
    """Whether two saved contents are the same objects in the same order; pairs are compared by part."""
    if len(one) != len(two):
        return False
    for a, b in zip(one, two, strict=True):
        if a is b:
            continue
        pair = type(a) is tuple and type(b) is tuple and len(a) == len(b) == 2  # noqa: PLR2004
        if not (pair and a[0] is b[0] and a[1] is b[1]):
            return False
    return True


class State:
    """The state reachable from some modules, as it was when this was made."""

    def __init__(self, modules: Iterable[types.ModuleType], owned: Callable[[str], bool]) -> None:
        self.containers: list[tuple[Any, list[Any]]] = []
        self.roots: dict[int, int] = {}  # id of a container to that of the module-level value it belongs to
        self.classes: list[tuple[type, dict[str, Any]]] = []
        self.cells: list[tuple[Cell, Any]] = []
        self.functions: list[types.FunctionType] = []
        self.attribute_dicts: list[dict[str, Any]] = []  # of instances and functions; also containers
        self._owned = owned
        self._seen: set[int] = set()
        self._keep: list[Any] = []
        self._walk(modules)

    def _walk(self, modules: Iterable[types.ModuleType]) -> None:
        queue: collections.deque[tuple[Any, int, int]] = collections.deque()
        for module in modules:
            queue.extend((value, 0, id(value)) for value in list(vars(module).values()))
        while queue and len(self._seen) < MAX_VISITS:
            value, depth, root = queue.popleft()
            kind = type(value)
            if kind in _PLAIN or id(value) in self._seen:
                continue
            self._seen.add(id(value))
            self._keep.append(value)  # an id is only good while its object lives
            self.roots[id(value)] = root
            if depth < MAX_DEPTH:
                queue.extend((part, depth + 1, root) for part in self._enter(value, kind, depth))

    def _enter(self, value: Any, kind: type, depth: int) -> Iterator[Any]:
        """Save what one object holds, and give what to look into next."""
        items = contents(value)
        if items is not None:
            self.containers.append((value, items))
            if len(items) <= MAX_WALKED:
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
        if not isinstance(module, str):
            return False
        return self._owned(module) or module.partition(".")[0] not in sys.stdlib_module_names

    def _enter_class(self, value: type) -> Iterator[Any]:
        module = _class_module(value, "__module__")
        if isinstance(module, str) and self._owned(module):
            space = dict(_class_dict(value))
            self.classes.append((value, space))
            yield from space.values()

    def _enter_function(self, value: types.FunctionType) -> Iterator[Any]:
        self.functions.append(value)
        if value.__dict__:
            self.attribute_dicts.append(value.__dict__)
            yield value.__dict__
        for cell in value.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:  # an empty cell
                continue
            self.cells.append((cell, held))
            yield held

    def _enter_instance(self, value: object) -> Iterator[Any]:
        space = instance_dict(value)
        if space:
            self.attribute_dicts.append(space)
            yield space

    def restore(self) -> None:
        """Put every container, class and cell back to what it held."""
        for value, items in self.containers:
            now = contents(value)
            if now is not None and not _same(now, items):
                put_back(value, items)
        for cls, space in self.classes:
            _restore_class(cls, space)
        for cell, held in self.cells:
            cell.cell_contents = held

    def keep_undo(self, journal: Journal) -> None:
        """Note, at a commit, how a later rollback takes back what the transaction changed, entry by entry."""
        for value, items in self.containers:
            now = contents(value)
            if now is None or _same(now, items):
                continue
            if isinstance(value, dict):
                keep_undo(journal, value, dict(items), "entries of a dictionary")
            else:
                journal.record("items of a container", functools.partial(_take_back, value, items, now))
        for cls, space in self.classes:
            changed = {
                name: (space.get(name, _MISSING), item)
                for name, item in {**dict.fromkeys(space, _MISSING), **_class_dict(cls)}.items()
                if name not in _CLASS_OWN and space.get(name, _MISSING) is not item
            }
            if changed:
                journal.record(f"class {cls.__name__}", functools.partial(_take_back_class, cls, changed))
        for cell, held in self.cells:
            try:
                now = cell.cell_contents
            except ValueError:  # emptied meanwhile
                continue
            if now is not held:
                journal.record("closure cell", functools.partial(_set_cell, cell, held))


def _set_cell(cell: Cell, value: Any) -> None:
    cell.cell_contents = value


def _take_back(container: Any, before: list[Any], after: list[Any]) -> None:
    """Undo additions and removals in a list, set or deque; what came since stays."""
    now = contents(container) or []
    if _same(now, after):
        put_back(container, before)
        return
    old, new = {id(item) for item in before}, {id(item) for item in after}
    left = [item for item in now if id(item) in old or id(item) not in new]
    have = {id(item) for item in left}
    put_back(container, left + [item for item in before if id(item) not in new and id(item) not in have])


def _take_back_class(cls: type, changed: dict[str, tuple[Any, Any]]) -> None:
    space = _class_dict(cls)
    for name, (old, new) in changed.items():
        if space.get(name, _MISSING) is not new:
            continue
        if old is _MISSING:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, old)


def _parts(items: list[Any], *, pairs: bool) -> Iterator[Any]:
    if not pairs:
        yield from items
        return
    for _, item in items:
        yield item


_CLASS_OWN = frozenset(("__dict__", "__weakref__", "__abstractmethods__", "_abc_impl", "__doc__"))


def _restore_class(cls: type, space: dict[str, Any]) -> None:
    now = dict(_class_dict(cls))
    for name in now.keys() - space.keys() - _CLASS_OWN:
        type.__delattr__(cls, name)
    for name, value in space.items():
        if name not in _CLASS_OWN and (name not in now or now[name] is not value):
            type.__setattr__(cls, name, value)
