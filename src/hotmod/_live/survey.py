"""What still refers to objects of an earlier version, and from where.

Touches: nothing; reads module namespaces, the frames that run, and the heap.

Guarantees: the heap is passed over at most `DEPTH` times, however many objects are looked for, and not at
all when there are none. References held by hotmod itself do not count: a way that leads through an object
of hotmod's own ends there.

Assumes: what holds an object is at most `DEPTH` steps below a module or a local variable.
"""

from __future__ import annotations

import collections
import functools
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.functions import is_forwarding
from hotmod._live.heap import Heap, identity
from hotmod._live.homes import name_of, place_of
from hotmod._live.kinds import is_class, is_function, is_module, space_in
from hotmod._live.state import instance_dict

__all__ = ["definitions_in", "holders"]

SHOWN = 3
DEPTH = 6
MAX_HOLDERS = 2_000  # objects per step that are followed further
# They remember whatever passes through them.
_CACHES = frozenset(("abc", "_abc", "typing", "functools", "copyreg", "linecache", "weakref", "gc"))

Entry = tuple[int, str]  # the id of an object looked for, and the way from here to it


class _Node:
    """An object on the way, and what is reached through it; of a class of ours, so that it is no holder."""

    __slots__ = ("below", "one", "ways")

    def __init__(self, one: Any, ways: list[Entry], below: set[int]) -> None:
        self.one, self.ways, self.below = one, ways, below


class _Search:
    """One search, from the objects looked for upward to what names them."""

    def __init__(self, targets: Iterable[Any], heap: Heap) -> None:
        self.paths: dict[int, list[str]] = {}
        self._heap = heap
        self._level: dict[int, _Node] = {}
        self._names: dict[int, str] = {}
        for name, module in list(sys.modules.copy().items()):
            if is_module(module):
                self._names.setdefault(id(space_in(module)), name)
        for one in targets:
            self._level[id(one)] = _Node(one, [(id(one), "")], {id(one)})
        self._locals = _locals_of_frames()
        self._targets = frozenset(self._level)
        self._passed: dict[int, set[int]] = {}  # ids of the objects looked for that led to a holder already
        for key, node in self._level.items():
            if issubclass(type(node.one), type):
                for part in _own_parts(node.one):
                    self._passed.setdefault(id(part), set()).add(key)

    def run(self, depth: int) -> dict[int, list[str]]:
        self._in_frames()
        for _ in range(depth):
            self._level = {
                key: node for key, node in self._level.items() if not node.below <= self.paths.keys()
            }
            if not self._level:
                break
            above: dict[int, _Node] = {}
            for holder, held in self._heap.referrers({key: node.one for key, node in self._level.items()}):
                if type(holder) is types.FrameType or _is_ours(holder):
                    continue
                if id(holder) in self._names:
                    self._reached(holder, held)
                elif id(holder) not in self._targets:
                    self._climb(holder, held, above)
            for key, node in above.items():
                self._passed.setdefault(key, set()).update(node.below)
            # the nearest holders are enough: what is found already is not followed further
            further = [item for item in above.items() if not item[1].below <= self.paths.keys()]
            self._level = dict(further[:MAX_HOLDERS])
            self._in_frames()
        return self.paths

    def _reached(self, space: dict[Any, Any], held: list[Any]) -> None:
        """A module's namespace holds some of the objects of this step."""
        module = self._names[id(space)]
        if module in _CACHES or module.partition(".")[0] == "hotmod":
            return
        for item in held:
            names = [name for name, value in list(space.items()) if value is item]
            if names:
                self._tell(item, f"{module}.{names[0]}")

    def _tell(self, item: Any, start: str) -> None:
        node = self._level[id(item)]
        for target in node.below:
            self.paths.setdefault(target, [])
        for target, way in node.ways:
            if len(self.paths[target]) < SHOWN:
                self.paths[target].append(start + way)

    def _climb(self, holder: Any, held: list[Any], above: dict[int, _Node]) -> None:
        found = above.get(id(holder)) or _Node(holder, [], set())
        passed: AbstractSet[int] = self._passed.get(id(holder), frozenset())
        steps: dict[int, str] | None = None
        for item in held:
            node = self._level[id(item)]
            if node.below <= passed:
                continue
            leading = _through(holder, item)
            if leading is None:
                steps = _steps(holder, {id(one): one for one in held}) if steps is None else steps
                step = steps.get(id(item))
                leading = None if step is None else step.__add__
            if leading is None:
                continue
            ways = [(target, leading(way)) for target, way in node.ways[:SHOWN] if target not in passed]
            longer = [(target, way) for target, way in ways if way is not None]
            if longer:
                found.below |= node.below - passed
                found.ways += longer
        if found.below:
            above[id(holder)] = found

    def _in_frames(self) -> None:
        """Local variables of running functions are roots as well; the heap does not show them."""
        for key, place in self._locals.items():
            if key in self._level:
                self._tell(self._level[key].one, place)


