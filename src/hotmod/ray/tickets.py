"""Tickets: the first argument of every call on a Ray cluster, which brings who reads it to an edition.

Touches: the object store of Ray; on a worker what a follower touches. May end a worker process.

Guarantees: what is read after a ticket is read in its edition, or the ticket tells why not. A worker for
tasks that has run something else, and can't come to the edition, ends. What a worker submits itself belongs
to the edition that it is at.

Assumes: Ray reads the arguments of a call in their order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from typing import Any, NoReturn, Protocol

import ray

from hotmod._engine.saying import say
from hotmod._engine.workers.editions import Edition
from hotmod._engine.workers.follower import Follower, follower_of
from hotmod._model.errors import HotmodError

__all__ = ["HERE", "Arrived", "Submits", "Ticket", "end", "shipped", "submission"]


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a call carries.

    Attributes:
        publisher: whose edition it is.
        sequence: which one it is.
        generation: its generation.
        shipment: a reference to the edition, and to its texts by digest.
    """

    publisher: str
    sequence: int
    generation: int
    shipment: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.publisher, self.sequence, self.generation, self.shipment)


@dataclasses.dataclass(frozen=True, slots=True)
class Arrived:
    """A ticket that was read.

    Attributes:
        generation: that of the ticket.
        problem: why this process is not there; empty if it is.
    """

    generation: int
    problem: str

    def check(self) -> None:
        """See that the process is at the edition.

        Raises:
            HotmodError: it is not.
        """
        if self.problem:
            msg = (
                f"This Ray worker can't come to generation {self.generation}: {self.problem.rstrip('.')}. "
                "The call was not run; the worker runs what it ran before. Fix the file and reload, or end "
                "the actor."
            )
            raise HotmodError(msg)


class Submits(Protocol):
    """Who publishes editions in this process."""

    def submission(self) -> contextlib.AbstractContextManager[Ticket]:
        """Within it no edit is being decided."""

    def took(self, actor: Any) -> None:
        """Take note of an actor that was started."""


HERE: dict[str, Submits] = {}
"""Who publishes in this process, by the name of the publisher."""
_PLACES: dict[str, Follower] = {}
"""Who follows a publisher in this process."""
_LAST: dict[str, Ticket] = {}
"""The edition of a publisher that this process is at, for what it submits itself."""


@contextlib.contextmanager
def submission(publisher: str) -> Iterator[Ticket]:
    """Submit something, from the process that publishes or from a worker that follows it.

    Raises:
        HotmodError: this process is neither.
    """
    if publisher in HERE:
        with HERE[publisher].submission() as ticket:
            yield ticket
    elif publisher in _LAST:
        yield _LAST[publisher]
    else:
        msg = "This process could not come to the edition of what it calls. Nothing was submitted. End it."
        raise HotmodError(msg)


def _arrive(publisher: str, sequence: int, generation: int, shipment: Any) -> Arrived:
    """Come to the edition of a ticket that is read.

    A worker for tasks that can't, and has run something else before, ends: Ray starts another one and runs
    the task there. An actor does not end, as its state would be gone.
    """
    here = _PLACES.get(publisher)
    if here is not None and here.has(publisher, sequence):
        return Arrived(generation, "")
    edition, follower = shipped(shipment)
    was_new = follower.edition is None
    try:
        follower.follow(edition)
        follower.settle()
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises here; the call tells it
        if not was_new and ray.get_runtime_context().get_actor_id() is None:
            end(f"can't come to generation {generation}: {error}")
        return Arrived(generation, f"{type(error).__name__}: {error}")
    _PLACES[publisher] = follower
    _LAST[publisher] = Ticket(publisher, sequence, generation, shipment)
    return Arrived(generation, "")


def shipped(shipment: Any) -> tuple[Edition, Follower]:
    """An edition, and who follows it in this process, with all its texts."""
    edition, texts = ray.get(shipment)
    follower = follower_of(edition.scope)
    missing = sorted(follower.missing(edition))
    follower.take(dict(zip(missing, ray.get([texts[each] for each in missing]), strict=True)))
    return edition, follower


def end(why: str) -> NoReturn:
    """End a worker that does not run what it has to."""
    say(logging.ERROR, "this Ray worker %s; it ends, and Ray starts another one", why)
    os._exit(1)
