"""The functions of the package, from `watch` and `reload` to `verify` and `diagnose`.

Touches: what `Reloader` and `Watcher` touch; keeps one reloader per set of targets for the process.

Guarantees: nothing is loaded that a call does not need: `reload` never loads watchfiles or asyncio, and with
`HOTMOD=off` the engine is not loaded at all, but for `verify`, which only
looks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Literal, TextIO, Unpack

from hotmod._config import Config, WatchOptions, configure, mode, switched_off
from hotmod._engine.beginning import Beginning
from hotmod._engine.canary import check_of
from hotmod._engine.saying import say
from hotmod._engine.turn import refuse_inside_import
from hotmod._model.errors import ConfigError
from hotmod._scope import Scope, Target, scope_for, scope_of

if TYPE_CHECKING:
    from hotmod._engine.canary import Check
    from hotmod._engine.reloader import Reloader
    from hotmod._engine.watcher import Watcher
    from hotmod._model.hazards import Hazard
    from hotmod._model.metrics import Metrics
    from hotmod._model.report import Report
    from hotmod._model.verification import Verification
    from hotmod._plan import Plan
    from hotmod._source.graph import ImportGraph

__all__ = [
    "awatch",
    "diagnose",
    "graph",
    "lingering",
    "metrics",
    "plan",
    "reload",
    "rollback",
    "verify",
    "watch",
]

_beginnings: dict[tuple[Scope, Config], Beginning] = {}
_watchers: dict[tuple[Scope, Config], Watcher] = {}  # those that work with the reloader of the process
_guard = threading.Lock()
_Apply = Callable[[Callable[[], None]], object]


def watch(
    *targets: Target,
    on_reload: Callable[[Report], object] | None = None,
    apply: _Apply | Literal["manual"] | None = None,
    verify: Check | None = None,
    **options: Unpack[WatchOptions],
) -> Watcher:
    """Apply edits as they are saved, from a daemon thread.

    Returns at once; what has to be read is read in the thread, and a save after the call is not missed.

    Args:
        *targets: modules, packages and paths of folders or files; as for `Reloader`.
        on_reload: called with the report of each attempt that did something or failed, in the thread
            that made the attempt. An exception in it is logged.
        apply: arranges for attempts to be made elsewhere and not in the watcher's thread: it is given a
            function to call once, as `loop.call_soon_threadsafe` does. With `"manual"` none is made but by
            `watcher.apply()`, and so it is with `HOTMOD=manual` in the environment, whatever stands here.
        verify: as for `Reloader`.
        **options: as for `Reloader`, and
            `delay`, seconds of quiet after which a save is taken to be finished (default 0.01);
            `polling`, whether folders are compared instead of watched: `"on"`, `"off"`, `"auto"` or seconds.

    Returns:
        A handle. With `HOTMOD=off` in the environment one that does nothing.

    Raises:
        ConfigError: no target, or one that does not exist; a bad value of an option. Nothing was started.
    """
    from hotmod._engine.watcher import Watcher  # noqa: PLC0415 - see the guarantees

    if switched_off():
        return Watcher(None)
    config = configure(**options)
    scope = scope_for(targets, config)
    if mode() == "manual":
        say(logging.INFO, "HOTMOD=manual: edits of %s wait for watcher.apply()", scope)
        apply = "manual"
    return _watcher(config, scope, on_reload, apply, check_of(verify))


def _watcher(
    config: Config,
    scope: Scope,
    on_reload: Callable[[Report], object] | None,
    apply: _Apply | str | None,
    verify: Callable[[], object] | None,
) -> Watcher:
    """A watcher, with the reloader of the process if nothing speaks against it."""
    kind = _kind(apply)
    apply = apply if callable(apply) else None
    key = scope, config.sharing()
    with _guard:
        shared = _watchers.get(key)
        if verify is not None or (shared is not None and not shared.stopped):
            # Two watchers keep books of their own: each tells of every edit.
            return kind(Beginning(config, scope, verify), on_reload, apply, config.delay)
        beginning = _beginnings.get(key)
        if beginning is None:
            beginning = _beginnings[key] = Beginning(config, scope)
        watcher = _watchers[key] = kind(beginning, on_reload, apply, config.delay)
        return watcher


def _kind(apply: _Apply | str | None) -> type[Watcher]:
    """What is to be made: one that applies edits by itself, or in `apply()`."""
    if apply == "manual":
        from hotmod._engine.manual import ManualWatcher  # noqa: PLC0415 - see the guarantees

        return ManualWatcher
    if apply is not None and not callable(apply):
        msg = f"option 'apply' has the bad value {apply!r}: allowed are \"manual\" and a function"
        raise ConfigError(msg)
    from hotmod._engine.watcher import Watcher  # noqa: PLC0415 - see the guarantees

    return Watcher


async def awatch(
    *targets: Target,
    apply: _Apply | None = None,
    verify: Check | None = None,
    **options: Unpack[WatchOptions],
) -> AsyncIterator[Report]:
    """Apply edits as they are saved, in the running event loop of asyncio, and give their reports.

    Watching begins with the first step of the iteration. Edits are applied between two tasks of the loop.

    Args:
        *targets: as for `watch`.
        apply: as for `watch`, but by default `call_soon_threadsafe` of the loop.
        verify: as for `watch`.
        **options: as for `watch`.

    Yields:
        The report of each attempt that did something or failed. With `HOTMOD=off` or `manual` there is none.

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
        **options,
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
    return reloader_of(targets).reload(check=check)


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
    return reloader_of(targets).plan()


