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
from hotmod._live.facts import content_of
from hotmod._live.heap import CACHE
from hotmod._live.homes import first_line, name_of, place_of
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_definition, is_function, is_module, space_in, text_in
from hotmod._live.parts import resolved
from hotmod._live.stores import NOTHING, Stores

__all__ = ["Place", "keep", "put_back", "settle", "still_replaced", "under"]

_MISSING = object()
NAMES = ("__module__", "__qualname__", "__name__")  # that a definition goes by, and may be given
DEPTH = 5  # of replacements of replacements


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """An attribute that has its original again, until the module that had replaced it does so anew."""

    holder: Any
    name: str
    value: Any
    original: Any
    inner: Any  # what the module had put there: the value, or what another module's has around
    stays: bool = False  # whether the value stays, though no statement that runs puts it there again

    def put(self, value: object) -> None:
        """Let the attribute hold something; no `__setattr__` of the subject runs."""
        if is_module(self.holder):
            space_in(self.holder)[self.name] = value
        elif is_class(self.holder):
            type.__setattr__(self.holder, self.name, value)
            line = first_line(self.holder) if self.name == "__module__" and value is self.original else None
            if line is not None and sys.version_info >= (3, 13):  # which forgets it with each new name
                type.__setattr__(self.holder, "__firstlineno__", line)
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


def put_back(
    journal: Journal, module: str, space: Mapping[str, Any], ran: Stores, calls: Stores = NOTHING
) -> list[Place]:
    """Undo what statements of a module have put in the place of others' definitions, or have named anew.

    Args:
        journal: where the changes are noted.
        module: the module.
        space: its namespace, as it is.
        ran: what the statements spell that are about to run again, or are gone.
        calls: what functions spell that these may call.

    Returns:
        The places, each of which holds its original.
    """
    found, both = [], ran | calls
    for holder, held in _holders(module, space, both.words) if both.names or both.computes else ():
        for name in list(held) if both.computes else both.names.intersection(held):
            value = held[name]
            inner = _inner(value, module)
            original = _MISSING if inner is None else _original(holder, name, inner, space)
            if original is not _MISSING and original is not value:
                found.append(Place(holder, name, value, original, inner, name not in ran.names))
    found += _named(module, space, ran)
    for place in found:
        journal.record(f"{place.name} of another module", functools.partial(place.put, place.value))
        place.put(place.original)
    return found


def settle(journal: Journal, places: Iterable[Place], runs: Stores, calls: Stores = NOTHING) -> None:
    """Statements have run: what they did not replace again, as they think they have, stays replaced.

    Args:
        journal: where the changes are noted.
        places: what `put_back` gave.
        runs: what the statements spell that ran.
        calls: what functions spell that these, or others, may have called to replace something.
    """
    places = list(places)
    marks = runs.names.difference(place.name for place in places)
    for place in places:
        again = not place.is_original()
        if not again and (
            place.stays or place.name in calls.names or (place.name in runs.names and place.has_mark(marks))
        ):
            place.put(place.value)
        elif place.inner is not place.value:  # another module has put its own around it
            if not again:
                _exchange(journal, place.value, place.inner, place.original)
            place.put(place.value)


def _exchange(journal: Journal, value: Any, old: Any, new: Any) -> None:
    """Let a wrapper have something else inside."""
    function: Any = _unwrapped(value)
    space = function.__globals__
    for name in function.__code__.co_names:
        if name in space and space[name] is old:
            journal.record(f"{name} of a wrapper", functools.partial(space.__setitem__, name, old))
            space[name] = new
    for cell in function.__closure__ or ():
        if any(each is old for each in content_of(cell)):
            journal.record("a closure", functools.partial(setattr, cell, "cell_contents", old))
            cell.cell_contents = new


def keep(module: str, space: dict[str, Any], before: Mapping[str, Any], names: Iterable[str]) -> None:
    """Let names that held originals, and hold now what took the place of these, hold on to the originals.

    Args:
        module: the module that had put something there.
        space: its namespace, after some statements ran.
        before: the same as it was.
        names: what they bound.
    """
    own = {id(_unwrapped(value)) for value in before.values() if _is_made_in(value, module)}
    for name in names if own else ():
        had, now = before.get(name, _MISSING), space.get(name, _MISSING)
        if id(_unwrapped(now)) not in own or id(_unwrapped(had)) in own:
            continue
        home, path = _made_at(_unwrapped(had))
        value: object = sys.modules.get(home) if type(home) is str else None
        if not is_module(value):
            continue
        found = resolved(tuple(str(path).split(".")), space_in(value))
        if found and _unwrapped(found[-1]) is _unwrapped(now):
            space[name] = had


def under(module: str, before: Mapping[str, Any], names: Iterable[str], owner: str = "") -> dict[str, Any]:
    """The definitions in whose place others have put something, by name.

    Args:
        module: the module whose definitions they are.
        before: its namespace as it was, or that of one of its classes.
        names: the names that are about to be bound again.
        owner: the qualified name of the class, and a dot.
    """
    found = {}
    for name in names:
        value = _unwrapped(before.get(name))
        if is_function(value) and not _is_made_in(value, module) and _knows(value.__globals__, module):
            original = _around(value, (module, f"{owner}{name}"))
            if original is not _MISSING:
                found[name] = original
    return found


def _knows(space: Mapping[str, Any], module: str) -> bool:
    """Whether a module has something of another one at hand; one that makes decorators has not."""
    return any(
        space_in(each).get("__name__") == module if is_module(each) else _is_made_in(each, module)
        for each in list(space.values())
    )


