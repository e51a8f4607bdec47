"""What a program is made of, object by object: to compare it before and after what should change nothing."""

from __future__ import annotations

import enum
import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

from hotmod._live.journal import SavedCode

__all__ = ["portrait"]

_LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
_FUNCTION = ("__code__", "__defaults__", "__kwdefaults__", "__doc__", "__name__", "__qualname__")
_PLAIN = (str, bytes, int, float, bool, type(None), types.CodeType, types.BuiltinFunctionType)


def portrait(prefix: str, *more: object) -> dict[str, Any]:
    """Every object that modules of a prefix and some values lead to, by a path, with what it holds.

    The objects themselves stand in the answer, so that none of them can go and leave its id to another; code
    as a journal has it, so that no reload takes the answer for somebody who holds code and wants the new one.
    """
    found: dict[str, Any] = {}
    seen: dict[int, str] = {}
    inside = [name for name in sys.modules if name.partition(".")[0] == prefix]
    modules = {name: sys.modules[name] for name in sorted(inside)}
    spaces = {name: vars(each) for name, each in modules.items()}
    todo: list[tuple[str, Any]] = [*spaces.items()] + [
        (f"held {number}", value) for number, value in enumerate(more)
    ]
    while todo:
        path, value = todo.pop()
        if type(value) in (str, bytes, int, float, bool, type(None)):
            found[path] = (value, type(value), ())  # which of several equal ones it is does not matter
            continue
        if id(value) in seen:
            found[path] = (value, type(value), (f"see {seen[id(value)]}",))
            continue
        seen[id(value)] = path
        parts = {} if isinstance(value, types.ModuleType) else dict(_parts(value, prefix))
        found[path] = (value, type(value), tuple(parts))
        todo += [(f"{path} {name}", part) for name, part in parts.items()]
    listed = tuple(f"{name} {id(modules[name]):x}" for name in inside)  # in the order of `sys.modules`
    found_by_id = {path: _identified(entry) for path, entry in found.items()}
    kept = [SavedCode(value) if type(value) is types.CodeType else value for value, _, _ in found.values()]
    return found_by_id | {"sys.modules": ("", listed), "keep": kept}


def _identified(entry: tuple[Any, type, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    value, kind, parts = entry
    plain = isinstance(value, _PLAIN) and not isinstance(value, (enum.Enum, types.CodeType))
    return repr(value) if plain else f"{kind.__name__} {id(value):x} of {id(kind):x}", parts


def _parts(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """What an object holds, by a label."""
    if isinstance(value, dict):
        for number, (key, item) in enumerate(dict.items(value)):
            if key != "__builtins__":
                yield f"[{key!r}]" if isinstance(key, str) else f"[{number}]", item
                yield f"key {number}", key
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{number}]", item) for number, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f"{{{id(item):x}}}", item) for item in sorted(value, key=id))
    elif isinstance(value, types.FunctionType):
        yield from ((name, getattr(value, name)) for name in _FUNCTION)
        yield from (("__annotations__", value.__annotations__), ("__dict__", value.__dict__))
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield f"cell {name}", cell
            yield from ((f"in cell {name}", part) for part in _filled(cell))
    elif isinstance(value, type):
        if value.__module__.partition(".")[0] in (prefix, __name__.partition(".")[0]):
            yield "bases", type.__dict__["__bases__"].__get__(value)
            heirs: list[type] = type.__subclasses__(value)
            yield from ((f"heir {id(heir):x}", heir) for heir in heirs)
            yield from ((f".{name}", part) for name, part in vars(value).items() if name != "_abc_impl")
    elif isinstance(value, (staticmethod, classmethod, types.MethodType)):
        yield "function", value.__func__
    elif isinstance(value, property):
        yield from (("get", value.fget), ("set", value.fset), ("delete", value.fdel), ("doc", value.__doc__))
    elif isinstance(value, functools.partial):
        yield from (("function", value.func), ("arguments", value.args), ("keywords", value.keywords))
        yield ".__dict__", value.__dict__
    elif not isinstance(value, _PLAIN) and isinstance(found := getattr(value, "__dict__", None), dict):
        yield from ((f".{name}", part) for name, part in found.items())
        slots = [name for one in type(value).__mro__ for name in vars(one).get("__slots__", ())]
        yield from ((f".{name}", getattr(value, name)) for name in slots if hasattr(value, name))
    if isinstance(value, _LRU):
        yield "wrapped", value.__wrapped__


def _filled(cell: types.CellType) -> tuple[Any, ...]:
    """What a cell holds: one object, or none."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
