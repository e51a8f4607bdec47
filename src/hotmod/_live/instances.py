"""Instances made before an edit: what they lack, what they hold too much, and how they migrate themselves.

Touches: instances, through their own `__hotmod_update__`, journaled.

Guarantees: attributes are looked at without running a property, a `__getattr__` or a `__getattribute__`
of the class; what a migration did to an instance's attributes is taken back with the transaction.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from hotmod._live import adapters
from hotmod._live.classes import own_dict
from hotmod._live.heap import Heap
from hotmod._live.journal import Journal
from hotmod._live.state import instance_dict
from hotmod._live.takeback import everything, undo_of_container
from hotmod._model.instances import InstanceChange

__all__ = ["HOOK", "attributes", "heirs", "lacking", "migrate", "of_classes", "superfluous"]

HOOK = "__hotmod_update__"
_MISSING = object()


class _Example(NamedTuple):
    place: int


_PLACE: type = type(own_dict(_Example)["place"])


def _found(cls: type, name: str) -> Any:
    """A class attribute by the order of resolution, without running code."""
    for one in type.__dict__["__mro__"].__get__(cls):
        found = own_dict(one).get(name, _MISSING)
        if found is not _MISSING:
            return found
    return _MISSING


def heirs(cls: type) -> list[type]:
    """A class and its subclasses whose instances its constructor sees."""
    found, todo = [cls], list[type](type.__subclasses__(cls))
    while todo:
        one = todo.pop()
        own = own_dict(one).get("__init__")
        if own is None or "__init__" in getattr(getattr(own, "__code__", None), "co_names", ()):
            found.append(one)
            todo += type.__subclasses__(one)
    return found


def of_classes(classes: Collection[int]) -> list[tuple[Any, type]]:
    """Every live instance of some classes, given by id, with its class; one pass over the heap."""
    with Heap() as heap:
        return [(value, type(value)) for value in heap.instances(classes)]


def lacking(instance: object, names: Iterable[str]) -> list[str]:
    """The attributes among some names that an instance does not have."""
    known = adapters.lacking(instance, names)
    if known is not None:
        return known
    space, cls = instance_dict(instance) or {}, type(instance)
    if _found(cls, "__getattr__") is not _MISSING:
        return []  # it may have any attribute
    missing = []
    for name in names:
        value = _found(cls, name)
        if type(value) is _PLACE:
            place: Any = value.__reduce__()[1][0]
            missing += [name] if place >= tuple.__len__(instance) else []  # type: ignore[arg-type]
            continue
        if name in space or (value is not _MISSING and type(value) is not types.MemberDescriptorType):
            continue
        if value is _MISSING or not _is_set(value, instance):
            missing.append(name)
    return missing


def superfluous(instance: object, names: Iterable[str]) -> list[str]:
    """The attributes among some names that an instance holds itself."""
    space = instance_dict(instance) or {}
    return [name for name in names if name in space]


def _is_set(slot: Any, instance: object) -> bool:
    try:
        slot.__get__(instance)
    except AttributeError:
        return False
    return True


def attributes(instance: object) -> dict[str, Any]:
    """What an instance holds, in its slots and in its dictionary."""
    found: dict[str, Any] = {}
    for name, slot in _slots(instance):
        if _is_set(slot, instance):
            found[name] = slot.__get__(instance)
    return {**found, **(instance_dict(instance) or {})}


def _slots(instance: object) -> list[tuple[str, Any]]:
    classes: tuple[type, ...] = type.__dict__["__mro__"].__get__(type(instance))
    return [
        (name, value)
        for one in classes
        for name, value in own_dict(one).items()
        if type(value) is types.MemberDescriptorType
    ]


def migrate(journal: Journal, instance: Any, change: InstanceChange) -> bool:
    """Let an instance migrate itself, if its class says how; says whether it does.

    Raises:
        Exception: whatever the class's own `__hotmod_update__` raises.
    """
    hook = _found(type(instance), HOOK)
    if not callable(hook):
        return False
    space = instance_dict(instance)
    items = list(space.items()) if space is not None else []
    slots = [
        (slot, slot.__get__(instance) if _is_set(slot, instance) else _MISSING)
        for _, slot in _slots(instance)
    ]

    def undo() -> None:
        if space is not None:
            step = undo_of_container(space, items, everything)
            if step is not None:
                step()
        for slot, value in slots:
            if value is not _MISSING:
                slot.__set__(instance, value)
            elif _is_set(slot, instance):
                slot.__delete__(instance)

    journal.record(f"attributes of a {type(instance).__qualname__}", undo)
    hook(instance, change)
    return True
