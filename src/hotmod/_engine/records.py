"""What is known of one loaded module, and how that differs from what is on disk.

Touches: nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from hotmod._engine.data import DataFiles, Digests
from hotmod._engine.texts import sized
from hotmod._model.changes import Change, ChangeKind, SourceText

__all__ = ["Loaded", "edit_of", "is_same", "with_data"]


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    """One loaded module.

    Attributes:
        name: its dotted name.
        path: its file; empty for a namespace package.
        is_package: whether it can have submodules.
        text: the text it was executed from; None for a module without source.
        certain: whether that is known; if not, `text` is what the file held when it was first read, and
            the module counts as changed until it has run again.
        witnessed: whether hotmod saw the import or made the run; if not, `text` is what the file held when
            hotmod came.
        again: whether a transaction has changed it since its import.
        data: the digests of the other files that it read when it ran, by path.
    """

    name: str
    path: str
    is_package: bool
    text: SourceText | None
    certain: bool = True
    witnessed: bool = True
    again: bool = False
    data: Digests = ()


def is_same(one: Change, two: Change | None) -> bool:
    """Whether two changes lead to the same texts in the same files."""
    if (
        two is None
        or one.path != two.path
        or (one.text is None) != (two.text is None)
        or one.data != two.data
    ):
        return False
    return one.text is None or two.text is None or one.text.digest == two.text.digest


def edit_of(loaded: Loaded, text: SourceText) -> Iterator[Change]:
    """The change of a module whose file is where it was."""
    if loaded.text is not None and not (loaded.certain and text.digest == loaded.text.digest):
        yield Change(loaded.name, ChangeKind.EDITED, text.path, sized(text))


def with_data(found: Iterable[Change], readers: Iterable[Loaded], data: DataFiles) -> list[Change]:
    """Some changes, and those of the other files that some modules read."""
    changes = {change.module: change for change in found}
    for loaded in readers:
        differing = data.changes(loaded.name, loaded.data)
        known = changes.get(loaded.name)
        if not differing or loaded.text is None:
            continue
        if known is None:
            known = Change(loaded.name, ChangeKind.EDITED, loaded.path, loaded.text, read=True)
        changes[loaded.name] = dataclasses.replace(known, data=differing)
    return list(changes.values())
