"""The service: which version of some packages is in charge, and what becomes of the others.

Touches: what its versions touch.

Guarantees: the version in charge changes by one assignment, after the next one was loaded, whole, and its
check has agreed; whatever fails before that leaves everything as it was. A version that nobody is pinned to,
that is not in charge and is not kept for `rollback()`, is disposed of, once, and no more referred to. Hooks
and checks of the user's run under no lock but the one that lets one attempt be made at a time.

Assumes: files are not changed while they are read; a pause tells that several of them have been saved.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from hotmod._engine.canary import Command
from hotmod._engine.data import DataFiles, Digests
from hotmod._engine.failures import location_of, trimmed
from hotmod._engine.saying import say
from hotmod._engine.versions.block import Pin
from hotmod._engine.versions.family import FINDER, Family
from hotmod._engine.versions.making import (
    VersionCheck,
    build,
    detached,
    differing,
    dispose,
    let_go,
    read_data,
    read_texts,
)
from hotmod._engine.versions.pins import Hold, follow_threads
from hotmod._engine.versions.version import Version
from hotmod._model.changes import SourceText
from hotmod._model.errors import HotmodError, RollbackError
from hotmod._model.swap import Swap, SwapStatus
from hotmod._scope import Scope, keep_apart

if TYPE_CHECKING:
    from hotmod._engine.versions.watching import Watch

__all__ = ["Service"]

HISTORY = 32


@dataclasses.dataclass(slots=True)
class _Trial:
    """A version that gets a share of the pins.

    Attributes:
        version: the version.
        share: how much of the pins it gets, from 0 to 1.
        promote_after: how many runs have to end well.
        due: the part of a pin that it is still owed.
        done: how many have ended well.
        changed: what is different in it.
    """

    version: Version
    share: float
    promote_after: int
    changed: tuple[str, ...]
    due: float = 0.0
    done: int = 0


class Service:
    """Versions of some packages, side by side, one of them in charge; `hotmod.versions.open` makes one.

    It is a context manager that closes on leaving.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        verify: VersionCheck | Command | None = None,
        keep: int = 1,
        share: float = 1.0,
        promote_after: int = 20,
        on_swap: Callable[[Swap], object] | None = None,
        depends: Iterable[tuple[str, Iterable[str]]] = (),
    ) -> None:
        self.scope = scope
        self._verify, self._on_swap = verify, on_swap
        self._share, self._promote_after = share, promote_after
        self.family = family = Family(scope.names)
        self.files = DataFiles(each for each in depends if family.owns(each[0]))
        self.renew_locks()
        self._made = 1  # the number of the version that was tried last
        self._alive: dict[int, Version] = {}
        self._before: collections.deque[Version] = collections.deque(maxlen=keep)
        self._trial: _Trial | None = None
        self._tried: tuple[Mapping[str, SourceText], Mapping[str, Digests]] | None = None
        self._history: collections.deque[Swap] = collections.deque(maxlen=HISTORY)
        self._new: collections.deque[Swap] = collections.deque(maxlen=HISTORY)
        self._closed = False
        self.watch: Watch | None = None
        self._start()

    def _start(self) -> None:
        follow_threads()
        texts, data = read_texts(self.scope, self.family.current), read_data(self.files)
        keep_apart(self.scope.names, apart=True)
        before = self.family.take_over()  # of a service that was closed
        FINDER.join(self.family)
        try:
            first = build(self.family, self._made, texts, data, None)
        except BaseException:
            self.close()
            sys.modules.update(before)  # type: ignore[arg-type]  # as they were
            raise
        self.family.current = self._alive[first.number] = first

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"version {self.current.number}"
        return f"<hotmod.versions.Service of {self.scope}, {state}, alive: {len(self._alive)}>"

    @property
    def current(self) -> Version:
        """The version in charge."""
        assert self.family.current is not None, "made at the start"  # noqa: S101
        return self.family.current

    @property
    def alive(self) -> tuple[int, ...]:
        """The numbers of the versions that are in charge, on trial, kept for `rollback()`, or pinned."""
        return tuple(self._alive)

    @property
    def history(self) -> tuple[Swap, ...]:
        """What became of the last attempts that did something or failed, the newest last; at most 32."""
        with self._told:
            return tuple(self._history)

    def pin(self) -> Pin:
        """A block, `with` or `async with`, that runs on one version from its beginning to its end.

        It gives the version. What is begun inside (tasks, `asyncio.to_thread`, threads, calls that are
        submitted to a `ThreadPoolExecutor`) stays on that version as long as it lasts. A block inside of
        another one has the version of the outer one. An exception that leaves the block counts against a
        version on trial.
        """
        return Pin(self)

    def next_swap(self, timeout: float | None = None) -> Swap:
        """Wait for what becomes of the next attempt that does something or fails; each is returned once.

        What `refresh()`, `canary()` and `rollback()` return is not given out again.

        Args:
            timeout: how long to wait, in seconds; None waits for ever.

        Raises:
            TimeoutError: there was none in time, or none can come: the service is closed.
        """
        with self._told:
            if not self._told.wait_for(lambda: self._new or self._closed, timeout) or not self._new:
                msg = f"{self!r}: nothing was attempted" + (
                    f" within {timeout} s" if not self._closed else ""
                )
                raise TimeoutError(msg)
            return self._new.popleft()

    def refresh(self) -> Swap:
        """Load what is on disk as the next version, check it, and put it in charge.

        Returns:
            What became of it. After `rejected` the version before is in charge as if nothing had been saved.
            With a share of less than 1 the version is a `canary` first.

        Raises:
            HotmodError: the service is closed.
        """
        swap = self._next(self._share, self._promote_after, self._verify)
        return swap if swap is not None else self._swap("unchanged", self.current)

    def canary(
        self, share: float = 0.1, *, verify: VersionCheck | None = None, promote_after: int = 20
    ) -> Swap:
        """Load what is on disk as the next version, and send a share of the pins to it.

        An exception that leaves one of its blocks drops it; after so many that ended well it is in charge. It
        is dropped when another edit is loaded, too.

        Args:
            share: how much of the pins it gets, more than 0 and at most 1; counted, not drawn.
            verify: a check to pass first; default: that of the service.
            promote_after: how many of its blocks have to end well.

        Returns:
            What became of it: `canary`, `unchanged` or `rejected`.

        Raises:
            ValueError: the share or the number makes no sense.
            HotmodError: the service is closed.
        """
        if not 0 < share <= 1 or promote_after < 1:
            msg = f"canary(share={share}, promote_after={promote_after}): allowed are 0 to 1, and 1 or more"
            raise ValueError(msg)
        swap = self._next(share, promote_after, verify or self._verify, trial=True)
        return swap if swap is not None else self._swap("unchanged", self.current)

    def rollback(self) -> Swap:
        """Put the version before in charge again: nothing is loaded, only a pointer moves.

        The files stay as they are. What is on disk now is not loaded again before a file is saved with
        other contents, or `refresh()` is called.

        Raises:
            RollbackError: no earlier version is kept.
        """
        with self._attempt:
            with self._lock:
                if not self._before:
                    msg = (
                        f"There is no earlier version of {self.scope} to go back to: version "
                        f"{self.current.number} goes on."
                    )
                    raise RollbackError(msg)
                undone, self._trial = self.current, None
                self.family.current = self._before.pop()
            changed = differing(undone, self.current.texts, self.current.data)
            swap = self._tell(self._swap("rolled-back", undone, changed=changed), returned=True)
        self.sweep()
        return swap

    def close(self) -> None:
        """End watching. `sys.modules` has the modules of the version in charge from now on.

        Blocks that are under way end on their version. A second call does nothing.
        """
        watch = self.watch
        if watch is not None:
            watch.stop()
        with self._attempt, self._told:
            if self._closed:
                return
            self._closed = True
            self._told.notify_all()
            self._before.clear()
            self._trial = None
            self.family.dissolve()
            keep_apart(self.scope.names, apart=False)
        self.sweep()

    # What the watch and the pins use

    def attempt(self) -> None:
        """Load what was saved, unless it was tried before."""
        self._next(self._share, self._promote_after, self._verify, again=False)

    def renew_locks(self) -> None:
        """Begin with locks that nobody holds, as after a fork."""
        self._lock = threading.Lock()  # held for a few assignments
        self._attempt = threading.RLock()  # one attempt at a time
        self._told = threading.Condition()

    def begin(self) -> Hold:
        """A pin of the version whose turn it is."""
        with self._lock:
            if self._closed:
                msg = f"{self!r}: no run can begin. What is loaded goes on; open the packages again."
                raise HotmodError(msg)
            trial = self._trial
            if trial is not None:
                trial.due += trial.share
                if trial.due >= 1:
                    trial.due -= 1
                    return Hold(trial.version)
            return Hold(self.current)

    def end(self, version: Version, error: BaseException | None) -> None:
        """A block of a version has ended."""
        failed = isinstance(error, Exception)
        with self._lock:
            trial = self._trial
            if trial is None or trial.version is not version or (error is not None and not failed):
                trial = None
            elif not failed:
                trial.done += 1
                trial = trial if trial.done >= trial.promote_after else None
            if trial is not None:
                self._trial = None
                if not failed:
                    self._before.append(self.current)
                    self.family.current = version
        if trial is not None:
            kept = detached(error) if error is not None else None
            self._tell(self._swap("dropped" if failed else "promoted", version, kept, changed=trial.changed))
        self.sweep()

    def sweep(self) -> None:
        """Dispose of the versions that nobody needs."""
        if len(self._alive) == 1 + len(self._before) + (self._trial is not None):
            return  # nearly always: these are needed
        with self._lock:
            needed = {self.family.current, *self._before} | ({self._trial.version} if self._trial else set())
            retired = [each for each in self._alive.values() if each not in needed and not each.holds]
            for version in retired:
                del self._alive[version.number]
        for version in retired:
            dispose(version)
        if retired and not self._closed:
            self.family.hide({name for each in list(self._alive.values()) for name in each.modules})

    # Attempts

    def _next(
        self,
        share: float,
        promote_after: int,
        verify: VersionCheck | Command | None,
        *,
        trial: bool = False,
        again: bool = True,
    ) -> Swap | None:
        """One attempt; None where there is nothing to do."""
        with self._attempt:
            if self._closed:
                msg = f"{self!r}: nothing can be loaded. What is loaded goes on; open the packages again."
                raise HotmodError(msg)
            started = time.perf_counter()
            changed: tuple[str, ...] = ()
            texts: Mapping[str, SourceText] = {}
            try:
                texts, data = read_texts(self.scope, self.family.current), read_data(self.files)
                changed = differing(self.current, texts, data)
                if (not again and (texts, data) == self._tried) or (not changed and self._trial is None):
                    return None
                self._tried = texts, data
                if not changed:  # what was on trial has been taken back
                    return self._put(self.current, None, (), started)
                self._made += 1
                version = build(self.family, self._made, texts, data, verify)
            except BaseException as error:
                swap = self._tell(self._refused(error, texts, changed, started), returned=again)
                if isinstance(error, KeyboardInterrupt):
                    raise
                return swap
            part = _Trial(version, share, promote_after, changed) if trial or share < 1 else None
            swap = self._put(version, part, changed, started)
            return self._tell(swap, returned=again) if swap.status != "unchanged" else swap

    def _put(self, version: Version, trial: _Trial | None, changed: tuple[str, ...], started: float) -> Swap:
        """Let a version have its place."""
        with self._lock:
            self._alive[version.number] = version
            before, self._trial = self._trial, trial
            if trial is None and version is not self.current:
                self._before.append(self.current)
                self.family.current = version
        if before is not None:
            self._tell(self._swap("dropped", before.version, changed=before.changed))
        seconds = time.perf_counter() - started
        status: SwapStatus = "canary" if trial is not None else "applied" if changed else "unchanged"
        self.sweep()
        return self._swap(status, version, changed=changed, seconds=seconds)

    def _refused(
        self, error: BaseException, texts: Mapping[str, SourceText], changed: tuple[str, ...], started: float
    ) -> Swap:
        """That the next version can't be had, or is not to be."""
        place = location_of(error, lambda name, _: self.family.owns(name))
        if place is not None and not place.module:
            names = [name for name, text in texts.items() if text.path == place.path]
            place = dataclasses.replace(place, module=names[0] if names else str(self.scope))
        seconds = time.perf_counter() - started
        swap = self._swap("rejected", None, trimmed(error), changed=changed, seconds=seconds)
        return dataclasses.replace(swap, location=place)

    def _swap(
        self,
        status: SwapStatus,
        version: Version | None,
        error: BaseException | None = None,
        changed: tuple[str, ...] = (),
        seconds: float = 0.0,
    ) -> Swap:
        tried = version.number if version is not None else self._made
        return Swap(
            status, str(self.scope), self.current.number, tried, changed=changed, error=error, seconds=seconds
        )

    def _tell(self, swap: Swap, *, returned: bool = False) -> Swap:
        """Say, and remember, what became of an attempt; `next_swap()` gives it unless its caller has it."""
        level = logging.INFO if swap or swap.status in ("canary", "rolled-back") else logging.ERROR
        say(level, "%s", swap)
        with self._told:
            if self._history:
                let_go(self._history[-1].error)
            self._history.append(swap)
            if not returned:
                self._new.append(swap)
                self._told.notify_all()
        if self._on_swap is not None:
            try:
                self._on_swap(swap)
            except Exception:  # noqa: BLE001 - it is logged
                say(logging.ERROR, "hotmod: on_swap failed; the service goes on", with_error=True)
        return swap
