"""All versions of some packages, and what stands for them in `sys.modules`.

Touches: `sys.modules`, `sys.meta_path`, and attributes of packages above the ones it is about; frames of the
calling thread, reading only.

Guarantees: under a plain name there is one object for the life of the family, a facade. Whatever asks it for
something, C code included, is answered by the module of one version, in this order:

1. the version whose code asks: the nearest caller that is not of the standard library;
2. the version that the context is pinned to;
3. the version of the nearest function on the stack that is of one;
4. the version in charge.

Assumes: the code of a version has the builtins of the version, by which its frames are known.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import sys
import threading
import types
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from hotmod._engine.versions.pins import held

if TYPE_CHECKING:
    from hotmod._engine.versions.version import Version

__all__ = ["MARK", "Facade", "Family", "is_left_behind", "search"]

MARK = "__hotmod_version__"  # under which the builtins of a version know it
_BUILTINS = vars(builtins)
_PLUMBING = frozenset((*sys.stdlib_module_names, "hotmod"))


class Family:
    """All versions of some packages.

    Attributes:
        names: the packages.
        current: the version in charge; None before the first.
        shared: modules that can't be loaded twice, by name.
        facades: what stands for the modules, by name.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.current: Version | None = None
        self.shared: dict[str, types.ModuleType] = {}
        self.facades: dict[str, Facade] = {}

    def owns(self, name: str) -> bool:
        """Whether a module of this name has versions."""
        return any(name == own or name.startswith(f"{own}.") for own in self.names)

    def here(self) -> Version | None:
        """The version that is meant by whoever calls."""
        hold = held(self)
        frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - who asks decides
        while frame is not None:
            space = frame.f_builtins
            version: Version | None = space.get(MARK) if space is not _BUILTINS else None
            if version is not None and version.family is self:
                return version
            if hold is not None and str(frame.f_globals.get("__name__")).partition(".")[0] not in _PLUMBING:
                return hold.version
            frame = frame.f_back
        return hold.version if hold is not None else self.current

    def take_over(self) -> dict[str, object]:
        """Take out of `sys.modules` what is there of the packages; gives it."""
        return {name: sys.modules.pop(name) for name in list(sys.modules) if self.owns(name)}

    def show(self, name: str) -> Facade:
        """Have the facade of a module in `sys.modules`."""
        facade = self.facades.get(name)
        if facade is None:
            facade = self.facades[name] = Facade(name)
            object.__setattr__(facade, "_family", self)
        sys.modules[name] = facade
        return facade

    def hide(self, kept: Collection[str]) -> None:
        """Take out of `sys.modules` what no version has any more."""
        for name in [name for name in self.facades if name not in kept]:
            if sys.modules.get(name) is self.facades.pop(name):
                del sys.modules[name]

    def dissolve(self) -> None:
        """Leave the modules of the version in charge behind, as if nothing else had ever been."""
        if self in FINDER.families:
            FINDER.families.remove(self)
        modules = dict(self.current.modules) if self.current is not None else {}
        for name, facade in self.facades.items():
            if sys.modules.get(name) is not facade:
                continue
            if name in modules:
                sys.modules[name] = modules[name]
            else:
                del sys.modules[name]
            parent, _, child = name.rpartition(".")
            above = sys.modules.get(parent)
            if above is not None and vars(above).get(child) is facade:
                setattr(above, child, modules.get(name))
        self.facades.clear()


class Facade(types.ModuleType):
    """Stands for the module of whichever version is meant."""

    __slots__ = ("_family",)

    def __getattribute__(self, name: str) -> Any:
        version, module = _meant(self, loads=name == "__spec__")
        value = getattr(module, name)
        # A module that somebody takes from its package is to stand for all versions, as the package does.
        full = f"{_name(self)}.{name}"
        if version is not None and full in version.modules and version.modules[full] is value:
            return version.family.facades.get(full, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        if name == "__spec__":  # the import system sets that of the facade, see `_Loader`
            msg = f"{_name(self)} has versions: importlib.reload() can't load it, the service's refresh() can"
            raise AttributeError(msg)
        if isinstance(value, Facade):
            value = _meant(value)[1]
        setattr(_meant(self)[1], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_meant(self)[1], name)

    def __dir__(self) -> Iterable[str]:
        return dir(_meant(self)[1])

    def __repr__(self) -> str:
        return repr(_meant(self)[1])


class _Bare:
    """What a facade is by itself, where the version that is meant has no such module."""

    def __init__(self, facade: Facade) -> None:
        object.__setattr__(self, "_facade", facade)

    def __getattribute__(self, name: str) -> Any:
        return types.ModuleType.__getattribute__(object.__getattribute__(self, "_facade"), name)

    def __setattr__(self, name: str, value: object) -> None:
        types.ModuleType.__setattr__(object.__getattribute__(self, "_facade"), name, value)

    def __delattr__(self, name: str) -> None:
        types.ModuleType.__delattr__(object.__getattribute__(self, "_facade"), name)


def _name(facade: Facade) -> str:
    found: str = types.ModuleType.__getattribute__(facade, "__name__")
    return found


def _meant(facade: Facade, *, loads: bool = False) -> tuple[Version | None, Any]:
    """The version that is meant, and its module.

    Args:
        facade: what stands for the module.
        loads: whether to load it where the version has not. An import asks for the spec of what it finds in
            `sys.modules`.

    Raises:
        ModuleNotFoundError: it is to be loaded, and the version has none.
    """
    name = _name(facade)
    family: Family = object.__getattribute__(facade, "_family")
    version = family.here()
    module = version.modules.get(name) if version is not None else None
    if module is None and loads and version is not None:
        module = version.load(name)
    return version, module if module is not None else _Bare(facade)


def is_left_behind(name: str) -> bool:
    """Whether a loaded module is one of a version whose service was closed."""
    module = sys.modules.get(name)
    space = {} if isinstance(module, Facade) else getattr(module, "__dict__", {})
    names = space.get("__builtins__")
    return isinstance(names, dict) and MARK in names


class _Loader:
    """Loads a module into the version that is meant, and gives its facade to the import system."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        self._version.load(spec.name)
        return self._version.family.show(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: the module was executed when it was made."""


class _Finder:
    """Finds what has versions, for imports by others."""

    def __init__(self) -> None:
        self.families: list[Family] = []

    def join(self, family: Family) -> None:
        """Let a family be found."""
        self.families.append(family)
        if FINDER not in sys.meta_path:
            sys.meta_path.insert(0, FINDER)

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module of the version that is meant; None for all other modules."""
        if name in _SEARCHED.names:  # by a finder that asks all others, as that of reloaders does
            return None
        for family in self.families:
            version = family.here() if family.owns(name) else None
            found = version.find(name) if version is not None else None
            if version is not None and found is not None:
                loader: Any = _Loader(version)
                spec = importlib.machinery.ModuleSpec(name, loader, origin=found.origin)
                spec.submodule_search_locations = found.submodule_search_locations
                return spec
        return None


FINDER = _Finder()


class _Searched(threading.local):
    """What this thread is searching for."""

    def __init__(self) -> None:
        self.names: list[str] = []


_SEARCHED = _Searched()


def search(name: str, path: Sequence[str] | None) -> importlib.machinery.ModuleSpec | None:
    """What the finders of others find on disk."""
    _SEARCHED.names.append(name)
    try:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find(name, path, None) if find is not None else None
            if spec is not None:
                return spec
        return None
    finally:
        _SEARCHED.names.pop()
