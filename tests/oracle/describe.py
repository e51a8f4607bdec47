"""What the modules of a program are at this moment, as flat facts that two processes can compare.

A fact is a path and a text: `shop.cart:Cart.total/code` and a digest, `shop.api:TAX` and `0.2`. A function
or class is described once, where its module and qualified name say it lives; everywhere else it is a
reference to that place, and one that does not live where it says it does is described on the spot. So an
old class that somebody still holds differs from the same reference in a fresh process.

A container, an instance or an unnamed function that is met a second time is `same as` the first path:
identities take part without a word about addresses.

Nothing of the subject is called: no `==`, no `repr` of its types, no property, no `__getattr__`.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import hashlib
import importlib.machinery
import inspect
import re
import sys
import tokenize
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["describe", "identities", "owned_modules"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented), range)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{5,}")
_LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
_MODULE_OWN = {"__builtins__", "__loader__", "__spec__", "__warningregistry__", "__annotate__"}
_CLASS_OWN = {
    "__module__",
    "__qualname__",
    "__weakref__",
    "__dict__",
    "__annotations__",
    "__annotations_cache__",
    "__annotate__",
    "__annotate_func__",
    "__slotnames__",
    "__firstlineno__",
    "__static_attributes__",
    "_abc_impl",
}
_UNORDERED = {"__conditional_annotations__"}
_DEPTH = 12
_class_dict: Callable[[type], Any] = type.__dict__["__dict__"].__get__
_class_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_class_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_class_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__

Owned = Callable[[str], bool]


def owned_modules(owned: Owned) -> dict[str, types.ModuleType]:
    """The modules of the subject by name, as `sys.modules` lists them."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if owned(name) and isinstance(module, types.ModuleType)
    }


def describe(owned: Owned, root: str, *, sources: bool = True) -> dict[str, str]:
    """All facts about the modules of the subject.

    Args:
        owned: whether a module of this name belongs to the subject.
        root: the folder that its files lie in; written as `<root>`.
        sources: whether `inspect.getsource` of every function takes part (slow).
    """
    describer = _Describer(owned, root, sources=sources)
    for name, module in sorted(owned_modules(owned).items()):
        describer.module(name, module)
    return describer.facts


def identities(owned: Owned) -> list[list[str]]:
    """Groups of names, in more than one module, that hold one and the same object."""
    groups: dict[int, list[str]] = {}
    for name, module in sorted(owned_modules(owned).items()):
        for key, value in sorted(vars(module).items()):
            if not isinstance(value, (*_PLAIN, tuple, frozenset, types.BuiltinFunctionType)):
                groups.setdefault(id(value), []).append(f"{name}:{key}")
    shared = [group for group in groups.values() if len({name.partition(":")[0] for name in group}) > 1]
    return sorted(group for group in shared if not all(name.endswith("__builtins__") for name in group))


def _type_name(kind: type) -> str:
    return f"{type.__getattribute__(kind, '__module__')}.{_class_qualname(kind)}"


