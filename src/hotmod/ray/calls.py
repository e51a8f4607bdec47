"""Functions, classes and actors whose calls on a Ray cluster carry a ticket.

Touches: Ray, to submit calls; on a worker whatever they do.

Guarantees: a call is run in the edition of its ticket or a later one, or not at all. What can be found by its
name is looked up by it where it runs, whatever decorates it there. Trying an edit leaves a process as it was.

Assumes: an actor that runs one call at a time also runs a trial by itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray

from hotmod.ray.tickets import HERE, Arrived, Ticket, end, shipped, submission

__all__ = ["HotActor", "HotClass", "HotFunction", "bare", "made", "trial"]


class _Remote:
    """Something that can be called on the cluster; workers can be sent it, and call it as well."""

    def __init__(self, publisher: str, target: Any, options: Mapping[str, Any]) -> None:
        self._publisher, self._target, self._options = publisher, target, dict(options)

    def __reduce__(self) -> tuple[Any, ...]:
        return _sent_along(self, self._publisher, self._target, self._options)

    def __repr__(self) -> str:
        return f"<hotmod.ray.{type(self).__name__} {_name(self._target)}>"

    def options(self, **options: Any) -> Any:
        """The same with other options, as of a remote function or an actor class of Ray."""
        return type(self)(self._publisher, self._target, {**self._options, **options})


class HotFunction(_Remote):
    """A function that runs on the cluster; made by `HotReload.remote`."""

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call; gives the reference that Ray gives."""
        with submission(self._publisher) as ticket:
            return self._made.remote(ticket, self._target, *args, **kwargs)

    @functools.cached_property
    def _made(self) -> Any:
        task = _stream if inspect.isgeneratorfunction(_found(self._target)) else _task
        return ray.remote(**{"name": _name(self._target), **self._options})(task)


class HotClass(_Remote):
    """A class of actors; made by `HotReload.remote`."""

    def remote(self, *args: Any, **kwargs: Any) -> HotActor:
        """Start an actor."""
        with submission(self._publisher) as ticket:
            handle = self._made.remote(ticket, self._target, *args, **kwargs)
        alone = self._options.get("max_concurrency", 1) == 1
        actor = HotActor(self._publisher, _name(self._target), handle, alone)
        if self._publisher in HERE:
            HERE[self._publisher].took(actor)
        return actor

    @functools.cached_property
    def _made(self) -> Any:
        found = _found(self._target)
        waits = any(inspect.iscoroutinefunction(getattr(found, each, None)) for each in dir(found))
        holder = type(found.__name__, (_AsyncHolder if waits else _Holder,), {"__module__": __name__})
        return ray.remote(**self._options)(holder) if self._options else ray.remote(holder)


class HotActor:
    """An actor: `actor.method.remote(...)` calls a method; made by `HotClass.remote`.

    Args:
        publisher: whose editions it follows.
        name: of its class.
        handle: what Ray knows it by.
        alone: whether its calls run one after the other.

    Attributes:
        ray_handle: what Ray knows it by, for `ray.kill` and the like.
    """

    def __init__(self, publisher: str, name: str, handle: Any, alone: bool) -> None:  # noqa: FBT001 - pickled
        self._publisher, self._name, self.ray_handle, self._alone = publisher, name, handle, alone

    def __reduce__(self) -> tuple[Any, ...]:
        return _sent_along(self, self._publisher, self._name, self.ray_handle, self._alone)

    def __repr__(self) -> str:
        return f"<hotmod.ray.HotActor {self._name} {self.ray_handle._actor_id.hex()[:8]}>"  # noqa: SLF001 - no other way

    def __getattr__(self, name: str) -> _Method:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Method(self._publisher, self.ray_handle, name, {"name": name})

    def _try_out(self, before: Ticket, ticket: Ticket) -> Any:
        """Let it try an edit, when it has done what it has to do."""
        return self.ray_handle.try_out.remote(before, [ticket.shipment], self._alone)


