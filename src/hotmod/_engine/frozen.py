"""Modules in scope that can't be loaded a second time: compiled ones.

Touches: `sys.modules` and files, read only.

Guarantees: a new build of such a module is told at every attempt until the process has been restarted.

Assumes: the files did not change between the start of the program and the moment when this was made.
"""

from __future__ import annotations

import importlib.machinery
import sys

from hotmod._engine.loaded import readable, source_of
from hotmod._live.kinds import is_module
from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard
from hotmod._scope import Scope

__all__ = ["Frozen"]

_COMPILED = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Frozen:
    """What the compiled modules of a scope were loaded from."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, SourceText] = {}
        self._looks = 0
        self._take_in()

    def _take_in(self) -> None:
        for name, module in list(sys.modules.copy().items()):
            if name not in self._known and is_module(module):
                path = source_of(module)
                if path is not None and path.endswith(_COMPILED) and self._scope.owns(name, path):
                    text = readable(path)
                    if text is not None:
                        self._known[name] = text

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
            if new is not None and new.digest != old.digest:
                what = "the compiled module was built anew; it can't be loaded twice"
                advice = "Restart the process to run it."
                found.append(Hazard("extension-module", name, message=what, advice=advice, path=old.path))
        return found
