"""The glance: a look at the files of a reloader by whoever asks, in its own thread, before it goes on.

Touches: file notifications, the state of source files, and the running program, through the reloader.

Guarantees: what was saved before `bring_up_to_date` is called is applied or refused when it returns. Where
nothing was saved it costs the same for any number of modules, if the kernel tells of every save; on shares,
and on systems without inotify, the state of each file is asked for.

Assumes: on Linux the kernel queues the event of a save before the save is over. It does not tell of what is
written through a mapping in memory, or by a name of the file in another folder: a few files are asked for
by themselves each time, all of them in turn.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterable

from hotmod._engine.failures import failure
from hotmod._engine.lookout import Lookout
from hotmod._engine.mounts import shared
from hotmod._engine.reloader import LOCK, Reloader, reloads_here
from hotmod._model.report import Report

__all__ = ["Glance"]

SLICE = 64  # files that are asked for by themselves at each glance
COMPARED = 500_000  # bytes of modules that `doubt` compares; it takes a second
# A file system's clock may stand still for a tick of the kernel (up to 10 ms); the rest is for network.
_TICK_NS = 100_000_000
_POSIX = os.name == "posix"  # elsewhere no time of a file tells that it was written
_Mark = tuple[int, int, int, int]


class Glance:
    """Keeps the modules of a reloader up to date whenever it is asked to, and only then.

    Args:
        reloader: the reloader.
        delay: seconds of quiet after which a save is taken to be finished.

    Raises:
        OSError: the system gives no way to watch.
    """

    def __init__(self, reloader: Reloader, delay: float) -> None:
        self.reloader = reloader
        self._lookout = Lookout(reloader, delay, answers=True)
        self._turn = threading.RLock()  # cells may run in several threads
        self._files = _Files()
        self._folders: frozenset[str] = frozenset()
        self._tells = False  # whether the kernel tells of every save in the folders
        _OPEN.add(self._lookout)
        try:
            self._lookout.start()  # it has everything compared at the first glance, so marks before that do
            self._files.mark(reloader)
        except BaseException:
            self.close()
            raise

    @property
    def folders(self) -> frozenset[str]:
        """The folders watched now."""
        return self._lookout.folders

    def close(self) -> None:
        """Watch no longer. The second call does nothing."""
        with self._turn:
            self._lookout.close()
            _OPEN.discard(self._lookout)

    def bring_up_to_date(self) -> Report | None:
        """Apply whatever was saved before this call, as one transaction.

        A save that looks unfinished is waited for, a quarter of a second at most.

        Returns:
            What was done; None if nothing was saved, or nothing but what had been refused before.

        Raises:
            KeyboardInterrupt: the user interrupted; what was saved is still to be applied.
        """
        if reloads_here():
            return None  # a module that is being reloaded runs a cell
        with self._turn:
            try:
                if not self._lookout.look(self._seen()):
                    return None
                while not self._lookout.turn(held=False):
                    pass  # a turn lets a moment pass: it gives those who still write time to come to an end
            except Exception as error:  # noqa: BLE001 - it is told
                self._lookout.ask()
                return failure(error, str(self.reloader.scope), self.reloader.generation)
            return self._attempt()

    def retry(self) -> Report:
        """Attempt whatever is on disk, refused before or not.

        Returns:
            What was done. After `applied` or `unchanged` the program runs what is on disk.
        """
        with self._turn:
            report = self.reloader.attempt(None, again=True)
            assert report is not None, "an attempt that is asked for gives a report"  # noqa: S101
            return report

    def waiting(self) -> tuple[str, ...]:
        """The modules that an attempt would be about, refused ones too; reads every file.

        Raises:
            SourceError: a file can't be read.
        """
        with LOCK:
            return self.reloader.planner.plan(self.reloader.ledger.changes()).changes.modules

    def doubt(self) -> tuple[str, ...]:
        """Find modules whose files were edited after their import and before hotmod came.

        The next glance runs them again, as a whole: which text they ran is not known.

        Returns:
            Their names. None are found where the modules are so large that the comparison would take long.
        """
        ledger = self.reloader.ledger
        with self._turn, LOCK:
            texts = [loaded.text for loaded in ledger.modules.values() if loaded.text is not None]
            if sum(len(text.data) for text in texts) > COMPARED:
                return ()
            found = self.reloader.verify().differences
            names = dict.fromkeys(each.module for each in found if each.why == "unseen-edit")
            doubted = {name: ledger.modules[name] for name in names if name in ledger.modules}
            ledger.restore({name: dataclasses.replace(each, certain=False) for name, each in doubted.items()})
            self._lookout.ask()
            return tuple(doubted)

    def refresh(self) -> None:
        """Take in what was imported since the last call."""
        with LOCK:
            self.reloader.ledger.refresh()

    def prepare(self, seconds: float) -> bool:
        """Do some of the work that the next attempt needs; gives whether all of it is done."""
        with self._turn:
            return self.reloader.prepare(seconds)

    def _seen(self) -> frozenset[str]:
        """Files that have changed, as far as events may not tell."""
        if self._folders != self._lookout.folders:
            self._folders = self._lookout.folders
            self._tells = sys.platform == "linux" and shared(self._folders) is False
        told = self._lookout.catch_up() and self._tells
        suspects = self._files.suspects(self.reloader, None if told else sys.maxsize)
        return frozenset(suspects) if suspects and self._lookout.differs(suspects) else frozenset()

    def _attempt(self) -> Report | None:
        lookout, reloader = self._lookout, self.reloader
        try:
            report = reloader.attempt(lookout.take(), unfinished=lookout.is_unfinished)
        except Exception as error:  # noqa: BLE001 - it is told
            return failure(error, str(self.reloader.scope), self.reloader.generation)
        except BaseException:  # Ctrl-C between two steps of ours
            lookout.ask()
            raise
        if report is not None and report.postponed:
            lookout.ask()
        return report


class _Files:
    """What the files of the loaded modules looked like when their contents were compared last."""

    def __init__(self) -> None:
        self._marks: dict[str, _Mark] = {}
        self._round: Iterable[str] = iter(())
        self._count = -1
        self._length = 0

    def suspects(self, reloader: Reloader, most: int | None) -> list[str]:
        """Files that may not hold what they held.

        Args:
            reloader: whose files.
            most: how many to look at, in turn; None for a few.
        """
        if self._count != len(reloader.ledger.modules):
            self._count = len(reloader.ledger.modules)
            paths = sorted({*reloader.ledger.paths(), *reloader.ledger.data.files()})
            self._length, self._round = len(paths), itertools.cycle(paths)
        now = time.time_ns() - _TICK_NS
        number = min(SLICE if most is None else most, self._length)
        return [path for path in itertools.islice(self._round, number) if self._is_suspect(path, now)]

    def mark(self, reloader: Reloader) -> None:
        """Take what is on disk now for what is compared next."""
        now = time.time_ns() - _TICK_NS
        for path in (*reloader.ledger.paths(), *reloader.ledger.data.files()):
            self._is_suspect(path, now)

    def _is_suspect(self, path: str, now: int) -> bool:
        try:
            status = os.stat(path)
        except OSError:
            return True
        mark = (status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)
        if self._marks.get(path) == mark:
            return False
        if _POSIX and status.st_ctime_ns < now:  # else the next write may leave the mark as it is
            self._marks[path] = mark
        return True


# Kept alive by this: a forked child must not take down the native watcher, whose descriptors it shares with
# its parent and whose thread it does not have.
_OPEN: set[Lookout] = set()
