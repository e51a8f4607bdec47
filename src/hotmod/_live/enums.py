"""Enumerations that keep their members when their class is built again.

Touches: enum classes and members, through the journal of the class (see `classes.take_over`).

Guarantees: a member that exists before and after is the same object, so `is`, dictionary keys, pickles
and lookups by value go on; new members belong to the live class. Only a member that is an immutable value
itself (`IntEnum`) and has another one now is another object.
"""

from __future__ import annotations

import enum
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.journal import Journal

__all__ = ["adopt_members", "names_of", "revalued", "translated", "values_of"]

_MISSING = object()
_PAYLOADS = (int, str, float, bytes, tuple, complex, frozenset)


def _members(cls: type) -> dict[str, Any]:
    found = own_dict(cls).get("_member_map_")
    return found if type(found) is dict else {}


def revalued(live: type, fresh: type) -> dict[str, str]:
    """The members whose value can't follow, by name, with the reason: they are part of an immutable value."""
    found = {}
    for name, new in _members(fresh).items():
        old = _members(live).get(name)
        if old is not None and old._name_ == new._name_ == name and _payload(old) != _payload(new):
            found[name] = f"it was {_payload(old)} and is {_payload(new)}"
    return found


def _payload(member: Any) -> Any:
    """The immutable part of a member of a mixed-in enum (`IntEnum`, `StrEnum`), which can't be changed."""
    for kind in _PAYLOADS:
        if issubclass(type(member), kind):
            return kind.__repr__(member)
    return None


def adopt_members(journal: Journal, live: type, fresh: type) -> dict[int, Any]:
    """Let the members of `fresh` be members of `live`; gives the kept member by the id of its successor.

    Args:
        journal: where the changes are noted.
        live: the enum class in use, before it takes over the body of `fresh`.
        fresh: the enum class just built.
    """
    kept: dict[int, Any] = {}
    old = _members(live)
    _keep_combinations(live, fresh)
    every = {id(new): new for new in values_of(fresh)}
    for name, new in _members(fresh).items():
        if id(new) in kept:
            continue  # an alias
        mine = old.get(name)
        if mine is None or mine._name_ != name or _payload(mine) != _payload(new):
            mine = new
        elif mine is not new:
            _note(journal, mine)
            mine.__dict__.clear()
            mine.__dict__.update(new.__dict__)
        kept[id(new)] = mine
    for key, new in every.items():
        mine = kept.setdefault(key, new)
        if type(mine) is not live:
            object.__setattr__(mine, "__class__", live)
        if "__objclass__" in mine.__dict__:
            mine.__dict__["__objclass__"] = live
    return kept


def _keep_combinations(live: type, fresh: type) -> None:
    """Let the combinations of flags that were made before be found again, where their parts are unchanged."""
    had, has = own_dict(live).get("_value2member_map_"), own_dict(fresh).get("_value2member_map_")
    if not issubclass(live, enum.Flag) or type(had) is not dict or type(has) is not dict:
        return
    for value, member in had.items():
        if value in has or member._name_ in _members(live):
            continue
        parts = [one for one in _members(live).values() if one._value_ & value == one._value_]
        if all(
            one._name_ in _members(fresh) and _members(fresh)[one._name_]._value_ == one._value_
            for one in parts
        ):
            has[value] = member


def names_of(cls: type) -> set[str]:
    """The names of the members of an enum class, without aliases."""
    return {name for name, member in _members(cls).items() if member._name_ == name}


def values_of(cls: type) -> list[Any]:
    """Every member of an enum class: named ones, aliases and the combinations that a flag has made."""
    named = list(_members(cls).values())
    by_value = own_dict(cls).get("_value2member_map_")
    return named + (list(by_value.values()) if type(by_value) is dict else [])


def _note(journal: Journal, member: enum.Enum) -> None:
    attributes = dict(member.__dict__)

    def undo() -> None:
        member.__dict__.clear()
        member.__dict__.update(attributes)

    journal.record(f"member {member!r}", undo)


def translated(fresh: type, kept: dict[int, Any]) -> dict[str, Any]:
    """The members of the class body of `fresh`, each reference to a member replaced by the kept one."""
    found = {}
    for name, value in own_dict(fresh).items():
        found[name] = _translate(value, kept)
        if issubclass(type(value), enum.property):
            redirect = getattr(value, "member", None)
            if redirect is not None and id(redirect) in kept:
                value.member = kept[id(redirect)]
    return found


def _translate(value: Any, kept: dict[int, Any]) -> Any:
    if id(value) in kept:
        return kept[id(value)]
    if type(value) is dict and any(id(item) in kept for item in value.values()):
        return {key: kept.get(id(item), item) for key, item in value.items()}
    if type(value) is list and any(id(item) in kept for item in value):
        return [kept.get(id(item), item) for item in value]
    return value
