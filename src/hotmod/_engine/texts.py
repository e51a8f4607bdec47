"""Source files as the ledger reads them: what is not there is no error.

Touches: source files, reading only; their cached bytecode, which can be made anew.

Guarantees: a file is read once per call; what is no regular file is never opened.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Collection, Iterable

from hotmod._engine.sightings import SOURCE
from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._scope import Scope
from hotmod._source.files import SHELVES, discover, read

__all__ = [
    "exists",
    "files_of",
    "forget_bytecode",
    "is_long",
    "is_too_large",
    "must_exist",
    "read_if_there",
    "readable",
    "sized",
    "stem_of",
]

# Bytes. A text of short statements takes hundreds of times its size when it is parsed.
MAX_SIZE = 8_000_000
# Lines. Looking at a statement takes up to a third of a millisecond.
MAX_LINES = 20_000


def files_of(scope: Scope) -> dict[str, str]:
    """Every module file of a scope on disk by module name."""
    found: dict[str, str] = {}
    roots: dict[str, list[str]] = {}
    for root, prefix in scope.roots():
        if not os.path.exists(root) or any(shelf.holds(root) for shelf in SHELVES):
            continue
        if root.endswith(SOURCE):
            found[prefix or os.path.splitext(os.path.basename(root))[0]] = root
        else:
            roots.setdefault(prefix, []).append(root)
    for prefix, folders in roots.items():
        found.update({name: file.path for name, file in discover(folders, prefix).modules.items()})
    found = {name: path for name, path in found.items() if scope.allows(path)}
    for shelf in SHELVES:
        found.update({name: path for name, path in shelf.files().items() if scope.owns(name, path)})
    return found


def exists(path: str) -> bool:
    """Whether there is a source file, or a folder of such, of a name."""
    for shelf in SHELVES:
        if shelf.holds(path):
            return not path.endswith(SOURCE) or shelf.text(path) is not None
    return os.path.exists(path)


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


def is_long(text: SourceText) -> bool:
    """Whether looking at a text statement by statement would take longer than to run what it may concern."""
    return text.data.count(b"\n") > MAX_LINES


def is_too_large(text: SourceText) -> bool:
    """Whether a text is so large that looking at its statements would take the machine's memory."""
    return len(text.data) > MAX_SIZE


def sized(text: SourceText) -> SourceText:
    """A text that is going to be analysed.

    Raises:
        SourceError: it is too large for that.
    """
    if is_too_large(text):
        size, most = len(text.data) / 1e6, MAX_SIZE / 1e6
        reason = f"has {size:.1f} MB, and modules of up to {most:g} MB are reloaded"
        raise SourceError(text.path, 0, reason, advice="Exclude the file, or restart the process.")
    return text


def must_exist(roots: Iterable[tuple[str, str]], loaded: Collection[str]) -> None:
    """A package whose folder is gone has lost its disk or its mount, and not all of its modules.

    Args:
        roots: the folders and files of a scope, each with its prefix.
        loaded: the files that modules were loaded from.

    Raises:
        SourceError: the folder of a loaded package is gone.
    """
    for root, _ in roots:
        if not root.endswith(SOURCE) and not exists(root):
            below = os.path.join(root, "")
            if any(path.startswith(below) for path in loaded):
                reason = "the folder is gone; what was loaded from it goes on"
                raise SourceError(root, 0, reason, advice="Put it back.")
