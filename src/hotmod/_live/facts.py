"""What modules are at this moment, as flat facts that two processes can compare.

A fact is a path and a text: `shop.cart:Cart.total/code` and a digest, `shop.api:TAX` and `0.2`. A function or
class is described where its module and qualified name say that it lives; everywhere else it is a reference.

Touches: modules and what their names lead to, read only.

Guarantees: nothing of the program is called: no `==`, no `repr` of its types, no property. The facts of two
processes that made the same objects are the same, whatever their addresses and the order of their sets.

Assumes: nothing changes meanwhile; what does may be told half old and half new.
"""

from __future__ import annotations

import collections
import enum
import functools
import hashlib
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.kinds import is_class, space_in
from hotmod._live.modules import space_of
from hotmod._live.namespaces import IMPORT_NAMES
from hotmod._live.state import instance_dict

__all__ = ["OF_CLASSES", "code_digest", "content_of", "facts_of", "member_name", "origin_of", "parts_inside"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented), range)
_LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
OF_CLASSES = frozenset(
    (
        *("__module__", "__qualname__", "__weakref__", "__dict__", "__annotations__", "__annotate__"),
        *("__annotations_cache__", "__annotate_func__", "__slotnames__", "_abc_impl"),
        *("__static_attributes__", "__firstlineno__"),
    )
)
_DEPTH = 6
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__
_Home = tuple[str, str]


def facts_of(modules: Mapping[str, object]) -> dict[str, str]:
    """All facts about some modules.

    Args:
        modules: the module objects by name.
    """
    describer = _Describer(modules)
    for name, module in modules.items():
        for key, value in sorted(space_of(module).items()):
            if key not in IMPORT_NAMES or key == "__doc__":
                describer.visit(value, f"{name}:{key}", (name, key), 0)
    return describer.facts


class _Describer:
    """Collects the facts; for one use."""

    def __init__(self, modules: Mapping[str, object]) -> None:
        self.facts: dict[str, str] = {}
        self._modules = modules
        self._seen: dict[int, str] = {}
        self._alive: list[Any] = []  # the ids in `_seen` are good only as long as the objects live

    def visit(self, value: Any, path: str, home: _Home | None, depth: int) -> None:
        """Describe one value, and what it leads to."""
        kind = type(value)
        if kind in _PLAIN or kind is types.CodeType or depth > _DEPTH:
            self.facts[path] = self._short(value)
        elif issubclass(kind, types.ModuleType):
            self.facts[path] = f"module {space_in(value).get('__name__')}"
        elif kind is types.FunctionType or issubclass(kind, type):
            self._definition(value, path, home, depth)
        elif self._seen.setdefault(id(value), path) != path:
            self.facts[path] = f"same as {self._seen[id(value)]}"
        else:
            self._alive.append(value)
            self._object(value, kind, path, home, depth)

    def _short(self, value: Any) -> str:
        """One line about a key, a constant or a member of a set."""
        kind = type(value)
        if kind in _PLAIN:
            return repr(value)
        if kind in (tuple, frozenset):
            parts = [self._short(part) for part in value]
            return f"{kind.__name__}({', '.join(parts if kind is tuple else sorted(parts))})"
        if kind is types.CodeType:
            return f"code {code_digest(value)}"
        if kind is types.FunctionType or issubclass(kind, type):
            return self._reference(value)
        return f"instance of {self._reference(kind)}"

    def _reference(self, value: Any) -> str:
        """A function or class by its name; marked if another object has its place."""
        module, name = origin_of(value)
        stands = module not in self._modules or self._standing(module, name) is value
        return f"{'' if stands else 'another '}{module}:{name}"

    def _standing(self, module: str, qualname: str) -> object:
        value: Any = self._modules.get(module)
        space: Mapping[str, Any] = space_of(value)
        for part in qualname.split("."):
            value = space.get(part)
            space = own_dict(value) if is_class(value) else {}
        return value

    def _definition(self, value: Any, path: str, home: _Home | None, depth: int) -> None:
        module, name = origin_of(value)
        elsewhere = module not in self._modules or (
            home != (module, name) and self._standing(module, name) is value
        )
        if elsewhere or self._seen.setdefault(id(value), path) != path:
            self.facts[path] = self._reference(value)
            return
        self._alive.append(value)
        self.facts[path] = f"{'class' if is_class(value) else 'function'} {module}:{name}"
        (self._class if is_class(value) else self._function)(value, path, depth)

    def _function(self, value: types.FunctionType, path: str, depth: int) -> None:
        code = value.__code__
        self.facts[f"{path}/code"] = code_digest(code)
        self.facts[f"{path}/lines"] = _lines(code)
        self.facts[f"{path}/doc"] = self._short(value.__doc__ if type(value.__doc__) is str else None)
        for number, default in enumerate(value.__defaults__ or ()):
            self.visit(default, f"{path}/default[{number}]", None, depth + 1)
        for name, default in sorted((value.__kwdefaults__ or {}).items()):
            self.visit(default, f"{path}/default[{name}]", None, depth + 1)
        for name, part in sorted(value.__dict__.items()):
            self.visit(part, f"{path}/attribute[{name}]", None, depth + 1)
        for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            content = content_of(cell)
            if content:
                self.visit(content[0], f"{path}/cell[{name}]", None, depth + 1)

    def _class(self, value: type, path: str, depth: int) -> None:
        module, name = origin_of(value)
        self.facts[f"{path}/metaclass"] = self._reference(type(value))
        self.facts[f"{path}/bases"] = ", ".join(map(self._reference, _bases(value)))
        for key, member in sorted(own_dict(value).items()):
            if key not in OF_CLASSES:
                self.visit(member, f"{path}.{key}", (module, f"{name}.{key}"), depth + 1)

    def _object(self, value: Any, kind: type, path: str, home: _Home | None, depth: int) -> None:
        inside = list(parts_inside(value, kind))
        self.facts[path] = kind.__name__ if inside else f"instance of {self._reference(kind)}"
        if inside:
            for label, part in inside:
                self.visit(part, f"{path}/{label}", home, depth + 1)
        elif issubclass(kind, enum.Enum):
            self.facts[path] = f"member {member_name(value)} of {self._reference(kind)}"
        else:
            self._contents(value, kind, path, depth)
            if kind.__module__ in self._modules:
                for name, part in sorted((instance_dict(value) or {}).items()):
                    self.visit(part, f"{path}.{name}", None, depth + 1)

    def _contents(self, value: Any, kind: type, path: str, depth: int) -> None:
        if issubclass(kind, dict):
            items = sorted(((self._short(key), item) for key, item in dict.items(value)), key=_first)
            again: collections.Counter[str] = collections.Counter()
            for key, item in items:
                again[key] += 1
                mark = f"#{again[key]}" if again[key] > 1 else ""
                self.visit(item, f"{path}[{key}]{mark}", None, depth + 1)
        elif issubclass(kind, (list, tuple, collections.deque)):
            base = next(base for base in (list, tuple, collections.deque) if issubclass(kind, base))
            self.facts[path] += f" with {base.__len__(value)}"
            for number, part in enumerate(base.__iter__(value)):
                self.visit(part, f"{path}[{number}]", None, depth + 1)
        elif issubclass(kind, (set, frozenset)):
            members = set.__iter__(value) if issubclass(kind, set) else frozenset.__iter__(value)
            self.facts[path] += f" {sorted(self._short(part) for part in members)}"


