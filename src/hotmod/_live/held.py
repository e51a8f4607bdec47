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
import itertools
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.aliases import translated
from hotmod._live.classes import own_dict
from hotmod._live.heap import identity
from hotmod._live.state import instance_dict
from hotmod._live.takeback import contents

__all__ = ["CALLS", "Held", "calls", "codes_held", "find", "let_go", "remember", "resting"]

_CHUNK = 256
_CODE = frozenset((types.CodeType,))
_PACKED = frozenset((tuple, frozenset, dict))  # of which the collector does not know those without containers
_DEEP = 4
_NO_HOLDERS = frozenset(
    (
        *(types.FunctionType, types.FrameType, types.TracebackType, types.CodeType, weakref.ref),
        *(types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType),
    )
)
_GENERATORS = {
    types.GeneratorType: ("gi_code", "gi_frame", "gi_running"),
    types.CoroutineType: ("cr_code", "cr_frame", "cr_running"),
    types.AsyncGeneratorType: ("ag_code", "ag_frame", "ag_running"),
}

CALLS = frozenset((*_GENERATORS, types.FrameType))
_PARTS = frozenset((tuple, frozenset))  # what these hold belongs to whoever holds them


class Held:
    """A container that can't be referred to weakly; dropped when nobody else refers to it any more."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: Any) -> None:
        self._value = value

    def is_of(self, value: Any) -> bool:
        """Whether it leads to that container."""
        return self._value is value

    def __call__(self) -> Any:
        """The container; None, and let go, if it is only held here."""
        if sys.getrefcount(self._value) <= _ONLY_HERE:
            self._value = None
        return self._value


def _references_here() -> int:
    held = Held([])
    return sys.getrefcount(held._value)  # noqa: SLF001 - asked as above


_ONLY_HERE = _references_here()


# by identity; each container is held here once at most, as two would keep it alive for each other
_HELD: weakref.WeakValueDictionary[int, Held] = weakref.WeakValueDictionary()


def remember(holder: Any) -> Callable[[], Any]:
    """What leads to a holder for as long as somebody else holds it."""
    try:
        return weakref.ref(holder)
    except TypeError:
        known = _HELD.get(identity(holder))
        if known is None or not known.is_of(holder):
            known = _HELD[identity(holder)] = Held(holder)
        return known


def let_go() -> None:
    """Let go of the containers that nobody else holds any more, whichever module's code they held."""
    for each in list(_HELD.values()):
        each()


def find(objects: list[Any], wanted: Mapping[int, int], known: Iterable[Any] = ()) -> list[Any]:
    """Everything that holds one of some code objects, itself or in tuples.

    The search ends when every reference is accounted for. It begins at the end of the list: what holds code
    is seldom older than the code.

    Args:
        objects: what the collector knows.
        wanted: how many references to look for, by the id of the code object.
        known: holders whose references are accounted for already.
    """
    found = dict[int, Any]()
    search = _Search(wanted, known)
    # what a module refers to is found by way of its dictionary; some never end (CPython 3.12.1)
    passed = {
        kind for kind in set(map(type, objects)) if kind in _NO_HOLDERS or issubclass(kind, types.ModuleType)
    }
    for end in range(len(objects), 0, -_CHUNK):
        chunk = [each for each in objects[max(end - _CHUNK, 0) : end] if type(each) not in passed]
        if not _leads_to(chunk, wanted):
            continue
        for holder in (one for each in chunk for one in (each, *_untracked(each))):
            if type(holder) not in _PARTS and not issubclass(type(holder), type) and search.take(holder):
                owner = _class_of(holder)
                found[id(owner)] = owner
        del chunk, holder
        if search.is_over():
            break
    return list(found.values())


