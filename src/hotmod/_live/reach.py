"""The live functions of a module's text: found by name, and proved to be all by counting references.

A function refers to its code object, and so do the constants of the code that makes it, and calls that
are under way; nobody else. So when all references to a code object are accounted for, no function that
runs it has been missed, and the heap need not be searched.

Touches: nothing; reads namespaces, reference counts, frames, and the heap where the counts do not add up.

Guarantees: the heap is passed over once at most, for all modules together. Never calls code of the subject.

Assumes: the live functions run the code objects of the trees given. After `gc.freeze()` the heap shows less.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import inspect
import sys
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from hotmod._live import held
from hotmod._live.classes import own_dict
from hotmod._live.functions import is_forwarding
from hotmod._live.heap import identity
from hotmod._live.homes import name_of
from hotmod._live.journal import saved_codes
from hotmod._live.stale import codes_in
from hotmod._live.state import instance_dict
from hotmod._live.takeback import size_of

__all__ = ["LRU", "Reach", "Running", "complete"]

MAX_FAR = 1_000  # objects other than definitions that are looked into before the heap is searched
MAX_SIZE = 1_000  # entries; a longer container is data, no registry
# Without a global lock calls that are under way count no reference.
_COUNTS_TELL = "free-threading" not in sys.version
LRU = type(functools.lru_cache(maxsize=1)(lambda: None))
_CALLING = frozenset((types.FunctionType, LRU, *held.CALLS))
_PLAIN = frozenset(
    [
        *(str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented)),
        *(types.ModuleType, types.CodeType, types.BuiltinFunctionType, types.WrapperDescriptorType, range),
        *(types.FrameType, types.TracebackType, types.GeneratorType, types.CoroutineType),
        *(types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodDescriptorType),
    ]
)


def _attributes(value: Any) -> Iterable[Any]:
    return list((instance_dict(value) or {}).values())


# What stands around functions, and how to get at what is in it.
_INSIDE: dict[type, Callable[[Any], Iterable[Any]]] = {
    staticmethod: lambda value: (value.__func__,),
    classmethod: lambda value: (value.__func__,),
    types.MethodType: lambda value: (value.__func__,),
    property: lambda value: (value.fget, value.fset, value.fdel),
    functools.partial: lambda value: (value.func, *value.args, *value.keywords.values()),
    functools.cached_property: _attributes,
    functools.partialmethod: _attributes,
    functools.singledispatchmethod: _attributes,
    LRU: _attributes,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """What is known of the code that a module runs.

    Attributes:
        trees: module code objects; every live function of the module runs code that is nested in one of
            them. If one is seen that does not, nothing is taken to be known.
        hidden: functions and caches that no name of the module leads to.
        holders: what leads to containers that hold code objects of the module.
    """

    trees: tuple[types.CodeType, ...]
    hidden: tuple[weakref.ref[Any], ...] = ()
    holders: tuple[Callable[[], Any], ...] = ()


class Reach:
    """The live functions of one module, as far as they were found.

    Attributes:
        functions: those whose globals are the module's namespace, whatever code they run.
        wrappers: what stands around functions: properties, caches, functions with `__wrapped__`, ...
        classes: the classes of the module.
        holders: containers that hold code objects of the module.
    """

    def __init__(self, name: str, space: dict[str, Any], running: Running | None) -> None:
        self.name, self.space, self.running = name, space, running if _COUNTS_TELL else None
        self.functions: list[types.FunctionType] = []
        self.wrappers: list[Any] = []
        self.classes: list[type] = []
        known = [ref() for ref in running.holders] if running is not None else []
        self.holders: list[Any] = [each for each in known if each is not None]
        self._foreign: list[types.FunctionType] = []  # with other globals: they are not the module's
        self._seen: dict[int, Any] = {identity(space): space}
        self._near = collections.deque(list(space.values()))
        self._far: collections.deque[Any] = collections.deque()
        self._walk()
        self._named = set(self._seen)
        for ref in running.hidden if running is not None else ():
            self.add(ref())
        if not self._is_known():
            self.running = None

    def add(self, value: Any) -> None:
        """Take in a function or a cache that was found in another way."""
        self._near.append(value)
        self._walk()

    def _is_known(self) -> bool:
        """Whether the functions found run known code; if not, somebody else has run the module."""
        trees = self.running.trees if self.running is not None else ()
        known = {id(code) for tree in trees for code in codes_in(tree)}
        paths = {tree.co_filename for tree in trees}
        return all(
            id(code) in known or code.co_filename not in paths or is_forwarding(code)
            for code in (function.__code__ for function in self.functions)
        )

    @property
    def hidden(self) -> tuple[weakref.ref[Any], ...]:
        """What no name leads to, to be remembered."""
        caches = [each for each in self.wrappers if type(each) is LRU]
        return tuple(
            weakref.ref(each) for each in (*self.functions, *caches) if identity(each) not in self._named
        )

    def _walk(self) -> None:
        near, seen = self._near, self._seen
        while near:
            value = near.popleft()
            kind = type(value)
            if kind in _PLAIN or (key := identity(value)) in seen:
                continue
            seen[key] = value
            if kind is types.FunctionType:
                self._enter_function(value)
            elif issubclass(kind, type):
                module = name_of(value)[0]
                if type(module) is str and module == self.name:
                    self.classes.append(value)
                    near.extend(own_dict(value).values())
            elif kind in _INSIDE:
                self.wrappers.append(value)
                near.extend(_INSIDE[kind](value))
            else:
                self._far.append(value)

    def _enter_function(self, value: types.FunctionType) -> None:
        (self.functions if value.__globals__ is self.space else self._foreign).append(value)
        if value.__dict__:
            self.wrappers.append(value)
            self._near.extend(list(value.__dict__.values()))
        for cell in value.__closure__ or ():
            self._near.extend(_contents(cell))
        self._near.extend(value.__defaults__ or ())
        self._near.extend((value.__kwdefaults__ or {}).values())
        if sys.version_info >= (3, 14) and value.__annotate__ is not None:
            self._near.append(value.__annotate__)

    def look_further(self) -> None:
        """Look into other objects that the names of the module lead to, as decorators make them."""
        for _ in range(MAX_FAR):
            if not self._far:
                return
            value = self._far.popleft()
            if size_of(value) > MAX_SIZE or (type(value) is dict and "__builtins__" in value):
                continue  # data, or the namespace of another module
            known = len(self.functions)
            parts = gc.get_referents(value)
            if len(parts) <= 2 * MAX_SIZE:  # keys and values
                self._near.extend(parts)
                self._walk()
            if len(self.functions) > known and self.running is not None and not self.counted():
                return

    def counted(self) -> Mapping[int, int]:
        """How many references to the code of the module are unexplained, by the id of the code object."""
        return self._unexplained(self.running.trees) if self.running is not None else {}

    def held(self) -> Mapping[int, int]:
        """How many references are unexplained, by the id of the code object; more if it can't be told."""
        if not _COUNTS_TELL:
            return {id(function.__code__): sys.maxsize for function in self.functions}
        return self._unexplained(self.running.trees if self.running is not None else ())

    def _unexplained(self, trees: tuple[types.CodeType, ...]) -> dict[int, int]:
        codes, parents = _nested(trees or [function.__code__ for function in self.functions])
        for key in map(id, trees):  # no variable may refer to a code object when they are counted
            parents[key] += 1
        others = _others_calls()
        counts = list(map(sys.getrefcount, codes))
        excess = {
            id(code): count - _EXPECTED - parents[id(code)]
            for code, count in zip(codes, counts, strict=True)
            if count > _EXPECTED + parents[id(code)] and _is_held(code)
        }
        if not excess:
            return {}
        users = [function.__code__ for function in (*self.functions, *self._foreign)]
        users += held.codes_held(self.holders)
        users += saved_codes()
        users += _own_calls()
        # a call that was under way before and after the counting was under way in between
        users += [frame.f_code for key, frame in _others_calls().items() if key in others]
        for code in users:
            if id(code) in excess:
                excess[id(code)] -= 1
        return {key: count for key, count in excess.items() if count > 0}


