"""Calls under way in other threads: a moment for them to end before what they use is gone.

Touches: nothing; looks at the frames of other threads.

Guarantees: whoever asks waits for `GRACE` seconds at most, and not at all while nobody uses what goes.

Assumes: what a call uses by name stands in its code; what calls that it makes use, stands in theirs.
"""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Collection, Iterator

__all__ = ["calls_elsewhere", "let_calls_end"]

GRACE = 0.05  # seconds; a call that takes longer may miss a name: stable blocks are for those
LOOK = 0.001  # seconds between two looks


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
