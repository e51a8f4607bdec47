"""What a source text is, and which texts differ from what is loaded.

Touches: nothing.

Guarantees: two texts are equal exactly when their bytes are; no time stamp takes part.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from typing import Any

__all__ = ["Change", "ChangeKind", "ChangeSet", "DataChange", "SourceText", "digest_of"]

TOLD = 3  # files of a change that are told


def digest_of(data: bytes) -> str:
    """The content digest by which texts are compared."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class SourceText:
    """The bytes of one file, read once.

    Attributes:
        path: the file, absolute.
        data: its bytes, as read.
        digest: the content digest of `data`.
    """

    path: str
    data: bytes = dataclasses.field(repr=False)
    digest: str

    @classmethod
    def of(cls, path: str, data: bytes) -> SourceText:
        """The text of `path`, whose bytes are `data`."""
        return cls(path, data, digest_of(data))


class ChangeKind(enum.Enum):
    """How a module's file differs from what is loaded."""

    EDITED = "edited"
    ADDED = "added"
    DELETED = "deleted"
    MOVED = "moved"  # the same module name, another file: module to package, or back


@dataclasses.dataclass(frozen=True, slots=True)
class DataChange:
    """Another file, which a module reads when it runs, that is not what it was.

    Attributes:
        path: the file, absolute.
        name: the file as people say it.
        kind: how it differs.
        digest: the digest of what it holds now; empty where it is gone.
        lost: whether it is gone or empty, and held something.
    """

    path: str
    name: str
    kind: ChangeKind
    digest: str
    lost: bool = False

    def __str__(self) -> str:
        verb = "changed" if self.kind is ChangeKind.EDITED else f"was {self.kind.value}"
        return f"{self.name} {verb}"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One module whose file, or a file that it reads, differs from what is loaded.

    Attributes:
        module: the module's dotted name.
        kind: how it differs.
        path: the file on disk now; for a deleted module the file that it was loaded from.
        text: the new text, None for a deleted module; the loaded one where only files that it reads differ.
        data: the files that it reads and that are not what they were.
        read: whether only these differ.
    """

    module: str
    kind: ChangeKind
    path: str
    text: SourceText | None = None
    data: tuple[DataChange, ...] = ()
    read: bool = False

    @property
    def why(self) -> str:
        """What happened, in words."""
        told = [*([] if self.read else [self.kind.value]), *map(str, self.data)]
        return ", ".join(told[:TOLD]) + (f" and {len(told) - TOLD} more" if len(told) > TOLD else "")

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON-ready values."""
        data = [{"path": each.path, "kind": each.kind.value} for each in self.data]
        kind = "read" if self.read else self.kind.value
        return {"module": self.module, "kind": kind, "path": self.path, "data": data}


@dataclasses.dataclass(frozen=True, slots=True)
class ChangeSet:
    """Everything that differs between disk and memory at one moment; false when nothing does."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of the modules that differ."""
        return tuple(change.module for change in self.changes)
