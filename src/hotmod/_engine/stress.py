"""The switches that make reloading hard on purpose (`HOTMOD_STRESS`): for our tests, and for hunts for bugs.

Touches: what a reload touches, through the reloader; with `every:N` the profile functions of all threads.

Guarantees: off unless asked for. What should have been the same and is not is a hazard, `drift`.

Assumes: the program can be reloaded at any call of its own, as it has to be able to when a watcher runs.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from hotmod._engine.gate import Occupied
from hotmod._engine.loaded import Ledger
from hotmod._engine.stable import refuse_inside_block
from hotmod._engine.turn import LOCK, refuse_inside_import, reloads_here
from hotmod._live.facts import facts_of
from hotmod._model.changes import Change, ChangeKind, ChangeSet, SourceText
from hotmod._model.errors import HotmodError
from hotmod._model.hazards import Hazard
from hotmod._model.report import Report
from hotmod._scope import Scope

__all__ = ["Every", "ForcedRollback", "Reloads", "again_as_it_is", "every"]

SHOWN = 20  # facts that are told
_COOKIE = re.compile(rb"coding[=:]")
_BOM = b"\xef\xbb\xbf"


class Reloads(Protocol):
    """A reloader."""

    scope: Scope

    def attempt(self, paths: Collection[str] | None, *, waits: bool = True) -> object:
        """One transaction over what differs; raises `Occupied` if it would have to wait."""


def every(switches: Collection[str]) -> int:
    """After how many calls a reload is made; 0 for never."""
    return next((int(each.partition(":")[2]) for each in switches if each.startswith("every:")), 0)


def _facts(ledger: Ledger) -> Mapping[str, str]:
    """What the modules are at this moment."""
    return facts_of({name: sys.modules[name] for name in ledger.modules if name in sys.modules})


def _not_the_same(before: Mapping[str, str], now: Mapping[str, str], when: str) -> Iterator[Hazard]:
    """What differs where nothing should.

    Args:
        before: facts.
        now: the facts that should be the same.
        when: after what, for people.
    """
    differing = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    for path in differing[:SHOWN]:
        module, _, name = path.partition(":")
        was, found = before.get(path, "nothing"), now.get(path, "nothing")
        yield Hazard(
            "drift",
            module,
            re.split(r"[/\[]", name)[0],
            message=f"{path} is not the same {when}: it was {was}, and is {found}",
            advice="Unless your modules change it by themselves, please report this with the edit.",
        )


def _as_if_edited(ledger: Ledger, *, moved: bool) -> ChangeSet:
    """Changes of all modules that change nothing.

    Args:
        ledger: what is loaded.
        moved: whether a line is put before each text: so all functions get other code, and nothing runs.
            What declares its encoding is left out then, as that has to stand in the first two lines.
    """
    ledger.refresh()
    found = []
    for name, loaded in ledger.modules.items():
        text = loaded.text
        if text is None or not loaded.certain:
            continue
        if moved:
            if _COOKIE.search(b"".join(text.data.splitlines(keepends=True)[:2])):
                continue
            mark, rest = (_BOM if text.data.startswith(_BOM) else b""), text.data.removeprefix(_BOM)
            text = SourceText.of(text.path, mark + b"\n" + rest)
        found.append(Change(name, ChangeKind.EDITED, text.path, text))
    return ChangeSet(tuple(sorted(found, key=lambda change: change.module)))


def again_as_it_is(
    attempt: Callable[[ChangeSet | None], tuple[Report, BaseException | None]],
    ledger: Ledger,
    report: Report,
    *,
    moved: bool,
) -> tuple[Report, BaseException | None]:
    """Reload all modules, though they are as they were.

    Args:
        attempt: makes one attempt; of None, with what differs from disk.
        ledger: what is loaded.
        report: that of the reload of what did differ.
        moved: whether functions get other code, and their own again, and nothing runs. Otherwise all modules
            run, and what they make anew is not compared.

    Returns:
        That report, with what differs now and should not; or that of an attempt which failed.
    """
    before = _facts(ledger)
    again, error = attempt(_as_if_edited(ledger, moved=moved))
    if moved and again.status == "applied":
        again, error = attempt(None)
        found = _not_the_same(before, _facts(ledger), "after a reload of all that is as it was")
        report = dataclasses.replace(report, hazards=(*report.hazards, *found))
    return (report, None) if again.status in ("applied", "unchanged") else (again, error)


class ForcedRollback:
    """What is compared when an edit is applied, taken back and applied again.

    Args:
        ledger: what is loaded; made before the edit is applied.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._before = ledger, _facts(ledger)
        self._applied: Mapping[str, str] = {}
        self._found: list[Hazard] = []

    def applied(self) -> None:
        """The edit was applied."""
        self._applied = _facts(self._ledger)

    def went_back(self) -> None:
        """It was taken back."""
        self._found += _not_the_same(self._before, _facts(self._ledger), "after the edit was taken back")

    def applied_again(self) -> list[Hazard]:
        """It was applied again; gives what differs."""
        found = _not_the_same(self._applied, _facts(self._ledger), "when the edit is applied again")
        return [*self._found, *found]


class Every:
    """Lets a reload be made at each n-th call of a function of the scope, in whatever thread calls it.

    Args:
        reloader: the reloader, which is held weakly: the counting ends with it.
        number: after how many calls.
    """

    def __init__(self, reloader: Reloads, number: int) -> None:
        self._reloader, self._number, self._count = weakref.ref(reloader), number, 0

    def start(self) -> None:
        """Count the calls of this thread, of those to come and, from CPython 3.12 on, of all others."""
        if sys.version_info >= (3, 12):
            threading.setprofile_all_threads(self)
        else:
            threading.setprofile(self)
            sys.setprofile(self)

    def __call__(self, frame: types.FrameType, event: str, _: object) -> None:
        """Something happened in a thread. The interpreter asks nobody while this runs."""
        reloader = self._reloader()
        if reloader is None:
            sys.setprofile(None)
            return
        name = frame.f_globals.get("__name__")
        if event != "call" or not isinstance(name, str) or not reloader.scope.owns_name(name):
            return
        self._count += 1
        # Who waits here may hold what the reload of another thread needs: it is made at a later call then.
        if self._count < self._number or reloads_here() or not LOCK.acquire(blocking=False):
            return
        try:
            if _is_possible(reloader.scope):
                self._count = 0
                reloader.attempt(None, waits=False)
        except Occupied:
            self._count = self._number  # a stable block is in the way: at the next call
        finally:
            LOCK.release()


def _is_possible(scope: Scope) -> bool:
    try:
        refuse_inside_block()
        refuse_inside_import(scope.owns_name)
    except HotmodError:
        return False
    return True
