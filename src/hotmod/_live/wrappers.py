"""How the usual wrappers around functions are merged: descriptors, partials, caches, dispatchers.

Touches: wrapper objects, through the journal of the merger.

Guarantees: an old wrapper lives on exactly when it now leads to the new functions. Where it can't, the
functions inside are merged all the same, so that who holds the old wrapper runs the new code.
"""

from __future__ import annotations

import functools
import types
from typing import Any

from hotmod._live.heap import CACHE
from hotmod._live.merge import Handler, Merger

__all__ = ["HANDLERS"]

_init_property: Any = property.__init__


def _around(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two wrappers with one function inside (`staticmethod`, `classmethod`)."""
    inner = merger.merge(old.__func__, new.__func__)
    return merger.take(old, new) if inner is old.__func__ else new


def _property(merger: Merger, old: property, new: property) -> Any:
    """Merge two properties with all their functions, those included that were not there before."""
    names = ("fget", "fset", "fdel")
    had = [getattr(old, name) for name in names]
    has = [merger.merge(mine, getattr(new, name)) for mine, name in zip(had, names, strict=True)]
    if old.__doc__ != new.__doc__ or any(a is not b for a, b in zip(had, has, strict=True)):
        # calling the initialiser again is the one way to change a property
        merger.journal.record("a property", functools.partial(_init_property, old, *had, old.__doc__))
        _init_property(old, *has, new.__doc__)
    return merger.take(old, new)


def _cached_property(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two cached properties; values that instances have cached stay."""
    function = merger.merge(old.func, new.func)
    if old.attrname != new.attrname:
        return new
    merger.journal.record("a cached property", functools.partial(_refill, old.__dict__, dict(old.__dict__)))
    old.func, old.__doc__ = function, new.__doc__
    return merger.take(old, new)


def _lru_cache(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two cached functions; what they have cached is forgotten."""
    inner = merger.merge(old.__wrapped__, new.__wrapped__)
    if old.cache_info().currsize:
        merger.forgotten.append(f"{old.__module__}:{old.__qualname__} (cache)")
    merger.journal.record("cache of a function", old.cache_clear)
    old.cache_clear()
    if old.cache_parameters() != new.cache_parameters() or inner is not old.__wrapped__:
        return new
    before = dict(old.__dict__)
    merger.journal.record("attributes of a cached function", functools.partial(_refill, old.__dict__, before))
    old.__dict__.update({**new.__dict__, "__wrapped__": old.__wrapped__})
    return merger.take(old, new)


def _partial(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two partials; the old one calls what the new one calls."""
    function = merger.merge(old.func, new.func)
    state = (old.func, old.args, old.keywords, old.__dict__)  # the new state brings its own dictionaries
    merger.journal.record("a partial", functools.partial(old.__setstate__, state))
    old.__setstate__((function, new.args, dict(new.keywords), dict(new.__dict__) or None))
    return merger.take(old, new)


def _partialmethod(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two partial methods; the old one calls what the new one calls."""
    function = merger.merge(old.func, new.func)
    merger.journal.record("a partial method", functools.partial(_refill, old.__dict__, dict(old.__dict__)))
    old.func, old.args, old.keywords = function, new.args, new.keywords
    return merger.take(old, new)


def _dispatcher(merger: Merger, old: Any, new: Any) -> Any:
    """Merge two methods with single dispatch; the live one dispatches by the new registry."""
    merger.merge(old.func, new.func)
    merger.merge(old.dispatcher, new.dispatcher)
    merger.journal.record("a dispatcher", functools.partial(_refill, old.__dict__, dict(old.__dict__)))
    old.__dict__.update(new.__dict__)
    return merger.take(old, new)


def _refill(space: dict[str, Any], before: dict[str, Any]) -> None:
    space.clear()
    space.update(before)


HANDLERS: dict[type, Handler] = {
    types.FunctionType: Merger.function,
    type: Merger.class_,
    staticmethod: _around,
    classmethod: _around,
    property: _property,
    functools.cached_property: _cached_property,
    functools.partial: _partial,
    functools.partialmethod: _partialmethod,
    functools.singledispatchmethod: _dispatcher,
    CACHE: _lru_cache,
}