def still_replaced(
    cls: type, before: Mapping[str, Any], body: Mapping[str, Any], merge: Callable[[Any, Any], object]
) -> set[str]:
    """The members of a class that is built again that stay what others have put there.

    Args:
        cls: the class.
        before: its members as they were.
        body: its new ones; what others have around is merged with these.
        merge: gives the object that lives on, for an old and a new one.
    """
    module, name = name_of(cls)
    found = under(module, before, body, f"{name}.")
    for member, original in found.items():
        pair = original, body[member]
        merge(*(pair if type(original) is type(body[member]) else map(_unwrapped, pair)))
    return set(found)


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
    return _module_of(value) == (module,)


def _module_of(value: object) -> tuple[Any, ...]:
    """The module in which a definition was made, whatever it goes by; empty for what is none."""
    value = _unwrapped(value)
    if is_function(value):
        return (value.__globals__.get("__name__"),)
    return name_of(value)[:1] if is_class(value) else ()


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
    module: str, space: Mapping[str, Any], words: frozenset[str]
) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """What a module knows of others, by name: modules, and classes in the module and in these."""
    found: dict[int, Any] = {}
    known = [value for name in words if (value := space.get(name)) is not None]
    known += [sys.modules.get(name) for name in _modules_called(words)]
    for value in {id(each): each for each in known}.values():
        if is_class(value):
            found[id(value)] = value
        elif is_module(value) and space_in(value) is not space:
            yield value, space_in(value)
            name = space_in(value).get("__name__")
            for key, each in list(space_in(value).items()):
                if is_class(each) and (key in words or name_of(each)[0] == name):
                    found[id(each)] = each
    for cls in found.values():
        if name_of(cls)[0] != module:
            yield cls, own_dict(cls)


def _modules_called(words: frozenset[str]) -> Iterator[str]:
    for name in sys.modules.copy():
        if type(name) is str and name.rpartition(".")[2] in words:
            yield name


def _space_of(holder: Any) -> Mapping[str, Any]:
    return own_dict(holder) if is_class(holder) else space_in(holder) if is_module(holder) else {}


def _inside(value: Any) -> Iterator[Any]:
    """What a wrapper has around: as `__wrapped__`, in its closure, and under names that it uses."""
    value = _unwrapped(value)
    if is_function(value):
        yield value.__dict__.get("__wrapped__")
        yield from (each for cell in value.__closure__ or () for each in content_of(cell))
        yield from (value.__globals__.get(name) for name in value.__code__.co_names)


def _inner(value: Any, module: str) -> Any:
    """What a module has put at a place where that value stands: itself, or what others have around."""
    for _ in range(DEPTH):
        if value is None or _is_made_in(value, module):
            return value
        value = next((each for each in _inside(value) if _is_made_in(each, module)), None)
    return None


def _original(holder: Any, name: str, value: Any, space: Mapping[str, Any]) -> Any:
    """What stood at a place before, if what stands there now or its module has kept it."""
    if is_class(holder):
        module, path = name_of(holder)
        place = module, f"{path}.{name}"
    else:
        place = text_in(space_in(holder).get("__name__")), name
    own = _module_of(value)
    known = [each for each in (*_inside(value), *space.values()) if _module_of(each) != own]
    for each in known:
        if _is_made_at(each, place):
            return _as_kept(each, value)
    for each in known:  # another module has put something there before
        inner = _unwrapped(each)
        if is_function(inner) and _around(inner, place) is not _MISSING:
            return _as_kept(each, value)
    return _MISSING


def _is_made_at(value: object, place: tuple[str, str]) -> bool:
    inner = _unwrapped(value)
    if is_function(inner) and place == (inner.__globals__.get("__name__"), inner.__code__.co_qualname):
        return True
    return place == _made_at(inner)


def _around(value: types.FunctionType, place: tuple[str, str]) -> Any:
    """The definition made at a place that a wrapper, or one that it has around, has around."""
    seen: dict[int, types.FunctionType] = {}
    level = [value]
    for _ in range(DEPTH):
        below = []
        for each in level:
            inside = list(_inside(each))
            for part in inside:
                if _is_made_at(part, place) and _module_of(part) != _module_of(each):
                    return part
            inner = [part for part in map(_unwrapped, inside) if is_function(part) and id(part) not in seen]
            seen.update((id(part), part) for part in inner)
            below += [part for part in inner if part.__globals__ is not each.__globals__]
        level = below
    return _MISSING


def _as_kept(kept: Any, value: Any) -> Any:
    """An original as it stood in its class: who takes it from there gets what the descriptor gives."""
    if type(kept) is types.MethodType:
        return classmethod(kept.__func__)
    if type(value) in (staticmethod, classmethod) and is_function(kept):
        return type(value)(kept)
    return kept


def _named(module: str, space: Mapping[str, Any], ran: Stores) -> Iterator[Place]:
    """The definitions to which statements have given another name than that with which they were made."""
    names = ran.names.intersection(NAMES)
    own = {module} if "__name__" in ran.words else set()
    values = [space.get(word) for word in ran.words] if names else []
    for value in {id(each): each for each in values if is_definition(each)}.values():
        made, given = _made(value), _given(value)
        for name in names - {"__name__"} if is_class(value) else names:
            spelled = type(given[name]) is not str or given[name] in ran.texts | own
            if spelled and given[name] != made[name]:
                yield Place(value, name, given[name], made[name], given[name])


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
