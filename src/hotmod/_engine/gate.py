"""The gate between stable blocks and reloads: while some are inside, no transaction changes the program.

Touches: threads, which wait here; futures of asyncio, which wait here.

Guarantees: a transaction that has taken the gate is alone: every block that began before it has ended, and
new ones wait until it is over. Nobody waits for ever: what takes longer than the patience of the reload is
told, and goes on. Whoever would wait for itself (a block inside another one, code that the transaction
runs) does not wait. While nobody wants to reload, a block costs a look at one attribute.

Assumes: a block enters itself in `inside` before it looks at `alert`, and a transaction sets `alert` before
it looks at `inside`; so one of the two sees the other.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from hotmod._engine.saying import say

if TYPE_CHECKING:
    import asyncio
    import types

    from hotmod._plan import Plan

__all__ = ["GATE", "Block", "Closing", "Occupied", "patiently"]

_T = TypeVar("_T")
SHOWN = 3  # blocks that a message names


class Block(Protocol):
    """What the gate knows of a stable block: its thread, its place, and whether it is part of another one."""

    thread: int

    @property
    def is_inner(self) -> bool:
        """Whether an outer block has not ended, which can't end before this one."""

    @property
    def place(self) -> str:
        """Where it began, for people."""


class Occupied(Exception):  # noqa: N818 - not told to anybody: a report says so in its place
    """A transaction can't begin: stable blocks have not ended.

    Attributes:
        blocks: the blocks.
        plan: what would have been done.
    """

    def __init__(self, blocks: frozenset[Block], plan: Plan | None) -> None:
        super().__init__(blocks, plan)
        self.blocks = blocks
        self.plan = plan

    def words(self, patience: float) -> str:
        """What is in the way, in words."""
        here = any(block.thread == threading.get_ident() for block in self.blocks)
        places = sorted({block.place for block in self.blocks})
        more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
        count = f"{len(self.blocks)} stable block{'s have' if len(self.blocks) != 1 else ' has'}"
        why = "and can't end while this thread waits" if here else f"after {patience:g} s"
        return f"{count} not ended {why} ({', '.join(places[:SHOWN])}{more})"