class _Search:
    """Which references to some code objects are accounted for.

    Args:
        wanted: how many references to look for, by the id of the code object.
        known: holders whose references are accounted for already.
    """

    def __init__(self, wanted: Mapping[int, int], known: Iterable[Any]) -> None:
        self._wanted = wanted
        self._left = dict[int, int]()
        self._seen = set[int]()
        self._packed = dict[int, Any]()  # tuples and frozen sets by their id
        self._uses = dict[int, int]()  # of those that lead to a code object, how often that was seen
        for each in known:
            self.take(each)
        self._left = dict(wanted)

    def take(self, holder: Any) -> bool:
        """Account for what a container holds; gives whether there was anything."""
        keys = _keys_of(holder)
        if not self._seen.isdisjoint(keys):
            return False
        self._seen |= keys
        return self._take(_held_by(holder), _DEEP)

    def _take(self, parts: Iterable[Any], depth: int) -> bool:
        found = False
        for each in parts:
            kind = type(each)
            if kind is types.CodeType:
                key = id(each)
                found |= key in self._wanted
                if key in self._left:
                    self._left[key] -= 1
                    if self._left[key] <= 0:
                        del self._left[key]
            elif kind in _PARTS and depth:
                key = id(each)
                if key not in self._packed:
                    self._packed[key] = each
                    if self._take(each, depth - 1):
                        self._uses[key] = 0
                if key in self._uses:
                    self._uses[key] += 1
                    found = True
        return found

    def is_over(self) -> bool:
        """Whether nobody else holds any of the code objects, or a tuple that leads to one."""
        if self._left:
            return False
        packed = list(map(self._packed.__getitem__, self._uses))
        counts = list(map(sys.getrefcount, packed))
        # besides those seen: what this object and the list of the heap hold
        return all(
            count <= _PER_TUPLE + uses + gc.is_tracked(each)
            for each, count, uses in zip(packed, counts, self._uses.values(), strict=True)
        )


def _class_of(holder: Any) -> Any:
    """The class whose namespace a dictionary is, or else the holder itself."""
    if type(holder) is dict and "__module__" in holder:
        for each in gc.get_referrers(holder):
            if issubclass(type(each), type) and identity(holder) in _spaces_of(each):
                return each
    return holder


def _spaces_of(cls: type) -> set[int]:
    """The identities of the dictionaries that a class refers to; one is its namespace."""
    return {identity(each) for each in gc.get_referents(cls) if type(each) is dict}


def _leads_to(chunk: list[Any], wanted: Mapping[int, int]) -> bool:
    parts = gc.get_referents(*chunk)
    for _ in range(_DEEP):
        codes = itertools.compress(parts, map(_CODE.__contains__, map(type, parts)))
        if not wanted.keys().isdisjoint(map(id, codes)):
            return True
        packed = itertools.compress(parts, map(_PACKED.__contains__, map(type, parts)))
        inner = {identity(each): each for each in packed if type(each) is not dict or not gc.is_tracked(each)}
        if not inner:
            return False
        parts = gc.get_referents(*inner.values())
    return False


def _untracked(value: Any) -> list[Any]:
    """The dictionaries that an object leads to, itself or by tuples, and that the collector does not list."""
    found: list[Any] = []
    left = [value]
    for _ in range(_DEEP):
        packed = [
            each for each in gc.get_referents(*left) if type(each) in _PACKED and not gc.is_tracked(each)
        ]
        found += [each for each in packed if type(each) is dict]
        left = packed
        if not left:
            break
    return found


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


def _keys_of(holder: Any) -> set[int]:
    """The identities of a holder and of what else holds the same references: an object has its dictionary."""
    kind = type(holder)
    if kind is types.CellType:
        return {identity(holder)}
    if issubclass(kind, type):
        return {identity(holder), *_spaces_of(holder)}
    return {identity(holder), identity(instance_dict(holder) or holder)}


def _held_by(holder: Any) -> list[Any]:
    """What a holder refers to; of dictionaries the keys as well."""
    if not issubclass(type(holder), dict):
        return list(_slots(holder))
    parts = [part for pair in _slots(holder) for part in pair]
    if issubclass(type(holder), collections.OrderedDict):
        parts += dict.keys(holder)  # which its linked list holds as well
    return parts


def codes_held(holders: Iterable[Any]) -> Iterator[types.CodeType]:
    """The code objects in some holders, once for each reference, those in tuples included."""
    seen: set[int] = set()
    for holder in holders:
        keys = _keys_of(holder)
        if not seen.isdisjoint(keys):
            continue
        seen |= keys
        left = _held_by(holder)
        for _ in range(_DEEP):
            inner: list[Any] = []
            for each in left:
                kind = type(each)
                if kind is types.CodeType:
                    yield each
                elif kind in _PARTS and identity(each) not in seen:
                    seen.add(identity(each))
                    inner += each
            left = inner


def resting(objects: Iterable[Any]) -> Iterator[types.CodeType]:
    """The code of calls that are suspended or over, once for each reference that they count.

    Args:
        objects: what the collector knows, or those of the kinds `CALLS`.
    """
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


def _references_of_a_tuple() -> int:
    search = _Search({}, ())
    search._packed[0] = (object(),)  # noqa: SLF001 - asked as `is_over` asks
    packed = list(map(search._packed.__getitem__, [0]))  # noqa: SLF001
    return list(map(sys.getrefcount, packed))[0]  # noqa: RUF015 - the same


_PER_TUPLE = _references_of_a_tuple()
