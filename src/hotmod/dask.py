"""Dask workers that follow this process: `client.register_plugin(hotmod.dask.HotReload("shop"))`.

Touches: the workers of a cluster, through its scheduler.

Guarantees: an edit is prepared on every worker before it is applied on any; no task begins until all have
applied it; if one can't, all return to what they ran. A worker that joins later is brought to the last
edition before its first task. No worker reads a source of the targets from its disk, or needs one.

Assumes: `distributed` is there, as who imports this uses it; scheduler and workers have hotmod. Tasks run in
the default executor of a worker: what runs in its event loop, or in an executor of the user's, is not held.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_client

from hotmod import _api
from hotmod._engine.reloader import Reloader
from hotmod._engine.saying import say
from hotmod._engine.workers.editions import Edition, Publisher
from hotmod._engine.workers.follower import BehindError, follower_of
from hotmod._model.errors import HotmodError
from hotmod._scope import Target

if TYPE_CHECKING:
    from distributed import Client, Worker

    from hotmod._model.report import Report

__all__ = ["HotReload"]

HOLD = 60.0  # seconds after which a worker goes on by itself, if its client is gone in the middle of an edit


class HotReload(WorkerPlugin):  # type: ignore[misc]  # distributed has no types
    """Keeps the workers of a Dask cluster at what is committed in the process of the client.

    Register it, and the workers have the texts that run here. After that `reload()` applies what was saved,
    here and everywhere; or `hotmod.watch("shop", on_reload=lambda report: plugin.push())` does as you save.

    Args:
        *targets: modules, packages and paths, as for `hotmod.watch` and `hotmod.reload`, whose reloader
            is followed; or one `Reloader`.

    Attributes:
        name: under which it is registered; another one for the same targets takes its place.

    Raises:
        ConfigError: there is no target or one does not exist.
    """

    def __init__(self, *targets: Target | Reloader) -> None:
        if len(targets) == 1 and isinstance(targets[0], Reloader):
            self._reloader = targets[0]
        else:
            self._reloader = _api.reloader_of(
                tuple(each for each in targets if not isinstance(each, Reloader))
            )
        self._publisher = Publisher(self._reloader)
        self._shipped: tuple[Edition, dict[str, bytes]] | None = None
        self._guard = threading.Lock()
        self.name = f"hotmod-{self._reloader.scope}"

    def __getstate__(self) -> dict[str, Any]:
        # What travels to the scheduler, and from there to each worker, is an edition and its texts.
        if self._shipped is None:
            self._shipped = self._publisher.current(), self._publisher.texts
        return {"name": self.name, "_shipped": self._shipped}

    def setup(self, worker: Worker) -> None:
        """On a worker: come to the edition with which the plug-in was registered."""
        if self._shipped is None:
            return
        edition, texts = self._shipped
        try:
            follower = follower_of(edition.scope)
            follower.take(texts)
            follower.follow(edition)
        except (BehindError, HotmodError) as error:
            say(
                logging.ERROR,
                "this Dask worker can't come to generation %s, and ends: %s",
                edition.generation,
                error,
            )
            worker.loop.add_callback(worker.close, nanny=False, reason="hotmod")

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
        lacking = _answers(client.run(_lacking, edition, on_error="return"))
        wanted = set().union(*(each for each in lacking.values() if isinstance(each, set)))
        if any(lacking.values()):
            shipped = {digest: texts[digest] for digest in wanted}
            try:
                self._phase(client, _prepare, edition, shipped)
                try:
                    self._phase(client, _commit, edition)
                except HotmodError:
                    client.run(_take_back, edition, on_error="ignore")
                    raise
            finally:
                client.run(_release, edition, on_error="ignore")
        self._shipped = edition, texts
        client.register_plugin(self)  # for the workers that come later, or came meanwhile

    def _phase(self, client: Client, step: Callable[..., str], edition: Edition, *arguments: Any) -> None:
        """Let all workers take one step.

        Raises:
            HotmodError: one of them could not.
        """
        answers = _answers(client.run(step, edition, *arguments, on_error="return"))
        problems = [f"{worker}: {problem.rstrip('.')}" for worker, problem in answers.items() if problem]
        if problems:
            msg = (
                f"Could not bring the cluster to generation {edition.generation} of {edition.scope}: "
                f"{'; '.join(problems)}. Nothing was changed: all workers run the previous code. Fix the "
                "file and save, or restart those workers."
            )
            raise HotmodError(msg)


def _answers(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the workers said; those that are gone say nothing, and who comes in their place catches up."""
    return {
        worker: f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else answer
        for worker, answer in found.items()
        if not isinstance(answer, OSError)
    }


# On a worker.


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


def _commit(edition: Edition) -> str:
    """Apply an edition; a problem in words."""
    try:
        follower_of(edition.scope).follow(edition)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises here; the client tells it
        return f"{type(error).__name__}: {error}"
    return ""


def _take_back(edition: Edition) -> None:
    """Return from an edition, if this worker came to it."""
    follower = follower_of(edition.scope)
    if follower.has(edition.publisher, edition.sequence):
        follower.take_back()


_HELD: dict[tuple[str, str], threading.Event] = {}
"""What holds the executor, by worker and publisher."""


def _hold(worker: Worker, edition: Edition) -> None:
    """Let no task begin in the executor of a worker: one that waits takes each of its threads.

    Calls that are under way go on. The tasks that come now stand behind these in the queue of the executor.
    """
    ended = _HELD[worker.address, edition.publisher] = threading.Event()
    for _ in range(worker.state.nthreads):
        worker.executors["default"].submit(ended.wait, HOLD)


def _release(edition: Edition, dask_worker: Worker) -> None:
    """Let tasks begin again."""
    ended = _HELD.pop((dask_worker.address, edition.publisher), None)
    if ended is not None:
        ended.set()
