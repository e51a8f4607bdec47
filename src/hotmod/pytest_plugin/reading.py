"""Texts of files that are asked for again and again.

Touches: source files, reading only.

Guarantees: a file is taken to hold what it held only where it can't have been written since: then no other
time than that of its last change is asked for.

Assumes: what `hotmod._engine.sightings` assumes of the signature of a file.
"""

from __future__ import annotations

import os
import time

from hotmod._engine.sightings import TICK_NS, signature_of
from hotmod._engine.texts import readable
from hotmod._model.changes import SourceText

__all__ = ["Texts"]

_POSIX = os.name == "posix"  # elsewhere no time of a file tells that it was written


class Texts:
    """What files held when they were read last."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int, int], SourceText]] = {}

    def read(self, path: str) -> SourceText | None:
        """What a file holds; None if it is gone or can't be read."""
        try:
            signature = signature_of(path)
        except OSError:
            signature = None
        known = self._known.pop(path, None)
        if known is None or known[0] != signature:
            began = time.time_ns()
            text = readable(path)
            if signature is None or text is None:
                return text
            known = signature, text
            if not _POSIX or signature[3] >= began - TICK_NS:
                return text  # the next write may leave the signature as it is
        self._known[path] = known
        return known[1]
