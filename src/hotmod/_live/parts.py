"""What an object that stands in a registry holds directly, and what dotted names lead to.

Touches: nothing; reads objects. Never calls code of the subject.

Guarantees: no property and no `__getattr__` of the subject is run.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.kinds import is_class
from hotmod._live.state import instance_dict

__all__ = ["PLAIN", "WRAPPING", "Chain", "all_parts", "parts_of", "resolved"]

Chain = tuple[str, ...]
_MISSING = object()
WRAPPING = (types.FunctionType, functools.partial)
_func_of, _args_of, _keywords_of = (
    functools.partial.__dict__[name].__get__ for name in ("func", "args", "keywords")
)
MAX_PARTS = 200  # attributes of an entry; what has more is no entry of a registry
PLAIN = (str, bytes, int, float, bool, type(None), tuple, frozenset, types.ModuleType)


def parts_of(entry: Any) -> Iterator[Any]:
    """What an entry holds directly: its items, its attributes, or the cells of a function."""
    kind = type(entry)
    if issubclass(kind, tuple):
        yield from tuple.__getitem__(entry, slice(MAX_PARTS))
        return
    if issubclass(kind, functools.partial):
        yield from (_func_of(entry), *_args_of(entry), *_keywords_of(entry).values())
        return
    if kind in PLAIN or issubclass(kind, type):
        return
    if issubclass(kind, weakref.ref):
        value = weakref.ref.__call__(entry)
        if type(value) is types.FunctionType:  # classes are for the adapters of their libraries
            yield value
        return
    if kind is types.FunctionType:
        for cell in entry.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty cell
                continue
        return
    space = instance_dict(entry)
    if space is not None and len(space) <= MAX_PARTS:
        yield from list(space.values())
    for base in type.__dict__["__mro__"].__get__(kind):
        for value in own_dict(base).values() if "__slots__" in own_dict(base) else ():
            if type(value) is types.MemberDescriptorType:
                try:
                    yield types.MemberDescriptorType.__get__(value, entry)
                except AttributeError:  # a slot that is not filled
                    continue


def all_parts(entry: Any) -> list[Any]:
    """An entry, what it holds directly, and what functions and partials among that hold."""
    parts = [entry, *parts_of(entry)]
    return parts + [inner for part in parts if type(part) in WRAPPING for inner in parts_of(part)]


def resolved(chain: Chain, space: Mapping[str, Any]) -> list[Any]:
    """The objects on the way of a dotted name, without running a property or `__getattr__`."""
    value = space.get(chain[0], _MISSING) if chain else _MISSING
    found = []
    for part in chain[1:]:
        if value is _MISSING:
            break
        found.append(value)
        if is_class(value):
            value = own_dict(value).get(part, _MISSING)
        else:
            value = (instance_dict(value) or {}).get(part, _MISSING)
    return found if value is _MISSING else [*found, value]
