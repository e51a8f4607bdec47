"""Versions of a package, side by side: a run that begins on one of them ends on it.

`open` gives a `Service`; each run is a block of `with service.pin() as version:`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from hotmod._config import configure, mode
from hotmod._engine.canary import check_of
from hotmod._engine.saying import say
from hotmod._engine.versions.block import Pin
from hotmod._engine.versions.family import is_left_behind
from hotmod._engine.versions.making import VersionCheck
from hotmod._engine.versions.service import Service
from hotmod._engine.versions.version import Version
from hotmod._model.errors import ConfigError
from hotmod._model.swap import Swap
from hotmod._scope import Scope, loaded_of, scope_of

__all__ = ["Pin", "Service", "Swap", "Version", "open"]


def open(  # noqa: A001 - as in tarfile.open and shelve.open
    *targets: str,
    watch: bool = True,
    verify: VersionCheck | str | list[str] | None = None,
    keep: int = 1,
    share: float = 1.0,
    promote_after: int = 20,
    on_swap: Callable[[Swap], object] | None = None,
    delay: float | None = None,
    depends: Mapping[str, Iterable[str]] | None = None,
) -> Service:
    """Load packages so that several versions of them can be there at a time, and follow what is saved.

    From now on `sys.modules` has a facade for each of their modules: it stands for the version of the code
    that asks, else for that of the `pin()` around it, else for the one in charge. A saved edit is loaded as
    the next version, beside those that there are, from the bytes on disk, and put in charge.

    Args:
        *targets: names of packages or modules that nobody has imported.
        watch: whether saved edits are loaded by a daemon thread; else `refresh()` does it.
        verify: a check of each version, called with it: `False` or an exception rejects it; or a command.
        keep: how many earlier versions are kept for `rollback()`.
        share: how much of the pins a new version gets at first; less than 1 makes it a canary.
        promote_after: after how many blocks that end well a canary is in charge.
        on_swap: called with what became of each attempt.
        delay: seconds of quiet after which a save is taken to be finished; default 0.01.
        depends: other files that modules of the packages read when they run, as for `watch`: an edit of one
            makes a version, too.

    Returns:
        The service. With `HOTMOD=off` or `manual` it does not watch.

    Raises:
        ConfigError: a target does not exist, or is imported already; an option has a bad value. What the
            packages themselves raise is raised, too. Nothing was started.
    """
    config = configure(delay=delay, depends=depends)
    scope = scope_of(targets)
    if scope.folders or not 0 < share <= 1 or promote_after < 1 or keep < 0:
        msg = (
            f"hotmod.versions.open{(*targets, share, promote_after, keep)}: allowed are names of modules, a "
            "share of more than 0 and at most 1, promote_after of 1 or more, keep of 0 or more"
        )
        raise ConfigError(msg)
    _refuse_loaded(scope)
    service = Service(
        scope,
        verify=check_of(verify),  # type: ignore[arg-type]  # a function that takes the version, or a command
        keep=keep,
        share=share,
        promote_after=promote_after,
        on_swap=on_swap,
        depends=config.depends,
    )
    if watch:
        _watch(service, config.delay)
    return service


def _watch(service: Service, delay: float) -> None:
    if mode() == "manual":
        say(logging.INFO, "HOTMOD=manual: edits of %s wait for service.refresh()", service.scope)
    elif mode() != "off":
        from hotmod._engine.versions.watching import Watch  # noqa: PLC0415 - loads watchfiles

        service.watch = Watch(service, delay)


def _refuse_loaded(scope: Scope) -> None:
    """Refuse packages that somebody has imported, or opened.

    Raises:
        ConfigError: one of them was.
    """
    loaded = dict.fromkeys(name for name in loaded_of(scope) if not is_left_behind(name))
    if loaded:
        msg = (
            f"{', '.join([*loaded][:4])} can't have versions: it was imported before, and whoever did so "
            "would not be on any version; or it has a service already. Nothing was changed. Call "
            "hotmod.versions.open() before the first import, and close() the service that there is."
        )
        raise ConfigError(msg)