def member_name(member: Any) -> str:
    """The name of a member of an enumeration."""
    return str((instance_dict(member) or {}).get("_name_", "?"))


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


def origin_of(value: Any) -> _Home:
    if type(value) is types.FunctionType:
        return str(value.__module__), value.__qualname__
    return str(type.__getattribute__(value, "__module__")), _qualname(value)


def parts_inside(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The parts of the usual wrappers."""
    if kind is property:
        yield from (("get", value.fget), ("set", value.fset), ("delete", value.fdel))
    elif kind in (staticmethod, classmethod):
        yield "function", value.__func__
    elif kind is types.MethodType:
        yield from (("function", value.__func__), ("self", value.__self__))
    elif kind is functools.cached_property:
        yield "function", value.func
    elif kind in (functools.partial, functools.partialmethod):
        yield from (("function", value.func), ("args", value.args), ("keywords", dict(value.keywords)))
    elif kind is _LRU:
        yield "function", value.__wrapped__


def content_of(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # an empty cell
        return ()


def code_digest(code: types.CodeType) -> str:
    """A digest of everything in a code object but its place."""
    consts = [_constant(const) for const in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    parts = (code.co_qualname, code.co_code, code.co_exceptiontable, consts, names, counts)
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _constant(value: object) -> str:
    if isinstance(value, types.CodeType):
        return code_digest(value)
    if isinstance(value, (tuple, frozenset)):
        parts: Collection[str] = [_constant(part) for part in value]
        return repr(parts if isinstance(value, tuple) else sorted(parts))
    return repr(value)


def _lines(code: types.CodeType) -> str:
    lines = sorted({line for _, _, line in code.co_lines() if line is not None})
    nested = [_lines(const) for const in code.co_consts if isinstance(const, types.CodeType)]
    digest = hashlib.blake2b(repr((lines, nested)).encode(), digest_size=4).hexdigest()
    return f"line {code.co_firstlineno} ({digest})"
