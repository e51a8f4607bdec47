"""Files of which no more is wanted than to know that they were saved: the option `log_only`.

Touches: these files, reading only; the log.

Guarantees: a file is told of once for each change of its contents, and nothing is applied.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from hotmod._engine.data import digest_of_file
from hotmod._engine.roots import Territory
from hotmod._engine.saying import say
from hotmod._scope import relative

__all__ = ["LogOnly"]


class LogOnly:
    """Tells of saves.

    Args:
        delay: seconds of quiet after which a save is taken to be finished.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._digests: dict[str, str] = {}
        self._saved: set[str] = set()
        self._last = 0.0

    def survey(self, territory: Territory) -> None:
        """Take in the files of some folders as they are now."""
        if not territory.scope.log_only:
            return
        for folder in {known for places in territory.inside.values() for known in places}:
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                path = os.path.join(folder, name)
                if path not in self._digests and territory.scope.logs(path):
                    self._digests[path] = digest_of_file(path)

    def saved(self, now: float, paths: Iterable[str]) -> None:
        """Take in what some events are about."""
        before = len(self._saved)
        self._saved.update(paths)
        if len(self._saved) > before:
            self._last = now

    def look_again(self, now: float) -> None:
        """Events may have been lost: look at every file that is known."""
        self.saved(now, self._digests)

    def tell(self, now: float) -> None:
        """Tell of what was saved, if that is over."""
        if not self._saved or now < self._last + self._delay:
            return
        saved, self._saved = sorted(self._saved), set()
        for path in saved:
            digest, before = digest_of_file(path), self._digests.get(path, "")
            self._digests[path] = digest
            if digest != before:
                what = "was deleted" if not digest else "was saved" if before else "was added"
                say(logging.INFO, "%s %s; log_only: nothing is applied", relative(path), what)
