"""What a worker of a pool does: come to the edition that a task carries, then run it.

Touches: what a follower touches, and whatever the task does.

Guarantees: a task is unpickled and run after its edition is in force, never before; an answer says which
generation it ran in. A task whose edition can't be reached is not run.
"""

from __future__ import annotations

import dataclasses
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hotmod._engine.saying import say

if TYPE_CHECKING:
    from hotmod._engine.workers.editions import Ticket

__all__ = ["Answer", "RemoteTraceback", "begin", "run"]


class RemoteTraceback(Exception):  # noqa: N818 - named as the standard library names its own
    """The traceback in the worker; it is the `__cause__` of the exception that a task raised."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task.

    Attributes:
        generation: the generation that it ran in; None if the pool follows nothing.
        data: its result, or the exception and its traceback, as a pickle.
        raised: whether it is the latter.
        behind: why it was not run: this worker can't come to the edition; empty if it was run.
    """

    generation: int | None
    data: bytes = b""
    raised: bool = False
    behind: str = ""


def begin(ticket: Ticket | None, since: int, initializer: bytes | None) -> None:
    """Prepare a worker process: follow the edition, then do what the user wants to be done first.

    A worker that can't come to the edition, or whose initializer fails, says so when it is given a task.
    """
    from hotmod._engine.workers.follower import BehindError  # noqa: PLC0415 - takes a while; may be unneeded

    if ticket is not None:
        try:
            _follow(ticket, since)
        except BehindError as error:
            _FAILED.append(str(error))
            return
    if initializer is not None:
        try:
            function, arguments = pickle.loads(initializer)  # noqa: S301 - the submitter's own
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it raises; whoever submits a task is told
            say(logging.ERROR, "the initializer of a worker failed", with_error=True)
            _FAILED.append(f"its initializer raised {type(error).__name__}: {error}.")


def run(ticket: Ticket | None, payload: bytes, dumps: Callable[[Any], bytes] = pickle.dumps) -> Answer:
    """Run a task in its edition, and pickle what it gives."""
    from hotmod._engine.workers.follower import BehindError  # noqa: PLC0415 - takes a while; may be unneeded

    generation = None
    if _FAILED:
        return Answer(None, behind=_FAILED[0])
    if ticket is not None:
        try:
            generation = _follow(ticket, 0)
        except BehindError as error:
            return Answer(None, behind=str(error))
    try:
        function, arguments, named = pickle.loads(payload)  # noqa: S301 - the submitter's own
        result = function(*arguments, **named)
        return Answer(generation, dumps(result))
    except BaseException as error:  # noqa: BLE001 - it is the answer
        return Answer(generation, _raised(error, dumps), raised=True)


def _raised(error: BaseException, dumps: Callable[[Any], bytes]) -> bytes:
    told = "".join(traceback.format_exception(error))
    try:
        data = dumps((error, told))
        pickle.loads(data)  # noqa: S301 - some exceptions pickle, and can't be read again
    except Exception:  # noqa: BLE001 - whatever a user's exception raises; its words are told instead
        data = pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), told))
    return data


def _follow(ticket: Ticket, since: int) -> int:
    """Bring this process to an edition; gives the generation that it is at."""
    from hotmod._engine.workers.editions import Store  # noqa: PLC0415 - as above
    from hotmod._engine.workers.follower import BehindError, follower_of  # noqa: PLC0415 - as above

    known = _PLACES.get(ticket.store)
    if known is not None and known.has(ticket.publisher, ticket.sequence):
        generation: int = known.edition.generation
        return generation
    store = Store(ticket.store)
    edition = store.edition(ticket.sequence)
    follower = follower_of(edition.scope)
    follower.take({digest: store.text(digest) for digest in follower.missing(edition)})
    try:
        follower.follow(edition, since)
    except BehindError:
        raise
    except Exception as error:
        msg = f"{type(error).__name__}: {error}"
        raise BehindError(msg) from error
    _PLACES[ticket.store] = follower
    return follower.edition.generation if follower.edition is not None else edition.generation


_FAILED: list[str] = []
"""Why this worker could not begin."""
_PLACES: dict[str, Any] = {}
"""The follower of each store."""
