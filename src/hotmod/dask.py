"""Dask workers that follow this process: `client.register_plugin(hotmod.dask.HotReload("shop"))`.

Touches: the workers of a cluster, through its scheduler.

Guarantees: while no task begins, every worker tries an edit: it applies it, and imports what the process of
the client ran of it. If one can't, all return to what they ran. If all can, the edit is decided when the
scheduler has taken the plug-in over, which brings it to the workers; those that no decision reaches return to
what they ran before they go on. A worker that joins, whenever that is, is brought to what is decided before
its first task, and ends if it can't. No worker reads a source of the targets from its disk, or needs one.

Assumes: `distributed` is there, as who imports this uses it; scheduler and workers have hotmod. Tasks run in
the default executor of a worker: what runs in its event loop, or in an executor of the user's, is not held.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_client

from hotmod import _api
from hotmod._engine.reloader import Reloader
from hotmod._engine.saying import say
from hotmod._engine.workers.editions import Edition, Publisher
from hotmod._engine.workers.follower import follower_of
from hotmod._model.errors import HotmodError
from hotmod._scope import Target

if TYPE_CHECKING:
    from distributed import Client, Worker

    from hotmod._model.report import Report

__all__ = ["HotReload"]

HOLD = 60.0  # seconds after which a worker goes on by itself, as it was, if no decision has reached it


class HotReload(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Keeps the workers of a Dask cluster at what is committed in the process of the client.

    Register it, and the workers have the texts that run here. After that `reload()` applies what was saved,
    here and everywhere; or `hotmod.watch("shop", on_reload=lambda report: plugin.push())` does as you save.

    Args:
        *targets: modules, packages and paths, as for `hotmod.watch` and `hotmod.reload`, whose reloader
            is followed; or one `Reloader`.
        here_only: modules, and packages with all that is in them, that belong to the process of the client
            alone: no worker imports them to see whether it can take an edit of them.

    Attributes:
        name: under which it is registered; another one for the same targets takes its place.

    Raises:
        ConfigError: there is no target or one does not exist.
    """

    def __init__(self, *targets: Target | Reloader, here_only: Collection[str] = ()) -> None:
        self._reloader = _api.followed(targets)
        self._publisher = Publisher(self._reloader)
        self._here_only = here_only
        self._shipped: tuple[Edition, dict[str, bytes]] | None = None
        self._guard = threading.Lock()
        self.name = f"hotmod-{self._reloader.scope}"

    def __getstate__(self) -> dict[str, Any]:
        # What travels to the scheduler, and from there to each worker, is an edition and its texts.
        if self._shipped is None:
            self._shipped = self._publisher.current(), self._publisher.texts
        return {"name": self.name, "_shipped": self._shipped}

    def setup(self, worker: Worker) -> None:
        """On a worker: come to the edition with which the plug-in was registered, and stay there."""
        if self._shipped is not None:
            _come_to(*self._shipped, worker)

    def reload(self, client: Client | None = None) -> Report:
        """Apply whatever differs between disk and memory, here and on all workers.

        Args:
            client: the client of the cluster; by default the current one.

        Returns:
            The report of this process.

        Raises:
            HotmodError: a worker can't take the edit. Nothing was changed: this process and all workers run
                what they ran before.
        """
        with self._guard:
            report = self._reloader.reload()
            try:
                self._push(client or get_client())
            except HotmodError:
                if report.status == "applied":
                    self._reloader.rollback()
                raise
            return report

    def push(self, client: Client | None = None) -> None:
        """Bring all workers to what is committed in this process.

        Args:
            client: the client of the cluster; by default the current one.

        Raises:
            HotmodError: a worker can't take it. All workers run what they ran before.
        """
        with self._guard:
            self._push(client or get_client())

    def _push(self, client: Client) -> None:
        if self._shipped is None:  # nothing is there that the workers could go back to
            client.register_plugin(self)
            return
        edition, texts = self._publisher.current(), self._publisher.texts
        lacking = _run(client, None, _lacking, edition)
        workers = list(lacking)  # those that come later are brought to what is decided, and to nothing else
        try:
            if any(lacking.values()):
                wanted = set().union(*(each for each in lacking.values() if isinstance(each, set)))
                shipped = {digest: texts[digest] for digest in wanted}
                names = self._publisher.touched(self._shipped[0], self._here_only)
                self._phase(client, workers, _prepare, edition, shipped)
                self._phase(client, workers, _try, edition, names)
        except BaseException:
            _run(client, workers, _take_back, edition)
            _run(client, workers, _release, edition)
            raise
        self._shipped = edition, texts
        self._decide(client, edition, texts)  # if that fails, who has not heard of it returns by itself
        _run(client, workers, _release, edition)

    def _decide(self, client: Client, edition: Edition, texts: Mapping[str, bytes]) -> None:
        """Let the scheduler have the edition: the workers that are there keep it, those that come get it."""
        try:
            client.register_plugin(self)
        except OSError as error:
            # the scheduler keeps a plug-in before it tells the workers, and stops telling when one is gone
            say(logging.INFO, "a Dask worker went away while it was told of an edit: %s", error)
            _run(client, None, _keep, edition, texts)

    def _phase(
        self,
        client: Client,
        workers: list[str],
        step: Callable[..., object],
        edition: Edition,
        *arguments: Any,
    ) -> None:
        """Let some workers take one step.

        Raises:
            HotmodError: one of them could not.
        """
        found = _run(client, workers, step, edition, *arguments)
        problems = [f"{each}: {problem.rstrip('.')}" for each, problem in found.items() if problem]
        if problems:
            msg = (
                f"Could not bring the cluster to generation {edition.generation} of {edition.scope}: "
                f"{'; '.join(problems)}. Nothing was changed: all workers run the previous code. Fix the "
                "file and save, or restart those workers."
            )
            raise HotmodError(msg)


