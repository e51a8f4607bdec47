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
from collections.abc import Callable, Mapping
from typing import Any

from hotmod._model.errors import ConfigError

__all__ = ["STRATEGIES", "Config", "configure", "switched_off"]

STRATEGIES = ("minimal", "modules")


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """The options in force.

    Attributes:
        strategy: `minimal` runs only the statements that an edit concerns, `modules` every changed module and
            all its importers.
        delay: seconds without a further event after which a burst of saves is taken to be over.
        include: gitignore-style patterns of files to watch; empty means all.
        exclude: gitignore-style patterns of files never to touch.
    """

    strategy: str = "minimal"
    delay: float = 0.01
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def switched_off() -> bool:
    """Whether `HOTMOD=off` is set: every door then does nothing.

    Raises:
        ConfigError: `HOTMOD` has another value than `on` or `off`.
    """
    value = os.environ.get("HOTMOD", "on").strip().lower() or "on"
    if value not in ("on", "off"):
        msg = f"HOTMOD={value!r}: allowed are on, off"
        raise ConfigError(msg)
    return value == "off"


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
            table[key] = value.split(os.pathsep) if key in ("include", "exclude") else value
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


def _delay(value: object) -> float:
    seconds = float(value) if isinstance(value, (str, int, float)) else float("nan")
    if not 0 <= seconds <= 60:  # noqa: PLR2004 - a minute is the bound that the message names
        msg = "allowed are 0 to 60 (seconds)"
        raise ValueError(msg)
    return seconds


def _patterns(value: object) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not all(isinstance(item, str) for item in values):
        msg = "allowed is a list of gitignore-style patterns"
        raise ValueError(msg)
    return tuple(values)


_CHECKS: dict[str, Callable[[object], object]] = {
    "strategy": _strategy,
    "delay": _delay,
    "include": _patterns,
    "exclude": _patterns,
}
