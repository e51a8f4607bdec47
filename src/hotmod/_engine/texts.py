"""Source files as the ledger reads them: what is not there is no error.

Touches: files, reading only.

Guarantees: a file is read once per call; what is no regular file is never opened.
"""

from __future__ import annotations

import os

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.files import read

__all__ = ["read_if_there", "readable", "stem_of"]


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
