"""What a module had put in the place of another's function or class, and what stood there before.

A module that does `_total = tool.total` and then `tool.total = traced` must find the original when it runs
again, as in a fresh process: else it wraps what it made itself, and calls itself for ever.

Touches: attributes of modules and classes that hold what a module made, through the journal.

Guarantees: a place gets back only what was made at that very place. Never calls code of the subject.

Assumes: who replaces an original keeps it: under a name, in a closure, or in what it put there.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.homes import name_of, place_of
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_definition, is_function, is_module, space_in, text_in
from hotmod._live.parts import resolved

__all__ = ["Place", "keep", "put_back", "settle"]

_SETS = re.compile(rb"^[ \t]*(?!self\.|cls\.)[\w.]+\.(\w+)\s*=[^=]", re.MULTILINE)
_SETS_SURELY = re.compile(rb"^(?!self\.|cls\.)[\w.]+\.(\w+)[ \t]*=[^=]", re.MULTILINE)
_COMPUTES = re.compile(rb"\bsetattr\b")
_MISSING = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """An attribute that has its original again, until the module that had replaced it does so anew."""

    holder: Any
    name: str
    value: Any
    original: Any

    def put(self, value: object) -> None:
        """Let the attribute hold something; no `__setattr__` of the subject runs."""
        setter = type.__setattr__ if is_class(self.holder) else types.ModuleType.__setattr__
        setter(self.holder, self.name, value)


def put_back(
    journal: Journal, module: str, space: Mapping[str, Any], text: bytes, *, surely: bool = False
) -> list[Place]:
    """Undo what a module that is about to run again has put in the place of others' definitions.

    Args:
        journal: where the changes are noted.
        module: the module.
        space: its namespace, as it is.
        text: what it ran.
        surely: whether only that counts which statements at the top of the text set by name: each of them
            does so again.
    """
    found = []
    names, computes = _set_by(text, surely=surely)
    for holder, held in _holders(module, space) if names or computes else ():
        for name in list(held) if computes else names.intersection(held):
            value = held.get(name)
            original = _original(holder, name, value, space) if _is_made_in(value, module) else _MISSING
            if original is not _MISSING:
                place = Place(holder, name, value, original)
                journal.record(f"{name} of another module", functools.partial(place.put, value))
                place.put(original)
                found.append(place)
    return found


def settle(places: Iterable[Place], text: bytes) -> None:
    """A module has run: what it did not replace again, as it thinks it has already, stays replaced.

    Args:
        places: what `put_back` gave.
        text: what the module ran.
    """
    names, computes = _set_by(text)
    for place in places:
        held = own_dict(place.holder) if is_class(place.holder) else space_in(place.holder)
        if held.get(place.name) is place.original and (computes or place.name in names):
            place.put(place.value)


def _set_by(text: bytes, *, surely: bool = False) -> tuple[set[str], bool]:
    """The attributes that a text sets by name, and whether it computes some."""
    names = {name.decode(errors="replace") for name in (_SETS_SURELY if surely else _SETS).findall(text)}
    return names, not surely and _COMPUTES.search(text) is not None


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


def _made_at(definition: types.FunctionType | types.BuiltinFunctionType | type) -> tuple[Any, Any]:
    if is_function(definition):
        return place_of(definition)
    if type(definition) is types.BuiltinFunctionType:
        return definition.__module__, definition.__name__
    return name_of(definition)


def _is_made_in(value: object, module: str) -> bool:
    if is_function(value):
        return value.__globals__.get("__name__") == module
    return is_class(value) and name_of(value)[0] == module


def _holders(module: str, space: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """What a module knows of others: modules and classes, and the classes of these modules."""
    values = list(space.values())
    found = [value for value in values if is_class(value)]
    for each in values:
        name = text_in(space_in(each).get("__name__")) if is_module(each) else module
        if name != module:
            yield each, space_in(each)
            known = [value for value in list(space_in(each).values()) if is_class(value)]
            found += [value for value in known if name_of(value)[0] == name]
    for cls in {id(each): each for each in found}.values():
        if name_of(cls)[0] != module:
            yield cls, own_dict(cls)


def _inside(value: Any) -> Iterator[Any]:
    """What a wrapper has around: in its closure, and as `__wrapped__`."""
    if is_function(value):
        yield value.__dict__.get("__wrapped__")
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty cell
                continue


def _original(holder: Any, name: str, value: Any, space: Mapping[str, Any]) -> Any:
    """The definition that was made at a place, if what stands there now or its module has kept it."""
    if is_class(holder):
        module, path = name_of(holder)
        place = module, f"{path}.{name}"
    else:
        place = text_in(space_in(holder).get("__name__")), name
    for each in (*_inside(value), *space.values()):
        if is_function(each):
            own = each.__globals__.get("__name__"), each.__code__.co_qualname
            if place in (own, place_of(each)):
                return each
        elif type(each) is types.BuiltinFunctionType:
            if place == (each.__module__, each.__name__):
                return each
        elif is_class(each) and name_of(each) == place:
            return each
    return _MISSING