class Closing:
    """Keeps new blocks waiting for a reload that is to come; a context manager that ends with the block."""

    def __init__(self, gate: Gate, told: Callable[[], object] | None = None) -> None:
        self._gate, self.told = gate, told
        self.blocks: set[Block] = set()  # those that have to leave before it begins
        self.is_active = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let new blocks begin again. A second call does nothing."""
        self._gate.open(self)


class Gate:
    """See the module.

    Attributes:
        inside: the blocks that have begun and not ended.
        alert: whether blocks have to ask before they begin, and to tell when they end.
    """

    def __init__(self) -> None:
        self.inside: set[Block] = set()
        self.reset()

    def reset(self) -> None:
        """Begin anew, as in a forked child: what other threads held or waited for is no more."""
        here = threading.get_ident()
        self.inside = {block for block in self.inside if block.thread == here}
        self.alert = False
        # Taken by itself: a signal in the `__enter__` of a condition, which is in Python, leaves it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closings: list[Closing] = []  # that are active
        self._coming: list[Closing] = []  # that wait for blocks to leave
        self._offers = 0
        self._owner = 0  # the thread of the transaction
        self._patience = 0.0
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    # Blocks

    def admit(self, block: Block) -> None:
        """Wait until a block may begin, in this thread."""
        with self._lock:
            if self._bars(block, waits_here=True):
                self._step_back(block)
                self._changed.wait_for(lambda: not self._bars(block, waits_here=True), self._patience)
                self._let_in(block)

    async def admit_task(self, block: Block) -> None:
        """Wait until a block may begin, without keeping the event loop from its other tasks."""
        asyncio = sys.modules.get("asyncio")
        loop = asyncio._get_running_loop() if asyncio is not None else None  # noqa: SLF001 - public by its docs
        if asyncio is None or loop is None:  # the event loop of another library
            self.admit(block)
            return
        deadline = loop.time() + self._patience
        while True:
            with self._lock:
                if not self._bars(block, waits_here=False) or loop.time() >= deadline:
                    self._let_in(block)
                    return
                self._step_back(block)
                future = loop.create_future()
                self._sleepers.append((loop, future))
            await asyncio.wait((future,), timeout=deadline - loop.time())

    def leave(self, block: Block) -> None:
        """A block has ended while the gate was alert."""
        with self._lock:
            for closing in self._coming:
                closing.blocks.discard(block)
            due = self._begin_closings()
            self._changed.notify_all()
        _tell(due)

    def _step_back(self, block: Block) -> None:
        self.inside.discard(block)
        self._changed.notify_all()

    def _let_in(self, block: Block) -> None:
        if self._bars(block, waits_here=False) and self._owner:
            say(
                logging.WARNING,
                "hotmod: the stable block at %s begins in the middle of a reload that has taken more than "
                "%g s: is the reload waiting for it?",
                block.place,
                self._patience,
            )
        self.inside.add(block)

    def _bars(self, block: Block, *, waits_here: bool) -> bool:
        """Whether a block has to wait.

        Args:
            block: the block.
            waits_here: whether the whole thread would wait, and not a task of it.
        """
        here = threading.get_ident()
        if not (self._closings or self._owner) or self._owner == here or block.is_inner:
            return False
        if not waits_here:
            return True
        if any(other.thread == here for other in list(self.inside) if other is not block):
            return False  # that one could not end before this one
        # what the reload waits for, or the reload itself, may need this thread
        return bool(self._owner) or not (self._offers or _runs_tasks())

    # Reloads

    def close(self, patience: float) -> Closing:
        """Let no new block begin; those that are inside go on."""
        closing = Closing(self)
        with self._lock:
            self._activate(closing, patience)
        return closing

    def close_after(self, patience: float, told: Callable[[], object]) -> Closing:
        """Do so when all blocks that are inside now have left, and tell; perhaps at once."""
        closing = Closing(self, told)
        with self._lock:
            self._patience = patience
            closing.blocks = set(self.inside)
            self._coming.append(closing)
            self.alert = True
            closing.blocks &= self.inside  # who left in between did not know
            due = self._begin_closings()
        _tell(due)
        return closing

    def open(self, closing: Closing) -> None:
        """See `Closing.release`."""
        with self._lock:
            for closings in (self._closings, self._coming):
                if closing in closings:
                    closings.remove(closing)
            self._settle()

    @contextlib.contextmanager
    def offering(self) -> Iterator[None]:
        """A reload is to be made by another thread, which must get there."""
        with self._lock:
            self._offers += 1
            self._settle()
        try:
            yield
        finally:
            with self._lock:
                self._offers -= 1

    def wait(self, deadline: float, gives_up: Callable[[], bool] = bool) -> bool:
        """Wait until all blocks have ended; False when they have not in time, or can't.

        A block that began in this thread (a generator or task that is suspended) can't end while it waits.
        """
        here = threading.get_ident()

        def is_over() -> bool:
            return not self.inside or gives_up() or any(block.thread == here for block in list(self.inside))

        with self._lock:
            self._changed.wait_for(is_over, max(0.0, deadline - time.monotonic()))
            return not self.inside

    def stir(self) -> None:
        """Let whoever waits look again."""
        with self._lock:
            self._changed.notify_all()

    @contextlib.contextmanager
    def taken(self, plan: Plan | None, patience: float) -> Iterator[None]:
        """The time of a transaction: no block is inside, and none begins.

        Raises:
            Occupied: some are inside.
        """
        with self._lock:
            self._owner, self.alert, self._patience = threading.get_ident(), True, patience
            blocks = frozenset(self.inside)
            if blocks:
                self._owner = 0
                self._settle()
                raise Occupied(blocks, plan)
        try:
            yield
        finally:
            with self._lock:
                self._owner = 0
                self._settle()

    def _activate(self, closing: Closing, patience: float) -> None:
        self._patience, closing.is_active = patience, True
        self._closings.append(closing)
        self.alert = True

    def _begin_closings(self) -> list[Closing]:
        due = [closing for closing in self._coming if not closing.blocks]
        self._coming = [closing for closing in self._coming if closing.blocks]
        for closing in due:
            self._activate(closing, self._patience)
        return due

    def _settle(self) -> None:
        """Something has changed: whoever waits looks again."""
        self.alert = bool(self._closings or self._coming or self._owner)
        self._changed.notify_all()
        sleepers, self._sleepers = self._sleepers, []
        for loop, future in sleepers:
            with contextlib.suppress(RuntimeError):  # a loop that is closed has no tasks that wait
                loop.call_soon_threadsafe(_wake, future)


def _tell(closings: list[Closing]) -> None:
    for closing in closings:
        if closing.told is not None:
            closing.told()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _runs_tasks() -> bool:
    """Whether this thread is in the middle of an event loop of asyncio."""
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - public by its docs


GATE = Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GATE.reset)


def patiently(attempt: Callable[[], _T], patience: float) -> _T:
    """Attempt, and if stable blocks are in the way, again when they have ended.

    No lock may be held: a block may need it to come to its end.

    Raises:
        Occupied: they have not ended in time.
    """
    try:
        return attempt()
    except Occupied:
        if patience <= 0:
            raise
    deadline = time.monotonic() + patience
    with GATE.close(patience):
        while GATE.wait(deadline):
            try:
                return attempt()
            except Occupied:
                continue  # one that could not be kept waiting has begun in between
        return attempt()
