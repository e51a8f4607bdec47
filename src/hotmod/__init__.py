"""Update a running Python process when its source files change.

Importing this package starts nothing and loads neither watchfiles nor asyncio; public names are loaded
when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_PLACES = {
    "ConfigError": "hotmod._model.errors",
    "Hazard": "hotmod._model.hazards",
    "Difference": "hotmod._model.verification",
    "HotmodError": "hotmod._model.errors",
    "ImportGraph": "hotmod._source.graph",
    "InstanceChange": "hotmod._model.instances",
    "Metrics": "hotmod._model.metrics",
    "Plan": "hotmod._plan",
    "PostponedError": "hotmod._model.errors",
    "ReloadError": "hotmod._model.errors",
    "Reloader": "hotmod._engine.reloader",
    "Report": "hotmod._model.report",
    "RollbackError": "hotmod._model.errors",
    "Served": "hotmod._engine.served",
    "SourceError": "hotmod._model.errors",
    "Verification": "hotmod._model.verification",
    "Watcher": "hotmod._engine.watcher",
    "annotate": "hotmod._engine.notes",
    "awatch": "hotmod._api",
    "diagnose": "hotmod._api",
    "graph": "hotmod._api",
    "lingering": "hotmod._api",
    "live": "hotmod._engine.served",
    "metrics": "hotmod._api",
    "plan": "hotmod._api",
    "register_class_adapter": "hotmod._live.adapters",
    "register_registry_adapter": "hotmod._live.registrars",
    "register_wrapper": "hotmod._live.derived",
    "reload": "hotmod._api",
    "rollback": "hotmod._api",
    "stable": "hotmod._engine.stable",
    "verify": "hotmod._api",
    "watch": "hotmod._api",
}

# What programs that load hotmod look for; no names for people.
_DOORS = {
    "load_ipython_extension": "hotmod.ipython",
    "unload_ipython_extension": "hotmod.ipython",
}

# Modules that people use by their names in this package; they are loaded when they are first used.
_MODULES = ("versions", "workers")
# The same, but each needs the extra of its name, so that `from hotmod import *` does not ask for them.
_EXTRAS = ("dask", "joblib", "ray")

__all__ = [*_PLACES, *_MODULES]  # noqa: PLE0604 - the tables are the list


def __getattr__(name: str) -> Any:
    if name in _MODULES or name in _EXTRAS:
        return importlib.import_module(f"{__name__}.{name}")
    place = _PLACES.get(name) or _DOORS.get(name)
    if place is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
