"""The files of packages: which modules a folder holds, and their bytes.

Touches: the disk, reading only. In a process that follows another one, files are what that one has shipped.

Guarantees: only regular files are opened, so a FIFO or a device never blocks; a tree that links into
itself is walked once; what can't be read is a `SourceError` in the result, and the rest stands.

Assumes: a folder without `__init__.py` is a namespace package if Python files lie in or below it.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from typing import TYPE_CHECKING, Protocol

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.graph import ModuleSource, build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hotmod._source.graph import ImportGraph

__all__ = ["SHELVES", "Discovered", "ModuleFile", "Shelf", "discover", "graph_of", "read"]

_EXTENSIONS = (".so", ".pyd")
_CACHE = "__pycache__"
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Shelf(Protocol):
    """Source files as another process has shipped them; they stand for what the disk holds."""

    def holds(self, path: str) -> bool:
        """Whether the shelf, and not the disk, says what a source file or a folder of them holds."""

    def text(self, path: str) -> SourceText | None:
        """The text of a file that it holds; None if there is no such file."""

    def files(self) -> Mapping[str, str]:
        """The files of its modules, by module name."""


SHELVES: list[Shelf] = []
"""What stands for the disk in this process: empty, but in a worker that follows another process."""


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
    for shelf in SHELVES:
        if shelf.holds(path):
            text = shelf.text(path)
            if text is None:
                raise SourceError(path, 0, "was not shipped to this process") from FileNotFoundError(path)
            return text
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise SourceError(path, 0, f"can't be read: {error.strerror or error}") from error
    if not regular:
        raise SourceError(path, 0, "is not a regular file")
    return _read(path)


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
        paths = [os.fspath(root) for root in roots]
        found = discover([path for path in paths if not path.endswith(".py")], prefix)
        modules = dict(found.modules)
        for path in paths:
            if path.endswith(".py"):
                # a file that is no part of a package is imported by its own name
                stem = os.path.splitext(os.path.basename(path))[0]
                modules.setdefault(prefix or stem, ModuleFile(path, is_package=stem == "__init__"))
        without |= found.sourceless
        errors += found.errors
        for name, file in modules.items():
            try:
                sources[name] = ModuleSource(_read(file.path), file.is_package)
            except SourceError as error:
                errors.append(error)
                without.add(name)
    return build(sources, without.difference(sources), errors=errors)


def _read(path: str) -> SourceText:
    """The bytes of what was a regular file a moment ago."""
    try:
        # Meanwhile a FIFO may have taken its place: O_NONBLOCK keeps the opening from waiting for a writer.
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(path, 0, "is not a regular file")
            data = _all_of(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(path, 0, f"can't be read: {error.strerror or error}") from error
    return SourceText.of(path, data)


def _all_of(descriptor: int, size: int) -> bytes:
    """The bytes of an open file, which may have grown or shrunk since its size was asked."""
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while parts[-1]:
        parts.append(os.read(descriptor, 1 << 20))
    return b"".join(parts)


class _Walk:
    """One walk over folders; earlier roots win over later ones."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleFile] = {}
        self._sourceless: set[str] = set()
        self._errors: list[SourceError] = []
        self._left: list[tuple[str, str, tuple[str, ...]]] = []

    def folder(self, root: str, package: str) -> None:
        """Walk one root."""
        found: dict[str, ModuleFile] = {}
        self._left.append((root, package, ()))
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

    def _visit(self, folder: str, package: str, above: tuple[str, ...], found: dict[str, ModuleFile]) -> None:
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            self._errors.append(SourceError(folder, 0, f"can't be listed: {error.strerror or error}"))
            return
        dot = f"{package}." if package else ""
        for entry in listed:
            name = entry.name
            if name.endswith(".py"):
                self._file(entry, package, found)
            elif "." in name:
                if name.endswith(_EXTENSIONS):
                    self._extension(name, package)
            elif name != _CACHE and _is(entry.is_dir) and _importable(name):
                inside = (*above, folder)
                if not entry.is_symlink() or self._is_new(entry.path, inside):
                    self._left.append((entry.path, dot + name, inside))

    def _file(self, entry: os.DirEntry[str], package: str, found: dict[str, ModuleFile]) -> None:
        stem = entry.name[:-3]
        if not _importable(stem):
            return
        if not _is(entry.is_file):
            if entry.is_symlink() and not os.path.exists(entry.path):
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
        if _importable(stem):
            self._sourceless.add(f"{package}.{stem}" if package else stem)

    def _is_new(self, path: str, above: tuple[str, ...]) -> bool:
        """Whether a link to a folder leads to none of the folders that it lies in."""
        try:
            return not any(os.path.samefile(path, each) for each in above)
        except OSError as error:
            self._errors.append(SourceError(path, 0, f"can't be looked at: {error.strerror or error}"))
            return False


def _importable(name: str) -> bool:
    """Whether a file or folder name can be (part of) the name of a module.

    More than identifiers: `0001_initial` is imported by `import_module`.
    """
    return name.isidentifier() or f"_{name}".isidentifier()


def _is(question: object) -> bool:
    """The answer of `entry.is_file` or `entry.is_dir`; no for a link in a circle, which can't be asked."""
    try:
        return bool(question())  # type: ignore[operator]
    except OSError:
        return False
