"""Old object and new object of one name become one: the old one, with what is new.

Touches: functions, classes, enum members and the usual wrappers around them, through the journal.

Guarantees: what is returned is the old object exactly when it now behaves like the new one; otherwise it
is the new one, and why is in `hazards`. An old object lives on in one place only: two new objects never
become the same one.

Assumes: a merger serves one transaction.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Callable, Container, Mapping
from typing import Any

from hotmod._live import classes, enums, functions
from hotmod._live.journal import Journal
from hotmod._live.state import instance_dict
from hotmod._model.hazards import Hazard

__all__ = ["HANDLERS", "Merger"]

_LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
_MISSING = object()


class Merger:
    """Merges the objects of one transaction.

    Args:
        journal: where the changes are noted.
        modules: the names of the modules that run again; classes of others are never changed.

    Attributes:
        kept: the old object that lives on, by the id of the new one that it took over.
        patched: the functions whose code changed, as `module:qualname`.
        hazards: what could not be merged.
    """

    def __init__(self, journal: Journal, modules: Container[str]) -> None:
        self.journal = journal
        self._modules = modules
        self.kept: dict[int, Any] = {}
        self.patched: list[str] = []
        self.hazards: list[Hazard] = []
        self._taken: dict[int, Any] = {}
        self._replaced: dict[int, tuple[Any, Any]] = {}
        self._alive: list[Any] = []  # the ids in `kept` are good only while the new objects live
        self._pinned: list[Any] = []
        self._members: list[tuple[type, dict[str, Any]]] = []

    def close(self) -> None:
        """Forget the new objects; call it when nothing refers to them any more."""
        self.kept.clear()
        self._taken.clear()
        self._alive.clear()
        self._pinned.clear()
        self._replaced.clear()
        self._members.clear()

    def merge(self, old: Any, new: Any) -> Any:
        """The object to use from now on in place of `new`, where `old` stood before."""
        if old is new:
            return new
        if id(new) in self.kept:
            return self.kept[id(new)]
        handler = _handler(type(new))
        if handler is None and type(old) is type(new):
            self._attributes(old, new)
        if handler is None or (type(old) is not type(new) and not _both_classes(old, new)):
            return new
        if id(old) in self._taken:
            return old if self._taken[id(old)] is new else new
        return handler(self, old, new)

    def _attributes(self, old: Any, new: Any) -> None:
        """Merge the functions that two objects of one kind carry; the objects themselves stay two."""
        mine, other = instance_dict(old), instance_dict(new)
        for name, value in (other or {}).items():
            if (
                type(value) is types.FunctionType
                and mine is not None
                and type(mine.get(name)) is types.FunctionType
            ):
                self.merge(mine[name], value)

    def take(self, old: Any, new: Any) -> Any:
        """Note that `old` lives on in place of `new`."""
        self._taken[id(old)] = new
        self.kept[id(new)] = old
        self._alive += (old, new)
        return old

    def is_taken(self, old: Any) -> bool:
        """Whether an old object already lives on in place of some new one."""
        return id(old) in self._taken

    def is_replaced(self, old: Any) -> bool:
        """Whether an old object was found to be impossible to change."""
        return id(old) in self._replaced

    def refuse(self, old: Any, new: Any, why: tuple[str, str]) -> Any:
        """Note that `new` has to replace `old`; `new` is used."""
        code, reason = why
        if self.is_replaced(old):
            return new
        self._replaced[id(old)] = old, new
        module, name = getattr(old, "__module__", ""), getattr(old, "__qualname__", "")
        advice = (
            "Calls through old references are forwarded to the new function."
            if isinstance(old, types.FunctionType)
            else "References to the old object that others hold stay old; restart if they matter."
        )
        self.hazards.append(
            Hazard(code, str(module), str(name), message=f"replaced: {reason}", advice=advice)
        )
        return new

    def rebase(self) -> None:
        """Let heirs of classes that were merged away descend from those that live on.

        A base that was not made by a `class` statement (a named tuple, say) is merged after its heirs.
        """
        for old, new in self._pairs():
            heirs: list[type] = type.__subclasses__(new)
            for heir in heirs:
                had = classes.bases_of(heir)
                bases = tuple(old if base is new else base for base in had)
                if id(heir) in self.kept or all(a is b for a, b in zip(bases, had, strict=True)):
                    continue
                if classes.set_bases(heir, bases):
                    self.journal.record("bases of a class", functools.partial(classes.set_bases, heir, had))

    def _pairs(self) -> list[tuple[type, type]]:
        """The classes that live on, each with the one that it took over."""
        pairs = zip(self._alive[::2], self._alive[1::2], strict=True)
        return [(old, new) for old, new in pairs if isinstance(old, type) and isinstance(new, type)]

    def moved(self) -> dict[int, type]:
        """Where instances of some classes belong now, by the id of their class.

        Instances of a class that was merged away were made while its module ran; those of a class that
        had to be replaced may be from long before.
        """
        merged = {id(new): old for old, new in self._pairs()}
        replaced = {key: new for key, (_, new) in self._replaced.items() if isinstance(new, type)}
        return {**replaced, **merged}

    def finish(self) -> None:
        """Merge class members that decorators made anew after their class was built."""
        for cls, before in self._members:
            now = classes.own_dict(cls)
            for name, old in before.items():
                new = now.get(name, _MISSING)
                if new is old or new is _MISSING or name in ("__dict__", "__weakref__"):
                    continue
                mine = self.merge(old, new)
                if mine is not new:
                    type.__setattr__(cls, name, mine)
        self._members.clear()

    def function(self, old: types.FunctionType, new: types.FunctionType) -> Any:
        """Merge two plain functions or closures."""
        if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
            return new
        if old.__globals__ is not new.__globals__ or old.__code__.co_qualname != new.__code__.co_qualname:
            return new
        why = functions.obstacle(old, new)
        if why is not None:
            if not self.is_replaced(old):
                functions.forward(self.journal, old, new)
            return self.refuse(old, new, why)
        self.take(old, new)
        if not functions.same_code(old.__code__, new.__code__):
            self.patched.append(f"{old.__module__}:{old.__qualname__}")
        attributes = {
            name: self.merge(old.__dict__[name], value) if name in old.__dict__ else value
            for name, value in new.__dict__.items()
        }
        new.__dict__.update(attributes)
        functions.take_over(self.journal, old, new)
        for mine, other in zip(old.__closure__ or (), new.__closure__ or (), strict=True):
            self._cell(mine, other)
        return old

    def _cell(self, mine: types.CellType, other: types.CellType) -> None:
        """Let a closure cell hold what the new one holds, merged with what it held."""
        if mine is other:
            return
        before, now = _content(mine), _content(other)
        if now is _MISSING or before is now:
            return
        self.journal.record("closure cell", functools.partial(_set_cell, mine, before))
        mine.cell_contents = self.merge(before, now)

    def class_(self, old: type, new: type) -> Any:
        """Merge two classes, member by member."""
        if _name_of(old) != _name_of(new) or _name_of(old)[0] not in self._modules:
            return new
        if self.is_replaced(old):
            return new
        bases = tuple(self.kept.get(id(base), base) for base in type.__dict__["__bases__"].__get__(new))
        is_enum = issubclass(old, enum.Enum) and issubclass(new, enum.Enum)
        why = classes.obstacle(old, new, bases) or (enums.obstacle(old, new) if is_enum else None)
        if why is not None:
            return self.refuse(old, new, why)
        self.take(old, new)
        before = dict(classes.own_dict(old))
        if is_enum:
            kept = enums.adopt_members(self.journal, old, new)
            self.kept.update(kept)
            self._pinned += enums.values_of(new)
            body = enums.translated(new, kept)
        else:
            body = dict(classes.own_dict(new))
        members = {
            name: self.merge(before[name], value) if name in before else value for name, value in body.items()
        }
        classes.take_over(self.journal, old, new, bases, members)
        self._members.append((old, before))
        return old

    def try_class(self, old: type, new: type) -> Any:
        """Merge two classes if that is possible now; say nothing if it isn't."""
        told = len(self.hazards)
        merged = self.merge(old, new)
        if merged is not old:
            del self.hazards[told:]
            self._replaced.pop(id(old), None)
        return merged

    def around(self, old: Any, new: Any) -> Any:
        """Merge two wrappers with one function inside (`staticmethod`, `classmethod`)."""
        inner = self.merge(old.__func__, new.__func__)
        return self.take(old, new) if inner is old.__func__ else new

    def property_(self, old: property, new: property) -> Any:
        """Merge two properties with all their functions."""
        parts = ("fget", "fset", "fdel")
        for name in parts:
            before, now = getattr(old, name), getattr(new, name)
            if (before is None) != (now is None) or (
                now is not None and self.merge(before, now) is not before
            ):
                return new
        if old.__doc__ != new.__doc__:
            self.journal.record(
                "docstring of a property", functools.partial(setattr, old, "__doc__", old.__doc__)
            )
            old.__doc__ = new.__doc__
        return self.take(old, new)

    def cached_property(self, old: Any, new: Any) -> Any:
        """Merge two cached properties; values that instances have cached stay."""
        if self.merge(old.func, new.func) is not old.func or old.attrname != new.attrname:
            return new
        return self.take(old, new)

    def lru_cache(self, old: Any, new: Any) -> Any:
        """Merge two cached functions; what they have cached is forgotten."""
        if old.cache_parameters() != new.cache_parameters():
            return new
        if self.merge(old.__wrapped__, new.__wrapped__) is not old.__wrapped__:
            return new
        self.journal.record("cache of a function", old.cache_clear)
        old.cache_clear()
        before = dict(old.__dict__)
        self.journal.record(
            "attributes of a cached function", functools.partial(_refill, old.__dict__, before)
        )
        old.__dict__.update({**new.__dict__, "__wrapped__": old.__wrapped__})
        return self.take(old, new)

    def partial(self, old: Any, new: Any) -> Any:
        """Merge two partials around one function."""
        if self.merge(old.func, new.func) is not old.func:
            return new
        state = (old.func, old.args, dict(old.keywords), dict(old.__dict__) or None)
        self.journal.record("a partial", functools.partial(old.__setstate__, state))
        old.__setstate__((old.func, new.args, dict(new.keywords), dict(new.__dict__) or None))
        return self.take(old, new)


Handler = Callable[[Merger, Any, Any], Any]

HANDLERS: dict[type, Handler] = {
    types.FunctionType: Merger.function,
    type: Merger.class_,
    staticmethod: Merger.around,
    classmethod: Merger.around,
    property: Merger.property_,
    functools.cached_property: Merger.cached_property,
    functools.partial: Merger.partial,
    _LRU: Merger.lru_cache,
}


def _handler(kind: type) -> Handler | None:
    found = HANDLERS.get(kind)
    return Merger.class_ if found is None and issubclass(kind, type) else found


def _both_classes(old: Any, new: Any) -> bool:
    return isinstance(old, type) and isinstance(new, type)


def _name_of(cls: type) -> tuple[Any, Any]:
    return type.__getattribute__(cls, "__module__"), type.__dict__["__qualname__"].__get__(cls)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return _MISSING


def _set_cell(cell: types.CellType, value: Any) -> None:
    if value is _MISSING:
        del cell.cell_contents
    else:
        cell.cell_contents = value


def _refill(space: dict[str, Any], before: Mapping[str, Any]) -> None:
    space.clear()
    space.update(before)
