"""The state of a program by identity: what a rejected attempt must leave exactly as it was.

Every namespace by name, value and order, the entries of `sys.modules`, what parents hold of their
submodules, linecache, and the contents of every container, instance, class and closure that can be
reached from there.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import linecache
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.oracle.describe import owned_modules

__all__ = ["Snapshot", "take"]

_LEAVES = (str, bytes, int, float, complex, bool, type(None), types.CodeType, types.BuiltinFunctionType)
_class_dict: Callable[[type], Any] = type.__dict__["__dict__"].__get__


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What was there. Holds every object that it saw, so that an identity stays what it was.

    Attributes:
        entries: the subject's part of `sys.modules`.
        parts: by path, what an object held: (label, object) pairs in order.
        lines: linecache's entries for files of the subject; what comes may be the text that is running.
    """

    entries: dict[str, types.ModuleType]
    parts: dict[str, list[tuple[str, Any]]]
    lines: dict[str, Any]

    def differences(self, later: Snapshot) -> list[str]:
        """What is not the same object in the same place any more, in words."""
        found = [f"sys.modules: {name} gone" for name in self.entries.keys() - later.entries.keys()]
        found += [f"sys.modules: {name} came" for name in later.entries.keys() - self.entries.keys()]
        found += [
            f"sys.modules: {name} is another module"
            for name in self.entries.keys() & later.entries.keys()
            if self.entries[name] is not later.entries[name]
        ]
        for path, held in self.parts.items():
            if path not in later.parts:
                found.append(f"{path}: gone")
            else:
                found += _between(path, held, later.parts[path])
        found += [f"{path}: came" for path in later.parts.keys() - self.parts.keys()]
        found += [f"linecache: {path} gone" for path in self.lines.keys() - later.lines.keys()]
        return sorted(found)


def _between(path: str, before: list[tuple[str, Any]], after: list[tuple[str, Any]]) -> list[str]:
    old, new = dict(before), dict(after)
    found = [f"{path}{label}: gone" for label in old.keys() - new.keys()]
    found += [f"{path}{label}: came" for label in new.keys() - old.keys()]
    found += [
        f"{path}{label}: another object" for label in old.keys() & new.keys() if old[label] is not new[label]
    ]
    if not found and [label for label, _ in before] != [label for label, _ in after]:
        found.append(f"{path}: in another order")
    return found


def take(owned: Callable[[str], bool], root: str) -> Snapshot:
    """The state of the subject now. Looks at linecache, but fills nothing into it."""
    entries = owned_modules(owned)
    parts: dict[str, list[tuple[str, Any]]] = {}
    met: set[int] = set()
    queue: collections.deque[tuple[str, Any]] = collections.deque(sorted(entries.items()))
    while queue:
        path, value = queue.popleft()
        if isinstance(value, _LEAVES) or id(value) in met:
            continue
        met.add(id(value))
        inside = list(_parts(value, owned))
        if inside:
            parts[path] = inside
            queue.extend((f"{path}{label}", part) for label, part in inside)
    lines = {path: entry for path, entry in linecache.cache.items() if path.startswith(root)}
    return Snapshot(entries, parts, lines)


def _parts(value: Any, owned: Callable[[str], bool]) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if issubclass(kind, types.ModuleType):
        if owned(str(vars(value).get("__name__"))):
            yield "<class>", kind
            yield from ((f":{name}", part) for name, part in vars(value).items() if name != "__builtins__")
    elif issubclass(kind, dict):
        yield from _labelled(dict.items(value))
    elif issubclass(kind, (list, tuple, collections.deque)):
        base = next(base for base in (list, tuple, collections.deque) if issubclass(kind, base))
        yield from ((f"[{index}]", part) for index, part in enumerate(base.__iter__(value)))
    elif issubclass(kind, (set, frozenset)):
        members = (set if issubclass(kind, set) else frozenset).__iter__(value)
        yield from sorted((f"{{{id(part)}}}", part) for part in members)  # its order is nobody's business
    elif issubclass(kind, type):
        if owned(str(type.__getattribute__(value, "__module__"))):
            hidden = ("__abstractmethods__", "_abc_impl", "__dict__", "__weakref__")
            # in which order a class lists its members says nothing once it is made
            yield from (
                (f".{name}", part) for name, part in sorted(_class_dict(value).items()) if name not in hidden
            )
    elif kind is types.FunctionType:
        yield from _function_parts(value)
    elif kind in (staticmethod, classmethod):
        yield ".__func__", value.__func__
    elif kind in (functools.partial, functools.partialmethod):
        yield ".func", value.func
    elif owned(str(type.__getattribute__(kind, "__module__"))):
        yield "<class>", kind
        yield from ((f".{name}", part) for name, part in instance_space(value).items())


def instance_space(value: object) -> dict[str, Any]:
    """The attributes of an instance, without asking its class."""
    try:
        space = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return space if type(space) is dict else {}


def _labelled(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    for key, value in pairs:
        label = repr(key) if isinstance(key, _LEAVES) else f"<key {type(key).__name__} {id(key)}>"
        yield f"[{label}]", value


def _function_parts(value: types.FunctionType) -> Iterator[tuple[str, Any]]:
    yield ".__code__", value.__code__
    yield ".__defaults__", value.__defaults__
    yield ".__doc__", value.__doc__
    yield from ((f".{name}", part) for name, part in value.__dict__.items())
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            yield f"<cell {name}>", cell.cell_contents
        except ValueError:
            yield f"<cell {name}>", None
