"""References to objects that were merged away lead to the objects that live on.

While a module runs again, its decorators, registries and tables see the new objects; once the old ones
have taken over, those references are exchanged.

Touches: namespaces, builtin containers, class members, closure cells, defaults and instance attributes
reachable from the modules given. Not journaled by itself: what existed before the transaction is put back
by `State` and `namespaces.save`, the rest is new.

Guarantees: a reference is exchanged only for the object that took over what it leads to.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.kinds import space_in
from hotmod._live.state import State
from hotmod._live.takeback import contents, put_back

__all__ = ["exchange"]

_NEVER = frozenset((str, bytes, int, float, bool, type(None), types.ModuleType))  # merged with another
DEPTH = 60  # decorators that wrap decorators make long chains


def exchange(
    modules: Iterable[types.ModuleType], owned: Callable[[str], bool], kept: Mapping[int, Any]
) -> None:
    """Exchange every reference that can be reached from some modules.

    Args:
        modules: where to start.
        owned: whether a module of that name is in scope; classes of others are not looked into.
        kept: the object that lives on, by the id of the one that it took over.
    """
    if not kept:
        return
    modules = list(modules)
    for module in modules:
        _exchange_dict(space_in(module), kept)
    state = State(modules, owned, DEPTH)
    for container, items in state.containers:
        if issubclass(type(container), dict):
            _exchange_dict(container, kept)
        else:
            new = [translated(item, kept) for item in items]
            if any(a is not b for a, b in zip(items, new, strict=True)):
                put_back(container, new)
    for cls, members in state.classes:
        for name, value in members.items():
            new = translated(value, kept)
            if new is not value and own_dict(cls).get(name) is value:
                type.__setattr__(cls, name, new)
    for cell, held in state.cells:
        new = translated(held, kept)
        if new is not held:
            cell.cell_contents = new
    for function in state.functions:
        _exchange_defaults(function, kept)


def _exchange_dict(space: dict[Any, Any], kept: Mapping[int, Any]) -> None:
    if any(type(key) not in _NEVER and id(key) in kept for key in dict.keys(space)):
        items = contents(space) or []
        put_back(space, [(translated(key, kept), translated(value, kept)) for key, value in items])
        return
    for key, value in list(dict.items(space)):
        new = translated(value, kept)
        if new is not value:
            dict.__setitem__(space, key, new)


def _exchange_defaults(function: types.FunctionType, kept: Mapping[int, Any]) -> None:
    defaults = function.__defaults__
    if defaults is not None:
        new = translated(defaults, kept)
        if new is not defaults:
            function.__defaults__ = new
    for space in (function.__kwdefaults__, function.__annotations__):
        if space:
            _exchange_dict(space, kept)


def translated(value: Any, kept: Mapping[int, Any]) -> Any:
    """A value, or its immutable copy in which the references are exchanged."""
    kind = type(value)
    if kind in _NEVER:
        return value
    if (key := id(value)) in kept:
        return kept[key]
    if kind is tuple or kind is frozenset:
        parts = [translated(part, kept) for part in value]
        if any(a is not b for a, b in zip(value, parts, strict=True)):
            return kind(parts)
    elif kind in (staticmethod, classmethod):
        inner = translated(value.__func__, kept)
        return value if inner is value.__func__ else kind(inner)
    elif kind is property:
        parts = [translated(part, kept) for part in (value.fget, value.fset, value.fdel)]
        if any(a is not b for a, b in zip(parts, (value.fget, value.fset, value.fdel), strict=True)):
            getter, setter, deleter = parts
            return property(getter, setter, deleter, value.__doc__)
    elif kind is types.MethodType:
        inner, owner = translated(value.__func__, kept), translated(value.__self__, kept)
        if inner is not value.__func__ or owner is not value.__self__:
            return types.MethodType(inner, owner)
    elif kind is functools.partial:
        func, args = translated(value.func, kept), translated(value.args, kept)
        if func is not value.func or args is not value.args:
            value.__setstate__((func, args, value.keywords, value.__dict__ or None))
    return value
