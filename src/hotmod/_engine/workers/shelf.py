"""The shelf: source files as another process has shipped them, and the importer that reads them.

Touches: `sys.meta_path` (one finder per shelf), linecache, and what stands for the disk in the source room.

Guarantees: as long as a shelf is up, every module of its scope that has a source is imported and reloaded
from its texts, and no `.pyc` is read or written; a module that it does not have does not exist. A traceback
shows the text that runs.

Assumes: nobody else's import hook wants the modules of the scope.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Mapping, Sequence

from hotmod._engine.hooks import FINDER
from hotmod._engine.loaded import SOURCE
from hotmod._engine.workers.editions import Edition, Entry
from hotmod._live.modules import pin_lines
from hotmod._model.changes import SourceText
from hotmod._scope import Scope, locations
from hotmod._source.files import SHELVES
from hotmod._source.parse import decode

__all__ = ["Contents", "ShelvedFiles"]


class Contents:
    """What an edition puts on a shelf of this process.

    Attributes:
        modules: the modules by name; their paths are those of this process.
        texts: their texts by path, and that of the main module.
        roots: the folders and files in which they lie.
    """

    def __init__(self, edition: Edition, texts: Mapping[str, bytes]) -> None:
        moved = _moved(edition.roots)
        moves = [(root, here) for root, here in moved if root != here]
        self.modules: dict[str, tuple[str, bool]] = {}
        self.texts: dict[str, SourceText] = {}
        for name, entry in edition.modules.items():
            path = self._add(entry, moves, texts)
            self.modules[name] = path, entry.is_package
        if edition.main is not None:
            self._add(edition.main, moves, texts)
        self.roots = [here for _, here in moved]

    def _add(self, entry: Entry, moves: Sequence[tuple[str, str]], texts: Mapping[str, bytes]) -> str:
        path = entry.path
        for root, here in moves:
            if path == root or path.startswith(root + os.sep):
                path = here + path[len(root) :]
                break
        self.texts[path] = SourceText(path, texts[entry.digest], entry.digest)
        return path


def _moved(roots: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where the folders of an edition are here: elsewhere, if the package is installed elsewhere."""
    found = []
    for root, name in roots:
        places = locations(name) if name and (name in sys.modules or not os.path.exists(root)) else []
        found.append((root, root if not places or root in places else places[0]))
    return found


class ShelvedFiles:
    """The shelf of one scope.

    Args:
        scope: whose source files it holds.
        contents: what is on it.
    """

    def __init__(self, scope: Scope, contents: Contents) -> None:
        self.scope, self.contents = scope, contents

    def put_up(self) -> None:
        """Let it stand for the disk from now on."""
        SHELVES.append(self)
        place = sys.meta_path.index(FINDER) + 1 if FINDER in sys.meta_path else 0
        sys.meta_path.insert(place, self)

    def holds(self, path: str) -> bool:
        """Whether a file or folder is one that this shelf, and not the disk, tells of."""
        if path in self.contents.texts or path in self.contents.roots:
            return True
        below = any(path.startswith(root + os.sep) for root in self.contents.roots)
        return below and path.endswith(SOURCE) and self.scope.allows(path)

    def text(self, path: str) -> SourceText | None:
        """The text of a file; None if there is no such file."""
        return self.contents.texts.get(path)

    def files(self) -> Mapping[str, str]:
        """The file of each module."""
        return {name: path for name, (path, _) in self.contents.modules.items()}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of the scope among the texts; None for other modules.

        Raises:
            ModuleNotFoundError: the module is of the scope, and was not shipped, though the disk has it.
        """
        known = self.contents.modules.get(name)
        if known is not None:
            file, is_package = known
            folders = [os.path.dirname(file)] if is_package else None
            loader = _Loader(self, name, file)
            return importlib.util.spec_from_file_location(
                name, file, loader=loader, submodule_search_locations=folders
            )
        if not self.scope.owns_name(name) and not self.scope.asks_for_paths:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None:
            return self._namespace(name)
        if spec.origin is not None and spec.has_location and self.holds(spec.origin):
            msg = f"No module named {name!r} (it is on the disk, but not committed)"
            raise ModuleNotFoundError(msg, name=name, path=spec.origin)
        return None

    def _namespace(self, name: str) -> importlib.machinery.ModuleSpec | None:
        """A package without a source of its own, on a disk that has no such folder."""
        inside = [
            file for module, (file, _) in self.contents.modules.items() if module.startswith(f"{name}.")
        ]
        if not inside:
            return None
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = sorted({os.path.dirname(file) for file in inside})
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from its text on the shelf."""

    def __init__(self, shelf: ShelvedFiles, name: str, path: str) -> None:
        super().__init__(name, path)
        self._shelf = shelf

    def get_data(self, path: str) -> bytes:
        """The bytes of a source on the shelf; of any other file those on the disk."""
        text = self._shelf.text(path)
        return super().get_data(path) if text is None else text.data

    def get_code(self, fullname: str) -> types.CodeType:
        """Compile the text; a `.pyc` beside a file that others may write to proves nothing."""
        text = self._shelf.text(self.get_filename(fullname))
        if text is None:
            msg = f"{fullname} is not committed any more"
            raise ImportError(msg, name=fullname)
        code: types.CodeType = self.source_to_code(text.data, text.path)
        pin_lines(None, {text.path: (decode(text), None)})
        return code
