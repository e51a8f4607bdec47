"""Lists of what somebody else keeps."""

from __future__ import annotations

import gc
import threading

from hotmod._engine.weak import WeakList
from tests.engine.watching import LONG


class Thing:
    """Something that can be listed."""


def test_what_nobody_keeps_is_listed_no_more() -> None:
    """The rest stays in its order."""
    listed: WeakList[Thing] = WeakList()
    things = [Thing() for _ in range(4)]
    for each in things:
        listed.add(each)
    del each, things[1]
    gc.collect()
    assert list(listed) == things
    listed.discard(things.pop(0))
    listed.discard(Thing())
    assert list(listed) == things


def test_threads_come_and_go() -> None:
    """Who goes through a list does not meet a `RuntimeError`, and misses nothing that stays."""
    listed: WeakList[Thing] = WeakList()
    kept = [Thing() for _ in range(20)]
    for each in kept:
        listed.add(each)
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for each in [Thing() for _ in range(5)]:
                listed.add(each)

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2_000):
            assert list(listed)[: len(kept)] == kept
    finally:
        over.set()
        for thread in threads:
            thread.join(LONG)
