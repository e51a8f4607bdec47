"""Ray tasks and actors that follow this process: `hotmod.ray.HotReload("shop").remote(cart.total)`.

Touches: the object store of Ray, and its workers by calls.

Guarantees: a task, and a call of an actor, carry the edition that is decided in this process when they are
submitted. The worker comes to it, from texts that it gets by digest, before it reads the arguments; one that
can't does not run the call. `reload()` decides an edit after a worker on each node, and the actors that have
time for it, have tried it, each between two calls, and went back. No worker reads a source of the targets
from its disk, or needs one.

Assumes: `ray` is there, as who imports this uses it; all nodes have hotmod. Ray does not tell which workers
there are, so that they can't all be asked, nor be brought to an edit at one moment.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections.abc import Collection, Iterator
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, WorkerCrashedError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from hotmod import _api
from hotmod._config import switched_off
from hotmod._engine.reloader import Reloader
from hotmod._engine.saying import say
from hotmod._engine.workers.editions import Publisher
from hotmod._model.errors import HotmodError
from hotmod._model.report import Report
from hotmod._scope import Target
from hotmod.ray.calls import HotActor, HotClass, HotFunction, made, trial
from hotmod.ray.tickets import HERE, Ticket

__all__ = ["HotActor", "HotClass", "HotFunction", "HotReload"]

TRIAL = 120.0  # seconds that a worker has to try an edit
PATIENCE = 10.0  # seconds that actors which are busy are waited for


class HotReload:
    """Lets tasks and actors of Ray run what is committed in this process.

    What is made by `remote` takes the place of what `ray.remote` makes. A call carries the edition that this
    process is at; the worker or actor that is behind applies its texts, as a transaction, and then runs the
    call. Edits are applied by `reload()`, which asks the cluster first, or by `hotmod.watch` and
    `hotmod.reload`, which do not.

    Args:
        *targets: modules, packages and paths, as for `hotmod.watch` and `hotmod.reload`, whose reloader
            is followed; or one `Reloader`.
        here_only: modules, and packages with all that is in them, that belong to this process alone: no
            worker imports them to see whether it can take an edit of them.

    Raises:
        ConfigError: there is no target or one does not exist.
    """

    def __init__(self, *targets: Target | Reloader, here_only: Collection[str] = ()) -> None:
        self._here_only = here_only
        self._guard = threading.RLock()
        self._ticket: Ticket | None = None
        self._cluster = ""
        self._texts: dict[str, Any] = {}
        self._actors: weakref.WeakSet[HotActor] = weakref.WeakSet()
        self._publisher: Publisher | None = None
        if not switched_off():
            self._reloader = _api.followed(targets)
            self._publisher = Publisher(self._reloader)
            self._publisher.current()
            HERE[self._publisher.name] = self

    def __repr__(self) -> str:
        of = self._reloader.scope if self._publisher is not None else "no modules, as HOTMOD=off is set"
        return f"<hotmod.ray.HotReload of {of}>"

    def remote(self, target: Any, /, **options: Any) -> Any:
        """Make a function or class callable on the cluster, as `ray.remote` does.

        Args:
            target: a function or class; one that is decorated with `ray.remote` will do.
            **options: those of `ray.remote`, as `num_cpus=2`.

        Returns:
            A `HotFunction` or `HotClass`; with `HOTMOD=off` what Ray makes of it.
        """
        if self._publisher is None:
            plain = target if hasattr(target, "remote") else ray.remote(target)
            return plain.options(**options) if options else plain
        return made(self._publisher.name, target, options)

    def reload(self, *, patience: float = PATIENCE) -> Report:
        """Apply whatever differs between disk and memory, here, and in what is submitted from now on.

        First a worker on each node applies the edit, imports what this process ran of it, and goes back; so
        does each actor, when the calls are done that it has. What is submitted meanwhile waits.

        Args:
            patience: seconds that actors which are busy are waited for. The edit does not wait for one that
                has not answered by then: its next call comes to the edit, or fails.

        Returns:
            The report of this process.

        Raises:
            HotmodError: a worker or an actor can't take the edit. Nothing was changed: this process and the
                cluster run what they ran before.
        """
        if self._publisher is None:
            return Report(status="unchanged")
        with self._guard:
            before, edition = self._current(self._publisher), self._publisher.current()
            report = self._reloader.reload()
            try:
                ticket = self._current(self._publisher)
                if ticket != before:
                    names = self._publisher.touched(edition, self._here_only)
                    self._see_that_all_can(before, ticket, names, patience)
            except BaseException:
                if report.status == "applied":
                    self._reloader.rollback()
                raise
            return report

    @contextlib.contextmanager
    def submission(self) -> Iterator[Ticket]:
        """Submit something: no edit is being decided meanwhile."""
        assert self._publisher is not None  # noqa: S101 - for the type checker; else nothing asks
        with self._guard:
            yield self._current(self._publisher)

    def took(self, actor: HotActor) -> None:
        """Take note of an actor, to be asked about edits."""
        self._actors.add(actor)

    def _current(self, publisher: Publisher) -> Ticket:
        """What a call carries now; what is new of it is put into the object store."""
        edition = publisher.current()
        cluster = ray.get_runtime_context().get_job_id() if ray.is_initialized() else ""
        if self._ticket is None or self._ticket.sequence != edition.sequence or cluster != self._cluster:
            known = self._texts if cluster == self._cluster else {}
            if cluster != self._cluster:
                self._actors.clear()
            self._texts = {
                each: known[each] if each in known else ray.put(publisher.texts[each])
                for each in edition.digests
            }
            shipment = ray.put((edition, self._texts))
            self._cluster = ray.get_runtime_context().get_job_id()
            self._ticket = Ticket(edition.publisher, edition.sequence, edition.generation, shipment)
        return self._ticket

    def _see_that_all_can(self, before: Ticket, ticket: Ticket, names: list[str], patience: float) -> None:
        """Let the cluster try an edit.

        Raises:
            HotmodError: somebody can't take it.
        """
        workers, actors = {}, {}
        task = ray.remote(num_cpus=0, max_retries=1, name="hotmod")(trial)
        for node in [each["NodeID"] for each in ray.nodes() if each["Alive"]]:
            place = NodeAffinitySchedulingStrategy(node, soft=False)
            answer = task.options(scheduling_strategy=place).remote(before, [ticket.shipment], names)
            workers[answer] = f"a worker on node {node[:8]}"
        for actor in list(self._actors):
            actors[actor._try_out(before, ticket)] = str(actor)  # noqa: SLF001 - a public name is a method's
        problems = []
        for asked, seconds in ((workers, TRIAL), (actors, patience)):
            answered, late = (
                ray.wait(list(asked), num_returns=len(asked), timeout=seconds) if asked else ([], [])
            )
            problems += [f"{asked[each]}: {found}" for each in answered if (found := _answer(each))]
            if asked is workers:
                problems += [f"{asked[each]} did not answer within {TRIAL:g} s" for each in late]
            else:
                for each in late:
                    say(
                        logging.WARNING,
                        "%s is busy, and was not asked whether it can take the edit",
                        asked[each],
                    )
        if problems:
            msg = (
                f"Could not bring the cluster to generation {ticket.generation} of {self._reloader.scope}: "
                f"{'; '.join(problems)}. Nothing was changed: this process and the cluster run the previous "
                "code. Fix the file and save."
            )
            raise HotmodError(msg)


def _answer(answer: Any) -> str:
    """What was said about an edit, in words; who is gone says nothing, others come to what is decided."""
    try:
        return str(ray.get(answer)).rstrip(".")
    except (RayTaskError, WorkerCrashedError) as error:
        return f"{type(error).__name__}: {str(error).strip().rstrip('.')}"
    except RayError as error:
        say(logging.INFO, "one that was asked about an edit is gone: %s", error)
        return ""
