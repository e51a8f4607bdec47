"""Which modules are ours, and what their files looked like when a watcher was made.

Touches: `sys.modules` and files, reading only. Loads nothing of the other rooms that takes time: this runs
while the caller of `hotmod.watch` waits.

Guarantees: an answer "it still holds this text" is right; "it may not" can be wrong, and costs no more than
running a module once more. Contents are compared by contents alone: a signature only tells that the
text on disk may be newer than the one that was loaded.

Assumes: on POSIX a write gives a file another inode, size or change time, except within a tick of the
file system's clock. Elsewhere there is no such time, and contents are compared.
"""

from __future__ import annotations

import importlib.machinery
import os
import stat
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping

from hotmod._live.kinds import is_module, space_in
from hotmod._scope import Scope

__all__ = [
    "SOURCE",
    "TICK_NS",
    "UNKNOWN",
    "Census",
    "View",
    "bytes_of",
    "end_of_modules",
    "is_replaced",
    "main_module",
    "signature_of",
    "source_of",
]

UNKNOWN = "?"  # the digest of a file that may have changed since it was read

SOURCE = tuple(importlib.machinery.SOURCE_SUFFIXES)
# A file system's clock may stand still for a tick of the kernel (up to 10 ms); the rest is for network.
TICK_NS = 100_000_000
FEW = 64  # modules whose files are read at once, which takes about a millisecond
_POSIX = os.name == "posix"
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# Device, inode, size and change time of a file, and its bytes where these are too young to tell.
_Sighting = tuple[int, int, int, int, bytes | None]


