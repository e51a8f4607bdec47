"""The follower: brings a worker process to an edition, with hotmod's own reloader fed from a shelf.

Touches: what a reloader touches; the shelf.

Guarantees: after `follow` returns, each loaded module of the scope runs the very text of the edition, by
digest, or of a newer one; if it raises, the process is as it was. A worker never goes back to an older
edition of the same publisher, but from one that it only tried: until `settle`, `take_back` undoes that.

Assumes: of modules that were imported before the first edition arrived, the files that were not written since
the process began are those that were imported; all others run again.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Mapping

from hotmod._engine.reloader import Reloader
from hotmod._engine.sightings import View
from hotmod._engine.workers.editions import Edition
from hotmod._engine.workers.shelf import Contents, ShelvedFiles
from hotmod._model.changes import digest_of
from hotmod._model.errors import HotmodError
from hotmod._model.report import Report
from hotmod._scope import Scope

__all__ = ["BehindError", "Follower", "follower_of"]

_CANT_TAKE = ("extension-module", "replaced-module")  # edits of which a restarted worker is needed


class BehindError(HotmodError):
    """A worker could not be brought to an edition: it has to be started anew."""


class Follower:
    """Follows the editions of one scope in this process.

    Args:
        scope: which modules.

    Attributes:
        edition: the one that the process is at; None before the first.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.edition: Edition | None = None
        self.reloader: Reloader | None = None
        self._shelf: ShelvedFiles | None = None
        self._texts: dict[str, bytes] = {}
        self._before: tuple[Edition, Contents, bool] | None = None  # and whether it was left by a transaction
        self._lock = threading.RLock()

    def has(self, publisher: str, sequence: int) -> bool:
        """Whether the process is at an edition, or at a later one."""
        now = self.edition
        return now is not None and now.publisher == publisher and now.sequence >= sequence

    def missing(self, edition: Edition) -> set[str]:
        """The digests of an edition whose texts are not here."""
        return edition.digests - self._texts.keys()

    def take(self, texts: Mapping[str, bytes]) -> None:
        """Take in texts by digest.

        Raises:
            HotmodError: one is not what its digest says.
        """
        for digest, data in texts.items():
            if digest_of(data) != digest:
                msg = (
                    f"The text {digest} arrived damaged. This worker runs what it ran before; ship it again."
                )
                raise HotmodError(msg)
        self._texts.update(texts)

    def plan(self, edition: Edition) -> None:
        """See that an edition can be applied as far as that shows without running anything.

        Raises:
            BehindError: a text can't be compiled, or this process can't take the edit.
        """
        with self._lock:
            if self._shelf is None or self.reloader is None:
                return
            now, self._shelf.contents = self._shelf.contents, Contents(edition, self._texts)
            try:
                plan = self.reloader.plan()
                if plan.is_rude:
                    raise BehindError("; ".join(str(hazard) for hazard in plan.hazards))
            finally:
                self._shelf.contents = now

    def follow(self, edition: Edition, since: int = 0) -> Report | None:
        """Bring the process to an edition; its texts were taken in.

        Args:
            edition: where to go.
            since: when the process began, in nanoseconds since the epoch; 0 if that is not known.

        Returns:
            What was done; None if there was nothing to do.

        Raises:
            BehindError: it can't be done; the process is as it was.
        """
        with self._lock:
            if edition.is_from_here or self.has(edition.publisher, edition.sequence):
                return None
            contents = Contents(edition, self._texts)
            if self._shelf is None or self.reloader is None:
                self.reloader = Reloader.made(edition.config, self.scope, view=View(self.scope, since=since))
                self._shelf = ShelvedFiles(self.scope, contents)
                self._shelf.put_up()
            before, self._shelf.contents = self._shelf.contents, contents
            report = self._reload(edition, before)
            applied = report.status == "applied"
            self._before = None if self.edition is None else (self.edition, before, applied)
            self.edition = edition
            if self._before is not None:
                held = self._before[0].digests | edition.digests
                self._texts = {digest: data for digest, data in self._texts.items() if digest in held}
            return report

    def try_out(self, edition: Edition, names: Iterable[str]) -> None:
        """Come to an edition, and import some of its modules that nobody has imported here yet.

        They are imported in the edition before, as far as it has them, so that they belong to the
        transaction, and all is undone if one fails. What could not be imported there either is no obstacle.

        Args:
            edition: where to go; its texts were taken in.
            names: the modules.

        Raises:
            BehindError: it can't be done. The process runs the texts that it ran.
        """
        with self._lock:
            if edition.is_from_here or self.has(edition.publisher, edition.sequence):
                return
            known = self.edition.modules if self.edition is not None else {}
            broken = {name for name in names if name in known and _imported(name)}
            self.follow(edition)
            for name in names:
                problem = _imported(name) if name in edition.modules and name not in broken else ""
                if problem:
                    self.take_back(edition)
                    msg = f"{name} can't be imported: {problem}"
                    raise BehindError(msg)

    def settle(self) -> None:
        """The edition is not taken back any more."""
        with self._lock:
            self._before = None

    def take_back(self, edition: Edition) -> None:
        """Return from an edition that was tried to the one before; nothing is done from another one.

        Raises:
            HotmodError: that failed. The process is a mixture, or runs what was tried.
        """
        with self._lock:
            if self._before is None or self._shelf is None or self.reloader is None or self.edition is None:
                return
            if (self.edition.publisher, self.edition.sequence) != (edition.publisher, edition.sequence):
                return
            before, contents, applied = self._before
            if applied:
                self.reloader.rollback()
            now, self._shelf.contents = self._shelf.contents, contents
            self._reload(before, now)
            self.edition, self._before = before, None

    def _reload(self, edition: Edition, before: Contents) -> Report:
        assert self.reloader is not None  # noqa: S101 - for the type checker; both callers made one
        assert self._shelf is not None  # noqa: S101 - the same
        try:
            report = self.reloader.reload()
        except BaseException:
            self._shelf.contents = before
            raise
        others = [each for each in report.hazards if each.code in _CANT_TAKE]
        problem = str(report) if report.status not in ("applied", "unchanged") or others else ""
        if not problem:
            problem = self._differing(edition)
        if problem:
            self._shelf.contents = before
            raise BehindError(problem)
        return report

    def _differing(self, edition: Edition) -> str:
        """What does not run the text that it should."""
        assert self.reloader is not None  # noqa: S101 - for the type checker
        loaded = self.reloader.ledger.modules
        wrong = [
            name
            for name, each in loaded.items()
            if each.text is not None
            and ((entry := edition.modules.get(name)) is None or entry.digest != each.text.digest)
        ]
        return f"{', '.join(wrong)} did not come to the committed text" if wrong else ""


def _imported(name: str) -> str:
    """Import a module; gives in words why it can't be done."""
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the module raises; the caller tells it
        return f"{type(error).__name__}: {error}"
    return ""


_FOLLOWERS: dict[Scope, Follower] = {}
_guard = threading.Lock()


def follower_of(scope: Scope) -> Follower:
    """The follower of a scope in this process."""
    with _guard:
        return _FOLLOWERS.setdefault(scope, Follower(scope))
