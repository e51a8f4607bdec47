"""Entries of `sys.modules`, the attributes that parents hold of their submodules, and linecache.

Touches: `sys.modules`, namespaces of parent packages, `linecache.cache`; through the journal.

Guarantees: an undone removal gives back the same module object under the same name and attribute, and the
order of `sys.modules`.
"""

from __future__ import annotations

import functools
import io
import linecache
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._live.journal import Journal, at_once
from hotmod._live.kinds import is_module, space_in, text_in

__all__ = ["children", "forget", "is_submodule", "pin_lines", "space_of", "watch_entries"]


def space_of(module: object) -> dict[str, Any]:
    """The namespace of an entry of `sys.modules`; empty for objects that are no module."""
    return space_in(module) if is_module(module) else {}


def is_submodule(package: str, name: str, value: object) -> bool:
    """Whether a value under a name of a package is its submodule, put there by the import system.

    Never asks the value: it may be any object.
    """
    return is_module(value) and text_in(space_in(value).get("__name__")) == f"{package}.{name}"


def children(package: str, names: Iterable[str]) -> dict[str, types.ModuleType]:
    """The loaded submodules of a package by attribute name."""
    prefix, found = f"{package}.", {}
    for name in names:
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            module = sys.modules.get(name)
            if is_module(module):
                found[name[len(prefix) :]] = module
    return found


def watch_entries(journal: Journal, owned: Callable[[str], bool]) -> dict[str, Any]:
    """Note the entries of `sys.modules` in scope, so that an undo restores exactly them, and their order."""
    everything = sys.modules.copy()
    order = list(everything)
    before: dict[str, Any] = {name: module for name, module in list(everything.items()) if owned(name)}

    def undo() -> None:
        for name in [name for name in list(sys.modules.copy()) if owned(name)]:
            if name not in before:
                del sys.modules[name]
        sys.modules.update(before)
        _put_in_order(order)

    journal.record("sys.modules", undo)
    return before


def _put_in_order(order: Iterable[str]) -> None:
    """Let the entries of `sys.modules` stand in an earlier order; those that came since stand last.

    An entry can only be moved by taking it out, so all moves are one step for other threads: an import finds
    every module at any time.
    """
    now = sys.modules.copy()
    wanted = dict.fromkeys([*(name for name in order if name in now), *now])
    moving = False
    calls: list[Callable[[], object]] = []
    for name, standing in zip(wanted, now, strict=True):
        moving = moving or name != standing
        if moving:
            calls.append(functools.partial(sys.modules.pop, name, None))
            calls.append(functools.partial(sys.modules.__setitem__, name, now[name]))
    at_once(calls)


def forget(journal: Journal, name: str) -> None:
    """Take a module out of `sys.modules` (`watch_entries` undoes it) and out of its parent's namespace."""
    module = sys.modules.pop(name, None)
    parent, _, attribute = name.rpartition(".")
    space = space_of(sys.modules.get(parent))
    if module is not None and space.get(attribute) is module:
        journal.record(f"{attribute} in {parent}", lambda: space.__setitem__(attribute, module))
        del space[attribute]


def pin_lines(journal: Journal | None, texts: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Let tracebacks and inspect show the running texts of some files, whatever is on disk by now.

    An entry without a modification time is one that `linecache.checkcache` leaves alone.

    Args:
        journal: where to note how the entries are put back; None for a change that stays.
        texts: by path, the text that runs now and the one that ran before, None where there is none. The
            latter is what an undo shows: the file may hold neither by then.
    """
    cache: dict[str, Any] = linecache.cache
    before = {path: cache.get(path) for path in texts}

    def undo() -> None:
        for path, (_, old) in texts.items():
            entry = before[path]
            if entry is None and old is None:
                cache.pop(path, None)
            else:
                cache[path] = entry if _is_pinned(entry) or old is None else _pin(path, old)

    if journal is not None:
        journal.record("linecache", undo)
    for path, (text, _) in texts.items():
        if text is None:
            cache.pop(path, None)
        else:
            cache[path] = _pin(path, text)


def _pin(path: str, text: str) -> tuple[int, None, list[str], str]:
    lines = io.StringIO(text).readlines()  # not splitlines(), which also breaks at form feeds
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return len(text), None, lines, path


def _is_pinned(entry: object) -> bool:
    return isinstance(entry, tuple) and len(entry) == 4 and entry[1] is None  # noqa: PLR2004 - linecache's own
