"""File events: the only module that knows watchfiles.

Touches: the kernel's file notifications, through the native half of watchfiles, and one thread of its; a
temporary folder, where it is asked whether all events have come.

Guarantees: a folder that exists is watched by itself, without what lies below it, from before `arm` returns.
A path is given at least once for each burst of events on it, never twice for one poll. After `catch_up` said
yes, the next poll gives the events of all that was done to the folders before it was called.

Assumes: one thread at a time uses a `Notifier`. An event may be late and may be lost (a full queue of the
kernel tells nobody; what the kernel has queued goes with the native watcher when another one takes its
place): whoever relies on events looks at everything after `arm`, and compares contents now and then.

watchfiles' own loop sleeps once more after the first event, to group events. Here that is done above,
where it is known what the events are about: a poll returns at once, and a nap is a single native sleep
that holds no lock. Waking a Python lock instead costs twice as much processor time. When its stop event is
set, or its time is over, the native loop drops the events that came since its last look (watchfiles 1.2);
an exception of the stop event leaves them where they are, so that is how it is left here.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Collection

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from hotmod._engine.mounts import shared

__all__ = ["Notifier"]

_POLLING_MS = 300  # where the kernel gives no events: how often folders are compared
_ANSWER = 0.5  # seconds that an event may take; it takes a tenth of a millisecond
_EAGER = 20  # looks without a pause; nearly always one is enough
logger = logging.getLogger("hotmod")


class _EnoughError(Exception):
    """Leaves the native loop; events stay in it."""


class _Turns:
    """Ends the native loop after some turns of it: it asks its stop event once per turn."""

    def __init__(self, turns: int) -> None:
        self.left = turns

    def is_set(self) -> bool:
        if self.left <= 0:
            raise _EnoughError
        self.left -= 1
        return False


class _Until:
    """Ends the native loop when somebody wants it."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self.wanted = wanted

    def is_set(self) -> bool:
        if self.wanted():
            raise _EnoughError
        return False


