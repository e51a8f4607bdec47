"""What a source text is, and which texts differ from what is loaded.

Touches: nothing.

Guarantees: two texts are equal exactly when their bytes are; no time stamp takes part.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib

__all__ = ["Change", "ChangeKind", "ChangeSet", "SourceText"]


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
class Change:
    """One module whose file differs from what is loaded.

    Attributes:
        module: the module's dotted name.
        kind: how it differs.
        path: the file on disk now; for a deleted module the file that it was loaded from.
        text: the new text, None for a deleted module.
    """

    module: str
    kind: ChangeKind
    path: str
    text: SourceText | None = None


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
