"""A block of text that says how things stand, for a bug report.

Touches: nothing; reads the state of reloaders and watchers, and the versions of what is installed.

Guarantees: nothing of the engine is loaded for it, and nothing of the program runs. It does not wait for a
transaction that hangs. Home directories are written as `~`. What fails is said in its place.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import os
import platform
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hotmod._config import Config, configure, switched_off

if TYPE_CHECKING:
    from hotmod._engine.reloader import Reloader
    from hotmod._model.report import Report

__all__ = ["diagnosis", "facts"]

REPORTS = 5  # of each reloader
SHOWN = 10  # differences of each
PATIENCE = 1.0  # seconds
LINES = 25  # of a traceback, the last ones
MODULES_OF_NOTE = (
    *("IPython", "pytest", "coverage", "pydevd", "debugpy", "gevent", "eventlet", "jurigged", "watchdog"),
    *("beartype", "typeguard"),
)


def diagnosis() -> str:
    """The block, in Markdown that GitHub folds."""
    parts = [*_said(_surroundings), *_said(_options)]
    for reloader in _all("hotmod._engine.reloader", "RELOADERS"):
        parts += ["", *_said(functools.partial(_reloader, reloader))]
        parts += _said(functools.partial(_drift, reloader))
    for watcher in _all("hotmod._engine.watcher", "WATCHERS"):
        parts += ["", f"watcher: {watcher!r}"]
    text = _shortened("\n".join(parts))
    return f"<details><summary>hotmod.diagnose()</summary>\n\n```text\n{text}\n```\n\n</details>"


def _all(module: str, name: str) -> list[Any]:
    """Everything of one kind, in the order of its targets; nothing where its module was never loaded."""
    found = getattr(sys.modules.get(module), name, ())
    return sorted(found, key=repr)


def _said(part: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return list(part())
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what the report is about
        return [f"({getattr(part, '__name__', 'a part')} failed: {type(error).__name__}: {error})"]


def facts() -> dict[str, Any]:
    """Versions, options and state of this process, as JSON-ready values without a home directory."""
    config, default = configure(), Config()
    found = {
        "hotmod": _version("hotmod"),
        "watchfiles": _version("watchfiles"),
        "python": " ".join(sys.version.split()),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "encoding": sys.getfilesystemencoding(),
        "switches": _switches(),
        "finders": [_kind(each) for each in sys.meta_path],
        "loaded": [name for name in MODULES_OF_NOTE if name in sys.modules],
        "variables": {name: os.environ[name] for name in _variables()},
        "options": dataclasses.asdict(config),
        "changed_options": [
            field.name
            for field in dataclasses.fields(config)
            if getattr(config, field.name) != getattr(default, field.name)
        ],
        "off": switched_off(),
        "reloaders": [
            {
                "scope": str(reloader.scope),
                "status": reloader.status,
                "generation": reloader.generation,
                "modules": len(reloader.ledger.modules),
                "history": [report.as_dict() for report in reloader.history[-REPORTS:]],
            }
            for reloader in _all("hotmod._engine.reloader", "RELOADERS")
        ],
        "watchers": [repr(watcher) for watcher in _all("hotmod._engine.watcher", "WATCHERS")],
    }
    shortened: dict[str, Any] = _without_home(found)
    return shortened


def _without_home(value: Any) -> Any:
    """A JSON-ready value with `~` for the home directory."""
    if isinstance(value, dict):
        return {key: _without_home(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_home(each) for each in value]
    return _shortened(value) if isinstance(value, str) else value


def _shortened(text: str) -> str:
    home = os.path.expanduser("~")
    return text.replace(home + os.sep, f"~{os.sep}") if len(home) > 1 else text


def _switches() -> dict[str, Any]:
    return {
        "GIL": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "dev mode": sys.flags.dev_mode,
        "optimize": sys.flags.optimize,
        "no .pyc": sys.dont_write_bytecode,
        "trace function": sys.gettrace() is not None,
    }


def _variables() -> list[str]:
    return sorted(name for name in os.environ if name.startswith("HOTMOD"))


def _surroundings() -> Iterator[str]:
    version = " ".join(sys.version.split())
    yield f"hotmod {_version('hotmod')}, watchfiles {_version('watchfiles')}"
    yield f"{platform.python_implementation()} {version}"
    yield f"platform: {platform.platform()}, encoding {sys.getfilesystemencoding()}"
    yield ", ".join(f"{name}: {value}" for name, value in _switches().items())
    yield f"finders: {', '.join(_kind(each) for each in sys.meta_path)}"
    yield f"loaded: {', '.join(name for name in MODULES_OF_NOTE if name in sys.modules) or 'nothing of note'}"


def _options() -> Iterator[str]:
    for name in _variables():
        yield f"{name}={os.environ[name]}"
    yield f"options: {_differing(configure())}{' (HOTMOD=off)' if switched_off() else ''}"


def _differing(config: Config) -> str:
    """The options that are not the default."""
    found = [
        f"{field.name}={getattr(config, field.name)!r}"
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != field.default
    ]
    return ", ".join(found) or "default"


def _reloader(reloader: Reloader) -> Iterator[str]:
    ledger = reloader.ledger
    yield f"{reloader!r}: {reloader.status}, options: {_differing(reloader.config)}"
    unsure = [name for name, loaded in list(ledger.modules.items()) if not loaded.certain]
    yield f"modules: {len(ledger.modules)} loaded{f', of unknown text: {unsure}' if unsure else ''}"
    for report in reloader.history[-REPORTS:]:
        yield f"- {report}"
    last = reloader.history[-1] if reloader.history else None
    if last is not None and last.error is not None:
        yield from _traceback(last)


def _drift(reloader: Reloader) -> Iterator[str]:
    """What `verify()` says; without waiting where a transaction hangs, which may be why one asks."""
    from hotmod._engine.reloader import LOCK  # noqa: PLC0415 - loaded: there is a reloader

    if not LOCK.acquire(timeout=PATIENCE):
        yield "drift: not compared, as a reload is under way"
        return
    try:
        found = reloader.verify()
    finally:
        LOCK.release()
    yield f"drift: {found.summary()}"
    yield from (f"- {each}" for each in found.differences[:SHOWN])


def _traceback(report: Report) -> Iterator[str]:
    error = report.error
    if error is not None:
        lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
        yield from (f"    {line}" for line in lines[-LINES:])


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _kind(finder: object) -> str:
    kind = finder if isinstance(finder, type) else type(finder)
    return f"{kind.__module__}.{kind.__qualname__}"
