"""The fingerprint of a function: a digest of it and of everything in scope that it reaches.

Touches: objects, read only.

Guarantees: nothing of the program is called, but for the import of modules that a function imports. Two
processes that run the same code with the same constants give the same digest, whatever their addresses, hash
seeds and the order in which they imported. Line numbers and comments take no part. What can't be digested is
told by name.

Assumes: nothing changes meanwhile. Names are spelled: what a function looks up by a computed name is not
seen, and neither is what it calls on an object that it is handed.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import hashlib
import logging
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.facts import OF_CLASSES, code_digest, content_of, member_name, origin_of, parts_inside
from hotmod._live.kinds import is_class, is_module
from hotmod._live.modules import space_of
from hotmod._live.state import instance_dict

__all__ = ["Fingerprint", "fingerprint_of"]

_ATTRIBUTES = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
_GLOBALS = frozenset(("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"))
_IMPORTERS = ("import_module", "__import__")
_BETWEEN = frozenset(("CACHE", "EXTENDED_ARG", "PUSH_NULL", "RESUME", "PRECALL"))
_PLAIN = (
    *(str, bytes, bytearray, int, float, complex, bool, range),
    *(type(None), type(Ellipsis), type(NotImplemented)),
)
# Values of these modules of the standard library are told apart by their words, the same everywhere.
_BY_WORDS = frozenset(
    ("datetime", "decimal", "fractions", "uuid", "pathlib", "ipaddress", "zoneinfo", "typing")
)
_TRANSPARENT = frozenset(("dataclasses", "types"))  # their instances are what their attributes are
_NAMED = frozenset(
    (
        *(types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType),
        *(types.MethodDescriptorType, types.ClassMethodDescriptorType),
    )
)
_FIELD: type = type(vars(typing.NamedTuple("_", [("field", int)]))["field"])
_KEEP = "__hotmod_keep__"
_bases: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a function is at this moment.

    Attributes:
        digest: 32 hexadecimal digits.
        reached: the functions and classes in scope that took part, as `module:qualname`, sorted.
        opaque: what it reaches, too, and could not be digested, each with the reason, sorted. A change of it
            does not change the digest.
    """

    digest: str
    reached: tuple[str, ...]
    opaque: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.digest


def fingerprint_of(
    value: object,
    owns: Callable[[str], bool],
    load: Callable[[str], object],
    ignored: Collection[str] = frozenset(),
) -> Fingerprint:
    """The fingerprint of a function, method or class.

    Args:
        value: what to begin with.
        owns: whether a module is in scope.
        load: imports a module, which a function would import when it is called; gives the module, or in words
            why it can't be had.
        ignored: names whose values are state, as `module:name`.
    """
    walk = _Walk(owns, load, ignored)
    walk.begin(value)
    told = repr(sorted(walk.facts.items())).encode()
    digest = hashlib.blake2b(told, digest_size=16).hexdigest()
    return Fingerprint(digest, tuple(sorted(walk.reached)), tuple(sorted(walk.opaque)))