def _nested(trees: Iterable[types.CodeType]) -> tuple[list[types.CodeType], dict[int, int]]:
    """Some code objects and all that are nested in them, each once; and how many constants each is, by id."""
    codes = list({id(code): code for code in trees}.values())
    parents = {id(code): 0 for code in codes}
    for code in codes:  # which grows
        for const in code.co_consts:
            if type(const) is types.CodeType:
                if id(const) not in parents:
                    parents[id(const)] = 0
                    codes.append(const)
                parents[id(const)] += 1
    return codes, parents


def _contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # an empty cell
        return ()


def _is_held(code: types.CodeType) -> bool:
    """Whether functions with this code live on: those of comprehensions and class bodies are called once."""
    named = not code.co_name.startswith("<") or code.co_name == "<lambda>"
    return named and bool(code.co_flags & inspect.CO_OPTIMIZED)


def _own_calls() -> list[types.CodeType]:
    """The code of the calls that are under way in this thread."""
    found, frame = [], sys._getframe()  # noqa: SLF001 - not to refer to frames longer than needed
    while frame.f_back is not None:
        frame = frame.f_back
        found.append(frame.f_code)
    return found


def _others_calls() -> dict[int, types.FrameType]:
    """The calls that are under way in other threads, by the id of their frame."""
    found: dict[int, types.FrameType] = {}
    todo = list(sys._current_frames().values())  # noqa: SLF001 - the only way to see what other threads run
    todo.remove(sys._getframe())  # noqa: SLF001 - a frame that refers to itself stays
    while todo:
        frame = todo.pop()
        found[id(frame)] = frame
        todo += [frame.f_back] if frame.f_back is not None else []
    return found


