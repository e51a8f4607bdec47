"""What is under way in other threads: a moment for it to end before what it needs is gone.

Touches: nothing; looks at the frames of other threads, and at modules.

Guarantees: whoever asks waits for `GRACE` seconds at most, for an import `IMPORT_GRACE`, and not at all while
nobody uses what goes.

Assumes: what a call uses by name stands in its code; what calls that it makes use, stands in theirs.
"""

from __future__ import annotations

import sys
import threading
import time
import types
import weakref
from collections.abc import Collection, Iterator

from hotmod._live.kinds import is_module, space_in
from hotmod._model.errors import HotmodError

__all__ = ["calls_elsewhere", "let_calls_end", "let_imports_end"]

GRACE = 0.05  # seconds; a call that takes longer may miss a name: stable blocks are for those
IMPORT_GRACE = 5.0  # seconds
LOOK = 0.001  # seconds between two looks

_endless: weakref.WeakSet[types.ModuleType] = weakref.WeakSet()  # modules whose import was waited for in vain


def calls_elsewhere() -> Iterator[tuple[int, types.FrameType]]:
    """The calls under way in other threads, with their threads, innermost first."""
    tops = sys._current_frames()  # noqa: SLF001 - the only way to see what other threads run
    # Not its own: a frame that refers to itself keeps what it knows until the collector comes.
    del tops[threading.get_ident()]
    while tops:
        thread, frame = tops.popitem()
        while frame is not None:
            yield thread, frame
            frame = frame.f_back  # type: ignore[assignment]


def let_calls_end(names: Collection[str], paths: Collection[str]) -> None:
    """Wait a moment while calls of code in some files use one of some names."""
    wanted, deadline, pause = frozenset(names), time.monotonic() + GRACE, threading.Event()
    while wanted and time.monotonic() < deadline:
        if not any(
            frame.f_code.co_filename in paths and not wanted.isdisjoint(frame.f_code.co_names)
            for _, frame in calls_elsewhere()
        ):
            return
        pause.wait(LOOK)


def let_imports_end(whole: Collection[str], parts: Collection[str]) -> None:
    """Wait while other threads are in the middle of importing some modules for the first time.

    The text of such a module would go on to bind what it was bound to bind before the edit, and the import
    fails where the module has gone from `sys.modules` when it ends. A module whose import never ends, as it
    is the program, is waited for once; one that this thread itself is importing, not at all.

    Args:
        whole: modules that are to run as a whole.
        parts: modules of which functions get other code, or single statements run.

    Raises:
        HotmodError: one that is to run as a whole is still being imported.
    """
    waited, deadline, pause = {*whole, *parts}, time.monotonic() + IMPORT_GRACE, threading.Event()
    here = _imported_here() if _being_imported(waited) else set()
    _endless.update(each for each in _being_imported(waited) if each.__name__ in here)
    while time.monotonic() < deadline and any(each not in _endless for each in _being_imported(waited)):
        pause.wait(LOOK)
    _endless.update(_being_imported(waited))
    left = sorted(each.__name__ for each in _being_imported(whole))
    if left:
        msg = (
            f"{', '.join(left)} can't run again: another thread is importing it, which has not come to an "
            f"end for {IMPORT_GRACE:g} s"
        )
        advice = "Save the file again when that is over; a module that is the program itself takes a restart."
        raise HotmodError(msg, advice=advice)


def _imported_here() -> set[object]:
    """The names of the modules whose top level is under way in this thread."""
    found = set[object]()
    frame: types.FrameType | None = sys._getframe()  # noqa: SLF001 - the import system keeps no list for us
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            found.add(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return found


def _being_imported(names: Collection[str]) -> list[types.ModuleType]:
    """Those modules that are in the middle of their first import."""
    found = (sys.modules.get(name) for name in names)
    return [
        each
        for each in found
        if is_module(each) and getattr(space_in(each).get("__spec__"), "_initializing", False)
    ]
