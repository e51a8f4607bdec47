"""Which objects are definitions of modules that run again, and what takes their place.

Touches: nothing; reads namespaces of modules.

Guarantees: a definition is known by its module and qualified name; one that stands elsewhere is none.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.heap import CACHE
from hotmod._live.homes import name_of, place_of
from hotmod._live.kinds import is_class
from hotmod._live.state import instance_dict

__all__ = ["MISSING", "Definitions", "Key", "top_level"]

MISSING = object()
Key = tuple[str, str, str]


def top_level(value: Any) -> tuple[Any, Any]:
    """The module and the top-level name with which an object was made; None if it does not know them."""
    if is_class(value):
        module, name = name_of(value)
    elif type(value) is types.FunctionType:
        module, name = place_of(value)
    else:
        space = instance_dict(value) or {}  # of a cache
        module, name = space.get("__module__"), space.get("__qualname__")
    return module, name.partition(".")[0] if type(name) is str else None


class Definitions:
    """Which objects are definitions of some modules, and what has replaced them.

    Args:
        before: the namespaces of the modules as they were before they ran.
        paths: their files.
        names: by module of which only some statements run, the names that these bind or hand to others.
        anew: those of them that are handed to others by statements that run, and by no others.
        filled: module and name of what statements that changed or are gone may have registered something in,
            and names that it was made of: these are no registrations.

    Attributes:
        is_current: whether a function or class is in force; known once the modules have run.
    """

    def __init__(
        self,
        before: Mapping[str, Mapping[str, Any]],
        paths: Mapping[str, str],
        names: Mapping[str, Collection[str]] = types.MappingProxyType({}),
        anew: Mapping[str, Collection[str]] = types.MappingProxyType({}),
        filled: Collection[tuple[str, str, Collection[str]]] = (),
    ) -> None:
        self.modules = frozenset(before)
        self._names, self._anew = names, anew
        self._paths = {path: module for module, path in paths.items()}
        self.is_current: Callable[[object], bool] = lambda _: False
        self._before = before
        spaces = {module: vars(sys.modules[module]) for module, *_ in filled if module in sys.modules}
        self._filled: dict[int, set[str]] = {}
        for module, name, made_of in filled:
            if module in spaces:
                self._filled.setdefault(id(spaces[module].get(name)), set()).update(made_of)

    def key(self, value: Any) -> Key | None:
        """(module, qualified name, kind) of a definition of these modules; None for all else."""
        kind = type(value)
        if kind is types.FunctionType:
            module, name, label = *place_of(value), "function"
        elif kind is CACHE:
            module, name, label = value.__module__, value.__qualname__, "function"
        elif issubclass(kind, type):
            module, name, label = *name_of(value), "class"
        elif kind is types.CodeType:
            owner = self._paths.get(value.co_filename)
            covered = owner is not None and self._covers(owner, value.co_qualname)
            return (value.co_filename, value.co_qualname, "code") if covered else None
        elif kind in (staticmethod, classmethod, types.MethodType):
            return None if kind is types.MethodType else self.key(value.__func__)
        else:
            return self._wrapper_key(value)
        covered = type(module) is str and module in self.modules and self._covers(module, name)
        return (module, name, label) if covered else None

    def runs(self, module: str, qualname: str) -> bool:
        """Whether the statement that makes a definition runs again, or is gone."""
        return module in self.modules and self._covers(module, qualname)

    def _covers(self, module: str, qualname: str) -> bool:
        """Whether the statement that makes a definition runs again."""
        return module not in self._names or qualname.partition(".")[0] in self._names[module]

    def is_handed_anew(self, key: Key) -> bool:
        """Whether whatever registers a definition when its module is imported has run again."""
        module, name, label = key
        owner = self._paths.get(module, "") if label == "code" else module
        return owner not in self._anew or name.partition(".")[0] in self._anew[owner]

    def is_filled(self, root: int) -> bool:
        """Whether statements that changed or are gone may have registered something in an object."""
        return root in self._filled

    def had_filled(self, root: int, key: Key) -> bool:
        """Whether statements that changed or are gone may have registered a definition in a registry."""
        made_of = self._filled.get(root)
        return made_of is not None and key[1].rpartition(".")[2] not in made_of

    def _wrapper_key(self, value: object) -> Key | None:
        """The key of an instance that functools.update_wrapper dressed as a function."""
        space = instance_dict(value)
        if not space or "__wrapped__" not in space:
            return None
        module, name = space.get("__module__"), space.get("__qualname__")
        if (
            type(module) is str
            and type(name) is str
            and module in self.modules
            and self._covers(module, name)
        ):
            return module, name, "function"
        return None

    def current(self, key: Key) -> object:
        """What stands at the key's module and qualified name now; `MISSING` when nothing does."""
        module, name, label = key
        if label == "code" or "<locals>" in name or module not in sys.modules:
            return MISSING
        found = _at(vars(sys.modules[module]), name)
        return found if found is not MISSING and self.key(found) == key else MISSING

    def has_name(self, value: object) -> bool:
        """Whether a definition stood at its own name, or was made by a function while the program ran."""
        key = self.key(value)
        if key is None or key[2] == "code":
            return False
        return "<locals>" in key[1] or _at(self._before[key[0]], key[1]) is value or self.is_current(value)

    def is_named(self, key: Key) -> bool:
        """Whether a module still has something at the name of a definition."""
        return key[0] in sys.modules and _at(vars(sys.modules[key[0]]), key[1]) is not MISSING

    def successor(self, value: object) -> object:
        """The definition that has replaced this one, `value` itself if it lives on, else `MISSING`.

        A function that stands below a decorator has no name of its own, and so no successor by name.
        """
        key = self.key(value)
        if key is None or self.is_current(value):
            return value
        if key[2] == "code" or _at(self._before[key[0]], key[1]) is not value:
            return MISSING if key[2] == "code" else value
        return self.current(key)


def _at(space: Mapping[str, Any], name: str) -> object:
    """What a dotted name leads to, through namespaces of classes only."""
    first, *rest = name.split(".")
    value: object = space.get(first, MISSING)
    for part in rest:
        value = own_dict(value).get(part, MISSING) if is_class(value) else MISSING
    return value
