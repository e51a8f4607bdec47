"""A thread that has a service load what is saved.

Touches: file notifications, through the lookout; hooks of exit and fork.

Guarantees: a save after the thread was started is noticed. An error of hotmod's own is logged; after some in
a row watching ends, and the version in charge goes on. It ends at exit, and in a forked child it has ended.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from hotmod._config import configure
from hotmod._engine.burst import Doubt
from hotmod._engine.lookout import Lookout
from hotmod._engine.saying import say
from hotmod._engine.texts import read_if_there
from hotmod._engine.weak import WeakList
from hotmod._model.errors import SourceError
from hotmod._scope import Scope
from hotmod._source.parse import check

if TYPE_CHECKING:
    from hotmod._engine.versions.service import Service

__all__ = ["Watch"]

FAILURES = 3  # errors of hotmod in a row after which it gives up
STOP_WAIT = 5.0  # seconds that stop() waits for an attempt under way


class _Files:
    """What the lookout has to know of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.ledger = self
        self.data = service.files
        self.config = configure()

    @property
    def scope(self) -> Scope:
        return self._service.scope

    def refresh(self) -> None:
        """Nothing is remembered that could be out of date."""

    def paths(self) -> set[str]:
        return {text.path for text in self._service.current.texts.values()}

    def graph(self) -> None:
        """There is none to be made ahead."""

    def prepare(self, _seconds: float) -> None:
        """The same."""

    def doubt(self, paths: Collection[str] | None) -> Doubt:
        """Whether what was saved looks half-saved."""
        current = self._service.current
        known = {text.path: bool(text.data) for text in current.texts.values()}
        lost = any(
            each.lost for name in self.data.modules for each in self.data.changes(name, current.data[name])
        )
        worst = Doubt.MISSING if lost else Doubt.NONE
        for path in known if paths is None else paths:
            if self.data.readers(path) and path not in known:
                continue
            try:
                text = read_if_there(path)
            except SourceError:
                return Doubt.BROKEN
            if text is None:
                worst = Doubt.MISSING if path in known else worst
            elif not text.data:
                worst = Doubt.MISSING if known.get(path) else worst
            elif check(text) is not None:
                worst = Doubt.BROKEN
        return worst


class Watch:
    """The thread.

    Args:
        service: whose files are watched.
        delay: seconds of quiet after which a save is taken to be finished.
    """

    def __init__(self, service: Service, delay: float) -> None:
        files = _Files(service)
        self._service = service
        self._lookout = Lookout(files, delay, doubt=files.doubt)
        self._stopped = False
        self._lookout.start()
        _WATCHES.add(self)
        _LOOKOUTS.add(self._lookout)
        self._thread = threading.Thread(
            target=self._run, name=f"hotmod versions of {service.scope}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it. An attempt under way is waited for, unless it is that attempt that calls."""
        self._stopped = True
        self._lookout.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(STOP_WAIT)

    def abandon(self) -> None:
        """In a forked child there is no thread, and what it held locked stays locked."""
        self._stopped = True
        self._service.renew_locks()

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stopped and failures < FAILURES:
                try:
                    if self._lookout.turn(held=False):
                        self._lookout.take()
                        self._service.attempt()
                    self._service.sweep()
                    failures = 0
                except Exception:  # noqa: BLE001 - it is logged
                    failures += 1
                    say(
                        logging.ERROR,
                        "hotmod: an error in watching versions (%d of %d)",
                        failures,
                        FAILURES,
                        with_error=True,
                    )
                    self._lookout.ask()
        finally:
            self._lookout.close()
            _LOOKOUTS.discard(self._lookout)


_WATCHES: WeakList[Watch] = WeakList()
# Kept alive by this: a forked child must not take down the native watcher of its parent.
_LOOKOUTS: set[Lookout] = set()


def _stop_all() -> None:
    for watch in _WATCHES:
        watch.stop()


def _abandon_all() -> None:
    for watch in _WATCHES:
        watch.abandon()


atexit.register(_stop_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
