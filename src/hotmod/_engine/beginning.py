"""What a reloader begins from, so that it can be made later and in another thread.

Touches: what making a `Reloader` touches, once, when it is first asked for.

Guarantees: however late the reloader is made, edits since the beginning count as edits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from hotmod._config import Config
from hotmod._engine.data import DataFiles
from hotmod._engine.sightings import View
from hotmod._engine.turn import refuse_subinterpreter
from hotmod._engine.witness import WITNESS
from hotmod._scope import Scope

if TYPE_CHECKING:
    from hotmod._engine.reloader import Reloader

__all__ = ["Beginning"]


class Beginning:
    """A scope, options, and how the files looked when this was made."""

    def __init__(self, config: Config, scope: Scope, verify: Callable[[], object] | None = None) -> None:
        refuse_subinterpreter()
        self.config = config
        self.scope = scope
        self._verify = verify
        self._view: View | None = View(scope, DataFiles(config.depends).files())
        WITNESS.attend(self._view)
        self._made: Reloader | None = None
        self._making = threading.Lock()

    @property
    def generation(self) -> int:
        """How many transactions the reloader has committed; 0 before there is one."""
        return self._made.generation if self._made is not None else 0

    @property
    def is_behind(self) -> bool:
        """Whether memory differs from disk because an edit was rolled back or rejected."""
        return self._made is not None and self._made.ledger.is_behind

    @property
    def made(self) -> Reloader | None:
        """The reloader, if there is one already."""
        return self._made

    def look_closely(self) -> None:
        """Read the files of loaded modules: an edit that comes before the reloader is made is a small one."""
        view = self._view
        if view is not None:
            view.look_closely()

    def reloader(self) -> Reloader:
        """The reloader; the first call loads the engine and reads the files of the scope."""
        with self._making:
            if self._made is None:
                from hotmod._engine.reloader import Reloader  # noqa: PLC0415 - takes a while

                self._made = Reloader.made(self.config, self.scope, self._verify, view=self._view)
                if self._view is not None:
                    WITNESS.dismiss(self._view)
                self._view = None
            return self._made
