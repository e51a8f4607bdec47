"""Instances that can't move to the class that lives on get a twin in it.

While a module runs, it may make instances of a class that is merged away afterwards (a slotted class that
a decorator built). CPython lets them change their class, except that before 3.12 it compares the layout of
classes with `__weakref__` among their slots wrongly. These instances are young and few: a copy takes the
place of each.

Touches: whatever refers to such an instance; reads the heap only if there is such a class.

Guarantees: a twin has the same values in slots and attributes; no method of the class runs.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.heap import Heap
from hotmod._live.state import instance_dict

__all__ = ["twins_for"]

_MISSING = object()


def twins_for(pairs: Iterable[tuple[type, type]], heap: Heap) -> list[tuple[Any, Any]]:
    """Pairs (instance, twin) for the instances that can't move; references to them are exchanged.

    Args:
        pairs: classes that live on, each with the one that was merged into it.
        heap: where they are looked for.
    """
    stuck = {id(new): old for old, new in pairs if _is_stuck(old, new)}
    if not stuck:
        return []
    found = heap.instances(stuck)
    twins = {id(value): _twin(value, stuck[id(type(value))]) for value in found}
    for holder in gc.get_referrers(*found):
        if holder is not found and type(holder) is not types.FrameType:
            _exchange_in(holder, twins)
    return [(value, twins[id(value)]) for value in found]


def _slots(cls: type) -> dict[str, Any]:
    """The slot descriptors of a class and its bases by name."""
    return {
        name: value
        for base in reversed(type.__dict__["__mro__"].__get__(cls))
        for name, value in own_dict(base).items()
        if type(value) is types.MemberDescriptorType
    }


def _is_stuck(old: type, new: type) -> bool:
    """Whether instances of `new` can't become instances of `old`; tried on an empty one."""
    if not _slots(new):
        return False
    try:
        probe: object = object.__new__(new)
    except TypeError:  # built on a type that makes its instances itself
        return False
    try:
        object.__setattr__(probe, "__class__", old)
    except TypeError:
        return True
    return False


def _twin(value: Any, cls: type) -> Any:
    twin: object = object.__new__(cls)
    theirs = _slots(cls)
    for name, slot in _slots(type(value)).items():
        held = _read(slot, value)
        if held is not _MISSING and name in theirs:
            theirs[name].__set__(twin, held)
    space, other = instance_dict(value), instance_dict(twin)
    if space is not None and other is not None:
        other.update(space)
    return twin


def _read(slot: Any, value: object) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:  # nothing was put there
        return _MISSING


def _exchange_in(holder: Any, twins: Mapping[int, Any]) -> None:
    """Let one object refer to the twins; a tuple can't be changed, its holders are (see `aliases`)."""
    kind = type(holder)
    if kind is dict:
        for key, value in list(dict.items(holder)):
            if id(value) in twins:
                holder[key] = twins[id(value)]
    elif kind is list:
        holder[:] = [twins.get(id(value), value) for value in holder]
    elif kind is types.CellType:
        holder.cell_contents = twins.get(id(holder.cell_contents), holder.cell_contents)
    elif kind not in (tuple, set, frozenset):
        for slot in _slots(kind).values():
            held = _read(slot, holder)
            if id(held) in twins:
                slot.__set__(holder, twins[id(held)])
