"""Module namespaces: saved, emptied for a new execution, and put back.

Touches: the dictionaries of module objects, through the journal.

Guarantees: a module keeps its object and its dictionary; after an undo the dictionary holds the same
objects under the same names in the same order.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._live.journal import Journal, at_once
from hotmod._live.takeback import Mine, undo_of_mapping

__all__ = ["IMPORT_NAMES", "clear", "foreign_names", "restore", "set_name", "undo_of", "unset_name"]

# what the import system itself puts into a module
IMPORT_NAMES = frozenset(
    [
        *("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__path__"),
        *("__cached__", "__builtins__", "__annotations__", "__annotate__", "__conditional_annotations__"),
        *("__warningregistry__", "__initializing__"),
    ]
)


def restore(module: types.ModuleType, before: Mapping[str, Any], kind: type) -> None:
    """Make a namespace hold exactly what it held, in the same order; and give the module its class."""
    space = vars(module)
    if type(module) is not kind:
        module.__class__ = kind
    if list(space) != list(before) or any(space[name] is not value for name, value in before.items()):
        _hold(space, dict(before))


def _hold(space: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Let a namespace hold just these names; no other thread sees it without them."""
    at_once([space.clear, functools.partial(space.update, wanted)])


def undo_of(
    module: types.ModuleType, before: Mapping[str, Any], kind: type, mine: Mine
) -> Callable[[], None] | None:
    """What takes back the changes of a namespace and of the module's class, name by name."""
    space, now = vars(module), type(module)
    names = undo_of_mapping(space, before, dict(space), mine, dict.__delitem__, dict.__setitem__)
    if names is None and now is kind:
        return None

    def undo() -> None:
        if type(module) is now:
            module.__class__ = kind
        if names is not None:
            names()
            order = {name: space[name] for name in (*before, *space) if name in space}
            if list(order) != list(space):
                _hold(space, order)

    return undo


def clear(module: types.ModuleType, seed: Mapping[str, Any]) -> None:
    """Empty the namespace but for `seed`. Assumes that a copy of it was made."""
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


def foreign_names(before: Mapping[str, Any], bound: frozenset[str], children: Iterable[str]) -> list[str]:
    """The names that the module's own text never bound: others set them.

    Args:
        before: the namespace as it was.
        bound: every name that the module's text binds.
        children: names of submodules, which the import system binds.
    """
    return sorted(before.keys() - bound - IMPORT_NAMES - set(children))