def rollback(*targets: Target, n: int = 1) -> Report:
    """Return to the version before the last applied reload of the same targets. The files stay as they are.

    Args:
        *targets: as for `reload`.
        n: how many applied reloads to take back; the last three are kept.

    Returns:
        A report with status `applied`; memory differs from disk afterwards. The next `reload` applies the
        files again, a watcher does so after a further save.

    Raises:
        ConfigError: there is no target or one does not exist.
        ValueError: `n` is less than 1.
        RollbackError: there are not so many to go back to, or going back failed half-way.
    """
    if switched_off():
        from hotmod._model.errors import RollbackError  # noqa: PLC0415 - see the guarantees

        msg = "There is nothing to go back from: HOTMOD=off, so nothing was ever applied."
        raise RollbackError(msg)
    return reloader_of(targets).rollback(n)


def verify(*targets: Target, cold: bool = False) -> Verification:
    """Compare every function, class and plain constant in memory with what the files on disk would give.

    Changes nothing, and runs no code of the targets in this process. It can be asked at any moment, also in a
    program that never reloaded anything: what a file lost or gained between its import and now is seen. With
    `HOTMOD=off` it answers as well.

    Args:
        *targets: as for `Reloader`.
        cold: whether to import the modules in a fresh process as well, and tell what works here only
            thanks to history. That executes the files, there.

    Returns:
        What differs, by name and why; true when nothing does but what was kept by name and the state of the
        program.

    Raises:
        ConfigError: there is no target or one does not exist.
        HotmodError: called from inside of a reload.
    """
    if switched_off():
        from hotmod._engine.loaded import Ledger  # noqa: PLC0415 - see the guarantees
        from hotmod._engine.verifying import verify as compared  # noqa: PLC0415 - the same

        config = configure()
        return compared(Ledger(scope_for(targets, config)), config, (), cold=cold)
    return reloader_of(targets).verify(cold=cold)


def diagnose(file: TextIO | None = None) -> None:
    """Print what a bug report needs: versions, options, every reloader and watcher, and their last reports.

    Nothing is changed, and nothing of the program is executed. The home directory is written as `~`; read the
    block before you paste it, since it names your modules and the lines of tracebacks.

    Args:
        file: where to print; by default standard output.
    """
    from hotmod._engine.diagnosis import diagnosis  # noqa: PLC0415 - see the guarantees

    print(diagnosis(), file=file)


def metrics() -> Metrics:
    """What the reloads of this process have come to: how many, how long, what they ran, which hazards.

    Waits for nothing, and loads nothing of the engine. With `HOTMOD=off` all numbers are 0, but for that of
    the memory.
    """
    from hotmod._engine.metrics import metrics as counted  # noqa: PLC0415 - see the guarantees

    return counted()


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
        found = Lingering(reloader_of(targets).ledger)
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


def reloader_of(targets: tuple[Target, ...]) -> Reloader:
    """The reloader of these targets; all callers in the process share it."""
    config = configure()
    scope = scope_for(targets, config)
    refuse_inside_import(scope.owns_name)
    key = scope, config.sharing()
    with _guard:
        beginning = _beginnings.get(key)
        if beginning is None:
            beginning = _beginnings[key] = Beginning(config, scope)
    return beginning.reloader()


def followed(targets: tuple[Target | Reloader, ...]) -> Reloader:
    """The reloader that others follow: the one that is given, or that of the targets."""
    from hotmod._engine.reloader import Reloader  # noqa: PLC0415 - see the guarantees

    if len(targets) == 1 and isinstance(targets[0], Reloader):
        return targets[0]
    return reloader_of(tuple(each for each in targets if not isinstance(each, Reloader)))
