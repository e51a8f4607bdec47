"""The lookout: what has been saved, and is it time to apply it?

Touches: file notifications, source files and the caches of the reloader. Never the running program.

Guarantees: a save is noticed whenever it happens after the watcher was made; while saves keep coming it is
not yet time; new folders are watched, and what was saved in them before is found by a look at everything.

Assumes: one thread uses a `Lookout`, but for `ask` and `take`.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol, cast

from hotmod._config import Config
from hotmod._engine.burst import Burst, Doubt
from hotmod._engine.logonly import LogOnly
from hotmod._engine.notify import Notifier
from hotmod._engine.prefetch import prefetch
from hotmod._engine.reloader import LOCK
from hotmod._engine.roots import Territory, survey_folders
from hotmod._engine.saying import say
from hotmod._model.changes import ChangeSet
from hotmod._model.errors import SourceError
from hotmod._scope import Scope

__all__ = ["Lookout", "Watched"]

# Naps in milliseconds, by the seconds since the last save. Half a nap is what a save waits to be noticed, so
# naps are short while someone is editing. When nobody has saved for a while, the lookout dozes, which costs
# no more than watchfiles' own loop does.
NAPS = ((30.0, 3), (300.0, 8))
DOZE = 100
CLOSE = 0.0006  # seconds; less than half a nap is not worth another one
SLICE = 0.02  # seconds of work ahead between two looks, while nobody saves
TRIES = 5  # looks at the folders, while more come
LARGE = 50  # files in a burst after which everything is looked at: the kernel's queue may have run over
logger = logging.getLogger("hotmod")


class Watched(Protocol):
    """What the lookout has to know of whose files it watches: of a reloader, or of a service."""

    @property
    def scope(self) -> Scope:
        """Where the files are."""

    @property
    def config(self) -> Config:
        """The options."""

    @property
    def ledger(self) -> Any:
        """What is loaded, and from where."""

    def graph(self) -> object:
        """Read what is loaded."""

    def prepare(self, seconds: float, /) -> object:
        """Do some work ahead."""


class Lookout:
    """Watches the files of one reloader.

    Args:
        reloader: the reloader, or what is used like one.
        delay: seconds of quiet after which a save is taken to be finished.
        answers: whether it is going to be asked to `look`.
        doubt: prepares for files that may have changed (None: all), and says whether they look half-saved.
    """

    def __init__(
        self,
        reloader: Watched,
        delay: float,
        *,
        answers: bool = False,
        doubt: Callable[[frozenset[str] | None], Doubt] | None = None,
    ) -> None:
        self.reloader = reloader
        self._doubt = doubt or functools.partial(prefetch, cast("Any", reloader))
        self.burst = Burst(delay)
        self._notifier = Notifier(answers=answers, polling=reloader.config.polling)
        self._log_only = LogOnly(delay)
        self._territory: Territory | None = None
        self._saved = time.monotonic()
        self._modules = 0
        self._stale_lock = False
        self._asked = self._woken = False
        self._expects_losses = False  # whether files were missing or empty already when quiet began
        self._filling = threading.Lock()  # the burst is filled in one thread and may be taken in another

    @property
    def last(self) -> float:
        """When the last of the saves that wait was noticed; 0 where none waits."""
        return self.burst.last if self.burst else 0.0

    @property
    def folders(self) -> frozenset[str]:
        """The folders watched now."""
        return self._notifier.folders

    def start(self) -> None:
        """Watch, read what is loaded, and have everything looked at once.

        Raises:
            OSError: the system gives no way to watch.
        """
        self._arm()
        self.ask()
        with LOCK:
            self.reloader.graph()  # so that the first save does not wait for it

    def ask(self) -> None:
        """Have everything looked at soon. Any thread may call this."""
        self._asked = True

    def wake(self) -> None:
        """Let the turn that is under way end soon. Any thread may call this."""
        self._woken = True

    def turn(self, *, held: bool) -> bool:
        """Let a moment pass, and say whether it is time to apply what was saved."""
        nap = self._nap(held=held)
        if nap is None:
            self._notifier.doze(DOZE, self._is_wanted)
        else:
            self._notifier.nap(nap)
        now = time.monotonic()
        self._listen(now)
        if not self.burst:
            self.reloader.prepare(SLICE)
        return not held and self.is_over()

    def is_over(self) -> bool:
        """Whether something was saved, and nobody saves any more."""
        if not self.burst:
            return False
        now = time.monotonic()
        return self.burst.wait(now, busy=self._is_git_busy(now)) <= CLOSE

    def catch_up(self) -> bool:
        """Wait for the events of what was saved before this call; False if they can't be waited for."""
        return self._notifier.catch_up()

    def look(self, files: frozenset[str] = frozenset()) -> bool:
        """Take in what happened until now, and say whether there is anything to apply. Does not wait.

        Args:
            files: files that somebody else found changed.
        """
        self._listen(time.monotonic(), files)
        return bool(self.burst)

    def differs(self, paths: Collection[str] | None) -> bool:
        """Whether files hold something else than what is loaded and what was refused.

        Args:
            paths: the files that may have changed; None for all. What differed before counts in any case.
        """
        ledger = self.reloader.ledger
        with LOCK:
            try:
                changes = ledger.changes(paths)
            except SourceError:
                return True  # the attempt meets it again, and reports it
            return bool(changes) and not ledger.refuses(changes)

    def waiting(self) -> frozenset[str] | None:
        """The files that `take` would give."""
        with self._filling:
            return None if self.burst.everything else frozenset(self.burst.paths)

    def take(self) -> frozenset[str] | None:
        """The files to apply now; None for a look at all."""
        with self._filling:
            self._expects_losses = self.burst.doubt is Doubt.MISSING
            large = len(self.burst.paths) >= LARGE
            paths = self.burst.take()
        if large:
            self.ask()
        return paths

    def is_unfinished(self, changes: ChangeSet) -> bool:
        """Whether what was read since `take` may be half a save; then everything is looked at again soon.

        Git began to write meanwhile, or files are missing or empty that were not when the saves seemed over.
        """
        lost = not self._expects_losses and any(map(self.reloader.ledger.is_loss, changes.changes))
        if lost or (not self._stale_lock and self._is_locked()):
            self.ask()
            return True
        return False

    def close(self) -> None:
        """Watch no longer."""
        self._notifier.close()

    def _nap(self, *, held: bool) -> int | None:
        """How long to nap, in milliseconds; None when it is time to doze."""
        now = time.monotonic()
        nap = next((nap for seconds, nap in NAPS if now < self._saved + seconds), None)
        if self.burst and not held:
            return max(1, min(nap or DOZE, round(self.burst.wait(now) * 1e3)))
        return nap

    def _is_wanted(self) -> bool:
        """Whether there is something to do besides events."""
        woken, self._woken = self._woken, False
        return woken or self._asked or len(sys.modules) != self._modules

    def _listen(self, now: float, seen: frozenset[str] = frozenset()) -> None:
        """Take in what happened since the last turn, and files that were seen to have changed."""
        territory = self._territory
        try:
            news = territory.news(self._notifier.poll()) if territory is not None else None
        except RuntimeError:
            say(
                logging.ERROR,
                "hotmod: file notification failed; watching anew, and looking at every file",
                with_error=True,
            )
            news = None
        everything = self._asked
        self._asked = False
        if news is None or news.folders or self._has_new_places():
            self._arm()
            everything = True
        if news is not None and news.logged:
            self._log_only.saved(now, news.logged)
            self._saved = now
        self._log_only.tell(now)
        files = seen | (news.files if news is not None else frozenset())
        if not files and not everything:
            return
        with self._filling:
            self.burst.add(now, files, everything=everything)
        self._saved = now
        self._prepare()

    def _prepare(self) -> None:
        """Do what the reload will need, while it can't begin yet."""
        try:
            self.burst.doubt = self._doubt(self.waiting())
        except Exception:
            # The reload will meet the same error, and turn it into a report.
            self.burst.doubt = Doubt.MISSING
            logger.debug("hotmod: preparing a reload failed", exc_info=True)

    def _arm(self) -> None:
        """Watch the folders that matter now, and have everything looked at."""
        with LOCK:
            self.reloader.ledger.refresh()
            loaded = self.reloader.ledger.paths()
        self._modules = len(sys.modules)
        for _ in range(TRIES):
            territory = self._territory = self._survey(loaded)
            self._log_only.survey(territory)
            self._notifier.arm(territory.folders)
            # A folder that came after it was looked for, and before it would have been an event, is one more;
            # so is one that was gone for just the moment in which it was to be watched.
            there = filter(os.path.isdir, self._survey(loaded).folders)
            if frozenset(there) == self._notifier.folders:
                self._log_only.look_again(time.monotonic())
                return
        self._asked = True  # somebody makes folders faster than they can be watched: look again

    def _survey(self, loaded: set[str]) -> Territory:
        return survey_folders(self.reloader.scope, loaded, self.reloader.ledger.data.globs())

    def _has_new_places(self) -> bool:
        """Whether a module was imported from a folder that is not watched."""
        if len(sys.modules) == self._modules or self._territory is None:
            return False
        self._modules = len(sys.modules)
        with LOCK:
            self.reloader.ledger.refresh()
            loaded = self.reloader.ledger.paths()
        new = loaded - self._territory.files
        known = {place for places in self._territory.inside.values() for place in places}
        return any(os.path.dirname(path) not in known or os.path.islink(path) for path in new)

    def _is_git_busy(self, now: float) -> bool:
        """Whether git is in the middle of changing our files.

        Git holds `index.lock` from before the first file that it writes until after the last one. A lock that
        outlives the bound of a burst belongs to a commit whose message is being written, or to nobody.
        """
        busy = self._is_locked()
        if not busy:
            self._stale_lock = False
        elif self.burst.wait(now, busy=True) <= CLOSE:
            self._stale_lock = True
        return busy and not self._stale_lock

    def _is_locked(self) -> bool:
        return any(map(os.path.exists, self._git_locks()))

    def _git_locks(self) -> set[str]:
        locks: set[str] = set()
        for root, _ in self.reloader.scope.roots():
            folder = os.path.dirname(root)
            while not os.path.exists(os.path.join(folder, ".git")) and folder != os.path.dirname(folder):
                folder = os.path.dirname(folder)
            locks.add(os.path.join(_git_folder(os.path.join(folder, ".git")), "index.lock"))
        return locks


def _git_folder(path: str) -> str:
    """Where git keeps its index: `.git` itself, or what the file of that name in a work tree says."""
    if not os.path.isfile(path):
        return path
    try:
        with open(path, encoding="utf-8") as file:
            return os.path.join(os.path.dirname(path), file.read().partition("gitdir:")[2].strip())
    except (OSError, UnicodeDecodeError):
        return path