def _references() -> int:
    """What `sys.getrefcount` says, as asked above, of a code object that nobody else refers to."""
    tree = compile("def probe(): pass", "<hotmod>", "exec", dont_inherit=True)
    codes = [code for code in codes_in(tree) if code is not tree]
    return list(map(sys.getrefcount, codes))[0] - 1  # noqa: RUF015 - asked in the same way; but for the constants of the tree


_EXPECTED = _references()


def complete(reaches: Iterable[Reach]) -> None:
    """Find what the names did not lead to, where the counts do not add up or nothing can be counted."""
    held.let_go()
    reaches = list(reaches)
    spaces: dict[int, Reach] = {}
    codes: dict[int, Reach] = {}
    for reach in reaches:
        if reach.running is None:
            reach.look_further()
            spaces[identity(reach.space)] = reach
        elif reach.counted():
            reach.look_further()
            codes.update(dict.fromkeys(reach.counted(), reach))
    if not spaces and not codes:
        return
    objects = gc.get_objects()
    calling = [each for each in objects if type(each) in _CALLING]  # the one pass in Python over all of it
    for function, value in search(calling, spaces, codes):
        reach = codes.get(id(function.__code__)) or spaces[identity(function.__globals__)]
        reach.add(value)
    _find_holders(objects, calling, reaches)


def _find_holders(objects: list[Any], calling: list[Any], reaches: list[Reach]) -> None:
    """Find the containers that hold code objects, if anybody does but functions and calls."""
    left: dict[int, tuple[Reach, int]] = {}
    for reach in reaches:
        left.update({key: (reach, count) for key, count in reach.held().items()})
    for code in held.resting(calling) if left else ():
        if id(code) in left:
            reach, count = left[id(code)]
            left[id(code)] = reach, count - 1
    wanted = {key: count for key, (_, count) in left.items() if count > 0}
    known = [holder for reach in reaches for holder in reach.holders]
    for holder in held.find(objects, wanted, known) if wanted else ():
        of = {
            id(left[id(code)][0]): left[id(code)][0]
            for code in held.codes_held([holder])
            if id(code) in wanted
        }
        for one in of.values():
            one.holders.append(holder)


def search(
    objects: Iterable[Any], spaces: Collection[int], codes: Collection[int]
) -> list[tuple[types.FunctionType, Any]]:
    """All functions with one of these namespaces or of these code objects, and their caches.

    Args:
        objects: what the collector knows, or what of it may be called.
        spaces: the identities of namespaces.
        codes: ids of code objects.

    Returns:
        Each function, with itself or with the cache around it.
    """
    found = [each for each in objects if (kind := type(each)) is types.FunctionType or kind is LRU]
    inner = [each.__dict__.get("__wrapped__") if type(each) is LRU else each for each in found]
    return [
        (function, value)
        for function, value in zip(inner, found, strict=True)
        if type(function) is types.FunctionType
        # reading `__code__` is an audit event: not of every function there is, if that can be helped
        and (identity(function.__globals__) in spaces or (codes and id(function.__code__) in codes))
    ]
