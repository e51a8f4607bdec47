"""Code objects that containers hold, beside the functions that run them: registries of code.

A set of code objects to be left out of tracebacks, a table of what belongs to which code: when the function
gets new code, they get it too.

Touches: builtin containers, attributes of instances and classes, closure cells; as `calls` are made.

Guarantees: nothing is changed by finding. Each call that `calls` gives is one in C. Never calls code of the
subject.

Assumes: numbers under a code object are what was measured of it (a profile, a count): they stay with the
code that was measured. Everything else in a dictionary is taken to be about the function.
"""

from __future__ import annotations

import collections
import functools
import gc
import sys
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.aliases import translated
from hotmod._live.classes import own_dict
from hotmod._live.state import instance_dict
from hotmod._live.takeback import contents

__all__ = ["Held", "calls", "codes_held", "find", "remember", "resting"]

_CHUNK = 256
_PACKED = frozenset((tuple, frozenset, dict))  # of which the collector does not know those without containers
_DEEP = 4
_NO_HOLDERS = frozenset(
    (
        *(types.FunctionType, types.FrameType, types.TracebackType, types.CodeType, weakref.ref),
        *(types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, tuple, frozenset),
    )
)
_GENERATORS = {
    types.GeneratorType: ("gi_code", "gi_frame", "gi_running"),
    types.CoroutineType: ("cr_code", "cr_frame", "cr_running"),
    types.AsyncGeneratorType: ("ag_code", "ag_frame", "ag_running"),
}


