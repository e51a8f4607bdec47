"""Where to watch: the folders in which a save can matter, and what an event in one of them is about.

Touches: the disk, reading only.

Guarantees: every folder from which a module of the scope is loaded, or could be imported, is named, once,
by its real path; so is the folder of a file that is linked from there, and the parent of every root, so that
a root that is deleted, moved or made again is noticed. Folders that hold no modules of ours (caches,
`node_modules`, virtual environments, whatever begins with a dot or is no identifier) are not entered.

Assumes: no link above a root changes where it points to.
"""

from __future__ import annotations

import dataclasses
import importlib.machinery
import os
from collections.abc import Collection, Iterable, Mapping

from hotmod._engine.data import Glob
from hotmod._scope import Scope

__all__ = ["SKIPPED", "News", "Territory", "barred", "survey_folders"]

SKIPPED = frozenset(("__pycache__", "node_modules", "site_packages", "dist_packages"))
_SOURCE = tuple(importlib.machinery.SOURCE_SUFFIXES)


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """What some events are about; false when they don't matter.

    Attributes:
        files: source files, as their modules name them, and other files that modules read, that may have
            changed.
        folders: whether folders came, went or were replaced.
        logged: files that may have changed, and of which no more is wanted than to know that.
    """

    files: frozenset[str] = frozenset()
    folders: bool = False
    logged: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.files or self.logged) or self.folders


@dataclasses.dataclass(frozen=True, slots=True)
class Territory:
    """The folders to watch.

    Attributes:
        inside: folders that hold modules: the real path of each, and the paths under which modules know it.
        anchors: folders watched for the sake of some entries only: parents of roots.
        links: real paths of linked source files, and the paths under which modules know them.
        files: files of loaded modules, whatever their names.
        scope: which files are let through, and which are only logged.
        data: folders of other files that modules read: the real path of each, and the paths by which the
            patterns know it.
        globs: these patterns.
    """

    inside: Mapping[str, tuple[str, ...]]
    anchors: Mapping[str, frozenset[str]]
    links: Mapping[str, tuple[str, ...]]
    files: frozenset[str]
    scope: Scope
    data: Mapping[str, tuple[str, ...]]
    globs: tuple[Glob, ...]

    @property
    def folders(self) -> frozenset[str]:
        """Every folder to watch, by its real path."""
        return frozenset((*self.inside, *self.anchors, *self.data, *map(os.path.dirname, self.links)))

    def news(self, paths: Iterable[str]) -> News:
        """What events on these paths are about."""
        files: set[str] = set()
        logged: set[str] = set()
        folders = False
        for path in paths:
            folder, entry = os.path.split(path)
            files.update(self.links.get(path, ()))
            seen = {os.path.join(known, entry) for known in self.inside.get(folder, ())}
            if entry in self.anchors.get(folder, ()):
                seen.add(path)
            own = {each for each in seen if self._is_source(each, entry)}
            files.update(each for each in own if self.scope.allows(each))
            logged.update(filter(self.scope.logs, seen))
            read = {os.path.join(known, entry) for known in self.data.get(folder, ())}
            files.update(each for each in read if any(glob.matches(each) for glob in self.globs))
            # an anchor that is gone is followed by one above it
            itself = path in self.inside or path in self.anchors or path in self.data
            folders = folders or itself or (bool(seen - own) and self._is_folder(path, entry))
            folders = folders or (bool(read) and any(map(self._is_entered, read)))
        return News(frozenset(files), folders, frozenset(logged))

    def _is_entered(self, path: str) -> bool:
        """Whether this is a folder that came, in which there may be files that modules read."""
        return os.path.isdir(path) and any(path in glob.folders() for glob in self.globs)

    def _is_source(self, path: str, entry: str) -> bool:
        stem, suffix = os.path.splitext(entry)
        return (suffix in _SOURCE and stem.isidentifier()) or path in self.files

    def _is_folder(self, path: str, entry: str) -> bool:
        """Whether an entry is a folder to be watched, or an anchored root that came or went."""
        if entry in self.anchors.get(os.path.dirname(path), ()):
            return True
        return _may_hold_modules(entry) and os.path.isdir(path)


