"""Functions that no name leads to: closures made earlier, callbacks that others hold.

Touches: functions, through the journal; reads the heap once.

Guarantees: a function gets new code only if it is plain which code is its successor and the language
allows it; all others are counted.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import inspect
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live import functions as code_of
from hotmod._live.journal import Journal

__all__ = ["Refreshed", "codes_in", "refresh"]


def codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and all that are nested in it."""
    todo = [code]
    while todo:
        one = todo.pop()
        yield one
        todo += [const for const in one.co_consts if isinstance(const, types.CodeType)]


@dataclasses.dataclass(frozen=True, slots=True)
class Refreshed:
    """What a pass over the heap did.

    Attributes:
        patched: the functions whose program changed, as `module:qualname`.
        lost: functions of the modules that ran which could not follow.
        current: ids of the code objects that are in force.
        moved: the wanted instances that were moved, with the class that each had.
        kept: the wanted instances that could not be moved, with their class.
    """

    patched: tuple[str, ...]
    lost: list[types.FunctionType]
    current: set[int]
    moved: list[tuple[Any, type]]
    kept: list[tuple[Any, type]]


def refresh(
    journal: Journal,
    fresh: Iterable[types.CodeType],
    spaces: Mapping[str, dict[str, Any]],
    moved: Mapping[int, type],
    wanted: Collection[int] = (),
    superseded: Collection[types.CodeType] | None = None,
) -> Refreshed:
    """Give every function that still has old code the new code of its place in the source.

    Args:
        journal: where the changes are noted.
        fresh: the code of the modules that ran.
        spaces: their namespaces by file.
        moved: the class that instances belong to from now on, by the id of the class that they have.
        wanted: ids of the classes of which it matters who was moved, and who could not be.
        superseded: all code that the modules ran before, if it is known. A few code objects lead to their
            functions much faster than a walk over the heap.
    """
    current: set[int] = set()
    places: dict[tuple[str, str], list[types.CodeType]] = {}
    for code in fresh:
        for one in codes_in(code):
            current.add(id(one))
            if not one.co_flags & inspect.CO_OPTIMIZED:
                continue  # a module or class body: CPython wraps it in a function while it runs
            places.setdefault((one.co_filename, one.co_qualname), []).append(one)
    done, left = [], []
    instances: list[tuple[Any, type]] = []
    kept: list[tuple[Any, type]] = []
    kinds = moved.keys() | set(wanted)
    stuck: set[int] = set()
    for value in [each for each in gc.get_objects() if id(type(each)) in kinds] if kinds else ():
        kind = type(value)
        went = id(kind) in moved.keys() - stuck and _move(journal, value, moved[id(kind)])
        if not went:
            stuck.add(id(kind))  # the others are laid out like this one
        if id(kind) in wanted:
            (instances if went else kept).append((value, kind))
    for value in _functions(superseded, current):
        old = value.__code__
        if (
            id(old) in current
            or not old.co_flags & inspect.CO_OPTIMIZED
            or value.__globals__ is not spaces.get(old.co_filename)
            or code_of.is_forwarding(old)
        ):
            continue
        new = _successor(old, places.get((old.co_filename, old.co_qualname), ()))
        if new is None:
            left.append(value)
            continue
        if not code_of.same_code(old, new):
            done.append(f"{value.__module__}:{value.__qualname__}")
        code_of.replace_code(journal, value, new)
    return Refreshed(tuple(done), left, current, instances, kept)


_FEW = 100  # code objects whose referrers are looked up together


def _functions(
    superseded: Collection[types.CodeType] | None, current: Collection[int]
) -> list[types.FunctionType]:
    """The functions among which those with old code are to be found."""
    old = None if superseded is None else [code for code in superseded if id(code) not in current]
    walk = old is None or len(old) > _FEW
    found = gc.get_objects() if walk else gc.get_referrers(*old or ())
    return [each for each in found if type(each) is types.FunctionType]


def _move(journal: Journal, value: object, cls: type) -> bool:
    """Let an instance belong to another class where its layout allows it; says whether it did."""
    back = functools.partial(object.__setattr__, value, "__class__", type(value))
    journal.record("class of an instance", back)
    try:
        object.__setattr__(value, "__class__", cls)  # also where the class forbids assignment (frozen)
    except TypeError:
        return False
    return True


def _successor(old: types.CodeType, candidates: Collection[types.CodeType]) -> types.CodeType | None:
    """The new code of the same place; None when there is none, or none that can be told from the others."""
    if len(candidates) > 1:
        same = [code for code in candidates if code_of.same_code(old, code)]
        named = [code for code in candidates if _signature(code) == _signature(old)]
        candidates = same[:1] or (named if len(named) == 1 else ())
    for code in candidates:
        return code if code_of.fits(old, code) is None else None
    return None


def _signature(code: types.CodeType) -> tuple[Any, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[:count], code.co_argcount, code.co_posonlyargcount