def holders(targets: Iterable[Any], depth: int = DEPTH) -> dict[int, list[str]]:
    """Paths such as `app.CACHE['cfg']` that lead to some objects, the nearest three for each, by its id.

    An object that only hotmod refers to, or nobody, is not in the answer.

    Args:
        targets: the objects; nothing is searched when there are none.
        depth: after how many steps an object counts as not held.
    """
    targets = list(targets)
    with Heap() as heap:
        return _Search(targets, heap).run(depth) if targets else {}


def _is_ours(holder: Any) -> bool:
    """Whether an object is hotmod's: of a class of its own, or a step of a journal."""
    kind = type(holder)
    if kind is functools.partial:
        return _is_ours(holder.func)
    if kind is types.MethodType:
        return _is_ours(holder.__func__)
    named = kind in (types.FunctionType, types.BuiltinFunctionType)
    module = holder.__module__ if named else type.__getattribute__(kind, "__module__")
    return type(module) is str and module.partition(".")[0] == "hotmod"


def _through(holder: Any, item: object) -> Callable[[str], str | None] | None:
    """How a way goes on from a holder through a part of its own; None where that is told as a step."""
    if type(holder) is types.FunctionType and holder.__closure__ is item:
        return functools.partial(_through_cell, holder)
    if type(item) is dict and instance_dict(holder) is item:
        return functools.partial(re.sub, r"^\['(\w+)'\]", r".\1")
    return None


def _through_cell(function: types.FunctionType, way: str) -> str | None:
    if is_forwarding(function.__code__):
        return None  # its own code no longer runs
    place = re.match(r"\[(\d+)\]", way)
    name = function.__code__.co_freevars[int(place[1])] if place is not None else ""
    if place is None or name == "__class__":
        return None
    return f"({name} in {function.__qualname__}){way[place.end() :]}"


def _steps(holder: Any, held: Mapping[int, Any]) -> dict[int, str]:
    """How an object refers to others, given by id: as an item, an attribute, a cell; what counts of them."""
    kind = type(holder)
    if kind is types.CellType:
        return dict.fromkeys(held, "")
    if kind is types.FunctionType:
        own = id(holder.__globals__), id(holder.__code__)
        return {key: f".<{holder.__qualname__}>" for key in held if key not in own}
    if kind in (types.ModuleType, types.GetSetDescriptorType, types.MemberDescriptorType):
        return {}
    if issubclass(kind, (set, frozenset)):
        return dict.fromkeys(held, "{...}")
    ids = {identity(one): key for key, one in held.items()}
    if issubclass(kind, dict):
        pairs = list(dict.items(holder))
        keys = [(ids[at], f"[<{type(key).__name__}>]") for key, _ in pairs if (at := identity(key)) in ids]
        items = [(ids[at], _named(key)) for key, item in pairs if (at := identity(item)) in ids]
        return dict(reversed([*items, *keys]))  # of several places the first counts
    if issubclass(kind, (list, tuple, collections.deque)):
        listed = enumerate(list(holder))
        places = [(ids[at], f"[{index}]") for index, item in listed if (at := identity(item)) in ids]
        return dict(reversed(places))
    space = own_dict(holder) if issubclass(kind, type) else instance_dict(holder) or {}
    named_items = reversed(list(space.items()))
    named = {ids[at]: f".{name}" for name, item in named_items if (at := identity(item)) in ids}
    if issubclass(kind, type):  # `isinstance` would ask a proxy for its `__class__`
        return named
    return {key: named.get(key, f".<{kind.__name__}>") for key in held if held[key] is not kind}


def _named(key: object) -> str:
    return f"[{key!r}]" if type(key) in (str, int, bytes) else f"[<{type(key).__name__}>]"


def _own_parts(cls: type) -> Iterator[object]:
    """What refers to a class as a part of it: its order of resolution, and cells of its methods."""
    yield type.__dict__["__mro__"].__get__(cls)
    for value in own_dict(cls).values():
        bound = type(value) in (staticmethod, classmethod)
        function = value.__func__ if bound else value
        if type(function) is types.FunctionType:
            names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            yield from (cell for name, cell in names if name == "__class__")


def _locals_of_frames() -> dict[int, str]:
    """Where the local variables of running functions are, by the id of what they hold."""
    found: dict[int, str] = {}
    todo = list(sys._current_frames().values())  # noqa: SLF001 - documented
    # Not its own: a frame that refers to itself keeps all that its callers know until the collector comes.
    todo.remove(sys._getframe())  # noqa: SLF001
    todo.append(sys._getframe(1))  # noqa: SLF001
    while todo:
        step = todo.pop()
        own = str(step.f_globals.get("__name__", ""))
        if own.partition(".")[0] != "hotmod" and step.f_locals is not step.f_globals:
            for name, item in list(step.f_locals.items()):
                place = f"{name} in {step.f_code.co_qualname}() ({own}:{step.f_lineno})"
                found.setdefault(id(item), place)
        todo += [step.f_back] if step.f_back is not None else []
    return found


def definitions_in(spaces: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, Any]]:
    """(module, name, object) of the functions and classes that modules define at top level."""
    for module, space in spaces.items():
        for name, value in space.items():
            if is_class(value):
                if name_of(value)[0] == module:
                    yield module, name, value
            elif is_function(value) and place_of(value)[0] == module:
                yield module, name, value
