"""The class behind what a decorator made of it.

Touches: nothing; reads what the object refers to.

Guarantees: a class is found by its own module and qualified name, and of several that have these the one that
the others are built on. Of data and of other modules nothing is read.
"""

from __future__ import annotations

import gc
from typing import Any

from hotmod._live.classes import bases_of
from hotmod._live.heap import identity
from hotmod._live.homes import name_of
from hotmod._live.kinds import is_module

__all__ = ["class_behind"]

DEPTH = 5  # from the object to its attributes, to an object among them, to its attributes, ...
MAX_PARTS = 50  # of an object: one that has more is a collection
MAX_SEEN = 2_000  # objects: what is farther away is no part of what a decorator makes


def class_behind(value: object, module: str, name: str) -> type | None:
    """The class that a decorated name stands for; None if it is not to be found.

    Args:
        value: what the decorator made.
        module: the module of the class.
        name: its qualified name.
    """
    found: list[type] = []
    seen: dict[int, Any] = {}
    level: list[Any] = [value]
    for _ in range(DEPTH):
        below: list[Any] = []
        for each in level:
            if identity(each) in seen or len(seen) == MAX_SEEN:
                continue
            seen[identity(each)] = each
            if issubclass(type(each), type):
                found += [each] if name_of(each) == (module, name) else []
                below += bases_of(each)
            elif not (is_module(each) or (type(each) is dict and "__builtins__" in each)):
                parts = gc.get_referents(each)
                below += parts if len(parts) <= MAX_PARTS else ()
        level = below
    built_on = {identity(base) for each in found for base in type.mro(each)[1:]}
    roots = [each for each in found if identity(each) in built_on] or found
    return roots[-1] if roots else None
