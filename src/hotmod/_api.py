"""The functions of the package: `watch`, `awatch`, `reload`, `plan`, `rollback`, `lingering` and `graph`.

Touches: what `Reloader` and `Watcher` touch; keeps one reloader per set of targets for the process.

Guarantees: nothing is loaded that a call does not need: `reload` never loads watchfiles or asyncio, and with
`HOTMOD=off` the engine is not loaded at all.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

from hotmod._config import Config, configure, listed, switched_off
from hotmod._engine.beginning import Beginning
from hotmod._engine.turn import refuse_inside_import
from hotmod._scope import Scope, Target, scope_of

if TYPE_CHECKING:
    from hotmod._engine.reloader import Reloader
    from hotmod._engine.watcher import Watcher
    from hotmod._model.hazards import Hazard
    from hotmod._model.report import Report
    from hotmod._plan import Plan
    from hotmod._source.graph import ImportGraph

__all__ = ["awatch", "graph", "lingering", "plan", "reload", "rollback", "watch"]

_beginnings: dict[tuple[Scope, Config], Beginning] = {}
_watchers: dict[tuple[Scope, Config], Watcher] = {}  # those that work with the reloader of the process
_guard = threading.Lock()


def watch(
    *targets: Target,
    on_reload: Callable[[Report], object] | None = None,
    apply: Callable[[Callable[[], None]], object] | None = None,
    verify: Callable[[], object] | None = None,
    delay: float | None = None,
    strategy: str | None = None,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    on_rude: str | None = None,
    keep: Iterable[str] | None = None,
    paranoid: bool | None = None,
    patience: float | None = None,
) -> Watcher:
    """Apply edits as they are saved, from a daemon thread.

    Returns at once; what has to be read is read in the thread, and a save after the call is not missed.

    Args:
        *targets: modules, packages and paths of folders or files; as for `Reloader`.
        on_reload: called with the report of each attempt that did something or failed, in the thread
            that made the attempt. An exception in it is logged.
        apply: arranges for attempts to be made elsewhere and not in the watcher's thread: it is given a
            function to call once, as `loop.call_soon_threadsafe` does.
        verify: as for `Reloader`, and so are the options below.
        delay: seconds of quiet after which a save is taken to be finished; default 0.01.
        strategy: `"minimal"` or `"modules"`.
        include: gitignore-style patterns of the files in scope; none means all.
        exclude: gitignore-style patterns of files that are never touched.
        on_rude: what follows an edit that this process can't take.
        keep: names that hold on to their objects whatever runs again.
        paranoid: whether the program is compared with a fresh process after each reload.
        patience: seconds for which a reload waits for `stable` blocks; default 5.

    Returns:
        A handle. With `HOTMOD=off` in the environment one that does nothing.

    Raises:
        ConfigError: no target, or one that does not exist; a bad value of an option. Nothing was started.
    """
    from hotmod._engine.watcher import Watcher  # noqa: PLC0415 - see the guarantees

    if switched_off():
        return Watcher(None)
    config = configure(
        delay=delay,
        strategy=strategy,
        include=listed(include),
        exclude=listed(exclude),
        on_rude=on_rude,
        keep=listed(keep),
        paranoid=paranoid,
        patience=patience,
    )
    return _watcher(config, scope_of(targets, config.include, config.exclude), on_reload, apply, verify)


def _watcher(
    config: Config,
    scope: Scope,
    on_reload: Callable[[Report], object] | None,
    apply: Callable[[Callable[[], None]], object] | None,
    verify: Callable[[], object] | None,
) -> Watcher:
    """A watcher, with the reloader of the process if nothing speaks against it."""
    from hotmod._engine.watcher import Watcher  # noqa: PLC0415 - see the guarantees

    key = scope, config.sharing()
    with _guard:
        shared = _watchers.get(key)
        if verify is not None or (shared is not None and not shared.stopped):
            # Two watchers keep books of their own: each tells of every edit.
            return Watcher(Beginning(config, scope, verify), on_reload, apply, config.delay)
        beginning = _beginnings.get(key)
        if beginning is None:
            beginning = _beginnings[key] = Beginning(config, scope)
        watcher = _watchers[key] = Watcher(beginning, on_reload, apply, config.delay)
        return watcher


async def awatch(
    *targets: Target,
    apply: Callable[[Callable[[], None]], object] | None = None,
    verify: Callable[[], object] | None = None,
    delay: float | None = None,
    strategy: str | None = None,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    on_rude: str | None = None,
    keep: Iterable[str] | None = None,
    paranoid: bool | None = None,
    patience: float | None = None,
) -> AsyncIterator[Report]:
    """Apply edits as they are saved, in the running event loop of asyncio, and give their reports.

    Watching begins with the first step of the iteration. Edits are applied between two tasks of the loop.

    Args:
        *targets: as for `watch`.
        apply: as for `watch`, but by default `call_soon_threadsafe` of the loop.
        verify: as for `watch`.
        delay: as for `watch`.
        strategy: as for `watch`.
        include: as for `watch`.
        exclude: as for `watch`.
        on_rude: as for `watch`.
        keep: as for `watch`.
        paranoid: as for `watch`.
        patience: as for `watch`.

    Yields:
        The report of each attempt that did something or failed. With `HOTMOD=off` there is none.

    Raises:
        ConfigError: as for `watch`.
    """
    import asyncio  # noqa: PLC0415 - see the guarantees

    loop = asyncio.get_running_loop()
    reports: asyncio.Queue[Report] = asyncio.Queue()
    watcher = watch(
        *targets,
        on_reload=lambda report: loop.call_soon_threadsafe(reports.put_nowait, report),
        apply=apply or loop.call_soon_threadsafe,
        verify=verify,
        delay=delay,
        strategy=strategy,
        include=include,
        exclude=exclude,
        on_rude=on_rude,
        keep=keep,
        paranoid=paranoid,
        patience=patience,
    )
    try:
        while not switched_off():
            yield await reports.get()
    finally:
        # In a thread: an attempt under way may need the loop to come to its end.
        await asyncio.to_thread(watcher.stop)


def reload(*targets: Target, check: bool = False) -> Report:
    """Apply whatever differs between disk and memory, as one transaction.

    The first call for some targets takes what is on disk to be what is loaded. Every call for the same
    targets uses the same reloader, and so does `watch`.

    Args:
        *targets: as for `Reloader`.
        check: raise unless memory equals disk afterwards.

    Returns:
        What was done. After `applied` or `unchanged` memory equals disk; after `rejected` or
        `restart-required` the program is exactly what it was before. `HOTMOD=off` makes it `unchanged`.

    Raises:
        ConfigError: there is no target or one does not exist.
        ReloadError: `check` is true and the edit could not be applied; it carries the report.
        RollbackError: taking back a failed attempt failed itself; the process is a mixture.
    """
    if switched_off():
        from hotmod._model.report import Report  # noqa: PLC0415 - see the guarantees

        return Report(status="unchanged", scope="", generation=0)
    return _reloader(targets).reload(check=check)


def plan(*targets: Target) -> Plan:
    """What `reload` would do now for the same targets, and why. Changes nothing.

    Raises:
        ConfigError: there is no target or one does not exist.
        SourceError: a changed file can't be read, decoded or parsed.
    """
    if switched_off():
        from hotmod._model.changes import ChangeSet  # noqa: PLC0415 - see the guarantees
        from hotmod._plan import Plan  # noqa: PLC0415 - see the guarantees

        return Plan(ChangeSet())
    return _reloader(targets).plan()


def rollback(*targets: Target) -> Report:
    """Return to the version before the last applied reload of the same targets. The files stay as they are.

    Returns:
        A report with status `applied`; memory differs from disk afterwards. The next `reload` applies the
        files again, a watcher does so after a further save.

    Raises:
        ConfigError: there is no target or one does not exist.
        RollbackError: there is nothing to go back to, or going back failed half-way.
    """
    if switched_off():
        from hotmod._model.errors import RollbackError  # noqa: PLC0415 - see the guarantees

        msg = "There is nothing to go back from: HOTMOD=off, so nothing was ever applied."
        raise RollbackError(msg)
    return _reloader(targets).rollback()


def lingering(*targets: Target) -> tuple[Hazard, ...]:
    """The calls that run old code now: of threads, generators, coroutines and tasks.

    Returns:
        A hazard `lingering-call` for each function of the targets of which calls that began before a reload
        have not ended; its `holders` say whose they are, and where. Code that hotmod has not changed is never
        old.

    Raises:
        ConfigError: there is no target or one does not exist.
    """
    if switched_off():
        return ()
    from hotmod._engine.lingering import Lingering  # noqa: PLC0415 - see the guarantees
    from hotmod._engine.turn import LOCK  # noqa: PLC0415 - see the guarantees

    with LOCK:
        found = Lingering(_reloader(targets).ledger)
        return tuple(found.hazards(found.calls(suspended=True)))


def graph(*targets: Target) -> ImportGraph:
    """The import graph of what is on disk. No code of the targets is run, and nothing has to be loaded.

    Args:
        *targets: packages or modules (objects or names) and paths of folders or files.

    Raises:
        ConfigError: there is no target or one does not exist.
    """
    from hotmod._source.files import graph_of  # noqa: PLC0415 - see the guarantees

    packages: dict[str, list[str]] = {}
    for root, prefix in scope_of(targets).roots():
        packages.setdefault(prefix, []).append(root)
    return graph_of(packages)


def _reloader(targets: tuple[Target, ...]) -> Reloader:
    """The reloader of these targets; all callers in the process share it."""
    config = configure()
    scope = scope_of(targets, config.include, config.exclude)
    refuse_inside_import(scope.owns_name)
    key = scope, config.sharing()
    with _guard:
        beginning = _beginnings.get(key)
        if beginning is None:
            beginning = _beginnings[key] = Beginning(config, scope)
    return beginning.reloader()
