"""What a module had put in the place of another's definition, or had named anew, and what was there before.

A module that does `_total = tool.total` and then `tool.total = traced` must find the original when it runs
again, as in a fresh process: else it wraps what it made itself, and calls itself for ever. And what a
statement did that is gone is to be seen no more.

Touches: attributes of modules and classes that hold what a module made, and the names of definitions, through
the journal.

Guarantees: a place gets back only what was made at that very place. Never calls code of the subject.

Assumes: who replaces an original keeps it: under a name, in a closure, or in what it put there.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.heap import CACHE
from hotmod._live.homes import name_of, place_of
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_definition, is_function, is_module, space_in, text_in
from hotmod._live.parts import resolved
from hotmod._live.stores import Stores

__all__ = ["Place", "keep", "put_back", "settle"]

_MISSING = object()
NAMES = ("__module__", "__qualname__", "__name__")  # that a definition goes by, and may be given
DEPTH = 8  # of replacements of replacements


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """An attribute that has its original again, until the module that had replaced it does so anew."""

    holder: Any
    name: str
    value: Any
    original: Any
    stays: bool = False  # whether the value stays, though no statement that runs puts it there again

    def put(self, value: object) -> None:
        """Let the attribute hold something; no `__setattr__` of the subject runs."""
        if is_module(self.holder):
            space_in(self.holder)[self.name] = value
        elif is_class(self.holder):
            type.__setattr__(self.holder, self.name, value)
        else:
            setattr(self.holder, self.name, value)

    def is_original(self) -> bool:
        """Whether the attribute still has its original."""
        if self.name in NAMES:
            return bool(_given(self.holder)[self.name] == self.original)
        return _space_of(self.holder).get(self.name) is self.original

    def has_mark(self, names: Iterable[str]) -> bool:
        """Whether it is noted beside it, under one of some names, that the original was replaced."""
        return any(_space_of(self.holder).get(name) is True for name in names)


def put_back(journal: Journal, module: str, space: Mapping[str, Any], ran: Stores) -> list[Place]:
    """Undo what statements of a module have put in the place of others' definitions, or have named anew.

    Args:
        journal: where the changes are noted.
        module: the module.
        space: its namespace, as it is.
        ran: what the statements spell that are about to run again, or are gone.

    Returns:
        The places, each of which holds its original.
    """
    found = []
    for holder, held in _holders(module, space, ran.words) if ran.names or ran.computes else ():
        for name in list(held) if ran.computes else ran.names.intersection(held):
            value = held[name]
            inner = _inner(value, module)
            original = _MISSING if inner is None else _original(holder, name, inner, space)
            if original is not _MISSING and original is not value:
                stays = inner is not value or name not in ran.names
                found.append(Place(holder, name, value, original, stays))
    found += _named(module, space, ran)
    for place in found:
        journal.record(f"{place.name} of another module", functools.partial(place.put, place.value))
        place.put(place.original)
    return found


def settle(places: Iterable[Place], runs: Stores, calls: Stores) -> None:
    """A module has run: what it did not replace again, as it thinks it has already, stays replaced.

    Args:
        places: what `put_back` gave.
        runs: what the statements spell that ran.
        calls: what functions spell that these, or others, may have called to replace something.
    """
    places = list(places)
    marks = runs.names.difference(place.name for place in places)
    for place in places:
        if place.is_original() and (
            place.stays or place.name in calls.names or (place.name in runs.names and place.has_mark(marks))
        ):
            place.put(place.value)


def keep(module: str, space: dict[str, Any], before: Mapping[str, Any], names: Iterable[str]) -> None:
    """Let names that held originals, and hold now what took the place of these, hold on to the originals.

    Args:
        module: the module that had put something there.
        space: its namespace, after some statements ran.
        before: the same as it was.
        names: what they bound.
    """
    own = {id(value) for value in before.values() if _is_made_in(value, module)}
    for name in names if own else ():
        had, now = before.get(name, _MISSING), space.get(name, _MISSING)
        if id(now) not in own or id(had) in own:
            continue
        if not (is_definition(had) or type(had) is types.BuiltinFunctionType):
            continue
        home, path = _made_at(had)
        value: object = sys.modules.get(home) if type(home) is str else None
        if not is_module(value):
            continue
        found = resolved(tuple(str(path).split(".")), space_in(value))
        if found and found[-1] is now:
            space[name] = had


def _made_at(definition: object) -> tuple[Any, Any]:
    """The module and the qualified name at which something was made."""
    if is_class(definition):
        return name_of(definition)
    if is_function(definition):
        return place_of(definition)
    if type(definition) is types.BuiltinFunctionType:
        return definition.__module__, definition.__name__
    return None, None


def _is_made_in(value: object, module: str) -> bool:
    value = _unwrapped(value)
    if is_function(value):
        return value.__globals__.get("__name__") == module
    return is_class(value) and name_of(value)[0] == module


def _unwrapped(value: Any) -> object:
    """The definition in a descriptor or a cache."""
    kind = type(value)
    if kind in (staticmethod, classmethod, types.MethodType):
        return value.__func__
    if kind is property:
        return value.fget
    if kind is functools.cached_property:
        return value.func
    return value.__wrapped__ if kind is CACHE else value


def _holders(
    module: str, space: Mapping[str, Any], words: Iterable[str]
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """What a module knows of others, by name: modules, and classes in the module and in these."""
    found: dict[int, Any] = {}
    known = [value for name in words if (value := space.get(name)) is not None]
    known += [sys.modules.get(name) for name in _modules_called(words)]
    for value in known:
        if is_class(value):
            found[id(value)] = value
        elif is_module(value) and id(value) not in found and space_in(value) is not space:
            found[id(value)] = value
            yield value, space_in(value)
            inside = [each for each in list(space_in(value).values()) if is_class(each)]
            name = space_in(value).get("__name__")
            found.update((id(each), each) for each in inside if name_of(each)[0] == name)
    for cls in list(found.values()):
        if is_class(cls) and name_of(cls)[0] != module:
            yield cls, own_dict(cls)


def _modules_called(words: Iterable[str]) -> Iterator[str]:
    wanted = frozenset(words)
    for name in sys.modules.copy():
        if type(name) is str and name.rpartition(".")[2] in wanted:
            yield name


def _space_of(holder: Any) -> Mapping[str, Any]:
    return own_dict(holder) if is_class(holder) else space_in(holder) if is_module(holder) else {}


def _inside(value: Any) -> Iterator[Any]:
    """What a wrapper has around: in its closure, and as `__wrapped__`."""
    value = _unwrapped(value)
    if is_function(value):
        yield value.__dict__.get("__wrapped__")
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty cell
                continue


def _inner(value: Any, module: str) -> Any:
    """What a module has put at a place where that value stands: itself, or what others have around."""
    for _ in range(DEPTH):
        if value is None or _is_made_in(value, module):
            return value
        function = _unwrapped(value)
        if not is_function(function):
            return None
        used = [function.__globals__.get(name) for name in function.__code__.co_names]
        inside = [each for each in (*_inside(value), *used) if is_definition(_unwrapped(each))]
        value = next((each for each in inside if _is_made_in(each, module)), None)
    return None


def _original(holder: Any, name: str, value: Any, space: Mapping[str, Any]) -> Any:
    """The definition that was made at a place, if what stands there now or its module has kept it."""
    if is_class(holder):
        module, path = name_of(holder)
        place = module, f"{path}.{name}"
    else:
        place = text_in(space_in(holder).get("__name__")), name
    for each in (*_inside(value), *space.values()):
        inner = _unwrapped(each)
        if is_function(inner):
            own = inner.__globals__.get("__name__"), inner.__code__.co_qualname
            if place in (own, place_of(inner)):
                return _as_kept(each, inner, value)
        elif place == _made_at(inner):
            return each
    return _MISSING


def _as_kept(kept: Any, function: types.FunctionType, value: Any) -> Any:
    """An original as it stood in its class: who takes it from there gets what the descriptor gives."""
    if type(kept) is types.MethodType:
        return classmethod(function)
    wraps: Callable[[Any], Any] | None = type(value) if type(value) in (staticmethod, classmethod) else None
    return wraps(function) if wraps is not None and kept is function else kept


def _named(module: str, space: Mapping[str, Any], ran: Stores) -> Iterator[Place]:
    """The definitions to which statements have given another name than that with which they were made."""
    names = ran.names.intersection(NAMES)
    own = {module} if "__name__" in ran.words else set()
    values = [space.get(word) for word in ran.words] if names else []
    for value in {id(each): each for each in values if is_definition(each)}.values():
        made, given = _made(value), _given(value)
        for name in names:
            spelled = type(given[name]) is not str or given[name] in ran.texts | own
            if spelled and given[name] != made[name]:
                yield Place(value, name, given[name], made[name])


def _made(definition: type | types.FunctionType) -> Mapping[str, Any]:
    """The names with which a definition was made."""
    home, path = _made_at(definition)
    if "<locals>" in str(path):  # whoever called the function may have named what it made
        return {**_given(definition), "__module__": home}
    return dict(zip(NAMES, (home, path, str(path).rpartition(".")[2]), strict=True))


def _given(definition: type | types.FunctionType) -> Mapping[str, Any]:
    """The names that a definition goes by."""
    if is_function(definition):
        return {name: getattr(definition, name) for name in NAMES}
    home = type.__getattribute__(definition, "__module__")
    return {"__module__": home, **{name: type.__dict__[name].__get__(definition) for name in NAMES[1:]}}
