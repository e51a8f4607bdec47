"""Served objects: an instance of a class that is reloaded, behind a proxy that servers hold.

Touches: the class's module, which it imports; one watcher; the instance.

Guarantees: a call runs on one version and on one instance from its beginning to its end: calls are stable
blocks, and an edit is applied between them, with the new instance at the same moment, whichever reloader of
the process does so. An instance is closed once, when the last call that it has begun is over. An edit of
which no instance can be made is refused as a whole.

Assumes: generators that a method returns go on after the call, so they keep the instance from being closed,
and no edit from being applied.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import logging
import os
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

from hotmod._config import configure, mode, switched_off
from hotmod._engine.beginning import Beginning
from hotmod._engine.closing import close_instance, open_instance, running_loop
from hotmod._engine.failures import is_internal
from hotmod._engine.manual import ManualWatcher
from hotmod._engine.participants import PARTICIPANTS
from hotmod._engine.saying import say
from hotmod._engine.stable import stable
from hotmod._engine.watcher import Watcher
from hotmod._model.errors import ConfigError, HotmodError
from hotmod._scope import Target, is_installed, locations, scope_for

if TYPE_CHECKING:
    from hotmod._live.journal import Journal
    from hotmod._model.report import Report
    from hotmod._plan import Plan

__all__ = ["Served", "live"]

Mode = Literal["migrate", "recreate"]


class _Tenant:
    """An instance, how many calls are in it, and the event loop in which it was used last."""

    __slots__ = ("calls", "instance", "loop", "retired")

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.calls = 0
        self.retired = False
        self.loop = running_loop()


class Served:
    """What `hotmod.live` keeps behind its proxy; `proxy.__hotmod__` is it.

    Attributes:
        watcher: the watcher of the class's folder and of what else was asked for.
    """

    def __init__(
        self, name: str, make: Callable[[], Any], cls: Callable[[], Any], mode: Mode, beginning: Beginning
    ) -> None:
        self._name, self._make, self._class, self._mode = name, make, cls, mode
        self._beginning = beginning
        self._lock = threading.Lock()
        self._tenant = _Tenant(make())
        self._left: list[_Tenant] = []  # what was replaced, and is to be closed
        self._moves = False  # whether the class may be another one
        self._seen = 0
        self._closed = False
        self.watcher = Watcher(None)

    def watch(self, delay: float) -> None:
        """Follow what is saved from now on."""
        kind = Watcher
        if mode() == "manual":
            say(logging.INFO, "HOTMOD=manual: edits of %s wait for watcher.apply()", self._beginning.scope)
            kind = ManualWatcher
        PARTICIPANTS.add(self)
        self.watcher = kind(self._beginning, self._told, None, delay)

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"generation {self._beginning.generation}"
        return f"<hotmod.Served {self._name}, {self._mode}, {state}>"

    @property
    def instance(self) -> Any:
        """The instance that calls go to now."""
        return self._tenant.instance

    def next_report(self, timeout: float | None = None) -> Report:
        """Wait for the report of the next save, as `Watcher.next_report` does."""
        return self.watcher.next_report(timeout)

    def close(self) -> None:
        """End watching, and close the instance when the calls in it are over. A second call does nothing."""
        self.watcher.stop()
        PARTICIPANTS.discard(self)
        with self._lock:
            over = [] if self._closed else [*self._settle(), *self._retire(self._tenant)]
            self._closed = True
        _close(over)

    @contextlib.contextmanager
    def call(self, *, in_block: bool = True) -> Iterator[Any]:
        """A call in the instance; gives it.

        Args:
            in_block: whether it is in a stable block; an edit that is being applied can be taken back.
        """
        with self._lock:
            if self._closed:
                msg = f"{self!r}: no call can begin. Those that had begun go on; make another one."
                raise HotmodError(msg)
            over = self._settle() if in_block else []
            tenant = self._tenant
            tenant.calls += 1
            tenant.loop = running_loop() or tenant.loop
        try:
            _close(over)
            yield tenant.instance
        finally:
            with self._lock:
                tenant.calls -= 1
                last = tenant.retired and not tenant.calls
            if last:
                _close([tenant])

    def take_part(self, plan: Plan, journal: Journal) -> None:
        """At the end of a transaction, which can still be taken back, put the instance that follows in place.

        Raises:
            HotmodError: there is no such class any more, or it does not take the arguments. Whatever the
                constructor raises is raised, too.
        """
        names = {*plan.changes.modules, *(step.module for step in plan.steps)}
        if not any(map(self._beginning.scope.owns_name, names)):
            return
        self._class()
        self._moves = True
        if self._mode == "migrate":
            return
        try:
            tenant = _Tenant(self._make())
        except Exception as error:
            if not is_internal(error):
                raise
            msg = f"{self._name} can't be made with the arguments that it was made with: {error}"
            raise HotmodError(msg) from error
        with self._lock:
            before, self._tenant = self._tenant, tenant
            self._left.append(before)
        journal.record("served object", functools.partial(self._take_back, before, tenant), lasting=False)

    def follow(self) -> None:
        """Take in the edits that were applied, though nobody calls."""
        with stable(), contextlib.suppress(HotmodError), self.call():
            """The call does it."""

    def _take_back(self, before: _Tenant, tenant: _Tenant) -> None:
        with self._lock:
            self._tenant = before
            self._left = [each for each in self._left if each is not before]
            over = self._retire(tenant)
        _close(over)

    def _settle(self) -> list[_Tenant]:
        """Take in that an edit was applied, if one was; gives what is to be closed."""
        generation = self._beginning.generation
        if self._moves or generation != self._seen:  # the latter alone: a rollback
            self._moves, self._seen = False, generation
            if self._mode == "migrate":
                _move(self._tenant.instance, self._class())
        left, self._left = self._left, []
        return [over for each in left for over in self._retire(each)]

    def _retire(self, tenant: _Tenant) -> list[_Tenant]:
        tenant.retired = True
        return [] if tenant.calls else [tenant]

    def _told(self, report: Report) -> None:
        """An attempt is over."""
        files = [getattr(sys.modules.get(name), "__file__", None) or name for name in report.changed]
        say(logging.INFO, "detected changes in: %s", files)
        for each in PARTICIPANTS if report.status == "applied" else ():
            each.follow()


class Proxy:
    """Stands for the instance. It has no names of its own but `__hotmod__`."""

    __slots__ = ("__hotmod__",)

    def __init__(self, served: Served) -> None:
        object.__setattr__(self, "__hotmod__", served)

    def __getattr__(self, name: str) -> Any:
        served = _served(self)
        with served.call(in_block=False) as instance:
            value = getattr(instance, name)
        return _method(served, name, value) if inspect.isroutine(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        with stable(), _served(self).call() as instance:
            setattr(instance, name, value)

    def __delattr__(self, name: str) -> None:
        with stable(), _served(self).call() as instance:
            delattr(instance, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        served = _served(self)
        return _method(served, "__call__", served.instance.__call__)(*args, **kwargs)

    def __reduce_ex__(self, _protocol: object) -> Any:
        msg = (
            f"{self!r} can't be copied or pickled: it follows files, here. It goes on; use its "
            "`__hotmod__.instance`."
        )
        raise TypeError(msg)

    def __dir__(self) -> Iterable[str]:
        return dir(_served(self).instance)

    def __repr__(self) -> str:
        return f"<hotmod.live of {_served(self).instance!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        _served(self).close()


def live(
    target: str,
    /,
    *args: Any,
    on_change: Mode = "migrate",
    py_modules: Iterable[Target] = (),
    **kwargs: Any,
) -> Any:
    """An instance of a class, for a server to hold, that follows the edits of the class while it is used.

    What it gives is used like the instance: attributes and methods are those of the class as it is on disk.
    Each call runs on one version from its beginning to its end; an edit waits for the calls under way, for up
    to `patience`, and those that begin meanwhile wait for the edit. Watched are the folder of the class's
    file, with all below it, and `py_modules`. A `with` block over it closes it at the end, and so does
    `proxy.__hotmod__.close()`.

    Args:
        target: the class, as `"my_executor:MyExecutor"`.
        *args: for the class, each time that an instance is made.
        on_change: `"migrate"` keeps the instance with its state and gives it the new code; `"recreate"` makes
            a new one with the same arguments, and closes the old one when the calls in it are over: by
            `close()`, or `aclose()`, which runs in the event loop in which it was called last, or else as a
            context manager, which is then entered when it is made.
        py_modules: further modules, packages, folders or files to follow.
        **kwargs: as `args`.

    Returns:
        A proxy; `proxy.__hotmod__` is a `Served`. With `HOTMOD=off` in the environment nothing is followed.

    Raises:
        ConfigError: there is no such class, or an option has a bad value.
    """
    module, _, qualname = target.partition(":")
    if not qualname or on_change not in ("migrate", "recreate"):
        msg = (
            f"hotmod.live({target!r}, on_change={on_change!r}): allowed are a class as 'module:Class', and "
            "'migrate' or 'recreate'"
        )
        raise ConfigError(msg)
    config = configure()
    extra = [py_modules] if isinstance(py_modules, (str, os.PathLike, types.ModuleType)) else [*py_modules]
    scope = scope_for([_around(module), *extra], config)

    cls = functools.partial(_found, module, qualname)
    importlib.import_module(module)
    try:
        cls()
    except HotmodError as error:
        msg = f"hotmod.live({target!r}): {error}. Nothing was started; name a class of the module."
        raise ConfigError(msg) from error
    beginning = Beginning(config, scope)
    served = Served(target, lambda: open_instance(cls()(*args, **kwargs)), cls, on_change, beginning)
    if not switched_off():
        served.watch(config.delay)
    return Proxy(served)


def _found(module: str, qualname: str) -> Any:
    """The class as it is now.

    Raises:
        HotmodError: there is none.
    """
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        msg = f"{module} has no class {qualname!r}, which hotmod.live serves"
        raise HotmodError(msg)
    return found


def _around(module: str) -> Target:
    """What is watched for the sake of a module: the folder of its file, or itself if it was installed."""
    places = locations(module) if module.replace(".", "").isidentifier() else []
    if not places:
        msg = f"hotmod.live: there is no module {module!r}; check the spelling, and sys.path"
        raise ConfigError(msg)
    folder = places[0] if os.path.isdir(places[0]) else os.path.dirname(places[0])
    return module.partition(".")[0] if is_installed(places[0]) else folder + os.sep


def _served(proxy: Proxy) -> Served:
    found: Served = object.__getattribute__(proxy, "__hotmod__")
    return found


def _move(instance: Any, cls: Any) -> None:
    """Let an instance be one of a class that had to be replaced."""
    own = type(instance)
    if own is cls or (own.__module__, own.__qualname__) != (
        cls.__module__,
        getattr(cls, "__qualname__", None),
    ):
        return
    try:
        object.__setattr__(instance, "__class__", cls)
    except TypeError:
        say(
            logging.ERROR,
            "hotmod: the instance of %s can't be one of the new class, and stays one of the class before; "
            "make it anew, or use on_change='recreate'",
            own,
            with_error=True,
        )


def _close(tenants: Iterable[_Tenant]) -> None:
    for tenant in tenants:
        close_instance(tenant.instance, tenant.loop)


def _method(served: Served, name: str, value: Any) -> Callable[..., Any]:
    """A method that is looked up in the instance when it is called, of the kind that it is now."""

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        async with stable():
            with served.call() as instance:
                return await getattr(instance, name)(*args, **kwargs)

    async def streamed(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with served.call(in_block=False) as instance:
            async for each in getattr(instance, name)(*args, **kwargs):
                yield each

    def generated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with served.call(in_block=False) as instance:
            return (yield from getattr(instance, name)(*args, **kwargs))

    def called(*args: Any, **kwargs: Any) -> Any:
        with stable(), served.call() as instance:
            return getattr(instance, name)(*args, **kwargs)

    call: Callable[..., Any] = called
    if inspect.iscoroutinefunction(value):
        call = awaited
    elif inspect.isasyncgenfunction(value):
        call = streamed
    elif inspect.isgeneratorfunction(value):
        call = generated
    functools.update_wrapper(call, value)
    del call.__wrapped__  # type: ignore[attr-defined]  # it would keep the instance
    if inspect.ismethod(value):  # frameworks ask for the signature, which is found in what is wrapped
        call.__wrapped__ = functools.partial(value.__func__, None)  # type: ignore[attr-defined]
    elif inspect.isfunction(value):
        call.__wrapped__ = value  # type: ignore[attr-defined]
    return call
