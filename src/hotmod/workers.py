"""Worker pools whose processes follow this one, and fingerprints of functions.

Touches: what a pool touches.

Guarantees: what a worker runs was committed in this process. joblib is not loaded before it is asked for.
"""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

from hotmod import _api
from hotmod._config import switched_off
from hotmod._engine.reloader import Reloader
from hotmod._engine.sightings import source_of
from hotmod._engine.workers.errand import RemoteTraceback
from hotmod._engine.workers.pool import HotFuture, Pool
from hotmod._live.fingerprint import Fingerprint, fingerprint_of
from hotmod._model.errors import ConfigError
from hotmod._scope import Target, everything, scope_of

if TYPE_CHECKING:
    import concurrent.futures

__all__ = ["Fingerprint", "HotExecutor", "HotFuture", "RemoteTraceback", "fingerprint"]


class HotExecutor(Pool):
    """A `concurrent.futures` executor of processes that run what is committed in this one.

    Every task carries the generation that this process is at when it is submitted. A worker that is behind
    applies the texts of that generation, as a transaction, and then runs the task; it never reads a source of
    the targets from the disk. An edit that is rejected here never gets there.

    Args:
        *targets: modules, packages and paths, as for `hotmod.watch` and `hotmod.reload`, whose reloader
            is followed; or one `Reloader`.
        max_workers: how many processes; by default as many as processors.
        mp_context: how they are started; by default by `spawn`.
        initializer: called in each worker process before its first task, in the newest generation; if it
            raises, the process is replaced, and tasks are told when that does not help.
        initargs: its arguments.
        base: makes the executor of all workers when given their number, as
            `loky.get_reusable_executor` does; by default each worker is a `ProcessPoolExecutor` of its own.
        dumps: an importable function that pickles tasks and results, as `cloudpickle.dumps` is; by default
            `pickle.dumps`.
        retries: how often a task is begun again when its worker died.

    Raises:
        ConfigError: there is no target or one does not exist; a number makes no sense; or `base` is given,
            and `mp_context` or `initializer` as well. Nothing was started.
    """

    def __init__(
        self,
        *targets: Target | Reloader,
        max_workers: int | None = None,
        mp_context: BaseContext | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        base: Callable[[int], concurrent.futures.Executor] | None = None,
        dumps: Callable[[Any], bytes] = pickle.dumps,
        retries: int = 5,
    ) -> None:
        if base is not None and (mp_context is not None or initializer is not None):
            msg = (
                "HotExecutor(base=...) takes no mp_context and no initializer. Nothing was started. Give "
                "them to what makes the executor, by functools.partial"
            )
            raise ConfigError(msg)
        if retries < 0 or (max_workers is not None and max_workers < 1):
            msg = (
                f"HotExecutor(max_workers={max_workers}, retries={retries}): allowed are 1 or more workers, "
                "and 0 or more retries. Nothing was started"
            )
            raise ConfigError(msg)
        super().__init__(
            None if switched_off() else _api.followed(targets),
            max_workers or os.cpu_count() or 1,
            mp_context,
            initializer,
            initargs,
            base,
            dumps,
            retries,
        )


def fingerprint(function: object, *targets: Target, ignore: Iterable[str] = ()) -> Fingerprint:
    """A digest of a function, and of everything in scope that it reaches.

    That is its code, defaults and closure; the constants, classes and functions that it and they read by
    name; what is imported in them; the members that a method looks up on `self`. The digest is the same in
    every process, under any `PYTHONHASHSEED`, of one version of Python. It changes when any of that changes,
    and not when lines move or other code changes. What is out of scope is there by its name alone. Modules in
    scope that are imported in a function are imported now.

    A value that a program changes while it runs is part of the digest as it is now. Name it in `ignore`, or
    in the `__hotmod_keep__` of its module, to leave it out.

    Args:
        function: a function, method, class, `functools.partial` or other callable; or a module.
        *targets: the scope, as for `hotmod.watch`; by default all modules that nobody installed. The
            module of the function belongs to it in any case.
        ignore: names whose values are state, as `shop.db:CACHE`.

    Returns:
        The digest, what was reached, and what could not be digested.

    Raises:
        ConfigError: a target does not exist, or what is given is no code.
    """
    if not callable(function) and not isinstance(function, types.ModuleType):
        msg = (
            f"hotmod.workers.fingerprint({function!r}): allowed are callables and modules. Give the object "
            "itself, not its name"
        )
        raise ConfigError(msg)
    scope = scope_of(targets) if targets else everything()
    home = getattr(function, "__module__", None)

    @functools.cache
    def owns(name: str) -> bool:
        module = sys.modules.get(name)
        path = source_of(module) if isinstance(module, types.ModuleType) else None
        return name == home or scope.owns(name, path)

    return fingerprint_of(function, owns, _loaded, frozenset(ignore))


def _loaded(name: str) -> object:
    """A module that a function imports; in words, why there is none."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever the module raises; the fingerprint tells it
        return f"{type(error).__name__}: {error}"
