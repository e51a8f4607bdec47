"""What was found out about texts, for as long as it may be asked again.

Touches: nothing.

Guarantees: of each file only what belongs to its last few texts is remembered, so that a program which is
edited for days takes no more memory than one that was edited four times. Safe to use from several threads.

Assumes: what is remembered is never changed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

from hotmod._model.changes import SourceText

__all__ = ["Memory", "remembered"]

VERSIONS = 4  # of a file: the one that is loaded, the one on disk, and two to go back to
MAX_FILES = 20_000
T = TypeVar("T")


class Memory(Generic[T]):
    """Values by text."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[str, T], ...]] = {}

    def get(self, text: SourceText) -> T | None:
        """The value for a text; None if there is none any more."""
        return next(
            (value for digest, value in self._known.get(text.path, ()) if digest == text.digest), None
        )

    def latest(self, path: str) -> T | None:
        """The value that came last for any text of a file."""
        found = self._known.get(path)
        return found[0][1] if found else None

    def put(self, text: SourceText, value: T) -> T:
        """Remember the value for a text; gives it back."""
        others = [each for each in self._known.get(text.path, ()) if each[0] != text.digest]
        self._known[text.path] = ((text.digest, value), *others[: VERSIONS - 1])
        if len(self._known) > MAX_FILES:
            for path in list(self._known)[: MAX_FILES // 2]:
                self._known.pop(path, None)
        return value


def remembered(function: Callable[[SourceText], T]) -> Callable[[SourceText], T]:
    """Let a function of a text remember its results, which are never None; not what it raises."""
    memory = Memory[T]()

    @functools.wraps(function)
    def ask(text: SourceText) -> T:
        found = memory.get(text)
        return found if found is not None else memory.put(text, function(text))

    return ask
