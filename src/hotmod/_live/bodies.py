"""Modules compared by their code: whether two differ in more than what is inside of their functions.

Touches: nothing.

Guarantees: what is called the same runs the same statements with the same constants; only the code of
functions, and where things stand in the file, may differ.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator

__all__ = ["same_statements"]

_PLACES = frozenset(("__firstlineno__", "__static_attributes__"))  # since 3.13; the latter is told by methods


def same_statements(one: types.CodeType, two: types.CodeType) -> bool:
    """Whether two modules, or bodies of classes, differ in the code of functions at most."""
    if list(_steps(one)) != list(_steps(two)):
        return False
    pairs = zip(_bodies(one), _bodies(two), strict=True)
    return all(same_statements(mine, other) for mine, other in pairs)


def _bodies(code: types.CodeType) -> list[types.CodeType]:
    """The bodies of the classes that a piece of code builds."""
    return [
        const
        for const in code.co_consts
        if isinstance(const, types.CodeType) and not const.co_flags & inspect.CO_OPTIMIZED
    ]


def _steps(code: types.CodeType) -> Iterator[tuple[str, str]]:
    """The instructions of a body; those that store where it stands are left out with what they store."""
    steps = [
        (each.opname, each.argval.co_name if isinstance(each.argval, types.CodeType) else repr(each.argval))
        for each in dis.get_instructions(code)
    ]
    for step, follows in zip(steps, [*steps[1:], ("", "")], strict=True):
        if step[0].startswith("LOAD_CONST") and follows[1].strip("'") in _PLACES:
            continue
        yield step
