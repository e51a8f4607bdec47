"""The journal: how every change to the running program can be taken back.

Touches: only what the recorded steps touch when they are undone.

Guarantees: steps are undone in reverse order; a step that fails does not keep the others from being
undone; what failed is told.

Assumes: a step is recorded before, or in the same breath as, the change that it undoes.
"""

from __future__ import annotations

import collections
import contextlib
import operator
import types
import weakref
from collections.abc import Callable, Sequence

from hotmod._model.errors import RollbackError

__all__ = ["Journal", "SavedCode", "Together", "at_once", "saved_codes"]


Together = Callable[[], contextlib.AbstractContextManager[None]]


def at_once(calls: Sequence[Callable[[], object]], together: Together = contextlib.nullcontext) -> None:
    """Make some calls of functions in C in one step for other threads, on builds with a global lock.

    Args:
        calls: the calls.
        together: keeps other threads waiting where a call is an event that somebody listens to in Python.
    """
    with together() if len(calls) > 1 else contextlib.nullcontext():
        collections.deque(map(operator.call, calls), maxlen=0)


class SavedCode:
    """Code that an undo gives back; whoever exchanges code in containers must not find it."""

    __slots__ = ("__weakref__", "codes")

    def __init__(self, *codes: types.CodeType) -> None:
        self.codes = codes
        _SAVED.add(self)

    @property
    def code(self) -> types.CodeType:
        """The one that was saved."""
        (code,) = self.codes
        return code


_SAVED: weakref.WeakSet[SavedCode] = weakref.WeakSet()


def saved_codes() -> list[types.CodeType]:
    """The code that undo steps refer to, once for each reference."""
    return [code for each in list(_SAVED) for code in each.codes]


class Journal:
    """The recorded steps of one transaction.

    A step is *lasting* when it also belongs into a later `rollback()` of the committed transaction;
    steps that protect state which the program goes on changing (contents of containers) serve only
    the abort of the running transaction.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object], bool]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def record(self, what: str, undo: Callable[[], object], *, lasting: bool = True) -> None:
        """Note how a change is undone, before it is made."""
        self._steps.append((what, undo, lasting))

    def settle(self) -> None:
        """The transaction is committed: forget the steps that serve only its abort."""
        self._steps = [step for step in self._steps if step[2]]

    def undo(self) -> None:
        """Take everything back, the last step first. The journal is empty afterwards.

        Raises:
            RollbackError: some steps failed; all others were undone.
            BaseException: a signal interrupted; everything was undone first.
        """
        failures: list[tuple[str, BaseException]] = []
        interrupt: BaseException | None = None
        while self._steps:
            try:
                self._undo_steps(failures)
            except BaseException as error:  # noqa: BLE001 - the other steps must be undone first
                if interrupt is not None and type(error) is type(interrupt):
                    failures.append((self._steps.pop()[0], error))  # it is the step that raises this
                interrupt = error
        if failures:
            listed = "; ".join(f"{what}: {type(error).__name__}: {error}" for what, error in failures)
            msg = (
                f"Could not undo {len(failures)} step(s): {listed}. Everything else was taken back; "
                "the process now holds a mixture of two versions. Restart it."
            )
            raise RollbackError(msg) from failures[0][1]
        if interrupt is not None:
            raise interrupt

    def _undo_steps(self, failures: list[tuple[str, BaseException]]) -> None:
        """Undo what is left. A step that a signal interrupts is undone again; each can be, more than once."""
        while self._steps:
            what, undo, _ = self._steps[-1]
            try:
                undo()
            except Exception as error:  # noqa: BLE001 - the other steps must be undone first
                failures.append((what, error))
            self._steps.pop()