@dataclasses.dataclass(frozen=True, slots=True)
class _Method:
    """A method of an actor."""

    publisher: str
    handle: Any
    name: str
    given: Mapping[str, Any]

    def options(self, **options: Any) -> _Method:
        """The same with options of Ray, as `num_returns`."""
        return dataclasses.replace(self, given={**self.given, **options})

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call; gives the reference that Ray gives."""
        with submission(self.publisher) as ticket:
            return self.handle.call.options(**self.given).remote(ticket, self.name, *args, **kwargs)


def made(publisher: str, target: Any, options: Mapping[str, Any]) -> HotFunction | HotClass:
    """A function or class that can be called on the cluster."""
    kind = HotClass if isinstance(bare(target), type) else HotFunction
    return kind(publisher, _sent(target), options)


@dataclasses.dataclass(frozen=True, slots=True)
class _Named:
    """A function or class of a module: whoever reads it takes what has that name there."""

    module: str
    path: str


def bare(target: Any) -> Any:
    """The function or class that was decorated with `ray.remote`, if it was."""
    function = getattr(target, "_function", target)
    metadata = getattr(function, "__ray_metadata__", None)
    if metadata is None:
        return function
    return getattr(metadata.modified_class, "__ray_actor_class__", metadata.modified_class)


def _sent(target: Any) -> Any:
    """How a target travels: by its name, if it can be found by it."""
    what = bare(target)
    name = _Named(getattr(what, "__module__", "") or "", getattr(what, "__qualname__", ""))
    if name.module != "__main__" and "<" not in name.path:
        with contextlib.suppress(ImportError, AttributeError):
            if _found(name) is what:
                return name
    return what


def _found(target: Any) -> Any:
    """The function or class that is meant, as it is in this process."""
    if not isinstance(target, _Named):
        return target
    module = importlib.import_module(target.module)
    return bare(functools.reduce(getattr, target.path.split("."), module))


def _name(target: Any) -> str:
    if isinstance(target, str):
        return target
    return target.path if isinstance(target, _Named) else str(getattr(target, "__qualname__", target))


def _sent_along(what: _Remote | HotActor, publisher: str, *arguments: Any) -> tuple[Any, ...]:
    """How something travels: behind a ticket, so that its reader has come to the edition before the rest."""
    with submission(publisher) as ticket:
        return _read, (ticket, type(what), publisher, *arguments)


# On a worker.


def _read(_: Arrived, kind: Callable[..., Any], *arguments: Any) -> Any:
    return kind(*arguments)


def _task(arrived: Arrived, target: Any, *args: Any, **kwargs: Any) -> Any:
    arrived.check()
    return _found(target)(*args, **kwargs)


def _stream(arrived: Arrived, target: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
    arrived.check()
    yield from _found(target)(*args, **kwargs)


def trial(arrived: Arrived, shipment: list[Any], names: list[str]) -> str:
    """Try an edit in a worker for tasks; a problem in words. Who can't run what is decided is no judge."""
    return "" if arrived.problem else _tried(shipment[0], names, alone=True)


def _tried(shipment: Any, names: list[str], *, alone: bool) -> str:
    """Apply an edition and go back; where calls run at the same time, only see that it compiles and fits."""
    try:
        edition, follower = shipped(shipment)
        if alone:
            follower.try_out(edition, names)
        else:
            follower.plan(edition)
            return ""
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises; the other side tells it
        return f"{type(error).__name__}: {error}"
    try:
        follower.take_back(edition)
    except Exception as error:  # noqa: BLE001 - it ends, whatever it was
        end(f"can't return from generation {edition.generation}: {error}")
    return ""


class _Holder:
    """What Ray has as the actor: it holds the object."""

    def __init__(self, arrived: Arrived, target: Any, *args: Any, **kwargs: Any) -> None:
        arrived.check()
        self._it = _found(target)(*args, **kwargs)

    def call(self, arrived: Arrived, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of it."""
        arrived.check()
        return getattr(self._it, name)(*args, **kwargs)

    def try_out(self, arrived: Arrived, shipment: list[Any], alone: bool) -> str:  # noqa: FBT001 - remote
        """Try an edit between two calls; a problem in words."""
        return "" if arrived.problem else _tried(shipment[0], [], alone=alone)


class _AsyncHolder(_Holder):
    """The same, for a class that has coroutines."""

    async def call(self, arrived: Arrived, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of it."""
        found = super().call(arrived, name, *args, **kwargs)
        return await found if inspect.isawaitable(found) else found
