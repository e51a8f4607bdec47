"""A package of a test's own: written, imported, edited, and forgotten at the end."""

from __future__ import annotations

import importlib
import linecache
import pathlib
import sys
import textwrap
import types
from collections.abc import Mapping

from tests.oracle.snapshot import Snapshot, take

__all__ = ["Project"]


class Project:
    """Files below a folder on `sys.path`, and the modules that were imported from them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder.resolve()
        sys.path.insert(0, str(self.folder))

    def write(self, files: Mapping[str, str]) -> Project:
        """Write some files, indented as the test is."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
        return self

    def delete(self, *names: str) -> None:
        """Delete some files."""
        for name in names:
            (self.folder / name).unlink()

    def load(self, *names: str) -> types.ModuleType:
        """Import some modules; gives the last."""
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in names][-1]

    def owns(self, name: str) -> bool:
        """Whether a module was imported from the project's folder."""
        module = sys.modules.get(name)
        if not isinstance(module, types.ModuleType) or name == "__main__":
            return False
        files = [vars(module).get("__file__") or "", *(vars(module).get("__path__") or ())]
        return any(str(file).startswith(str(self.folder)) for file in files)

    def snapshot(self) -> Snapshot:
        """The state of the project's modules by identity."""
        return take(self.owns, str(self.folder))

    def forget(self) -> None:
        """Take everything out of this process."""
        for name in [name for name in list(sys.modules) if self.owns(name)]:
            del sys.modules[name]
        for path in [path for path in linecache.cache if path.startswith(str(self.folder))]:
            del linecache.cache[path]
        sys.path.remove(str(self.folder))
        importlib.invalidate_caches()
