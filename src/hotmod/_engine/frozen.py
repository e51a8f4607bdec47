"""Modules in scope that can't be loaded a second time: compiled ones, and those for which an object stands.

Touches: `sys.modules` and files, read only.

Guarantees: a new build or an edit of such a module is told at every attempt until the process has been
restarted.

Assumes: the files did not change between the start of the program and the moment when this was made.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Mapping

from hotmod._engine.loaded import readable, source_of
from hotmod._engine.sightings import SOURCE, is_replaced
from hotmod._live.kinds import is_module
from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard
from hotmod._scope import Scope, find_spec

__all__ = ["Frozen"]

_COMPILED = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Frozen:
    """What such modules of a scope were loaded from."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, SourceText] = {}
        self._looks = 0
        self._take_in()

    def _take_in(self) -> None:
        entries: Mapping[str, object] = sys.modules.copy()
        for name, module in entries.items():
            if name in self._known:
                continue
            if is_module(module):
                path, suffixes = source_of(module), _COMPILED
            else:
                path, suffixes = self._file_of(name), SOURCE
            if path is not None and path.endswith(suffixes) and self._scope.owns(name, path):
                text = readable(path)
                if text is not None:
                    self._known[name] = text

    def _file_of(self, name: str) -> str | None:
        """The file of what another object stands for: it has no `__file__`."""
        if not is_replaced(name) or not (self._scope.asks_for_paths or self._scope.owns_name(name)):
            return None
        spec = find_spec(name)
        return spec.origin if spec is not None and spec.has_location else None

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
            replaced = old.path.endswith(SOURCE)
            if replaced and not is_replaced(name):
                continue  # somebody took the object out
            new = readable(old.path)
            if new is not None and new.digest != old.digest:
                code = "replaced-module" if replaced else "extension-module"
                what = "the compiled module was built anew; it can't be loaded twice"
                if replaced:
                    what = "another object stands for the module in sys.modules; the edit can't reach it"
                advice = "Restart the process to run it."
                found.append(Hazard(code, name, message=what, advice=advice, path=old.path))
        return found
