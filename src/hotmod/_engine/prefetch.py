"""Work done while waiting for quiet: what the reload will need is read, planned and compiled ahead.

Touches: source files, the caches of the reloader and of compiled texts. Executes nothing of the user's.

Guarantees: the program is not changed, and nothing is decided: the reload looks at the files again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection

from hotmod._engine.burst import Doubt
from hotmod._engine.hooks import compile_text
from hotmod._engine.reloader import LOCK, Reloader
from hotmod._model.changes import ChangeSet, SourceText
from hotmod._model.errors import SourceError

__all__ = ["prefetch"]


def prefetch(reloader: Reloader, paths: Collection[str] | None) -> Doubt:
    """Fill the caches for a reload of whatever changed, and say whether it looks half-saved.

    Args:
        reloader: whose caches.
        paths: the files that may have changed, None for all.
    """
    with LOCK:
        try:
            changes = reloader.ledger.changes(paths)
        except SourceError as error:  # a folder may be back in a moment
            return Doubt.BROKEN if os.path.exists(error.path) else Doubt.MISSING
        if any(map(reloader.ledger.is_loss, changes.changes)):
            return Doubt.MISSING
        return _compiled(reloader, changes)


def _compiled(reloader: Reloader, changes: ChangeSet) -> Doubt:
    texts = {change.module: change.text for change in changes.changes if change.text is not None}
    try:
        for name, text in texts.items():
            _compile(name, text)
        if not reloader.prepare(0.0):
            return Doubt.NONE  # a plan may take seconds now, and whoever applies the edit may do without
        for name in reloader.planner.plan(changes).executed:
            loaded = reloader.ledger.loaded(name)
            if name not in texts and loaded is not None and loaded.text is not None:
                _compile(name, loaded.text)
    except (SourceError, SyntaxError, ValueError, RecursionError, MemoryError):  # the reload reports them
        return Doubt.BROKEN
    return Doubt.NONE


def _compile(name: str, text: SourceText) -> None:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    compile_text(getattr(spec, "loader", None), text)
