"""What only the live objects tell a planner: which modules and functions can't be changed in parts.

Touches: modules and what their names hold, read only.

Guarantees: a module that is not named can take new statements and new code one by one.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterable

from hotmod._engine.hooks import runs_its_own_way
from hotmod._engine.loaded import Ledger
from hotmod._live.adapters import partners
from hotmod._live.classes import own_dict
from hotmod._live.derived import derivation, is_dressed
from hotmod._live.frameworks import refuses_repetition
from hotmod._live.homes import name_of, place_of
from hotmod._live.kinds import is_class, is_definition, is_module, space_in, text_in
from hotmod._live.modules import space_of

__all__ = ["built_together", "derived", "made_anew", "overwritten_definitions", "unsure_modules"]


def unsure_modules(ledger: Ledger, names: Iterable[str]) -> dict[str, str]:
    """Those of some modules that have to run as a whole when they change, and why."""
    found = {}
    for name in names:
        module = sys.modules.get(name)
        if name not in ledger.modules:
            continue
        if type(module) is not types.ModuleType:
            found[name] = "it has replaced the class of its module object"
        elif runs_its_own_way(getattr(module.__spec__, "loader", None)):
            found[name] = "its loader runs modules in a way of its own"
    return found


def derived(module: str, name: str, own: bool) -> str:  # noqa: FBT001 - see `Spread`
    """What a name, dotted for a method, holds of a function: `"cache"`, `"compiled"`, or neither.

    What a call made of a function under another name must be dressed as it to count: other objects
    call what they were given.
    """
    value: object = space_of(sys.modules.get(module)).get(name.partition(".")[0])
    for part in name.split(".")[1:]:
        value = own_dict(value).get(part) if is_class(value) else None
    return derivation(value, name) if own or is_dressed(value) else ""


def made_anew(changed: Iterable[str], loaded: Collection[str]) -> list[tuple[str, str]]:
    """(module, name) of objects that refuse, or remember, whatever they are told a second time: parsers.

    Args:
        changed: the modules that changed; if no name of theirs leads to such an object, none is looked for.
        loaded: the modules in scope.
    """
    return _parsers(loaded, loaded) if _parsers(changed, loaded) else []


def _parsers(modules: Iterable[str], loaded: Collection[str]) -> list[tuple[str, str]]:
    return [
        (module, name)
        for module in modules
        for name, value in list(space_of(sys.modules.get(module)).items())
        if refuses_repetition(value) or (is_module(value) and _has_parser(value, loaded))
    ]


def _has_parser(module: types.ModuleType, loaded: Collection[str]) -> bool:
    space = space_in(module)
    return text_in(space.get("__name__")) in loaded and any(map(refuses_repetition, list(space.values())))


def built_together(
    changed: Iterable[str], loaded: Collection[str]
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By class, as (module, name), those that have to be built again when it is.

    Args:
        changed: the modules that changed; if they know no class with partners, none is looked for.
        loaded: the modules in scope.
    """
    return _partners(loaded) if _partners(changed) else {}


def _partners(modules: Iterable[str]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    values = {
        id(value): value for name in modules for value in list(space_of(sys.modules.get(name)).values())
    }
    found = {name_of(each): list(map(name_of, partners(each))) for each in values.values() if is_class(each)}
    return {name: others for name, others in found.items() if others}


def overwritten_definitions(modules: Iterable[str]) -> list[tuple[str, str]]:
    """(module, name) of what is no function or class that its module defines under this name."""
    return [
        (module, name)
        for module in modules
        for name, value in list(space_of(sys.modules.get(module)).items())
        if not (is_definition(value) and _is_defined_as(value, module, name))
    ]


def _is_defined_as(value: types.FunctionType | type, module: str, name: str) -> bool:
    if is_class(value):
        return name_of(value) == (module, name)
    return place_of(value) == (module, name)
