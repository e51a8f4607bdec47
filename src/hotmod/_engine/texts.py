"""Source files as the ledger reads them: what is not there is no error.

Touches: source files, reading only; their cached bytecode, which can be made anew.

Guarantees: a file is read once per call; what is no regular file is never opened.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterable

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.files import read

__all__ = ["forget_bytecode", "read_if_there", "readable", "stem_of"]


def stem_of(path: str) -> str:
    """What `x.py` and `x/__init__.py` have in common: two places for one module."""
    folder, file = os.path.split(path)
    stem = os.path.splitext(file)[0]
    return folder if stem == "__init__" else os.path.join(folder, stem)


def read_if_there(path: str) -> SourceText | None:
    """The text of a file, None when there is no such file."""
    try:
        return read(path)
    except SourceError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return None
        raise


def readable(path: str) -> SourceText | None:
    """The text of a file, None when there is none to be had just now; whoever needs it will say why."""
    try:
        return read(path)
    except SourceError:
        return None


def forget_bytecode(sources: Iterable[str]) -> None:
    """Remove the `.pyc` files of some sources, so that a fresh process compiles these."""
    for source in sources:
        with contextlib.suppress(FileNotFoundError, PermissionError, NotImplementedError):  # no cache of ours
            os.remove(importlib.util.cache_from_source(source))
