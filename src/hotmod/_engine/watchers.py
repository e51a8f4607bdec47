"""Every watcher of the process, for the hooks of exit and fork and for those who ask how things stand.

Touches: hooks of exit and fork.

Guarantees: at exit and in a forked child no attempt of a watcher begins.
"""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING

from hotmod._engine.weak import WeakList

if TYPE_CHECKING:
    from hotmod._engine.lookout import Lookout
    from hotmod._engine.watcher import Watcher

__all__ = ["LOOKOUTS", "WATCHERS"]

WATCHERS: WeakList[Watcher] = WeakList()
# Kept alive by this: a forked child must not take down the native watcher, whose descriptors it shares with
# its parent and whose thread it does not have.
LOOKOUTS: set[Lookout] = set()


def _stop_all() -> None:
    for watcher in WATCHERS:
        watcher.stop()


def _abandon_all() -> None:
    for watcher in WATCHERS:
        watcher.abandon()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