class Notifier:
    """Events of some folders.

    Args:
        answers: whether it is going to be asked to `catch_up`.
        polling: whether folders are compared instead of watched: `on`, `off`, seconds between two looks, or
            `auto`, where the kernel refuses or others may write to a folder without telling it.
    """

    def __init__(self, *, answers: bool = False, polling: str | float = "auto") -> None:
        # The kernel queues the events of all folders of one watcher in order: when that of a file which we
        # made ourselves is there, all before it are.
        self._beacon = _temporary_folder() if answers else None
        self._put_out = weakref.finalize(self, _remove, self._beacon, os.getpid())
        self._lit = 0
        self.folders: frozenset[str] = frozenset()
        self._native: RustNotify | None = None
        self._left: set[str] = set()  # events that came in a nap
        forced = bool(os.environ.get("WATCHFILES_FORCE_POLLING", ""))
        self._polling = polling not in ("auto", "off") or (forced and polling == "auto")
        self._auto = polling == "auto"
        self._every = _POLLING_MS if isinstance(polling, str) else max(1, round(polling * 1000))

    def arm(self, folders: Collection[str]) -> None:
        """Watch exactly these folders from now on, each by itself. Folders that don't exist are left out.

        Events that were not polled before are lost.

        Raises:
            OSError, RuntimeError: the kernel refuses, and comparing folders instead fails as well.
        """
        native, armed = self._made(folders)
        before, self._native, self.folders = self._native, native, armed
        if before is not None:
            before.close()

    def _instead(self, error: Exception) -> set[str]:
        """What to tell where the native half met a name that is no text, of which it can say nothing else.

        An event of every folder has everything looked at.
        """
        if "decode" not in str(error):
            raise error
        return set(self.folders)

    def _events(self, step: int, stop: _Turns | _Until) -> set[str]:
        """The paths of the events that some turns of the native loop give."""
        native = self._native
        if native is None:
            return set()
        try:
            return {path for _, path in _run(native, step, stop)}
        except WatchfilesRustInternalError as error:
            found = self._instead(error)
            self._native, self.folders = self._made(self.folders)
            native.close()
            return found

    def _made(self, folders: Collection[str]) -> tuple[RustNotify, frozenset[str]]:
        """A native watcher of the folders, without those that vanish while it is made."""
        while True:
            existing = sorted(folder for folder in folders if os.path.isdir(folder))
            self._mind_shares(existing)
            beacon = [self._beacon] if self._beacon is not None and os.path.isdir(self._beacon) else []
            try:
                made = RustNotify([*existing, *beacon], False, self._polling, self._every, False, True)  # noqa: FBT003
            except FileNotFoundError:
                continue
            except (OSError, WatchfilesRustInternalError) as error:
                if self._polling or not self._auto:
                    raise
                logger.warning(
                    "The system refuses to watch %d folders (%s). They are compared every %d ms instead; "
                    "raise fs.inotify.max_user_watches or max_user_instances, or name narrower targets.",
                    len(existing),
                    error,
                    self._every,
                )
                self._polling = True
            else:
                return made, frozenset(existing)

    def _mind_shares(self, folders: Collection[str]) -> None:
        """Compare folders that another machine may write to."""
        if self._auto and not self._polling and sys.platform == "linux" and shared(folders):
            logger.info(
                "A watched folder lies on a file system that others may write to unnoticed by this machine. "
                'Folders are compared every %d ms instead of watched; polling="off" watches them.',
                self._every,
            )
            self._polling = True

    def poll(self) -> set[str]:
        """The paths of all events since the last call. Does not wait.

        Raises:
            RuntimeError: the native half failed; arm it again.
        """
        # The first turn sees that there are events, the second that no more came meanwhile, and returns them;
        # with a step of 0 there is no sleep between. The third ends the call if there were none.
        found, self._left = self._left, set()
        found |= self._events(0, _Turns(2))
        beacon = self._beacon
        return found if beacon is None else {path for path in found if os.path.dirname(path) != beacon}

    def catch_up(self) -> bool:
        """Wait for the events of all that was done before this call; the next poll gives them.

        Returns:
            False if it can't be known whether they have come.
        """
        if self._beacon is None or self._native is None or self._polling:
            return False
        self._lit += 1
        path = os.path.join(self._beacon, f"{os.getpid()}-{self._lit}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(path)
        except OSError:  # somebody cleared the temporary folders, or the disk is full
            return False
        deadline, looks = time.monotonic() + _ANSWER, 0
        while time.monotonic() < deadline:
            found = self._events(int(looks >= _EAGER), _Turns(2))
            looks += 1
            self._left |= found
            if path in found:
                return True
        return False

    def nap(self, milliseconds: int) -> None:
        """Let that much time pass; other threads run meanwhile."""
        self._left |= self._events(milliseconds, _Turns(0))

    def doze(self, milliseconds: int, wanted: Callable[[], bool]) -> None:
        """Let time pass until there are events, for the next poll, or somebody wants this to end.

        It costs less than naps of that length, as all but the question stays in native code; an event is
        noticed one and a half times that long after it, on average.
        """
        self._left |= self._events(milliseconds, _Until(wanted))

    def close(self) -> None:
        """End the native thread. The second call does nothing."""
        native, self._native = self._native, None
        if native is not None:
            native.close()
        self._beacon = None
        self._put_out()


def _temporary_folder() -> str | None:
    """A folder of our own, by its real path; None where none can be made."""
    try:
        return os.path.realpath(tempfile.mkdtemp(prefix="hotmod-"))
    except OSError:
        return None


def _remove(folder: str | None, owner: int) -> None:
    """Remove the folder, unless this is a child that was forked: it is its parent's."""
    if folder is not None and os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _run(native: RustNotify, step: int, stop: _Turns | _Until) -> set[tuple[int, str]]:
    """Some turns of the native loop, each after a sleep of `step` milliseconds."""
    try:
        changes = native.watch(0, step, 0, stop)
    except _EnoughError:
        return set()
    return changes if isinstance(changes, set) else set()
