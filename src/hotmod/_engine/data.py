"""The other files that modules read when they run: which they are, and what they hold.

Touches: files and folders, reading only.

Guarantees: whether a file is another one is decided by its contents. A file that matches a pattern and is
new, or gone, differs from what it was. What is no regular file, or lies in a folder whose name begins with a
dot where the pattern has none, does not match.

Assumes: a module reads its files when it runs, and not before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping

from hotmod._model.changes import ChangeKind, DataChange, digest_of
from hotmod._scope import relative, translated

__all__ = ["DataFiles", "Digests", "Glob", "digest_of_file"]

Digests = tuple[tuple[str, str], ...]
"""By path, the digests of some files."""
EMPTY = digest_of(b"")
UNREADABLE = "unreadable"
SKIPPED = ("__pycache__", "node_modules", ".git")  # folders that are not entered
_WILD = re.compile(r"[*?\[]")
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of files.

    Attributes:
        folder: the folder below which all of them lie.
        rest: the pattern as seen from there.
        deep: how many folders down they may lie; -1 for any number.
    """

    folder: str
    rest: str
    deep: int

    @classmethod
    def of(cls, pattern: str) -> Glob:
        """The files of an absolute pattern; one that ends with a slash means all below a folder."""
        pattern = f"{pattern}**" if pattern.endswith(("/", os.sep)) else pattern
        folder, rest = os.path.split(pattern)
        while _WILD.search(folder):
            folder, last = os.path.split(folder)
            rest = f"{last}/{rest}"
        rest = f"{rest}/*" if rest.split("/")[-1] == "**" else rest
        return cls(folder, rest, -1 if "**" in rest else rest.count("/"))

    def matches(self, path: str) -> bool:
        """Whether a file is one of them, by its name."""
        below = os.path.join(self.folder, "")
        if not path.startswith(below):
            return False
        return translated(self.rest).fullmatch(path[len(below) :].replace(os.sep, "/")) is not None

    def folders(self) -> Iterator[str]:
        """The folders in which they lie, or would lie."""
        left = [(self.folder, self.deep)]
        while left:
            folder, deep = left.pop()
            yield folder
            if deep:
                left += [(below, deep - 1) for below in self._below(folder)]

    def _below(self, folder: str) -> Iterator[str]:
        for entry in _entries(folder):
            hidden = entry.name.startswith(".") and not re.search(r"(^|/)\.", self.rest)
            if not hidden and entry.name not in SKIPPED and entry.is_dir(follow_symlinks=False):
                yield entry.path

    def files(self) -> Iterator[str]:
        """Those that there are."""
        for folder in self.folders() if _WILD.search(self.rest) else ():
            yield from (each.path for each in _entries(folder) if self.matches(each.path))
        if not _WILD.search(self.rest):
            yield os.path.join(self.folder, self.rest)


class DataFiles:
    """The files that modules say they read.

    Args:
        depends: by module, the patterns of its files.
    """

    def __init__(self, depends: Iterable[tuple[str, Iterable[str]]] = ()) -> None:
        self._globs: dict[str, tuple[Glob, ...]] = {
            name: tuple(map(Glob.of, patterns)) for name, patterns in depends
        }
        self._noted: dict[str, Digests] = {}

    def __contains__(self, module: str) -> bool:
        return module in self._globs

    def __bool__(self) -> bool:
        return bool(self._globs)

    @property
    def modules(self) -> Collection[str]:
        """The modules that read files."""
        return self._globs.keys()

    def globs(self) -> Iterator[Glob]:
        """The patterns of all modules."""
        return (each for globs in self._globs.values() for each in globs)

    def readers(self, path: str) -> list[str]:
        """The modules that read a file of that name."""
        return [name for name, globs in self._globs.items() if any(each.matches(path) for each in globs)]

    def files(self) -> list[str]:
        """The files that there are, of all modules."""
        return sorted({path for each in self.globs() for path in each.files() if os.path.isfile(path)})

    def now(self, module: str) -> Digests:
        """What the files of a module hold now."""
        paths = {path for each in self._globs.get(module, ()) for path in each.files()}
        found = ((path, digest_of_file(path)) for path in sorted(paths))
        return tuple((path, digest) for path, digest in found if digest)

    def note(self, module: str) -> None:
        """A module is about to be imported, and to read its files."""
        if module in self._globs:
            self._noted[module] = self.now(module)

    def at_import(self, module: str, seen: Mapping[str, str] | None) -> Digests:
        """What the files of a module held when it ran.

        Args:
            module: the module.
            seen: what is known of an earlier moment, at which it had run; None if that is now.
        """
        noted = self._noted.pop(module, None)
        if noted is not None:
            return noted
        if seen is None:
            return self.now(module)
        globs = self._globs.get(module, ())
        return tuple(each for each in sorted(seen.items()) if any(glob.matches(each[0]) for glob in globs))

    def changes(self, module: str, before: Digests) -> tuple[DataChange, ...]:
        """How the files of a module differ from what they were."""
        had, now = dict(before), dict(self.now(module))
        return tuple(
            DataChange(
                path,
                relative(path),
                _kind(had.get(path), now.get(path)),
                now.get(path, ""),
                lost=now.get(path, EMPTY) == EMPTY and had.get(path, EMPTY) != EMPTY,
            )
            for path in sorted({*had, *now})
            if had.get(path) != now.get(path)
        )


def _kind(before: str | None, now: str | None) -> ChangeKind:
    if now is None:
        return ChangeKind.DELETED
    return ChangeKind.ADDED if before is None else ChangeKind.EDITED


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # it may come, and be seen then
        return []


def digest_of_file(path: str) -> str:
    """The digest of a regular file; empty where there is none."""
    try:
        # a FIFO may have taken its place; without O_NONBLOCK opening one waits
        with open(os.open(path, os.O_RDONLY | _FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ""
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except OSError:
        return UNREADABLE
