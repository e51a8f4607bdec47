"""Modules in scope that can't be executed again: compiled ones, and the program's main module.

Touches: `sys.modules` and files, read only.

Guarantees: an edit of such a module is told at every attempt until the process has been restarted.

Assumes: the files did not change between the start of the program and the moment when this was made.
"""

from __future__ import annotations

import ast
import importlib.machinery
import sys
import types

from hotmod._engine.loaded import readable, source_of
from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._model.hazards import Hazard
from hotmod._scope import Scope
from hotmod._source.parse import parse

__all__ = ["Frozen"]

_COMPILED = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Frozen:
    """What the modules of a scope that can't be executed again were loaded from."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, SourceText] = {}
        self._looks = 0
        self._take_in()

    def _take_in(self) -> None:
        for name, module in list(sys.modules.items()):
            if name not in self._known and isinstance(module, types.ModuleType):
                path = source_of(module)
                if path is not None and self._is_ours(name, module, path):
                    text = readable(path)
                    if text is not None:
                        self._known[name] = text

    def _is_ours(self, name: str, module: types.ModuleType, path: str) -> bool:
        if name != "__main__":
            return path.endswith(_COMPILED) and self._scope.owns(name, path)
        spec = vars(module).get("__spec__")
        real = getattr(spec, "name", "__main__")
        return self._scope.owns(real, path) and not path.endswith(_COMPILED)

    def hazards(self, looks: int) -> list[Hazard]:
        """The modules whose files differ from what they were loaded from.

        Args:
            looks: how often the ledger has looked at all modules: when that is as often as at the last call,
                there is no need to.
        """
        if looks != self._looks:
            self._looks = looks
            self._take_in()
        found = []
        for name, old in self._known.items():
            new = readable(old.path)
            if new is None or new.digest == old.digest:
                continue
            if name == "__main__":
                if _same_program(old, new):
                    continue
                code, what = "main-module", "the program's main module was edited; it is not executed again"
            else:
                code, what = (
                    "extension-module",
                    "the compiled module was built anew; it can't be loaded twice",
                )
            advice = "Restart the process to run it."
            found.append(Hazard(code, name, message=what, advice=advice, path=old.path))
        return found


def _same_program(one: SourceText, two: SourceText) -> bool:
    """Whether two texts differ in comments and layout only. A text that can't be parsed is another one."""
    try:
        return ast.dump(parse(one)) == ast.dump(parse(two))
    except SourceError:
        return False
