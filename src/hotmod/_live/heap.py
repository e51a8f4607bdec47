"""The objects that the garbage collector knows, listed once, and the others that those refer to.

Touches: nothing; reads the heap.

Guarantees: the cost is linear in the heap and, beyond a few, does not depend on how many objects or classes
are asked for. No code of the subject runs.

Assumes: a heap serves one step of a transaction, and is left after it: what is made after the first
question is not in it, and all that is in it lives as long as the list.
"""

from __future__ import annotations

import functools
import gc
import itertools
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Self

from hotmod._live.classes import own_dict

__all__ = ["CACHE", "Heap", "identity"]

CACHE: Any = type(functools.lru_cache(maxsize=1)(lambda: None))
FEW = 200  # for so many the interpreter's own search, which asks for each of them, beats a list of the heap
# As good as `id`, and no audit event: in a program with an audit hook a call of `id` costs ten of these.
identity: Callable[[object], int] = object.__hash__
_CHUNK = 256
_HAVE_GC = 1 << 14  # in `__flags__`: the collector knows the instances
_mro_of = type.__dict__["__mro__"].__get__


class Heap:
    """One list of the objects that the collector knows, made when it is first needed; a context manager.

    The list holds this object as well, and whoever refers to it: unless it is dropped in the end, it keeps
    everything alive until the collector comes.
    """

    def __init__(self) -> None:
        self._objects: list[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._objects = None

    def _listed(self) -> list[Any]:
        if self._objects is None:
            self._objects = gc.get_objects()
        return self._objects

    def instances(self, kinds: Collection[int]) -> list[Any]:
        """The objects whose class is one of some, given by id, as far as the collector knows them."""
        if not kinds:
            return []
        listed = self._listed()
        types_of = list(map(type, listed))
        keys = list(map(identity, types_of))
        wanted = {key for key, cls in dict(zip(keys, types_of, strict=True)).items() if id(cls) in kinds}
        return list(itertools.compress(listed, map(wanted.__contains__, keys)))

    def untracked(self, classes: Collection[type]) -> list[Any]:
        """The instances of some classes that the collector does not know, but that others refer to."""
        kinds = {identity(cls) for cls in classes if _may_be_untracked(cls)}
        found: dict[int, Any] = {}
        for chunk in self._chunks() if kinds else ():
            parts = gc.get_referents(*chunk)
            if not kinds.isdisjoint(map(identity, map(type, parts))):
                found.update((id(one), one) for one in parts if identity(type(one)) in kinds)
        return [one for one in found.values() if not gc.is_tracked(one)]

    def functions(self, targets: Collection[Any] | None) -> list[Any]:
        """The functions and cached functions that refer to some objects; all of them for many or None."""
        found = self._listed() if targets is None or len(targets) > FEW else gc.get_referrers(*targets)
        return [one for one in found if (kind := type(one)) is types.FunctionType or kind is CACHE]

    def referrers(self, targets: Mapping[int, Any]) -> Iterator[tuple[Any, list[Any]]]:
        """Every object that refers to some of those given by id, with those."""
        few, wanted = len(targets) <= FEW, set(map(identity, targets.values()))
        for found in [gc.get_referrers(*targets.values())] if few else self._chunks():
            chunk = [one for one in found if one is not targets and one is not self._objects]
            if few:
                chunk = _without_modules(chunk)
            if wanted.isdisjoint(map(identity, gc.get_referents(*chunk))):
                continue
            for one in chunk:
                held = {key: part for part in gc.get_referents(one) if (key := identity(part)) in wanted}
                if held:
                    yield one, list(held.values())

    def _chunks(self) -> Iterator[list[Any]]:
        objects = self._listed()
        for start in range(0, len(objects), _CHUNK):
            yield _without_modules(objects[start : start + _CHUNK])


def _without_modules(objects: list[Any]) -> list[Any]:
    """On 3.12.1 get_referents never returns for _asyncio, whose module keeps freed objects.

    What modules refer to is found by way of their dictionaries. `isinstance` would ask a proxy for its
    `__class__`, which is code of the subject.
    """
    return [one for one in objects if not issubclass(type(one), types.ModuleType)]


def _may_be_untracked(cls: type) -> bool:
    """Whether a class has instances that the collector does not know: those that code in C makes may be such.

    A `msgspec.Struct` of numbers is one. The interpreter itself lets the collector know every instance of a
    class that has a body.
    """
    if not type.__dict__["__flags__"].__get__(cls) & _HAVE_GC:
        return True
    calls = (own_dict(base).get("__call__") for base in _mro_of(type(cls)))
    call = next(each for each in calls if type(each) is types.WrapperDescriptorType)
    makers = (own_dict(base).get("__new__") for base in _mro_of(cls))
    maker = next(each for each in makers if type(each) is types.BuiltinFunctionType)
    return call is not type.__dict__["__call__"] or maker.__self__.__module__ != "builtins"
