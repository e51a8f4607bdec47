"""The files of packages: which modules a folder holds, and their bytes.

Touches: the disk, reading only.

Guarantees: only regular files are opened, so a FIFO or a device never blocks; a tree that links into
itself is walked once; what can't be read is a `SourceError` in the result, and the rest stands.

Assumes: a folder without `__init__.py` is a namespace package if Python files lie in or below it.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from typing import TYPE_CHECKING

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.graph import ModuleSource, build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hotmod._source.graph import ImportGraph

__all__ = ["Discovered", "ModuleFile", "discover", "graph_of", "read"]

_EXTENSIONS = (".so", ".pyd")
_CACHE = "__pycache__"


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleFile:
    """Where a module lies.

    Attributes:
        path: its file.
        is_package: whether that is the `__init__.py` of a package.
    """

    path: str
    is_package: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Discovered:
    """The modules found in some folders.

    Attributes:
        modules: those with a Python source, by name.
        sourceless: those without one: namespace packages and extension modules.
        errors: the folders and files that could not be looked at.
    """

    modules: Mapping[str, ModuleFile]
    sourceless: frozenset[str] = frozenset()
    errors: tuple[SourceError, ...] = ()


def read(path: str) -> SourceText:
    """The bytes of a file, read once.

    Raises:
        SourceError: it can't be read or is no regular file.
    """
    try:
        # O_NONBLOCK: between a look at the file and its opening a FIFO may have taken its place.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(path, 0, "is not a regular file")
            data = file.read()
    except OSError as error:
        raise SourceError(path, 0, f"can't be read: {error.strerror or error}") from error
    return SourceText.of(path, data)


def discover(roots: Iterable[str | os.PathLike[str]], prefix: str = "") -> Discovered:
    """The modules in some folders.

    Args:
        roots: the folders of one package, in the order of its `__path__`, or folders of top-level modules.
        prefix: the name of the package; empty for top-level modules.

    Returns:
        What was found; of two files for one module the one that an import would take. A root that is
        no folder is an error in the result.
    """
    walk = _Walk()
    for root in roots:
        walk.folder(os.fspath(root), prefix)
    return walk.result()


def graph_of(
    packages: Mapping[str, Sequence[str | os.PathLike[str]]], known: Iterable[str] = ()
) -> ImportGraph:
    """The import graph of packages on disk.

    Args:
        packages: the folders of each package by its name (empty for folders of top-level modules), or the
            one file of a module.
        known: the names of further modules in scope that have no source.
    """
    sources: dict[str, ModuleSource] = {}
    without: set[str] = set(known)
    errors: list[SourceError] = []
    for prefix, roots in packages.items():
        files = [root for root in map(os.fspath, roots) if root.endswith(".py")]
        found = discover([root for root in roots if os.fspath(root) not in files], prefix)
        modules = {**found.modules, **{prefix: ModuleFile(path, is_package=False) for path in files}}
        without |= found.sourceless
        errors += found.errors
        for name, file in modules.items():
            try:
                sources[name] = ModuleSource(read(file.path), file.is_package)
            except SourceError as error:
                errors.append(error)
                without.add(name)
    return build(sources, without.difference(sources), errors=errors)


class _Walk:
    """One walk over folders; earlier roots win over later ones."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleFile] = {}
        self._sourceless: set[str] = set()
        self._errors: list[SourceError] = []
        self._left: list[tuple[str, str, frozenset[tuple[int, int]]]] = []

    def folder(self, root: str, package: str) -> None:
        """Walk one root."""
        found: dict[str, ModuleFile] = {}
        self._left.append((root, package, frozenset()))
        while self._left:
            self._visit(*self._left.pop(), found)
        for name, file in found.items():
            self._modules.setdefault(name, file)

    def result(self) -> Discovered:
        """What was found so far, namespace packages included."""
        for name in [*self._modules, *self._sourceless]:
            package = name.rpartition(".")[0]
            while package:
                self._sourceless.add(package)
                package = package.rpartition(".")[0]
        modules = {name: self._modules[name] for name in sorted(self._modules)}
        return Discovered(modules, frozenset(self._sourceless.difference(modules)), tuple(self._errors))

    def _visit(
        self, folder: str, package: str, above: frozenset[tuple[int, int]], found: dict[str, ModuleFile]
    ) -> None:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._errors.append(SourceError(folder, 0, f"can't be listed: {error.strerror or error}"))
            return
        folders: list[os.DirEntry[str]] = []
        for entry in listed:
            name = entry.name
            if name.endswith(".py"):
                self._file(entry, package, found)
            elif name.endswith(_EXTENSIONS):
                self._extension(name, package)
            elif name.isidentifier() and name != _CACHE:
                folders.append(entry)
        dot = f"{package}." if package else ""
        for entry in folders:
            inside = self._inside(entry, above)
            if inside is not None:
                self._left.append((entry.path, dot + entry.name, inside))

    def _file(self, entry: os.DirEntry[str], package: str, found: dict[str, ModuleFile]) -> None:
        stem = entry.name[:-3]
        if not stem.isidentifier() or not _is(entry.is_file):
            if stem.isidentifier() and entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
                self._errors.append(SourceError(entry.path, 0, "is a link to nothing"))
            return
        if stem == "__init__":
            if package:
                found[package] = ModuleFile(entry.path, is_package=True)
            return
        name = f"{package}.{stem}" if package else stem
        # A package of the same name wins over the module, as it does for an import.
        known = found.get(name)
        if known is None or not known.is_package:
            found[name] = ModuleFile(entry.path, is_package=False)

    def _extension(self, name: str, package: str) -> None:
        stem = name.partition(".")[0]
        if stem.isidentifier():
            self._sourceless.add(f"{package}.{stem}" if package else stem)

    def _inside(
        self, entry: os.DirEntry[str], above: frozenset[tuple[int, int]]
    ) -> frozenset[tuple[int, int]] | None:
        """The identities of the folders from the root to this one; None for what is not to be walked.

        Only a link can lead back up, so identities are looked at from the first link on.
        """
        if not _is(entry.is_dir):
            return None
        if not above and not entry.is_symlink():
            return above
        try:
            status = entry.stat()
        except OSError as error:
            self._errors.append(SourceError(entry.path, 0, f"can't be looked at: {error.strerror or error}"))
            return None
        identity = (status.st_dev, status.st_ino)
        return None if identity in above else above | {identity}


def _is(question: object) -> bool:
    """The answer of `entry.is_file` or `entry.is_dir`; no for a link in a circle, which can't be asked."""
    try:
        return bool(question())  # type: ignore[operator]
    except OSError:
        return False
