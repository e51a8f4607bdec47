"""How a version is made, checked, and disposed of.

Touches: source files, reading only; what the modules of the version touch when they run.

Guarantees: a version that can't be made, or that its check refuses, has cleaned up before the exception goes
on. An exception of a hook is logged, and the other hooks are called.
"""

from __future__ import annotations

import contextvars
import copy
import importlib
import logging
from collections.abc import Callable, Mapping

from hotmod._engine.canary import Command
from hotmod._engine.data import DataFiles, Digests
from hotmod._engine.saying import say
from hotmod._engine.texts import files_of
from hotmod._engine.versions.family import Family
from hotmod._engine.versions.pins import Hold, pinned
from hotmod._engine.versions.version import Version, compile_text_of
from hotmod._model.changes import SourceText
from hotmod._model.errors import HotmodError
from hotmod._scope import Scope
from hotmod._source.files import read

__all__ = ["VersionCheck", "build", "detached", "differing", "dispose", "let_go", "read_data", "read_texts"]

VersionCheck = Callable[[Version], object]


def read_texts(scope: Scope, before: Version | None) -> dict[str, SourceText]:
    """The texts on disk, by module; what is as it was is not kept twice.

    Raises:
        SourceError: a file can't be read.
    """
    known = before.texts if before is not None else {}
    found: dict[str, SourceText] = {}
    for name, path in files_of(scope).items():
        text, old = read(path), known.get(name)
        found[name] = old if old is not None and old == text else text
    return found


def read_data(files: DataFiles) -> dict[str, Digests]:
    """What the other files hold, by the module that says it reads them."""
    return {name: files.now(name) for name in files.modules}


def differing(
    version: Version, texts: Mapping[str, SourceText], data: Mapping[str, Digests]
) -> tuple[str, ...]:
    """The modules whose texts are not those of a version, or that read files which are not."""
    names = sorted({*version.texts, *texts})
    return tuple(
        name
        for name in names
        if version.texts.get(name) != texts.get(name) or version.data.get(name) != data.get(name)
    )


def build(
    family: Family,
    number: int,
    texts: Mapping[str, SourceText],
    data: Mapping[str, Digests],
    verify: VersionCheck | Command | None,
) -> Version:
    """A version of some texts, loaded as far as the one in charge is, and checked."""
    version = Version(family, number, texts, data)
    importlib.invalidate_caches()
    try:
        contextvars.copy_context().run(_load, version, family.current, verify)
    except BaseException:
        dispose(version)
        raise
    return version


def _load(version: Version, before: Version | None, verify: VersionCheck | Command | None) -> None:
    names = version.family.names
    loaded = tuple(before) if before is not None else ()
    if before is not None:
        # A slip in what nobody has loaded yet is told now.
        for name in differing(before, version.texts, version.data):
            if name in version.texts and name not in loaded:
                compile_text_of(None, version.texts[name])
    with pinned(Hold(version)):
        for name in (*names, *loaded):
            if name in names or version.has(name):
                version.load(name)
        if isinstance(verify, Command):
            verify()
        elif verify is not None and verify(version) is False:
            msg = f"the verify= check {getattr(verify, '__qualname__', verify)!r} returned False"
            raise HotmodError(msg)


def dispose(version: Version) -> None:
    """Have the modules of a version clean up, the last one first."""
    hold = Hold(version)
    for module in reversed(list(version.modules.values())):
        hook = getattr(module, "__dict__", {}).get("__hotmod_dispose__")
        if hook is None or any(module is each for each in version.family.shared.values()):
            continue
        try:
            contextvars.copy_context().run(_call, hold, hook)
        except Exception:  # noqa: BLE001 - it is logged
            say(logging.ERROR, "hotmod: __hotmod_dispose__ of %r failed", version, with_error=True)


def _call(hold: Hold, function: Callable[[], object]) -> None:
    with pinned(hold):
        function()


def detached(error: BaseException) -> BaseException:
    """An exception like one that belongs to somebody else, without its frames, which hold a whole version."""
    try:
        found = copy.copy(error)
    except Exception:  # noqa: BLE001 - any failure of a user's __reduce__ means that it can't be copied
        return HotmodError(f"{type(error).__name__}: {error}")
    # libraries that pickle tracebacks have them copied as well
    found.__traceback__ = found.__cause__ = found.__context__ = None
    return found


def let_go(error: BaseException | None) -> None:
    """Take the frames out of an exception that is only kept to be told; they hold a whole version."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
