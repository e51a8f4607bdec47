"""Module namespaces: saved, emptied for a new execution, and put back.

Touches: the dictionaries of module objects, through the journal.

Guarantees: a module keeps its object and its dictionary; after an undo the dictionary holds the same
objects under the same names in the same order.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any

from hotmod._live.journal import Journal

__all__ = ["IMPORT_NAMES", "clear", "foreign_names", "keep_undo", "save", "set_name", "unset_name"]

_MISSING = object()

# what the import system itself puts into a module
IMPORT_NAMES = frozenset(
    ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__path__")
    + ("__cached__", "__builtins__", "__annotations__", "__annotate__", "__conditional_annotations__")
    + ("__warningregistry__", "__initializing__")
)


def save(journal: Journal, module: types.ModuleType) -> dict[str, Any]:
    """Note what the namespace holds, and the module's class, for an abort; gives the saved copy."""
    space, kind = vars(module), type(module)
    before = dict(space)

    def undo() -> None:
        if type(module) is not kind:
            module.__class__ = kind  # type: ignore[assignment]
        if list(space) != list(before) or any(space[name] is not value for name, value in before.items()):
            space.clear()
            space.update(before)

    journal.record(f"namespace of {module.__name__}", undo, lasting=False)
    return before


def keep_undo(journal: Journal, space: dict[Any, Any], before: Mapping[Any, Any], where: str) -> None:
    """Note, at a commit, how a later rollback takes back what the transaction did to a mapping.

    Entries that others set since the commit are left alone.
    """
    changed = {
        name: (before.get(name, _MISSING), space.get(name, _MISSING))
        for name in {**before, **space}
        if before.get(name, _MISSING) is not space.get(name, _MISSING)
    }

    def undo() -> None:
        for name, (old, new) in changed.items():
            if space.get(name, _MISSING) is not new:
                continue
            if old is _MISSING:
                del space[name]
            else:
                space[name] = old

    if changed:
        journal.record(where, undo)


def clear(module: types.ModuleType, seed: Mapping[str, Any]) -> None:
    """Empty the namespace but for `seed`. Assumes that `save` was called."""
    space = vars(module)
    space.clear()
    space.update(seed)
    if type(module) is not types.ModuleType:
        # the text of such a module gives it another class each time it runs
        module.__class__ = types.ModuleType


def set_name(journal: Journal, space: dict[str, Any], name: str, value: object, where: str) -> None:
    """Bind one name in a namespace that is not executed again."""
    old = space[name]
    journal.record(f"{name} in {where}", lambda: space.__setitem__(name, old))
    space[name] = value


def unset_name(journal: Journal, space: dict[str, Any], name: str, where: str) -> None:
    """Remove one name from a namespace that is not executed again."""
    old = space[name]
    journal.record(f"{name} in {where}", lambda: space.__setitem__(name, old))
    del space[name]


def foreign_names(
    before: Mapping[str, Any], bound: frozenset[str], children: Iterable[str]
) -> list[str]:
    """The names that the module's own text never bound: others set them.

    Args:
        before: the namespace as it was.
        bound: every name that the module's text binds.
        children: names of submodules, which the import system binds.
    """
    return sorted(before.keys() - bound - IMPORT_NAMES - set(children))