def _run(
    client: Client, workers: list[str] | None, step: Callable[..., object], *arguments: Any
) -> dict[str, Any]:
    """What some workers, or all, say to a step; those that are gone say nothing: others take their place."""
    if workers is not None:
        there = client.nthreads()  # one that is gone would be tried for half a minute
        workers = [each for each in workers if each in there]
    found: Mapping[str, Any] = client.run(step, *arguments, workers=workers, on_error="return")
    return {
        worker: f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else answer
        for worker, answer in found.items()
        if not isinstance(answer, OSError)
    }


# On a worker.


def _come_to(edition: Edition, texts: Mapping[str, bytes], worker: Worker) -> None:
    """Come to an edition that is decided; a worker that can't ends, and a new one comes in its place."""
    follower = follower_of(edition.scope)
    try:
        follower.take(texts)
        follower.follow(edition)
        follower.settle()
    except Exception as error:  # noqa: BLE001 - the worker ends, whatever it was
        _end(worker, f"can't come to generation {edition.generation}", error)


def _end(worker: Worker, why: str, error: Exception) -> None:
    """End a worker that does not run what the others run."""
    say(logging.ERROR, "this Dask worker %s, and ends: %s", why, error)
    worker.loop.add_callback(worker.close, nanny=False, reason="hotmod")


def _lacking(edition: Edition) -> set[str] | bool:
    """The texts that this worker has not; whether it is behind, if it has them all."""
    follower = follower_of(edition.scope)
    if edition.is_from_here:
        return False
    return follower.missing(edition) or not follower.has(edition.publisher, edition.sequence)


def _prepare(edition: Edition, texts: Mapping[str, bytes], dask_worker: Worker) -> str:
    """Do all that can be done without changing anything, and let no new task begin; a problem in words."""
    _hold(dask_worker, edition)
    follower = follower_of(edition.scope)
    if edition.is_from_here:
        return ""
    try:
        follower.take(texts)
        follower.plan(edition)
    except Exception as error:  # noqa: BLE001 - a text that can't be parsed, say; the client tells it
        return f"{type(error).__name__}: {error}"
    return ""


async def _try(edition: Edition, names: list[str], dask_worker: Worker) -> str:
    """Apply an edition so that it can be taken back; a problem in words.

    In a thread, as tasks are: what takes long to import must not keep the worker from answering.
    """
    follower = follower_of(edition.scope)
    try:
        await asyncio.to_thread(follower.try_out, edition, names)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises here; the client tells it
        return f"{type(error).__name__}: {error}"
    if (dask_worker.address, edition.publisher) not in _HELD:
        _take_back(edition, dask_worker)
        return f"no decision came within {HOLD:.0f} s, so it has gone on"
    return ""


def _keep(edition: Edition, texts: Mapping[str, bytes], dask_worker: Worker) -> None:
    """Come to an edition that is decided, if this worker has not heard of it."""
    _come_to(edition, texts, dask_worker)


def _take_back(edition: Edition, dask_worker: Worker) -> None:
    """Return from an edition that was not decided, if this worker came to it."""
    try:
        follower_of(edition.scope).take_back(edition)
    except Exception as error:  # noqa: BLE001 - the worker ends, whatever it was
        _end(dask_worker, f"can't return from generation {edition.generation}", error)


class _Hold:
    """What holds the executor of a worker."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.over = False  # whether the client has ended it, one way or the other


_HELD: dict[tuple[str, str], _Hold] = {}
"""By worker and publisher."""


def _hold(worker: Worker, edition: Edition) -> None:
    """Let no task begin in the executor of a worker: one that waits takes each of its threads.

    Calls that are under way go on. The tasks that come now stand behind these in the queue of the executor.
    """
    key = worker.address, edition.publisher
    hold = _HELD[key] = _Hold()

    def wait() -> None:
        hold.ended.wait(HOLD)
        if not hold.over:
            _HELD.pop(key, None)  # first: who tries the edition at this moment sees it, and takes it back
            _take_back(edition, worker)

    for _ in range(worker.state.nthreads):
        worker.executors["default"].submit(wait)


def _release(edition: Edition, dask_worker: Worker) -> None:
    """Let tasks begin again."""
    hold = _HELD.pop((dask_worker.address, edition.publisher), None)
    if hold is not None:
        hold.over = True
        hold.ended.set()
