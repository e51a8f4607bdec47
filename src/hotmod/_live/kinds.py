"""What an object of the subject is, without asking it.

`isinstance` asks an object that is of no such kind for its `__class__`, and that of a mock or a proxy is code
of the subject: it may lie, raise, or open a connection.

Touches: nothing.

Guarantees: no code of the subject runs, and what is said to be a class, function or module is one.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["is_class", "is_definition", "is_function", "is_module", "space_in", "text_in"]

_space_of: Any = vars(types.ModuleType)["__dict__"].__get__


def is_class(value: object) -> TypeIs[type]:
    """Whether an object is a class."""
    return issubclass(type(value), type)


def is_function(value: object) -> TypeIs[types.FunctionType]:
    """Whether an object is a plain function."""
    return type(value) is types.FunctionType


def is_definition(value: object) -> TypeIs[type | types.FunctionType]:
    """Whether an object is a class or a plain function."""
    return is_function(value) or is_class(value)


def is_module(value: object) -> TypeIs[types.ModuleType]:
    """Whether an object is a module."""
    return issubclass(type(value), types.ModuleType)


def space_in(module: types.ModuleType) -> dict[str, Any]:
    """The namespace of a module; one that is loaded when it is first asked for something stays unloaded."""
    found: dict[str, Any] = _space_of(module)
    return found


def text_in(value: object) -> str:
    """A text that the subject may have exchanged for anything else, which reads as no text."""
    return value if type(value) is str else ""