class _Walk:
    """Collects facts; for one use.

    What a definition is stands once, under its own name; whatever leads to it says that name alone.
    """

    def __init__(
        self, owns: Callable[[str], bool], load: Callable[[str], object], ignored: Collection[str]
    ) -> None:
        self.facts: dict[str, str] = {}
        self.reached: set[str] = set()
        self.opaque: set[str] = set()
        self._owns, self._load, self._ignored = owns, load, ignored
        self._seen: dict[int, str] = {}
        self._alive: list[object] = []  # the ids in `_seen` are good only as long as the objects live
        self._left: list[Callable[[], None]] = []

    def begin(self, value: object) -> None:
        """Walk from a value on, until nothing is left."""
        self._put("", self._told(value, "it", top=True))
        while self._left:
            self._left.pop()()

    def _put(self, path: str, told: str) -> None:
        self.facts[path] = told

    def _later(self, value: object, path: str) -> None:
        self._left.append(lambda: self._put(path, self._told(value, path)))

    def _told(self, value: Any, path: str, *, top: bool = False) -> str:
        """What a value is, in words; what it leads to is looked at later."""
        kind = type(value)
        if kind in _PLAIN:
            return f"{kind.__name__} {value!r}"
        if kind is types.CodeType:
            return f"code {code_digest(value)}"
        if issubclass(kind, types.ModuleType):
            return self._module(value)
        if kind is types.FunctionType or issubclass(kind, type):
            return self._definition(value, top=top)
        if id(value) in self._seen:
            return f"as {self._seen[id(value)]}"
        self._seen[id(value)] = path
        self._alive.append(value)
        return self._object(value, kind, path)

    def _module(self, module: types.ModuleType) -> str:
        """A module that is handed on as a whole: all of it may be used."""
        name = str(space_of(module).get("__name__"))
        if self._owns(name):
            for key in sorted(space_of(module)):
                if not (key.startswith("__") and key.endswith("__")):
                    self._name(name, space_of(module), key)
        return f"module {name}"

    def _definition(self, value: Any, *, top: bool) -> str:
        module, qualname = origin_of(value)
        name = f"{module}:{qualname}"
        if not (top or self._owns(module)):
            return name
        if id(value) not in self._seen:
            again = sum(each == name or each.startswith(f"{name}#") for each in self.reached)
            self._seen[id(value)] = name = f"{name}#{again}" if again else name
            self._alive.append(value)
            self.reached.add(name)
            enter = self._class if is_class(value) else self._function
            self._left.append(lambda: enter(value, name))
        return self._seen[id(value)]

    def _function(self, value: types.FunctionType, name: str) -> None:
        code = value.__code__
        self._put(f"{name}/code", code_digest(code))
        for number, default in enumerate(value.__defaults__ or ()):
            self._later(default, f"{name}/default[{number}]")
        for key, default in sorted((value.__kwdefaults__ or {}).items()):
            self._later(default, f"{name}/default[{key}]")
        for key, part in sorted(value.__dict__.items()):
            self._later(part, f"{name}/attribute[{key}]")
        for key, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            for content in content_of(cell):
                self._later(content, f"{name}/cell[{key}]")
        for each in _nested(code):
            self._globals(each, value.__globals__, name)
        self._own_class(value, {each for part in _nested(code) for each in part.co_names})

    def _own_class(self, value: types.FunctionType, names: set[str]) -> None:
        """What a method may find on `self`: members of its class, by the names that it looks up."""
        module, qualname = origin_of(value)
        owner: Any = sys.modules.get(module)
        for part in qualname.split(".")[:-1]:
            owner = (own_dict(owner) if is_class(owner) else space_of(owner)).get(part)
        if not is_class(owner) or own_dict(owner).get(value.__name__) is None:
            return
        for cls in type.__dict__["__mro__"].__get__(owner):
            home, named = origin_of(cls)
            if self._owns(home):
                for key in sorted(names.intersection(own_dict(cls)) - OF_CLASSES):
                    self._later(own_dict(cls)[key], f"{home}:{named}.{key}")

    def _class(self, value: type, name: str) -> None:
        self._later(type(value), f"{name}/metaclass")
        for number, base in enumerate(_bases(value)):
            self._later(base, f"{name}/base[{number}]")
        for key, member in sorted(own_dict(value).items()):
            if key not in OF_CLASSES and not (key == "__doc__" and _is_signature(member, value)):
                self._later(member, f"{name}.{key}")
        annotations = own_dict(value).get("__annotations__")
        for key, part in sorted(annotations.items()) if type(annotations) is dict else ():
            self._later(part, f"{name}.{key}/annotation")

    def _globals(self, code: types.CodeType, space: Mapping[str, Any], name: str) -> None:
        module = str(space.get("__name__"))
        for chain in _chains(code):
            if chain[0] in space:
                self._chain(module, space, chain)
            elif chain[0] not in _builtins(space):
                self._put(f"{module}:{chain[0]}", "missing")
        for target, names in _imports(code, str(space.get("__package__") or "")):
            self._imported(target, names, name)

    def _chain(self, module: str, space: Mapping[str, Any], chain: tuple[str, ...]) -> None:
        """What a dotted name leads to, through modules as far as there are any."""
        for number, part in enumerate(chain):
            value = space.get(part)
            last = number == len(chain) - 1 or chain[number + 1] not in space_of(value)
            if not is_module(value) or last:
                self._name(module, space, part)
                return
            module, space = str(space_of(value).get("__name__")), space_of(value)
            if not self._owns(module):
                self._put(f"{module}:{'.'.join(chain[number + 1 :])}", "foreign")
                return

    def _name(self, module: str, space: Mapping[str, Any], key: str) -> None:
        """The value of a name of a module, unless it is state."""
        path = f"{module}:{key}"
        if path in self.facts:
            return
        if path in self._ignored or key in _kept(space):
            self._put(path, "state")
        elif self._owns(module) or is_module(space.get(key)):
            self._put(path, "...")
            self._later(space.get(key), path)

    def _imported(self, target: str, names: tuple[str, ...], name: str) -> None:
        """What an import statement in a function brings."""
        if not self._owns(target):
            return
        module = self._loaded(target, name)
        if module is None:
            return
        if not names:
            self._module(module)
        for each in names:
            if each in space_of(module):
                self._name(target, space_of(module), each)
            elif (inside := self._loaded(f"{target}.{each}", name)) is not None:
                self._module(inside)

    def _loaded(self, target: str, name: str) -> types.ModuleType | None:
        module = sys.modules.get(target) or self._load(target)
        if is_module(module):
            return module
        self.opaque.add(f"{target}: {name} imports it when it is called: {module}")
        return None

    def _object(self, value: Any, kind: type, path: str) -> str:
        inside = list(parts_inside(value, kind))
        if inside:
            for label, part in inside:
                self._later(part, f"{path}/{label}")
            return kind.__name__
        if kind is types.BuiltinFunctionType:
            self._later(value.__self__, f"{path}/self")
            return f"{value.__module__}:{value.__qualname__}"
        if kind is _FIELD:  # the class says its fields
            return "field"
        if kind in _NAMED:
            return f"{kind.__name__} {value.__qualname__}"
        if issubclass(kind, enum.Enum):
            self._later((instance_dict(value) or {}).get("_value_"), f"{path}/value")
            return f"member {member_name(value)} of {self._told(kind, path)}"
        if kind is re.Pattern:
            return f"pattern {value.pattern!r} {value.flags}"
        if kind is logging.Logger:
            return f"logger {value.name}"
        if kind.__module__ in _BY_WORDS or kind is types.GenericAlias:
            return f"{kind.__module__} {value!r}"
        if kind is types.MappingProxyType:
            return self._object(dict(value), dict, path)
        if issubclass(kind, (dict, list, tuple, set, frozenset)):
            self._contents(value, kind, path)
        elif not self._owns(kind.__module__) and kind.__module__ not in _TRANSPARENT:
            return self._foreign(kind, path)
        for key, part in sorted(_state(value, kind).items()):
            self._later(part, f"{path}.{key}")
        return f"instance of {self._told(kind, path)}"

    def _foreign(self, kind: type, path: str) -> str:
        """An object of a class out of scope: it is not known what it is."""
        module, qualname = origin_of(kind)
        if kind is not object:  # a mark that is only compared
            self.opaque.add(f"{path}: a {module}.{qualname}")
        return f"instance of {module}:{qualname}"

    def _contents(self, value: Any, kind: type, path: str) -> None:
        if issubclass(kind, dict):
            for number, (key, part) in enumerate(dict.items(value)):
                self._put(f"{path}/key[{number}]", self._told(key, f"{path}/key[{number}]"))
                self._later(part, f"{path}/value[{number}]")
        elif issubclass(kind, (list, tuple)):
            base = list if issubclass(kind, list) else tuple
            for number, part in enumerate(base.__iter__(value)):
                self._later(part, f"{path}[{number}]")
            self._put(f"{path}/length", str(base.__len__(value)))
        else:
            base_set = set if issubclass(kind, set) else frozenset
            told = sorted(self._member(part, path) for part in base_set.__iter__(value))
            self._put(f"{path}/members", repr(told))

    def _member(self, value: Any, path: str) -> str:
        """A member of a set, which has no place that could name it."""
        kind = type(value)
        if kind is tuple:
            return f"({', '.join(self._member(part, path) for part in value)})"
        if kind is frozenset:
            return f"{{{', '.join(sorted(self._member(part, path) for part in value))}}}"
        if kind in _PLAIN or kind is types.FunctionType or issubclass(kind, (type, enum.Enum)):
            return self._told(value, f"{path}/member")
        module, qualname = origin_of(kind)
        self.opaque.add(f"{path}: a {module}.{qualname} in a set")
        return f"instance of {module}:{qualname}"


