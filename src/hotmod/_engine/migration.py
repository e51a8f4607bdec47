"""Instances across a transaction: which classes changed shape, and what their live instances lack.

Touches: instances, through `_live.instances`.

Guarantees: the heap is asked for instances only when a class changed shape, was replaced or is gone; a
`__hotmod_update__` that raises rejects the edit.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from hotmod._live import instances
from hotmod._live.classes import own_dict
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class
from hotmod._live.modules import space_of
from hotmod._model.changes import SourceText
from hotmod._model.instances import InstanceChange
from hotmod._source.diff import Edits
from hotmod._source.shapes import Shapes, edited_shapes, shapes

__all__ = ["Migration", "Shape"]


@dataclasses.dataclass(frozen=True)
class Shape:
    """A class whose constructor sets other attributes than before.

    Attributes:
        module: the module of the class.
        name: the qualified name of the class.
        added: what only the new constructor sets.
        removed: what only the old one set.
    """

    module: str
    name: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Migration:
    """The classes of one transaction that change shape, and their instances from before it.

    Args:
        texts: the old and the new text by module.
        before: the namespaces of these modules as they are.
        edits: how the texts of modules that do not run as a whole differ.

    Attributes:
        lacking: instances that do not fit the new constructor, with the shape of their class and the names
            of the attributes that they lack, and of those that they hold too much.
    """

    def __init__(
        self,
        texts: Mapping[str, tuple[SourceText | None, SourceText]],
        before: Mapping[str, Mapping[str, Any]],
        edits: Mapping[str, Edits],
    ) -> None:
        self.lacking: list[tuple[Any, Shape, tuple[str, ...], tuple[str, ...]]] = []
        self._shapes: dict[int, Shape] = {}
        for module, (old, new) in texts.items():
            if old is not None and old.digest != new.digest:
                found = edited_shapes(edits[module]) if module in edits else (shapes(old), shapes(new))
                # of a module of which nothing runs there is no copy: nothing of it is bound anew
                space = before[module] if module in before else space_of(sys.modules.get(module))
                self._compare(module, *found, space)
        # those that are made while the modules run again are new: they are told apart by who is there now
        self._found = instances.of_classes(self._shapes) if self._shapes else []

    def _compare(
        self,
        module: str,
        before: Shapes,
        after: Shapes,
        space: Mapping[str, Any],
    ) -> None:
        for name in sorted(before.keys() & after.keys()):
            if before[name] == after[name]:
                continue
            cls = _class_at(space, name)
            if cls is not None:
                added, removed = after[name] - before[name], before[name] - after[name]
                shape = Shape(module, name, tuple(sorted(added)), tuple(sorted(removed)))
                for each in instances.heirs(cls):
                    self._shapes.setdefault(id(each), shape)

    def run(
        self, journal: Journal, moved: Iterable[tuple[Any, type]], kept: Iterable[tuple[Any, type]]
    ) -> None:
        """Let instances migrate themselves; note those that still do not fit.

        Args:
            journal: where the changes are noted.
            moved: instances of classes that had to be replaced, each with the class that it had.
            kept: those that could not be moved.
        """
        stay = {id(instance) for instance, _ in kept}
        reshaped = {id(instance) for instance, _ in self._found}
        found = self._found + [pair for pair in moved if id(pair[0]) not in reshaped]
        for instance, had in found:
            if id(instance) in stay:
                continue  # of a class that was replaced and lays its instances out differently
            shape = self._shapes.get(id(had)) or Shape(had.__module__, had.__qualname__)
            change = InstanceChange(
                old_class=f"{had.__module__}:{had.__qualname__}",
                replaced=type(instance) is not had,
                added=shape.added,
                removed=shape.removed,
                before=instances.attributes(instance),
            )
            instances.migrate(journal, instance, change)
            lacks = tuple(instances.lacking(instance, shape.added))
            holds = tuple(instances.superfluous(instance, shape.removed))
            if lacks or holds:
                self.lacking.append((instance, shape, lacks, holds))
        self._found = []


def _class_at(space: Mapping[str, Any], name: str) -> type | None:
    first, *rest = name.split(".")
    value = space.get(first)
    for part in rest:
        value = own_dict(value).get(part) if is_class(value) else None
    return value if is_class(value) else None
