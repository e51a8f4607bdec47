"""How changes to containers, classes and closure cells are taken back, entry by entry.

Touches: the objects given to it. Never calls code of the subject: no `==` on values, no overridden method.

Guarantees: only entries that are attributed to the transaction are taken back, and only while they still
hold what the transaction left; what the running program put there meanwhile stays.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = [
    "Mine",
    "contents",
    "everything",
    "put_back",
    "same",
    "undo_of_cell",
    "undo_of_class",
    "undo_of_container",
]

_MISSING = object()
_class_dict = type.__dict__["__dict__"].__get__
CLASS_OWN = frozenset(("__dict__", "__weakref__", "__abstractmethods__", "_abc_impl", "__doc__"))

Mine = Callable[..., bool]
"""Whether an entry, given by its parts (name or key, old value, new value), is the transaction's doing."""


def everything(*_parts: object) -> bool:
    """The attribution while nobody else could change anything."""
    return True


def contents(value: Any) -> list[Any] | None:
    """What a builtin container (or a subclass) holds; None for anything else. Dicts give pairs."""
    kind = type(value)
    if issubclass(kind, dict):
        # of a copy: the pairs that are made on the way may set off the collector, and that a callback of a
        # weak reference, which takes an entry out
        return list(dict.copy(value).items())
    bases: tuple[Any, ...] = (list, set, collections.deque)
    for base in bases:
        if issubclass(kind, base):
            return list(base.__iter__(value))
    return None


def size_of(value: Any) -> int:
    """The number of entries of a builtin container, without its class's `__len__`."""
    kind = type(value)
    bases: tuple[Any, ...] = (dict, list, set, collections.deque)
    for base in bases:
        if issubclass(kind, base):
            return int(base.__len__(value))
    return 0


def put_back(value: Any, items: Iterable[Any]) -> None:
    """Make a builtin container hold exactly these items, whatever methods its class overrides."""
    kind = type(value)
    if issubclass(kind, collections.OrderedDict):
        # it keeps a linked list of its own, which dict's methods would corrupt
        collections.OrderedDict.clear(value)
        for key, item in items:
            collections.OrderedDict.__setitem__(value, key, item)
    elif issubclass(kind, dict):
        dict.clear(value)
        dict.update(value, items)
    elif issubclass(kind, list):
        list.__setitem__(value, slice(None), items)
    elif issubclass(kind, set):
        set.clear(value)
        set.update(value, items)
    else:
        collections.deque.clear(value)
        collections.deque.extend(value, items)


def remove(value: Any, item: Any) -> None:
    """Take one entry (of a dict: one key) out of a container, if it is there."""
    kind = type(value)
    if issubclass(kind, dict):
        owner: Any = collections.OrderedDict if issubclass(kind, collections.OrderedDict) else dict
        owner.pop(value, item, None)
    elif issubclass(kind, set):
        set.discard(value, item)
    else:
        base: Any = list if issubclass(kind, list) else collections.deque
        for index, other in enumerate(base.__iter__(value)):
            if other is item:
                base.__delitem__(value, index)
                return


def insert(value: Any, index: int, item: Any) -> None:
    """Put one item into a list, deque or set, at its old place if that exists."""
    kind = type(value)
    if issubclass(kind, set):
        set.add(value, item)
    elif issubclass(kind, list):
        list.insert(value, index, item)
    else:
        collections.deque.insert(value, index, item)


def set_item(value: Any, key: Any, item: Any) -> None:
    """Bind one key of a dict, whatever methods its class overrides."""
    ordered = issubclass(type(value), collections.OrderedDict)
    owner: Any = collections.OrderedDict if ordered else dict
    owner.__setitem__(value, key, item)


def same(one: list[Any], two: list[Any]) -> bool:
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


def undo_of_container(value: Any, before: list[Any], mine: Mine) -> Callable[[], None] | None:
    """What takes back the change of a container since it held `before`; None if there is nothing to.

    Args:
        value: the container.
        before: what it held.
        mine: which entries are the transaction's doing.
    """
    now = contents(value)
    if now is None or same(now, before):
        return None
    if mine is everything:
        return _whole(value, before, now)
    if issubclass(type(value), dict):
        return undo_of_mapping(value, dict(before), dict(now), mine, remove, set_item)
    old, new = {id(item) for item in before}, {id(item) for item in now}
    added = [item for item in now if id(item) not in old and mine(item)]
    gone = [(index, item) for index, item in enumerate(before) if id(item) not in new and mine(item)]
    return _entries(value, added, gone) if added or gone else None


def _whole(value: Any, before: list[Any], after: list[Any]) -> Callable[[], None]:
    entries = undo_of_container(value, before, lambda *_: True)

    def undo() -> None:
        if same(contents(value) or [], after):
            put_back(value, before)  # in the same order, too
        elif entries is not None:
            entries()

    return undo


def _entries(value: Any, added: list[Any], gone: list[tuple[int, Any]]) -> Callable[[], None]:
    def undo() -> None:
        for item in added:
            remove(value, item)
        have = {id(item) for item in contents(value) or []}
        for index, item in gone:
            if id(item) not in have:
                insert(value, index, item)

    return undo


def undo_of_mapping(
    value: Any,
    before: Mapping[Any, Any],
    now: Mapping[Any, Any],
    mine: Mine,
    delete: Callable[[Any, Any], None],
    assign: Callable[[Any, Any, Any], None],
) -> Callable[[], None] | None:
    """What takes back the differing entries of anything that is like a mapping."""
    changed = {}
    for key in {**before, **now}:
        old, new = before.get(key, _MISSING), now.get(key, _MISSING)
        if old is not new and mine(key, old, new):
            changed[key] = old, new
    if not changed:
        return None

    def undo() -> None:
        current = dict(contents(value) or _class_dict(value)) if not issubclass(type(value), dict) else value
        for key, (old, new) in changed.items():
            if current.get(key, _MISSING) is not new:
                continue
            if old is not _MISSING:
                assign(value, key, old)
            elif new is not _MISSING:
                delete(value, key)

    return undo


def undo_of_class(cls: type, before: Mapping[str, Any], mine: Mine) -> Callable[[], None] | None:
    """What takes back changed attributes of a class; see `undo_of_container`."""
    own = {name: value for name, value in _class_dict(cls).items() if name not in CLASS_OWN}
    had = {name: value for name, value in before.items() if name not in CLASS_OWN}
    return undo_of_mapping(cls, had, own, mine, type.__delattr__, type.__setattr__)


def undo_of_cell(cell: types.CellType, before: Any, mine: Mine) -> Callable[[], None] | None:
    """What takes back a changed closure cell; see `undo_of_container`."""
    try:
        now = cell.cell_contents
    except ValueError:  # emptied meanwhile
        now = _MISSING
    if now is before or not mine(before, now):
        return None

    def undo() -> None:
        cell.cell_contents = before

    return undo
