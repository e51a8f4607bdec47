"""Options: arguments over `HOTMOD_*` variables over `[tool.hotmod]` of pyproject.toml.

Touches: the environment, and the nearest pyproject.toml above the working directory (read only).

Guarantees: an unknown key or a bad value is a `ConfigError` that names it, says where it stands and
lists what is allowed; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._model.errors import ConfigError

__all__ = ["ON_RUDE", "STRATEGIES", "Config", "configure", "listed", "mode", "switched_off"]

MODES = ("on", "off", "manual")
STRATEGIES = ("minimal", "modules")
ON_RUDE = ("report", "raise", "restart")
STRESS = ("identity", "rollback", "every:N")
_SEPARATORS = {
    "include": os.pathsep,
    "exclude": os.pathsep,
    "keep": ",",
    "stress": ",",
}  # of lists in variables
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
    on_rude: str = "report"
    keep: tuple[str, ...] = ()
    paranoid: bool = False
    patience: float = 5.0
    stress: tuple[str, ...] = ()

    def sharing(self) -> Config:
        """What has to be equal for two doors to use one reloader: everything but the delay of a watcher."""
        return dataclasses.replace(self, delay=0.0)

    def kept(self) -> dict[str, frozenset[str]]:
        """The names to keep, by module."""
        found: dict[str, set[str]] = {}
        for each in self.keep:
            module, _, name = each.partition(":")
            found.setdefault(module, set()).add(name)
        return {module: frozenset(names) for module, names in found.items()}


def listed(values: Iterable[str] | None) -> list[str] | None:
    """Some strings as a list; one string is a list of one."""
    if isinstance(values, str):
        return [values]
    return None if values is None else list(values)


def mode() -> str:
    """What `HOTMOD` says: `on`, `off` (every door does nothing) or `manual` (no watcher applies by itself).

    Raises:
        ConfigError: it has another value.
    """
    value = os.environ.get("HOTMOD", "on").strip().lower() or "on"
    if value not in MODES:
        msg = f"HOTMOD={value!r}: allowed are {', '.join(MODES)}"
        raise ConfigError(msg)
    return value


def switched_off() -> bool:
    """Whether `HOTMOD=off` is set: every door then does nothing.

    Raises:
        ConfigError: `HOTMOD` has a value that is not allowed.
    """
    return mode() == "off"


def configure(start: pathlib.Path | None = None, **arguments: object) -> Config:
    """The options in force; an argument that is None was not given.

    Args:
        start: where the search for pyproject.toml begins; default: the working directory.
        **arguments: options by name.

    Raises:
        ConfigError: an unknown option or a bad value, wherever it stands.
    """
    values: dict[str, Any] = {}
    for source, table in (*_project_tables(start), ("the environment", _environment())):
        values.update({key: _checked(key, value, source) for key, value in table.items()})
    given = {key: value for key, value in arguments.items() if value is not None}
    values.update({key: _checked(key, value, "the arguments") for key, value in given.items()})
    return Config(**values)


def _environment() -> dict[str, object]:
    table: dict[str, object] = {}
    for variable, value in os.environ.items():
        if variable.startswith("HOTMOD_"):
            key = variable.removeprefix("HOTMOD_").lower()
            table[key] = value.split(_SEPARATORS[key]) if key in _SEPARATORS else value
    return table


def _project_tables(start: pathlib.Path | None) -> list[tuple[str, Mapping[str, object]]]:
    folder = (start or pathlib.Path.cwd()).absolute()
    for path in (parent / "pyproject.toml" for parent in (folder, *folder.parents)):
        if path.is_file():
            try:
                table = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("hotmod", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                msg = f"{path} can't be read: {error}. No option was taken from it; mend the file."
                raise ConfigError(msg) from error
            return [(f"[tool.hotmod] of {path}", table)]
    return []


def _checked(key: str, value: object, source: str) -> object:
    check = _CHECKS.get(key)
    if check is None:
        msg = f"unknown option {key!r} in {source}; allowed are {', '.join(sorted(_CHECKS))}"
        raise ConfigError(msg)
    try:
        return check(value)
    except (TypeError, ValueError) as error:
        msg = f"option {key!r} in {source} has the bad value {value!r}: {error}"
        raise ConfigError(msg) from error


def _strategy(value: object) -> str:
    if value not in STRATEGIES:
        msg = f"allowed are {', '.join(STRATEGIES)}"
        raise ValueError(msg)
    return str(value)


def _seconds(value: object, most: float) -> float:
    seconds = float(value) if isinstance(value, (str, int, float)) else float("nan")
    if not 0 <= seconds <= most:
        msg = f"allowed are 0 to {most:g} (seconds)"
        raise ValueError(msg)
    return seconds


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


def _switch(value: object) -> bool:
    found = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
    if found is None:
        msg = "allowed are 1 and 0, true and false, on and off"
        raise ValueError(msg)
    return found


_CHECKS: dict[str, Callable[[object], object]] = {
    "strategy": _strategy,
    "delay": lambda value: _seconds(value, 60),
    "include": _patterns,
    "exclude": _patterns,
    "on_rude": _on_rude,
    "keep": _keep,
    "paranoid": _switch,
    "patience": lambda value: _seconds(value, 3600),
    "stress": _stress,
}
