"""The options: their names, their values, and what is allowed.

Touches: nothing.

Guarantees: a bad value is a `ValueError` that lists what is allowed; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypedDict

__all__ = ["CHECKS", "MODES", "ON_RUDE", "STRATEGIES", "Config", "Options", "WatchOptions"]

MODES = ("on", "off", "manual")
STRATEGIES = ("minimal", "modules")
ON_RUDE = ("report", "raise", "restart")
POLLING = ("auto", "on", "off")
STRESS = ("identity", "rollback", "every:N")
_TRUTHS = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False, "": False}


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """The options in force.

    Attributes:
        strategy: `minimal` runs only the statements that an edit concerns, `modules` every changed module and
            all its importers.
        delay: seconds without a further event after which a burst of saves is taken to be over.
        include: gitignore-style patterns of files to watch; empty means all.
        exclude: gitignore-style patterns of files never to touch.
        log_only: gitignore-style patterns of files whose saves a watcher logs and nobody applies.
        paths: folders and files beside the targets, as absolute paths: plug-ins, modules outside of packages.
        depends: by module, the patterns of other files that it reads when it runs, as absolute paths.
        polling: whether folders are compared instead of watched: `on`, `off`, `auto` where the system can't
            tell of saves, or the seconds between two looks.
        on_rude: what follows an edit that this process can't take: to `report` it, to `raise` an error, or to
            `restart` the process.
        keep: names that hold on to their objects whatever runs again, as `module:name`.
        paranoid: whether the program is compared with a fresh process after each reload.
        patience: seconds that a reload waits for stable blocks to end before it is postponed.
        stress: switches that make reloading hard on purpose: `identity`, `rollback`, `every:N`.
    """

    strategy: str = "minimal"
    delay: float = 0.01
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    log_only: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    depends: tuple[tuple[str, tuple[str, ...]], ...] = ()
    polling: str | float = "auto"
    on_rude: str = "report"
    keep: tuple[str, ...] = ()
    paranoid: bool = False
    patience: float = 5.0
    stress: tuple[str, ...] = ()

    def sharing(self) -> Config:
        """What has to be equal for two doors to use one reloader: everything but what watchers alone need."""
        return dataclasses.replace(self, delay=0.0, polling="auto")

    def kept(self) -> dict[str, frozenset[str]]:
        """The names to keep, by module."""
        found: dict[str, set[str]] = {}
        for each in self.keep:
            module, _, name = each.partition(":")
            found.setdefault(module, set()).add(name)
        return {module: frozenset(names) for module, names in found.items()}


class Options(TypedDict, total=False):
    """The options of a reloader as arguments; None is as if it were not given."""

    strategy: str | None
    include: Iterable[str] | None
    exclude: Iterable[str] | None
    log_only: Iterable[str] | None
    paths: Iterable[str | os.PathLike[str]] | None
    depends: Mapping[str, Iterable[str]] | None
    on_rude: str | None
    keep: Iterable[str] | None
    paranoid: bool | None
    patience: float | None


class WatchOptions(Options, total=False):
    """The options of a watcher as arguments."""

    delay: float | None
    polling: str | float | bool | None


def _strategy(value: object) -> str:
    if value not in STRATEGIES:
        msg = f"allowed are {', '.join(STRATEGIES)}"
        raise ValueError(msg)
    return str(value)


def _seconds(value: object, most: float) -> float:
    seconds = _number(value)
    if not 0 <= seconds <= most:
        msg = f"allowed are 0 to {most:g} (seconds)"
        raise ValueError(msg)
    return seconds


def _number(value: object) -> float:
    """A number; one that nothing allows where it is none."""
    try:
        return float("nan" if isinstance(value, bool) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _patterns(value: object) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(item, str) for item in values):
        msg = "allowed is a list of gitignore-style patterns"
        raise ValueError(msg)
    return tuple(values)


def _on_rude(value: object) -> str:
    if value not in ON_RUDE:
        msg = f"allowed are {', '.join(ON_RUDE)}"
        raise ValueError(msg)
    return str(value)


def _keep(value: object) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(map(_is_place, values)):
        msg = 'allowed is a list of names as "shop.db:ENGINE"'
        raise ValueError(msg)
    return tuple(each.strip() for each in values)


def _is_place(value: object) -> bool:
    module, colon, name = value.strip().partition(":") if isinstance(value, str) else ("", "", "")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), name))


def _stress(value: object) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    found = [each.strip() for each in values] if isinstance(values, (list, tuple)) else [""]
    for each in found:
        kind, _, number = each.partition(":")
        if each not in STRESS[:2] and not (kind == "every" and number.isdecimal() and int(number)):
            msg = f"allowed are {', '.join(STRESS)}, N a number of calls"
            raise ValueError(msg)
    return tuple(found)


def _paths(value: object) -> tuple[str, ...]:
    values = (value,) if isinstance(value, (str, os.PathLike)) else value
    if not isinstance(values, (list, tuple)) or not all(
        isinstance(each, (str, os.PathLike)) for each in values
    ):
        msg = "allowed is a list of folders and files"
        raise ValueError(msg)
    return tuple(os.fspath(each) for each in values if os.fspath(each))


def _depends(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):  # of a variable
        pairs = [each.partition("=")[::2] for each in value if each.strip()]
    else:
        pairs = [(name, each) for name, listed in _entries(value) for each in listed]
    for name, pattern in pairs:
        if not pattern or not all(part.isidentifier() for part in name.strip().split(".")):
            msg = 'allowed are modules with lists of patterns, as {"shop.settings" = ["config/*.yaml"]}'
            raise ValueError(msg)
        found.setdefault(name.strip(), []).append(pattern)
    return tuple((name, tuple(dict.fromkeys(patterns))) for name, patterns in sorted(found.items()))


def _entries(value: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, patterns in value.items() if isinstance(value, Mapping) else [("", "")]:
        yield str(name), _patterns(patterns)


def _polling(value: object) -> str | float:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str) and value.strip().lower() in POLLING:
        return value.strip().lower()
    seconds = _number(value)
    if not 0.01 <= seconds <= 60:  # noqa: PLR2004 - the message says the same
        msg = f"allowed are {', '.join(POLLING)}, or 0.01 to 60 (seconds between two looks)"
        raise ValueError(msg)
    return seconds


def _switch(value: object) -> bool:
    found = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
    if found is None:
        msg = "allowed are 1 and 0, true and false, on and off"
        raise ValueError(msg)
    return found


CHECKS: dict[str, Callable[[object], object]] = {
    "strategy": _strategy,
    "delay": lambda value: _seconds(value, 60),
    "include": _patterns,
    "exclude": _patterns,
    "log_only": _patterns,
    "paths": _paths,
    "depends": _depends,
    "polling": _polling,
    "on_rude": _on_rude,
    "keep": _keep,
    "paranoid": _switch,
    "patience": lambda value: _seconds(value, 3600),
    "stress": _stress,
}