def _is_signature(doc: object, cls: type) -> bool:
    """Whether a docstring is the one that `dataclass` writes: it shows sets in the order of their hashes."""
    return "__dataclass_fields__" in own_dict(cls) and str(doc).startswith(f"{cls.__name__}(")


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _nested(const)


def _chains(code: types.CodeType) -> list[tuple[str, ...]]:
    """The dotted names that code reads from its globals."""
    found: dict[tuple[str, ...], None] = {}
    open_chain: list[str] = []
    for each in dis.get_instructions(code):
        if each.opname in _BETWEEN:
            continue
        if open_chain and each.opname in _ATTRIBUTES:
            open_chain.append(str(each.argval))
            continue
        if open_chain:
            found[tuple(open_chain)] = None
            open_chain = []
        if each.opname in _GLOBALS:
            open_chain = [str(each.argval)]
    return list(found)


def _imports(code: types.CodeType, package: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The modules that code imports, each with the names that it takes."""
    constants: list[Any] = [0, None]
    asked = False  # whether a function was loaded that takes the name of a module
    for each in dis.get_instructions(code):
        if each.opname in _BETWEEN:
            continue
        if each.opname.startswith("LOAD_CONST") or each.opname == "LOAD_SMALL_INT":
            constants = [constants[-1], each.argval]
            name = each.argval if asked and type(each.argval) is str else ""
            bare = name.lstrip(".")
            if all(map(str.isidentifier, bare.split("."))):
                yield _absolute(bare, len(name) - len(bare), package), ()
        elif each.opname == "IMPORT_NAME":
            level, names = constants
            yield _absolute(str(each.argval), level, package), tuple(names or ())
        asked = each.opname.startswith("LOAD_") and each.argval in _IMPORTERS


def _absolute(name: str, level: int, package: str) -> str:
    above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    return ".".join([*above, *([name] if name else [])])


def _builtins(space: Mapping[str, Any]) -> Mapping[str, Any]:
    found = space.get("__builtins__")
    return found if type(found) is dict else space_of(found)


def _kept(space: Mapping[str, Any]) -> Collection[str]:
    kept: Any = space.get(_KEEP)
    return kept if type(kept) in (tuple, list, set, frozenset) else ()


def _state(value: Any, kind: type) -> dict[str, Any]:
    """The attributes of an instance, those in slots included."""
    found = dict(instance_dict(value) or {})
    for cls in type.__dict__["__mro__"].__get__(kind):
        for key, member in own_dict(cls).items():
            if type(member) is types.MemberDescriptorType:
                try:
                    found.setdefault(key, member.__get__(value))
                except AttributeError:  # an empty slot
                    continue
    return found