class _Describer:
    """Collects the facts; one use only."""

    def __init__(self, owned: Owned, root: str, *, sources: bool) -> None:
        self.facts: dict[str, str] = {}
        self._owned = owned
        self._root = root
        self._sources = sources
        self._met: dict[int, str] = {}
        self._keep: list[Any] = []

    # names and texts

    def text(self, value: str) -> str:
        return _ADDRESS.sub("0x", value.replace(self._root, "<root>") if self._root else value)

    def resolve(self, module: object, qualname: str) -> object:
        """What stands at a module and qualified name now; None when nothing does."""
        found = sys.modules.get(module) if isinstance(module, str) else None
        if not isinstance(found, types.ModuleType) or "<locals>" in qualname:
            return None
        value: Any = found
        for part in qualname.split("."):
            space = vars(value) if isinstance(value, types.ModuleType) else None
            if space is None:
                space = _class_dict(value) if issubclass(type(value), type) else {}
            if part not in space:
                return None
            value = space[part]
        return value

    def origin(self, value: Any) -> tuple[str, str]:
        if type(value) is types.FunctionType:
            return str(value.__module__), value.__qualname__
        return str(type.__getattribute__(value, "__module__")), _class_qualname(value)

    def reference(self, value: Any) -> str:
        """A function or class by name; marked when another object has its place."""
        module, qualname = self.origin(value)
        if not self._owned(module):
            return f"foreign {module}:{qualname}"
        return f"{'is' if self.resolve(module, qualname) is value else 'unnamed'} {module}:{qualname}"

    def short(self, value: Any) -> str:
        """One line about a key, a member of a set or a constant."""
        kind = type(value)
        if kind in _PLAIN:
            return self.text(repr(value))
        if kind is tuple:
            return f"({', '.join(self.short(part) for part in value)})"
        if kind is frozenset:
            return f"frozenset({', '.join(sorted(self.short(part) for part in value))})"
        if kind is types.FunctionType or issubclass(kind, type):
            return self.reference(value)
        if issubclass(kind, enum.Enum):
            return f"member {self.reference(kind)}.{value._name_}"
        if kind is types.CodeType:
            return f"code {self.code(value)}"
        return f"instance {self.reference(kind)}"

    # modules

    def module(self, name: str, module: types.ModuleType) -> None:
        self.facts[f"{name}:"] = f"module of {_type_name(type(module))}"
        spec = vars(module).get("__spec__")
        if isinstance(spec, importlib.machinery.ModuleSpec):
            loader = _type_name(type(spec.loader))
            places = (
                None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
            )
            self.facts[f"{name}:/spec"] = self.text(f"{spec.name} {spec.origin} {loader} {places}")
            self.facts[f"{name}:/busy"] = repr(getattr(spec, "_initializing", False))
        for key, value in sorted(vars(module).items()):
            if key == "__annotations__":
                self.annotations(f"{name}:{key}", value)
            elif key in _UNORDERED:
                self.facts[f"{name}:{key}"] = repr(sorted(map(str, value)))
            elif key == "__path__":
                self.facts[f"{name}:{key}"] = self.text(repr(list(value)))
            elif key not in _MODULE_OWN:
                self.visit(value, f"{name}:{key}", (name, key))

    # any value

    def visit(self, value: Any, path: str, home: tuple[str, str] | None = None, depth: int = 0) -> None:
        kind = type(value)
        if kind in _PLAIN or kind is types.CodeType or depth > _DEPTH:
            self.facts[path] = self.short(value)
        elif issubclass(kind, types.ModuleType):
            name = vars(value).get("__name__")
            self.facts[path] = f"module {name}" if sys.modules.get(name) is value else f"old module {name}"
        elif kind is types.FunctionType or issubclass(kind, type):
            self._definition(value, path, home, depth)
        elif kind is tuple:
            self.facts[path] = f"tuple of {len(value)}"
            self._parts(value, path, depth)
        elif kind is frozenset:
            self.facts[path] = self.short(value)
        elif self._first_time(value, path):
            self._object(value, kind, path, home, depth)

    def _first_time(self, value: Any, path: str) -> bool:
        known = self._met.setdefault(id(value), path)
        if known != path:
            self.facts[path] = f"same as {known}"
            return False
        self._keep.append(value)
        return True

    def _parts(self, parts: Iterable[Any], path: str, depth: int) -> None:
        for index, part in enumerate(parts):
            self.visit(part, f"{path}[{index}]", None, depth + 1)

    def _object(self, value: Any, kind: type, path: str, home: tuple[str, str] | None, depth: int) -> None:
        inner = dict(_inside(value, kind))
        if inner:
            self.facts[path] = kind.__name__
            for label, part in inner.items():
                self.visit(part, f"{path}/{label}", home, depth + 1)
        elif issubclass(kind, enum.Enum):
            self.facts[path] = self.short(value)
            self.visit(value._value_, f"{path}/value", None, depth + 1)
        elif type(kind) is type and kind.__module__ in ("typing", "types") and hasattr(value, "__args__"):
            self.facts[path] = self.text(repr(value))
            self._parts(value.__args__, path, depth)
        else:
            own = self._owned(str(type.__getattribute__(kind, "__module__")))
            self.facts[path] = f"instance {self.reference(kind)}" if own else f"instance {_type_name(kind)}"
            if isinstance(value, (re.Pattern, functools.singledispatchmethod)) or kind is types.GenericAlias:
                self.facts[path] = self.text(repr(value))
            self._contents(value, kind, path, depth)
            if own:
                self._attributes(value, kind, path, depth)

    def _contents(self, value: Any, kind: type, path: str, depth: int) -> None:
        if issubclass(kind, (dict, types.MappingProxyType)):
            pairs = dict.items(value) if issubclass(kind, dict) else value.items()
            seen: collections.Counter[str] = collections.Counter()
            for key, item in sorted(
                ((self.short(key), item) for key, item in pairs), key=lambda pair: pair[0]
            ):
                seen[key] += 1
                again = f"#{seen[key]}" if seen[key] > 1 else ""
                self.visit(item, f"{path}[{key}]{again}", None, depth + 1)
        elif issubclass(kind, (list, collections.deque, tuple)):
            self.facts[path] += f" of {len(value)}"
            base = next(base for base in (list, collections.deque, tuple) if issubclass(kind, base))
            self._parts(base.__iter__(value), path, depth)
        elif issubclass(kind, set):
            self.facts[path] += f" {sorted(self.short(part) for part in set.__iter__(value))}"

    def _attributes(self, value: Any, kind: type, path: str, depth: int) -> None:
        try:
            space = object.__getattribute__(value, "__dict__")
        except AttributeError:
            space = {}
        for base in _class_mro(kind):
            for name, member in _class_dict(base).items():
                if type(member) is types.MemberDescriptorType and self._owned(str(base.__module__)):
                    try:
                        self.visit(member.__get__(value), f"{path}.{name}", None, depth + 1)
                    except AttributeError:
                        self.facts[f"{path}.{name}"] = "unset"
        for name, part in sorted(space.items() if type(space) is dict else ()):
            self.visit(part, f"{path}.{name}", None, depth + 1)

    # functions and classes

    def _definition(self, value: Any, path: str, home: tuple[str, str] | None, depth: int) -> None:
        module, qualname = self.origin(value)
        is_class = type(value) is not types.FunctionType
        if not self._owned(module):
            self.facts[path] = self.reference(value)
            if is_class or not value.__closure__:
                return
        elif home != (module, qualname) and self.resolve(module, qualname) is value:
            self.facts[path] = self.reference(value)
            return
        if self._first_time(value, path):
            self.facts[path] = f"{'class' if is_class else 'function'} {module}:{qualname}"
            (self._class if is_class else self._function)(value, path, depth)

    def _function(self, value: types.FunctionType, path: str, depth: int) -> None:
        code, facts = value.__code__, self.facts
        facts[f"{path}/code"] = self.code(code)
        facts[f"{path}/lines"] = _lines(code)
        facts[f"{path}/file"] = self.text(code.co_filename)
        facts[f"{path}/name"] = f"{value.__name__} {value.__qualname__}"
        facts[f"{path}/doc"] = self.text(repr(value.__doc__))
        where = value.__globals__.get("__name__")
        current = vars(sys.modules[where]) if where in sys.modules else None
        facts[f"{path}/globals"] = f"{where} {'current' if current is value.__globals__ else 'other'}"
        if self._sources and code.co_filename.startswith(self._root):
            facts[f"{path}/source"] = _source(code)
        for index, default in enumerate(value.__defaults__ or ()):
            self.visit(default, f"{path}/default[{index}]", None, depth + 1)
        for name, default in sorted((value.__kwdefaults__ or {}).items()):
            self.visit(default, f"{path}/default[{name}]", None, depth + 1)
        self.annotations(f"{path}/annotations", value.__annotations__)
        for name, part in sorted(value.__dict__.items()):
            self.visit(part, f"{path}/attribute[{name}]", None, depth + 1)
        for name, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            try:
                self.visit(cell.cell_contents, f"{path}/cell[{name}]", None, depth + 1)
            except ValueError:
                facts[f"{path}/cell[{name}]"] = "empty"

    def _class(self, value: type, path: str, depth: int) -> None:
        space, facts = dict(_class_dict(value)), self.facts
        module, qualname = self.origin(value)
        facts[f"{path}/metaclass"] = self.reference(type(value))
        facts[f"{path}/mro"] = " ".join(self.reference(base) for base in _class_mro(value)[1:])
        facts[f"{path}/lines"] = repr(space.get("__firstlineno__"))
        facts[f"{path}/stores"] = repr(sorted(space.get("__static_attributes__", ())))
        for index, base in enumerate(_class_bases(value)):
            self.visit(base, f"{path}/base[{index}]", None, depth + 1)
        self.annotations(f"{path}/annotations", inspect.get_annotations(value))
        for name, member in sorted(space.items()):
            if name not in _CLASS_OWN:
                self.visit(member, f"{path}.{name}", (module, f"{qualname}.{name}"), depth + 1)

    def annotations(self, path: str, values: Any) -> None:
        if isinstance(values, dict):
            for name, value in values.items():
                short = type(value) in _PLAIN or issubclass(type(value), type)
                spelled = self.short(value) if short else self.text(repr(value))
                self.facts[f"{path}[{name}]"] = spelled

    def code(self, code: types.CodeType) -> str:
        """A digest of everything in a code object but its place."""
        parts = (
            code.co_name,
            code.co_qualname,
            code.co_code.hex(),
            code.co_exceptiontable.hex(),
            [
                self.code(const) if type(const) is types.CodeType else self.short(const)
                for const in code.co_consts
            ],
            (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
            (code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        )
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _inside(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The parts of the usual wrappers, by label."""
    if kind is property:
        yield from (("get", value.fget), ("set", value.fset), ("delete", value.fdel), ("doc", value.__doc__))
    elif kind in (staticmethod, classmethod):
        yield "function", value.__func__
    elif kind is types.MethodType:
        yield from (("function", value.__func__), ("self", value.__self__))
    elif kind is functools.cached_property:
        yield "function", value.func
    elif kind in (functools.partial, functools.partialmethod):
        yield from (("function", value.func), ("args", value.args), ("keywords", dict(value.keywords)))
    elif kind is _LRU:
        yield from (("function", value.__wrapped__), ("parameters", value.cache_parameters()))
    elif kind is dataclasses.Field:
        yield from (("name", value.name), ("type", value.type), ("default", value.default))
        yield from (("factory", value.default_factory), ("metadata", value.metadata))
    elif kind is typing.TypeVar:
        yield from (
            ("name", value.__name__),
            ("bound", value.__bound__),
            ("constraints", value.__constraints__),
        )


def _lines(code: types.CodeType) -> str:
    numbers = [code.co_firstlineno, *(line for _, _, line in code.co_lines())]
    nested = [_lines(const) for const in code.co_consts if type(const) is types.CodeType]
    digest = hashlib.blake2b(repr((numbers, nested)).encode(), digest_size=4).hexdigest()
    return f"line {code.co_firstlineno} ({digest})"


def _source(code: types.CodeType) -> str:
    try:
        return hashlib.blake2b(inspect.getsource(code).encode(), digest_size=8).hexdigest()
    except (OSError, IndexError, SyntaxError, tokenize.TokenError) as error:
        return type(error).__name__
