"""What was made of a function: results that a cache keeps, code that a compiler made or a tracer recorded.

New code in a function is nothing to what was made of its old code. A cache can be cleared; of an object of
an unknown kind it can't be told what it keeps, so it is made again.

Touches: caches, and objects of kinds that were registered.

Guarantees: an object counts as one that remembers nothing only if its kind is known to call the function
each time. Nothing of the subject is called but the functions that were registered.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.heap import CACHE
from hotmod._live.parts import parts_of
from hotmod._live.state import instance_dict

__all__ = ["derivation", "is_dressed", "memories", "register_wrapper"]

DEPTH = 5  # wrappers around each other
CACHED, COMPILED = "cache", "compiled"
# Libraries whose wrappers around functions call them each time.
_CALLING_FILES = frozenset((functools.__file__, contextlib.__file__))
_HARMLESS = (
    *(str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented), range),
    *(types.ModuleType, types.BuiltinFunctionType, types.GenericAlias, types.UnionType, types.CodeType),
)


@dataclasses.dataclass(frozen=True, slots=True)
class WrapperKind:
    """A kind of object around a function; see `register_wrapper`."""

    detect: Callable[[Any], bool]
    refresh: Callable[[Any], object] | None = None


def _is_command(value: Any) -> bool:
    """A command of click, or what descends from one."""
    space = instance_dict(value)
    return space is not None and {"callback", "params", "context_settings"} <= space.keys()


def _is_task(value: Any) -> bool:
    """A task of Celery, or what becomes one when it is first used."""
    bases: tuple[type, ...] = type.__dict__["__mro__"].__get__(type(value))
    names = {name for base in bases for name in own_dict(base)}
    return names >= {"apply_async", "delay", "from_config"} or names >= {"__maybe_evaluate__", "__evaluate__"}


def _is_jitted(value: Any) -> bool:
    """What `jax.jit` makes: jax keeps what it traced by the function, whoever asks for it again."""
    own = own_dict(type(value))
    return bool(own.keys() >= {"clear_cache", "lower", "eval_shape"})


def _is_fixture(value: Any) -> bool:
    """A fixture of pytest."""
    space = instance_dict(value)
    return space is not None and {"_fixture_function", "_fixture_function_marker"} <= space.keys()


_kinds = [
    WrapperKind(_is_fixture),
    WrapperKind(_is_command),
    WrapperKind(_is_task),
    WrapperKind(_is_jitted, refresh=lambda value: value.clear_cache()),
]


def register_wrapper(
    detect: Callable[[Any], bool], *, refresh: Callable[[Any], object] | None = None
) -> None:
    """Tell hotmod of a kind of object that decorators put around functions.

    A function that stands behind a decorator gets its new code like any other. Where the decorator compiled,
    traced or cached the function, that is not enough, so by default the decorated definition runs again
    whenever the inside of the function, or of one that it calls, has changed. For objects of a registered
    kind it does not.

    Args:
        detect: whether an object is of this kind; called for what names of modules and classes in scope hold
            and for what closures of decorators hold. It should look at attributes and nothing more.
        refresh: called with the object once the functions have their new code, to make it forget what it made
            of them; it is called for objects that the report names under `cleared`. None says that there is
            nothing to forget: the object calls the function each time.
    """
    _kinds.append(WrapperKind(detect, refresh))


def _kind_of(value: Any) -> WrapperKind | None:
    return next((kind for kind in reversed(_kinds) if kind.detect(value)), None)


def derivation(value: Any, name: str) -> str:
    """What an object keeps of the function that stands behind it.

    Args:
        value: what the name of a decorated definition holds.
        name: the qualified name of the definition.

    Returns:
        `"cache"` for results that can be forgotten, `"compiled"` for what has to be made again, or nothing.
    """
    found = {each for each, _ in _walk(value, name)}
    return COMPILED if COMPILED in found else CACHED if CACHED in found else ""


def is_dressed(value: Any) -> bool:
    """Whether an object says of itself that it stands for a function."""
    return "__wrapped__" in (instance_dict(value) or {})


def memories(value: Any, name: str) -> Iterator[tuple[Any, Callable[[], object]]]:
    """What can be made to forget, in an object, and how."""
    for kind, part in _walk(value, name):
        if kind == CACHED:
            known = None if type(part) is CACHE else _kind_of(part)
            yield part, part.cache_clear if known is None else functools.partial(_refresh, known, part)


def _refresh(kind: WrapperKind, value: Any) -> None:
    if kind.refresh is not None:
        kind.refresh(value)


def _walk(value: Any, name: str, depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    if kind in _HARMLESS or issubclass(kind, type) or depth == 0:
        return
    if kind is CACHE:
        yield CACHED, value
    elif kind is types.FunctionType:
        code = value.__code__
        if code.co_qualname != name and code.co_filename not in _CALLING_FILES:
            for part in parts_of(value):
                yield from _walk(part, name, depth - 1)
    else:
        inside = _inside(value, kind)
        if inside is not None:
            for part in inside:
                yield from _walk(part, name, depth - 1)
            return
        known = _kind_of(value)
        if known is None:
            yield COMPILED, value
        elif known.refresh is not None:
            yield CACHED, value


def _inside(value: Any, kind: type) -> tuple[Any, ...] | None:
    """What is inside of the usual wrappers, which call it each time; None for other objects."""
    if kind in (staticmethod, classmethod, types.MethodType):
        return (value.__func__,)
    if kind is property:
        return value.fget, value.fset, value.fdel
    if kind in (functools.partial, functools.partialmethod, functools.cached_property):
        return (value.func,)
    if kind is functools.singledispatchmethod:
        return (value.func,)
    return None