def survey_folders(scope: Scope, loaded: Collection[str], globs: Iterable[Glob] = ()) -> Territory:
    """The folders to watch for a scope.

    Args:
        scope: the modules that are ours.
        loaded: the files of those that are loaded.
        globs: the other files that modules read.
    """
    walk = _Walk()
    globs = tuple(globs)
    roots = [root for root, _ in scope.roots()]
    for root in roots:
        walk.anchor(root)
        if root.endswith(_SOURCE):
            walk.file(root)
        else:
            walk.folder(root)
    for path in loaded:
        if os.path.dirname(path) not in walk.seen:
            walk.file(path)
        elif os.path.islink(path):
            walk.link(path)
    for glob in globs:
        walk.anchor(glob.folder)
        walk.data(glob)
    return Territory(
        {real: tuple(dict.fromkeys(known)) for real, known in walk.inside.items()},
        {folder: frozenset(entries) for folder, entries in walk.anchors.items()},
        {real: tuple(dict.fromkeys(known)) for real, known in walk.links.items()},
        frozenset(loaded),
        scope,
        {real: tuple(dict.fromkeys(known)) for real, known in walk.read.items()},
        globs,
    )


def _may_hold_modules(entry: str) -> bool:
    return entry.isidentifier() and entry not in SKIPPED


def barred(root: str, path: str) -> tuple[str, str] | None:
    """The first folder on the way from a root to a file that is not entered, and why; None if all are."""
    folder = root
    for entry in os.path.relpath(os.path.dirname(path), root).split(os.sep):
        if entry in (os.curdir, os.pardir):
            continue
        folder = os.path.join(folder, entry)
        if entry in SKIPPED:
            return folder, "folders of that name hold no modules of yours"
        if not entry.isidentifier():
            return folder, "its name is no identifier, so no import leads into it"
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            return folder, "it is a virtual environment"
    return None


class _Walk:
    """One walk over the folders of a scope."""

    def __init__(self) -> None:
        self.inside: dict[str, list[str]] = {}
        self.anchors: dict[str, set[str]] = {}
        self.links: dict[str, list[str]] = {}
        self.seen: set[str] = set()
        self.read: dict[str, list[str]] = {}

    def anchor(self, root: str) -> None:
        """Watch the nearest folder above a root that exists, for the entry that leads to the root."""
        folder, entry = os.path.split(root)
        while entry and not os.path.isdir(folder):
            folder, entry = os.path.split(folder)
        if entry:
            self.anchors.setdefault(os.path.realpath(folder), set()).add(entry)

    def file(self, path: str) -> None:
        """Watch a single file that lies in none of the folders."""
        self.anchors.setdefault(os.path.realpath(os.path.dirname(path)), set()).add(os.path.basename(path))
        self.links.setdefault(os.path.realpath(path), []).append(path)

    def data(self, glob: Glob) -> None:
        """Watch the folders of other files, and what links there point to."""
        for folder in filter(os.path.isdir, glob.folders()):
            self.read.setdefault(os.path.realpath(folder), []).append(folder)
        for path in filter(os.path.islink, glob.files()):
            self.link(path)

    def link(self, path: str) -> None:
        """Watch the file that a link points to."""
        self.links.setdefault(os.path.realpath(path), []).append(path)

    def folder(self, root: str) -> None:
        """Watch a folder and those below it."""
        left = [(root, os.path.realpath(root), frozenset[str]())]
        while left:
            known, real, above = left.pop()
            if real in above or known in self.seen:  # a link that leads back up
                continue
            try:
                with os.scandir(known) as entries:
                    listed = list(entries)
            except OSError:  # gone since it was listed, or closed to us: its parent tells when it comes back
                continue
            if known != root and any(entry.name == "pyvenv.cfg" for entry in listed):
                continue
            self.seen.add(known)
            self.inside.setdefault(real, []).append(known)
            for entry in listed:
                if entry.name.endswith(_SOURCE):
                    if entry.is_symlink():
                        self.link(entry.path)
                elif _may_hold_modules(entry.name) and _is_folder(entry):
                    linked = entry.is_symlink()
                    below = os.path.realpath(entry.path) if linked else os.path.join(real, entry.name)
                    left.append((entry.path, below, above | {real}))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link in a circle is neither."""
    try:
        return entry.is_dir()
    except OSError:
        return False
