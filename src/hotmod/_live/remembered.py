"""What the standard library remembers of classes, and is to find out anew when a class has changed.

Touches: the caches of `abc` and of `typing`.

Guarantees: nothing of the program runs, no default of a type parameter either.
"""

from __future__ import annotations

import abc
import collections.abc
import typing
from collections.abc import Mapping
from typing import Any

__all__ = ["forget_checks", "forget_subscripts", "type_parameters"]


def forget_checks() -> None:
    """Let `isinstance` look again at classes whose members changed: abstract classes remember answers."""
    found: list[type] = [value for value in vars(collections.abc).values() if isinstance(value, abc.ABCMeta)]
    protocols: list[type] = [typing.Protocol]
    while protocols:
        one = protocols.pop()
        protocols += type.__subclasses__(one)
        found += [one] if isinstance(one, abc.ABCMeta) else []
    for each in found:
        abc.ABCMeta._abc_caches_clear(each)  # type: ignore[attr-defined]  # noqa: SLF001 - for this purpose


def type_parameters(space: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """What `C[...]` is made by: that a text which ran again made equal ones anew is no difference."""
    found = space.get("__parameters__")
    return [(type(each), *_default(each)) for each in (found if type(found) is tuple else ())]


def _default(parameter: object) -> tuple[object, ...]:
    if type(parameter) is not typing.TypeVar:
        return ()
    if getattr(parameter, "__infer_variance__", False):  # `[T = ...]` would evaluate it when it is asked for
        return (object(),) if getattr(parameter, "has_default", bool)() else ()
    return (getattr(parameter, "__default__", None),)


def forget_subscripts() -> None:
    """Let `C[int]` be made anew for a class with other type parameters: typing remembers what it gave.

    It can't forget that of one class alone. What has been made stays, and is equal to what will be.
    """
    for clear in getattr(typing, "_cleanups", ()):
        clear()