class Census:
    """Finds the modules of a scope, asking about each module of the process once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._foreign: dict[str, tuple[int, object]] = {}

    def ours(
        self, known: Mapping[str, int] = types.MappingProxyType({})
    ) -> Iterator[tuple[str, types.ModuleType, str]]:
        """The loaded modules of the scope, each with its file, in the order of `sys.modules`.

        Args:
            known: modules to leave out, by name and the identity of the module object.
        """
        foreign, owns = self._foreign, self._scope.owns
        names = () if self._scope.asks_for_paths else self._scope.names
        heads = {name.partition(".")[0] for name in names}
        for name, module in list(sys.modules.copy().items()):
            if known.get(name) == id(module) or name in ("__main__", "__mp_main__") or not is_module(module):
                continue
            if heads and name.partition(".")[0] not in heads:
                continue
            space = space_in(module)
            mark = (id(module), space.get("__file__"))
            if foreign.get(name) == mark:
                continue
            path = source_of(module)
            if space.get("__name__") == name and owns(name, path):
                yield name, module, path or ""
            else:
                foreign[name] = mark


class View:
    """What the files of the loaded modules look like now.

    Args:
        scope: the modules that are ours.
        data: other files that these read when they run.
        since: when the process began, as nanoseconds since the epoch, for a process that has imported modules
            unseen: what was written since then may be newer than what was imported.

    Attributes:
        scope: the modules that are ours.
        census: finds the modules of the scope.
        noted: by name, the file of a module that was imported since, and what it held when its import began.
        main: the text of the main module; None if it is not in scope or can't be read.
    """

    def __init__(self, scope: Scope, data: Iterable[str] = (), since: int | None = None) -> None:
        self.scope = scope
        self.census = Census(scope)
        self.noted: dict[str, tuple[str, bytes]] = {}
        self._since = (time.time_ns() if since is None else since) - TICK_NS
        self._seen: dict[str, _Sighting | None] = {}
        self._data: dict[str, _Sighting | None] = {}
        main = main_module(scope)
        self.main = bytes_of(main[1]) if main is not None else None
        if since is not None:
            self.main = None if main is None or self.may_have_changed(main[1]) else self.main
            return
        paths = {name: path for name, _, path in self.census.ours()}
        for name, path in paths.items():
            self._seen[name] = self._look(path) if path.endswith(SOURCE) else None
            if len(paths) <= FEW:
                self._look_closely(name, path)
        self._data = {path: self._look(path) for path in data}

    def look_closely(self) -> None:
        """Read what was not read yet, and is as it was: what an edit that comes then is compared with."""
        for name, _, path in self.census.ours():
            self._look_closely(name, path)

    def _look_closely(self, name: str, path: str) -> None:
        seen = self._seen.get(name)
        if seen is not None and seen[4] is None:
            self._seen[name] = (*seen[:4], self._still(path, seen))

    def data(self, digest: Callable[[bytes], str]) -> dict[str, str]:
        """By path, the digests of the other files when the view was taken; `UNKNOWN` where that is not known.

        Args:
            digest: makes one.
        """
        found: dict[str, str] = {}
        for path, seen in self._data.items():
            data = None if seen is None else seen[4] if seen[4] is not None else self._still(path, seen)
            found[path] = UNKNOWN if data is None else digest(data)
        return found

    def _still(self, path: str, seen: _Sighting) -> bytes | None:
        data = bytes_of(path)
        try:
            return data if seen[:4] == signature_of(path) else None
        except OSError:
            return None

    def _look(self, path: str) -> _Sighting | None:
        try:
            signature = signature_of(path)
            if _POSIX and signature[3] < self._since:
                return (*signature, None)
        except OSError:  # nothing was seen, so nothing is held against what is read later
            return None
        data = bytes_of(path)
        return (*signature, data) if data is not None else None

    def still_holds(self, name: str, path: str, data: bytes) -> bool:
        """Whether bytes that were read just now are what a module was loaded from.

        A module that was loaded before the view was taken is taken to have been up to date then; one that was
        loaded after it, if its file did not change since.
        """
        if name not in self._seen:
            return not self.may_have_changed(path)
        seen = self._seen[name]
        if seen is None:
            return False
        try:
            return seen[4] == data if seen[4] is not None else seen[:4] == signature_of(path)
        except OSError:
            return False

    def read(self, name: str) -> bytes | None:
        """What the file of a module held when the view was taken; None where it was not read."""
        seen = self._seen.get(name)
        return seen[4] if seen is not None else None

    def noted_of(self, name: str, path: str) -> bytes | None:
        """What the file of a module held when its import began; None where that was not seen."""
        origin, data = self.noted.get(name, ("", b""))
        return data if origin and os.path.abspath(origin) == path and name not in self._seen else None

    def may_have_changed(self, path: str) -> bool:
        """Whether a file may have been written since the view was taken."""
        try:
            return not _POSIX or signature_of(path)[3] >= self._since
        except OSError:
            return True


def bytes_of(path: str) -> bytes | None:
    """What a file holds; None where there is nothing to be read, and whoever needs it will say why."""
    try:
        # a FIFO or a device may have taken the place of the file; without O_NONBLOCK opening one waits
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        with open(descriptor, "rb") as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None


def main_module(scope: Scope) -> tuple[str, str] | None:
    """The name and the file of the program's main module, if it is in scope.

    The name is that under which it knows itself: a worker process of `multiprocessing` has executed the main
    module of its parent as `__mp_main__`.
    """
    module = sys.modules.get("__main__")
    if not is_module(module):
        return None
    path, space = source_of(module), space_in(module)
    if path is None or not path.endswith(SOURCE):
        return None
    name = space.get("__name__")
    if type(name) is not str or sys.modules.get(name) is not module:
        name = "__main__"
    real = getattr(space.get("__spec__"), "name", "__main__")  # of `python -m shop.tool` it is `shop.tool`
    return (name, path) if scope.owns(str(real), path) or scope.owns("__main__", path) else None


def signature_of(path: str) -> tuple[int, int, int, int]:
    """What is another one when a file may hold something else: its device, inode, size and change time.

    Raises:
        OSError: there is no such file, or it can't be looked at.
    """
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def source_of(module: types.ModuleType) -> str | None:
    """The file of a module as its import gave it; None when it has none."""
    path = space_in(module).get("__file__")
    if type(path) is not str:
        return None
    # normal already, in nearly all cases: `abspath` takes longer than the rest of the census
    if path.startswith("/") and not ("/./" in path or "/../" in path or "//" in path):
        return path
    return os.path.abspath(path)


def is_replaced(name: str) -> bool:
    """Whether something else than a module stands in `sys.modules`, as a rule what the module put there."""
    found: object = sys.modules.get(name)
    return found is not None and not is_module(found)


def end_of_modules() -> object:
    """What tells apart two states of `sys.modules`, which grows at its end."""
    try:
        name, module = next(reversed(sys.modules.items()))
    except (RuntimeError, StopIteration):  # another thread imports at this moment
        return object()
    return len(sys.modules), name, id(module)
