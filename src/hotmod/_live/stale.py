"""What no name leads to: closures made earlier, callbacks that others hold, caches, instances.

Touches: functions, caches of functions and classes of instances, through the journal.

Guarantees: a function gets new code only if it is plain which code is its successor and the language
allows it; all others are counted.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import inspect
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hotmod._live import functions as code_of
from hotmod._live.heap import CACHE, Heap
from hotmod._live.journal import Journal

__all__ = ["Refreshed", "codes_gone", "codes_in", "move", "refresh", "signature"]


def codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and all that are nested in it."""
    todo = [code]
    while todo:
        one = todo.pop()
        yield one
        todo += [const for const in one.co_consts if type(const) is types.CodeType]


def codes_gone(old: types.CodeType, new: types.CodeType) -> Iterator[types.CodeType]:
    """The code objects nested in `old` that are another program than those of their name in `new`."""
    current: dict[str, list[types.CodeType]] = {}
    for code in codes_in(new):
        current.setdefault(code.co_qualname, []).append(code)
    for code in codes_in(old):
        if not any(code_of.same_code(code, one) for one in current.get(code.co_qualname, ())):
            yield code


@dataclasses.dataclass(frozen=True, slots=True)
class Refreshed:
    """What a pass over the heap did.

    Attributes:
        patched: the functions whose program changed, as `module:qualname`.
        lost: functions of the modules that ran which could not follow.
        current: ids of the code objects that are in force.
        cleared: the caches that were cleared, as they are reported.
    """

    patched: tuple[str, ...]
    lost: list[types.FunctionType]
    current: set[int]
    cleared: tuple[str, ...]


def refresh(
    journal: Journal,
    heap: Heap,
    fresh: Iterable[types.CodeType],
    spaces: Mapping[str, dict[str, Any]],
    changed: Sequence[types.FunctionType],
    superseded: Collection[types.CodeType] | None = None,
) -> Refreshed:
    """Give every function that still has old code the new code of its place in the source.

    Args:
        journal: where the changes are noted.
        heap: where they are looked for.
        fresh: the code of the modules that ran.
        spaces: their namespaces by file.
        changed: the functions of before that were changed already, because a name leads to them.
        superseded: all code that the modules ran before, if it is known. A few code objects lead to their
            functions much faster than a walk over the heap.
    """
    current: set[int] = set()
    places: dict[tuple[str, str], list[types.CodeType]] = {}
    for code in fresh:
        for one in codes_in(code):
            current.add(id(one))
            if one.co_flags & inspect.CO_OPTIMIZED:  # no body of a module or class
                places.setdefault((one.co_filename, one.co_qualname), []).append(one)
    targets = None if superseded is None else [*_old(superseded, current), *changed]
    found = heap.functions(targets)
    named: list[str] = []
    left: list[types.FunctionType] = []
    followed: list[types.FunctionType] = []
    for value in [one for one in found if type(one) is types.FunctionType]:
        old = value.__code__
        if (
            id(old) in current
            or not old.co_flags & inspect.CO_OPTIMIZED  # a body, in a function while it runs
            or value.__globals__ is not spaces.get(old.co_filename)
            or code_of.is_forwarding(old)
        ):
            continue
        new = _successor(old, places.get((old.co_filename, old.co_qualname), ()))
        if new is None:
            left.append(value)
            continue
        if not code_of.same_code(old, new):
            named.append(f"{value.__module__}:{value.__qualname__}")
        code_of.replace_code(journal, value, new)
        followed.append(value)
    if followed and targets is not None:
        found += heap.functions(followed)
    caches = [one for one in found if type(one) is CACHE]
    cleared = _clear(journal, caches, {id(each) for each in (*changed, *followed)})
    return Refreshed(tuple(named), left, current, cleared)


def _old(superseded: Iterable[types.CodeType], current: Collection[int]) -> list[types.CodeType]:
    return [code for code in superseded if id(code) not in current and code.co_flags & inspect.CO_OPTIMIZED]


def _clear(journal: Journal, caches: Iterable[Any], changed: Collection[int]) -> tuple[str, ...]:
    """Forget what caches around changed functions have cached, whoever made them."""
    cleared = []
    for cache in caches:
        if cache.cache_info().currsize and any(id(part) in changed for part in gc.get_referents(cache)):
            journal.record("cache of a function", cache.cache_clear)
            cache.cache_clear()
            cleared.append(f"{cache.__module__}:{cache.__qualname__} (cache)")
    return tuple(sorted(set(cleared)))


def move(
    journal: Journal, heap: Heap, moved: Mapping[int, type], wanted: Collection[type]
) -> tuple[list[tuple[Any, type]], list[tuple[Any, type]]]:
    """Let instances belong to other classes.

    Args:
        journal: where the changes are noted.
        heap: where they are looked for.
        moved: the class that instances belong to from now on, by the id of the class that they have.
        wanted: the classes of which it matters who was moved, and who could not be.

    Returns:
        The wanted instances that were moved, with the class that each had, and those that could not be.
    """
    went: list[tuple[Any, type]] = []
    kept: list[tuple[Any, type]] = []
    matter = set(map(id, wanted))
    stuck: set[int] = set()
    for value in heap.instances(moved.keys() | matter) + heap.untracked(wanted):
        kind = type(value)
        can = id(kind) in moved and id(kind) not in stuck and _move(journal, value, moved[id(kind)])
        if not can:
            stuck.add(id(kind))  # the others are laid out like this one
        if id(kind) in matter:
            (went if can else kept).append((value, kind))
    return went, kept


def _move(journal: Journal, value: object, cls: type) -> bool:
    """Let an instance belong to another class where its layout allows it; says whether it did."""
    journal.record("class of an instance", functools.partial(_set_class, value, type(value)))
    try:
        _set_class(value, cls)
    except TypeError:
        return False
    return True


def _set_class(value: object, cls: type) -> None:
    if type(value) is not cls:  # the undo of what failed finds nothing to do
        object.__setattr__(value, "__class__", cls)  # also where the class forbids assignment (frozen)


def _successor(old: types.CodeType, candidates: Collection[types.CodeType]) -> types.CodeType | None:
    """The new code of the same place; None when there is none, or none that can be told from the others."""
    if len(candidates) > 1:
        same = [code for code in candidates if code_of.same_code(old, code)]
        named = [code for code in candidates if signature(code) == signature(old)]
        candidates = same[:1] or (named if len(named) == 1 else ())
    for code in candidates:
        return code if code_of.fits(old, code) is None else None
    return None


def signature(code: types.CodeType) -> tuple[Any, ...]:
    """The parameters of a function by name, and how many of them are positional."""
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[:count], code.co_argcount, code.co_posonlyargcount
