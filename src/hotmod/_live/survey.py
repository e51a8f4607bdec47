"""What still refers to objects of an earlier version, and from where.

Touches: nothing; reads module namespaces, and the heap once when classes were replaced.

Guarantees: at most one pass over the heap, whatever the number of replaced classes; references held by
hotmod itself do not count.
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.state import instance_dict

__all__ = ["definitions_in", "holders_of", "instances_of", "name_holders"]

SHOWN = 3
DEPTH = 4


def name_holders(targets: Collection[int], skip: Collection[str]) -> dict[int, list[tuple[str, str]]]:
    """(module, name) of every module-level name that holds one of some objects, by the object's id.

    Args:
        targets: ids of the objects.
        skip: names of modules that need not be looked at.
    """
    found: dict[int, list[tuple[str, str]]] = {}
    for module_name, module in list(sys.modules.items()):
        if module_name in skip or not isinstance(module, types.ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if id(value) in targets:
                found.setdefault(id(value), []).append((module_name, name))
    return found


def instances_of(classes: Mapping[int, type], ignore: Collection[int]) -> dict[int, list[object]]:
    """Live instances of some classes by the class's id, in one pass over the heap.

    Args:
        classes: the classes by id.
        ignore: ids of instances that don't count.
    """
    found: dict[int, list[object]] = {}
    for value in gc.get_objects():
        kind = id(type(value))
        if kind in classes and id(value) not in ignore:
            found.setdefault(kind, []).append(value)
    return found


def holders_of(value: object, ours: Collection[int]) -> list[str]:
    """Paths such as `app.CACHE['cfg']` from module-level names to an object; at most three.

    Args:
        value: the object.
        ours: ids of containers that belong to hotmod and don't count.
    """
    names = {
        id(vars(module)): name
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType)
    }
    found = list(_frames_holding(value))
    seen = {id(value), *ours}
    level: list[tuple[Any, str]] = [(value, "")]
    for _ in range(DEPTH):
        above: list[tuple[Any, str]] = []
        for target, path in level:
            for holder in gc.get_referrers(target):
                if id(holder) in seen or isinstance(holder, types.FrameType) or holder is level:
                    continue
                for step in _steps(holder, target):
                    if id(holder) in names:
                        found.append(f"{names[id(holder)]}.{step[1]}{path}")
                    else:
                        seen.add(id(holder))
                        above.append((holder, f"{step[0]}{path}"))
                if len(found) >= SHOWN:
                    return found[:SHOWN]
        level = above[:50]
    return found[:SHOWN]


def _steps(holder: Any, target: object) -> Iterator[tuple[str, str]]:
    """How a container refers to an object: as an item of it, and as a name in it."""
    kind = type(holder)
    if kind is dict:
        for key, item in list(dict.items(holder)):
            if item is target:
                text = repr(key) if type(key) in (str, int, bytes) else f"<{type(key).__name__}>"
                yield f"[{text}]", str(key)
                return
    elif kind in (list, tuple):
        for index, item in enumerate(holder):
            if item is target:
                yield f"[{index}]", ""
                return
    elif kind in (set, frozenset):
        yield "{...}", ""
    else:
        for name, item in (instance_dict(holder) or {}).items():
            if item is target:
                yield f".{name}", name
                return


def _frames_holding(value: object) -> Iterator[str]:
    """Local variables of running functions that hold an object; the heap does not show those."""
    for frame in sys._current_frames().values():  # noqa: SLF001 - documented
        step: types.FrameType | None = frame
        while step is not None:
            own = step.f_globals.get("__name__", "")
            if not str(own).startswith("hotmod."):
                for name, item in list(step.f_locals.items()) if step.f_locals is not step.f_globals else ():
                    if item is value:
                        yield f"{name} in {step.f_code.co_qualname}() ({own}:{step.f_lineno})"
            step = step.f_back


def definitions_in(spaces: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str, Any]]:
    """(module, name, object) of the functions and classes that modules define at top level."""
    for module, space in spaces.items():
        for name, value in space.items():
            if isinstance(value, type):
                if type.__getattribute__(value, "__module__") == module:
                    yield module, name, value
            elif isinstance(value, types.FunctionType) and value.__module__ == module:
                yield module, name, value
