"""Names outside the executed modules that refer to objects inside them.

Touches: namespaces of modules that do not run again, of `__main__` and of a notebook; through the
journal.

Guarantees: a name is rebound only when it still holds the very object that the import gave it; what a
user bound by hand is left alone.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from hotmod._live.homes import name_of, place_of
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_definition
from hotmod._live.namespaces import set_name, unset_name

__all__ = ["ImportedName", "rebind_definitions", "rebind_imports", "replacements"]

_MISSING = object()


@dataclasses.dataclass(frozen=True, slots=True)
class ImportedName:
    """A name that an import statement outside the executed modules binds.

    Attributes:
        local: the name in the importer; empty for a star import.
        module: the module imported from.
        name: the name in that module; empty when the module itself is bound.
    """

    local: str
    module: str
    name: str


def rebind_imports(
    journal: Journal,
    importer: str,
    space: dict[str, Any],
    imported: Iterable[ImportedName],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> tuple[list[str], list[str]]:
    """Bind again what import statements bound, constants included.

    Args:
        journal: where the changes are noted.
        importer: the importer's name, for the report.
        space: its namespace.
        imported: what its import statements bind.
        before: namespaces of the executed modules before.
        after: the same now; a removed module is not in it.

    Returns:
        The names that were rebound, and those that were cleared because the module lost them.
    """
    rebound, cleared = [], []
    for item in _spelled_out(imported, before):
        old = before[item.module].get(item.name, _MISSING)
        new = after.get(item.module, {}).get(item.name, _MISSING)
        if old is _MISSING or old is new or space.get(item.local, _MISSING) is not old:
            continue
        if new is _MISSING:
            unset_name(journal, space, item.local, importer)
            cleared.append(f"{importer}:{item.local}")
        else:
            set_name(journal, space, item.local, new, importer)
            rebound.append(f"{importer}:{item.local}")
    return rebound, cleared


def _spelled_out(
    imported: Iterable[ImportedName], before: Mapping[str, Mapping[str, Any]]
) -> list[ImportedName]:
    """The from-imports of executed modules; star imports name by name."""
    found = []
    for item in imported:
        if item.module not in before:
            continue
        if item.local:
            found += [item] if item.name else []
            continue
        space = before[item.module]
        names = space.get("__all__") or [name for name in space if not name.startswith("_")]
        found += [ImportedName(name, item.module, name) for name in names if type(name) is str]
    return found


def rebind_definitions(
    journal: Journal,
    importer: str,
    space: dict[str, Any],
    replaced: Mapping[int, object],
    but: Container[str] = (),
) -> list[str]:
    """Bind names that hold a replaced object of its own identity to the new one.

    Args:
        journal: where the changes are noted.
        importer: the module's name, for the report.
        space: its namespace.
        replaced: id of an old object to the new one; see `replacements`.
        but: names that were bound anew just now, and are left alone.
    """
    rebound = []
    for name, value in list(space.items()):
        new = replaced.get(id(value), _MISSING)
        if new is not _MISSING and new is not value and name not in but:
            set_name(journal, space, name, new, importer)
            rebound.append(f"{importer}:{name}")
    return rebound


_SHARED = (str, bytes, int, float, complex, bool, type(None), tuple, frozenset, types.ModuleType)


def replacements(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    imports: Callable[[str, str], bool],
    staying: Container[int] = (),
) -> dict[int, object]:
    """Old object to new, for objects that stood under one name of one module before and after.

    Args:
        before: namespaces of the executed modules before.
        after: the same now.
        imports: whether a module got what a name held from elsewhere, so that it says nothing of the object.
        staying: ids of objects that stay under a name of their own.

    Values that Python shares between unrelated places (numbers, texts, tuples) are left out: that a name
    elsewhere holds the same one says nothing.
    """
    found: dict[int, object] = {}
    for module, space in before.items():
        now = after.get(module, {})
        for name, old in space.items():
            new = now.get(name, _MISSING)
            if (
                id(old) in staying
                or new is _MISSING
                or new is old
                or type(old) in _SHARED
                or name.startswith("__")
            ):
                continue
            interned = type.__getattribute__(type(old), "__module__") in _INTERNING
            if interned and not is_definition(old):
                continue
            if _is_made_in(module, old) if is_definition(old) else not imports(module, name):
                found.setdefault(id(old), new)
    return found


_INTERNING = ("typing", "types")  # `Dict[str, int]` is the same object wherever it is written


def _is_made_in(module: str, definition: Any) -> bool:
    if is_class(definition):
        return bool(name_of(definition)[0] == module)
    return bool(place_of(definition)[0] == module)