class Held:
    """A container that can't be referred to weakly; dropped when nobody else refers to it any more."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self) -> Any:
        """The container; None, and let go, if it is only held here."""
        if sys.getrefcount(self._value) <= _ONLY_HERE:
            self._value = None
        return self._value


def _references_here() -> int:
    held = Held([])
    return sys.getrefcount(held._value)  # noqa: SLF001 - asked as above


_ONLY_HERE = _references_here()


def remember(holder: Any) -> Callable[[], Any]:
    """What leads to a holder for as long as somebody else holds it."""
    try:
        return weakref.ref(holder)
    except TypeError:
        return Held(holder)


def find(objects: Iterable[Any], wanted: Collection[int]) -> list[Any]:
    """Everything that holds one of some code objects, itself or in tuples.

    Args:
        objects: what the collector knows.
        wanted: ids of code objects.
    """
    found: dict[int, Any] = {}
    listed = [
        each
        for each in objects
        # what a module refers to is found by way of its dictionary; some never end (CPython 3.12.1)
        if type(each) not in _NO_HOLDERS and not issubclass(type(each), types.ModuleType)
    ]
    classes = [each for each in listed if issubclass(type(each), type)]
    for cls in classes:
        if any(id(code) in wanted for code in codes_held([cls])):
            found[id(cls)] = cls
    spaces = {id(each) for cls in found.values() for each in gc.get_referents(cls)}
    for start in range(0, len(listed), _CHUNK):
        chunk = listed[start : start + _CHUNK]
        if not _leads_to(chunk, wanted):
            continue
        for each in chunk:
            for holder in (each, *_untracked(each)):
                if id(holder) not in spaces and any(id(code) in wanted for code in codes_held([holder])):
                    found[id(holder)] = holder
    return list(found.values())


def _leads_to(chunk: list[Any], wanted: Collection[int]) -> bool:
    ids = frozenset(wanted)
    parts = gc.get_referents(*chunk)
    for _ in range(_DEEP):
        if not ids.isdisjoint(map(id, parts)):
            return True
        packed = {
            id(each): each
            for each in parts
            if type(each) in _PACKED and (type(each) is not dict or not gc.is_tracked(each))
        }
        if not packed:
            return False
        parts = gc.get_referents(*packed.values())
    return False


def _untracked(value: Any) -> list[Any]:
    """The dictionaries that an object refers to and that the collector does not list."""
    return [each for each in gc.get_referents(value) if type(each) is dict and not gc.is_tracked(each)]


def _slots(holder: Any) -> Iterator[Any]:
    """What an object holds as a container, class, cell or instance."""
    kind = type(holder)
    if kind is types.CellType:
        try:
            yield holder.cell_contents
        except ValueError:  # an empty cell
            return
    elif issubclass(kind, type):
        yield from list(own_dict(holder).values())
    else:
        found = contents(holder)
        if found is None:
            found = list((instance_dict(holder) or {}).values())
        yield from found


def codes_held(holders: Iterable[Any]) -> Iterator[types.CodeType]:
    """The code objects in some holders, once for each reference, those in tuples included."""
    seen: set[int] = set()
    for holder in holders:
        is_dict = issubclass(type(holder), dict)
        left = [part for slot in _slots(holder) for part in (slot if is_dict else (slot,))]
        if issubclass(type(holder), collections.OrderedDict):
            left += dict.keys(holder)  # which its linked list holds as well
        for _ in range(_DEEP):
            inner: list[Any] = []
            for each in left:
                kind = type(each)
                if kind is types.CodeType:
                    yield each
                elif (kind is tuple or kind is frozenset) and id(each) not in seen:
                    seen.add(id(each))
                    inner += each
            left = inner


def resting(objects: Iterable[Any]) -> Iterator[types.CodeType]:
    """The code of calls that are suspended or over, once for each reference that they count."""
    suspended: set[int] = set()
    frames = []
    for each in objects:
        kind = type(each)
        if kind in _GENERATORS:
            code, frame, running = (getattr(each, name) for name in _GENERATORS[kind])
            if frame is not None:
                suspended.add(id(frame))
                yield from [code] * (_PER_GENERATOR - bool(running))
        elif kind is types.FrameType:
            frames.append(each)
    left = list(sys._current_frames().values())  # noqa: SLF001 - the calls under way are not at rest
    while left:
        frame = left.pop()
        suspended.add(id(frame))
        left += [frame.f_back] if frame.f_back is not None else []
    yield from (frame.f_code for frame in frames if id(frame) not in suspended)


def _references_of_a_generator() -> int:
    def probe() -> Iterator[None]:
        yield

    before = sys.getrefcount(probe.__code__)
    generator = probe()
    count = sys.getrefcount(probe.__code__) - before
    generator.close()  # type: ignore[attr-defined]
    return count


_PER_GENERATOR = _references_of_a_generator()


def calls(holders: Iterable[Any], kept: Mapping[int, types.CodeType]) -> list[Callable[[], object]]:
    """What exchanges code objects in some holders.

    Args:
        holders: as `find` gives them.
        kept: what takes the place of a code object, by its id.
    """
    return [call for holder in holders for call in _exchanged(holder, kept)]


def _exchanged(holder: Any, kept: Mapping[int, types.CodeType]) -> Iterator[Callable[[], object]]:
    kind = type(holder)
    bound = functools.partial
    if kind is types.CellType:
        for value in _slots(holder):
            new = translated(value, kept)
            if new is not value:
                yield bound(setattr, holder, "cell_contents", new)
    elif issubclass(kind, type):
        for name, value in list(own_dict(holder).items()):
            new = translated(value, kept) if type(value) in _EXCHANGED else value
            if new is not value:
                yield bound(type.__setattr__, holder, name, new)
    elif issubclass(kind, set):
        for value in set.__iter__(holder):
            new = translated(value, kept) if type(value) in _EXCHANGED else value
            if new is not value:
                yield bound(set.discard, holder, value)
                yield bound(set.add, holder, new)
    elif issubclass(kind, (list, collections.deque)):
        base: Any = list if issubclass(kind, list) else collections.deque
        for index, value in enumerate(base.__iter__(holder)):
            new = translated(value, kept) if type(value) in _EXCHANGED else value
            if new is not value:
                yield bound(base.__setitem__, holder, index, new)
    else:
        yield from _exchanged_in_dict(holder if issubclass(kind, dict) else instance_dict(holder) or {}, kept)


_EXCHANGED = frozenset((types.CodeType, tuple, frozenset))


def _exchanged_in_dict(
    holder: dict[Any, Any], kept: Mapping[int, types.CodeType]
) -> Iterator[Callable[[], object]]:
    base: Any = collections.OrderedDict if issubclass(type(holder), collections.OrderedDict) else dict
    before = list(dict.items(holder))
    after = [
        (
            translated(key, kept) if type(key) in _EXCHANGED and not _is_measured(value) else key,
            translated(value, kept) if type(value) in _EXCHANGED else value,
        )
        for key, value in before
    ]
    if any(old[0] is not new[0] for old, new in zip(before, after, strict=True)):
        yield functools.partial(base.clear, holder)
        yield functools.partial(base.update, holder, after)
        return
    for (key, value), (_, new) in zip(before, after, strict=True):
        if new is not value:
            yield functools.partial(base.__setitem__, holder, key, new)


def _is_measured(value: Any, depth: int = _DEEP) -> bool:
    """Whether a value is a number, or a container of nothing else."""
    kind = type(value)
    if kind in (int, float, complex):
        return True
    parts = list(value) if kind is tuple else contents(value)
    if not parts or not depth:
        return False
    if issubclass(kind, dict):
        parts = [part for _, part in parts]
    return all(_is_measured(part, depth - 1) for part in parts)
