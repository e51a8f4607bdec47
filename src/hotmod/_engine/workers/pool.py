"""A pool of worker processes that follow this process: every task runs in the generation of its submitter.

Touches: one thread, and executors made for it; a folder of texts.

Guarantees: each task ends: it is run, cancelled, or its future tells why it can't be. A task whose worker
dies is run again, up to `retries` times; a worker that can't be brought to an edition is replaced, and its
task goes to the new one. By default each worker is an executor of its own, so that neither concerns the
other workers.

Assumes: a task that was begun may be run once more.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import functools
import logging
import multiprocessing
import pickle
import queue
import threading
import time
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

from hotmod._engine.saying import say
from hotmod._engine.workers.editions import Publisher, Store, Ticket
from hotmod._engine.workers.errand import Answer, RemoteTraceback, begin, run
from hotmod._model.errors import HotmodError

if TYPE_CHECKING:
    from hotmod._engine.reloader import Reloader

__all__ = ["HotFuture", "Pool"]

RENEWALS = 2  # how often a worker is replaced for one task before the task is told to be impossible
Base = Callable[[int], concurrent.futures.Executor]


class HotFuture(concurrent.futures.Future[Any]):
    """The future of a task.

    Attributes:
        generation: the generation in which it ran; None before it has, and with `HOTMOD=off`.
    """

    generation: int | None = None


@dataclasses.dataclass(eq=False, slots=True)
class _Task:
    future: HotFuture
    ticket: Ticket | None
    payload: bytes
    begun: bool = False
    lost: int = 0  # how often its worker died
    refused: int = 0  # how often its worker could not come to its edition


class _Lane:
    """One executor, and how many tasks it is given at a time. Used by the thread of the pool alone."""

    def __init__(
        self,
        make: Callable[[], concurrent.futures.Executor],
        capacity: int,
        dumps: Callable[[Any], bytes],
    ) -> None:
        self._make, self.dumps = make, dumps
        self.capacity = capacity
        self.running: dict[_Task, concurrent.futures.Executor] = {}
        self.executor: concurrent.futures.Executor | None = None
        self.leaving = False  # whether it is replaced when what it does is done

    @property
    def free(self) -> bool:
        return len(self.running) < self.capacity and not self.leaving

    def start(self, task: _Task, done: Callable[..., object]) -> None:
        """Give a task to the executor; one that broke while it had nothing to do is replaced."""
        for again in (True, False):
            executor = self.executor = self.executor or self._make()
            try:
                inner = executor.submit(run, task.ticket, task.payload, self.dumps)
            except (concurrent.futures.BrokenExecutor, RuntimeError):
                self.executor = None
                if not again:
                    raise
            else:
                self.running[task] = executor
                inner.add_done_callback(functools.partial(done, self, task))
                return

    def give_back(self, task: _Task, *, broken: bool, refused: bool) -> None:
        """A task has ended here."""
        executor = self.running.pop(task)
        if broken and self.executor is executor:
            self.executor = None
        self.leaving = self.leaving or refused
        if self.leaving and not self.running:
            self.leaving = False
            self.close()

    def close(self, *, wait: bool = False) -> None:
        """Let the executor end."""
        if self.executor is not None:
            self.executor.shutdown(wait=wait)
            self.executor = None


class Pool(concurrent.futures.Executor):
    """An executor whose workers follow a reloader of this process.

    Args:
        reloader: what the workers follow; None to follow nothing.
        max_workers: how many processes.
        mp_context: how they are started; by default by `spawn`.
        initializer: called in each worker process before its first task.
        initargs: its arguments.
        base: makes the executor of all workers from their number; by default each worker is a
            `ProcessPoolExecutor`.
        dumps: an importable function that pickles tasks and results; `pickle.loads` must be able to read what
            it gives.
        retries: how often a task is begun again whose worker died.
    """

    def __init__(
        self,
        reloader: Reloader | None,
        max_workers: int,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        base: Base | None = None,
        dumps: Callable[[Any], bytes] = pickle.dumps,
        retries: int = 5,
    ) -> None:
        self.max_workers = max_workers
        self._of = str(reloader.scope) if reloader is not None else "no modules, as HOTMOD=off is set"
        self._publisher = Publisher(reloader) if reloader is not None else None
        self._store = Store()
        self._dumps, self._retries = dumps, retries
        self._context = mp_context or multiprocessing.get_context("spawn")
        self._initializer = dumps((initializer, initargs)) if initializer is not None else None
        self._ticket: Ticket | None = None
        if base is None:
            self._lanes = [_Lane(self._executor, 1, dumps) for _ in range(max_workers)]
        else:
            self._lanes = [_Lane(functools.partial(base, max_workers), max_workers, dumps)]
        self._waiting: collections.deque[_Task] = collections.deque()
        self._messages: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.current()

    def __repr__(self) -> str:
        state = "shut down" if self._closed else f"max_workers={self.max_workers}"
        return f"<hotmod.workers.HotExecutor of {self._of}, {state}>"

    def current(self) -> Ticket | None:
        """The edition of this moment, stored for the workers."""
        if self._publisher is None:
            return None
        edition = self._publisher.current()
        with self._guard:
            if self._ticket is None or self._ticket.sequence < edition.sequence:
                self._ticket = self._store.put(edition, self._publisher.texts)
            return self._ticket

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> HotFuture:
        """Schedule a call in a worker, in the generation of this moment or a later one.

        Raises:
            RuntimeError: the pool was shut down.
            Exception: the call can't be pickled. Nothing was scheduled.
        """
        while True:
            ticket = self.current()
            payload = self._dumps((fn, args, kwargs))
            if ticket == self.current():  # a function that is pickled by value belongs to this edition
                break
        task = _Task(HotFuture(), ticket, payload)
        with self._guard:
            if self._closed:
                msg = "cannot schedule new futures after shutdown"
                raise RuntimeError(msg)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="hotmod-pool", daemon=True)
                self._thread.start()
            self._messages.put(functools.partial(self._waiting.append, task))
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of `Executor`
        """End the pool: no new tasks; those that are scheduled are run first, unless they are cancelled."""
        with self._guard:
            self._closed = True
            if cancel_futures:
                self._messages.put(self._cancel)
            self._messages.put(None)
            thread = self._thread
        if thread is None:
            self._store.close()
        elif wait and thread is not threading.current_thread():
            thread.join()

    def _executor(self) -> concurrent.futures.Executor:
        """A worker; it begins at the newest edition."""
        since = time.time_ns() if self._context.get_start_method() != "forkserver" else 0
        arguments = self._ticket, since, self._initializer
        return concurrent.futures.ProcessPoolExecutor(1, self._context, begin, arguments)

    def _serve(self) -> None:
        """The thread: the only one that touches lanes and waiting tasks."""
        closing = False
        while not (closing and not self._waiting and not any(lane.running for lane in self._lanes)):
            message = self._messages.get()
            if message is None:
                closing = True
            else:
                message()
            self._feed()
        for lane in self._lanes:
            lane.close(wait=True)
        self._store.close()

    def _feed(self) -> None:
        for lane in self._lanes:
            while lane.free and self._waiting:
                task = self._waiting.popleft()
                if not task.begun and not task.future.set_running_or_notify_cancel():
                    continue
                task.begun = True
                try:
                    lane.start(task, self._ended)
                except Exception as error:  # noqa: BLE001 - an executor may raise anything; the future tells
                    task.future.set_exception(error)

    def _cancel(self) -> None:
        for task in [task for task in self._waiting if not task.begun]:
            task.future.cancel()

    def _ended(self, lane: _Lane, task: _Task, inner: concurrent.futures.Future[Answer]) -> None:
        self._messages.put(functools.partial(self._take, lane, task, inner))

    def _take(self, lane: _Lane, task: _Task, inner: concurrent.futures.Future[Answer]) -> None:
        """A task has come back from a worker."""
        error = None if inner.cancelled() else inner.exception()
        broken = inner.cancelled() or isinstance(error, concurrent.futures.BrokenExecutor)
        answer = inner.result() if error is None and not broken else None
        refused = answer is not None and bool(answer.behind)
        lane.give_back(task, broken=broken, refused=refused)
        if broken and task.lost < self._retries:
            task.lost += 1
            self._waiting.appendleft(task)
        elif answer is not None and refused and task.refused < RENEWALS:
            task.refused += 1
            say(logging.WARNING, "a worker is started anew, as it can't run a task: %s", answer.behind)
            self._waiting.appendleft(task)
        elif answer is not None and refused:
            msg = (
                f"No worker process can come to generation {task.ticket and task.ticket.generation}: "
                f"{answer.behind} The task was not run; this process goes on. See why a new process can't do "
                "what this one did, and submit the task again."
            )
            task.future.set_exception(HotmodError(msg))
        elif answer is None:
            task.future.set_exception(error or concurrent.futures.CancelledError())
        else:
            _tell(task.future, answer)


def _tell(future: HotFuture, answer: Answer) -> None:
    """Give a future its answer."""
    future.generation = answer.generation
    try:
        value = pickle.loads(answer.data)  # noqa: S301 - from a worker of ours
    except Exception as unreadable:  # noqa: BLE001 - a result may raise anything when it is read
        future.set_exception(unreadable)
        return
    if not answer.raised:
        future.set_result(value)
        return
    error, told = value
    error.__cause__ = RemoteTraceback(told)
    error.hotmod_generation = answer.generation
    future.set_exception(error)
