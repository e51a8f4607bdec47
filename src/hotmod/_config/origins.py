"""Where options come from: arguments over `HOTMOD_*` variables over `[tool.hotmod]` of pyproject.toml.

Touches: the environment, and the nearest pyproject.toml above the working directory (read only).

Guarantees: an unknown key or a bad value is a `ConfigError` that names it, says where it stands and
lists what is allowed. A relative path is one from the folder of the file in which it stands, else from the
working directory.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hotmod._config.options import CHECKS, MODES, Config
from hotmod._model.errors import ConfigError

__all__ = ["Setting", "configure", "mode", "settings", "switched_off"]

ARGUMENTS = "the arguments"
_SEPARATORS = {
    **dict.fromkeys(("include", "exclude", "log_only", "paths"), os.pathsep),
    **dict.fromkeys(("keep", "stress", "depends"), ","),
}  # of lists in variables


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """An option as it is in force.

    Attributes:
        key: its name.
        value: its value.
        origin: where that comes from: `an argument`, a variable, a file and a line, or `the default`.
    """

    key: str
    value: Any
    origin: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    """A place where options stand.

    Attributes:
        name: as an error calls it; of what is no argument, what comes before the origin.
        table: the options.
        folder: where its relative paths begin.
        text: the text of the file; empty where there is none.
    """

    name: str
    table: Mapping[str, object]
    folder: str
    text: str = ""

    def origin(self, key: str) -> str:
        """Where an option stands, for people."""
        if self.name == ARGUMENTS:
            return "an argument"
        if not self.text:
            return f"HOTMOD_{key.upper()}"
        line = _line_of(self.text, key)
        return f"{os.path.join(self.folder, 'pyproject.toml')}{f':{line}' if line else ''}"

    def place(self, key: str) -> str:
        """The same as an error says it."""
        return self.name if self.name == ARGUMENTS else f"{self.name}{self.origin(key)}"


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
    return Config(**{each.key: each.value for each in settings(start, **arguments)})


def settings(start: pathlib.Path | None = None, **arguments: object) -> list[Setting]:
    """Every option as it is in force, and where its value comes from; arguments as for `configure`.

    Raises:
        ConfigError: an unknown option or a bad value, wherever it stands.
    """
    here = str(start or pathlib.Path.cwd())
    given = {key: _plain(value) for key, value in arguments.items() if value is not None}
    found = {
        field.name: Setting(field.name, field.default, "the default") for field in dataclasses.fields(Config)
    }
    sources = (
        *_project(start),
        _Source("", _environment(), here),
        _Source(ARGUMENTS, given, here),
    )
    for source in sources:
        for key, value in source.table.items():
            found[key] = Setting(key, _checked(key, value, source), source.origin(key))
    return list(found.values())


def _plain(value: object) -> object:
    """An argument as a list where it is an iterable of strings of any kind."""
    if isinstance(value, (str, Mapping, os.PathLike)) or not isinstance(value, Iterable):
        return {key: _plain(each) for key, each in value.items()} if isinstance(value, Mapping) else value
    return list(value)


def _environment() -> dict[str, object]:
    table: dict[str, object] = {}
    for variable, value in os.environ.items():
        if variable.startswith("HOTMOD_"):
            key = variable.removeprefix("HOTMOD_").lower()
            table[key] = value.split(_SEPARATORS[key]) if key in _SEPARATORS else value
    return table


def _project(start: pathlib.Path | None) -> Iterator[_Source]:
    folder = (start or pathlib.Path.cwd()).absolute()
    for path in (parent / "pyproject.toml" for parent in (folder, *folder.parents)):
        if path.is_file():
            try:
                text = path.read_text("utf-8")
                table = tomllib.loads(text).get("tool", {}).get("hotmod", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                msg = f"{path} can't be read: {error}. No option was taken from it; mend the file."
                raise ConfigError(msg) from error
            yield _Source("[tool.hotmod] of ", table, str(path.parent), text)
            return


def _line_of(text: str, key: str) -> int:
    """The line of an option in a pyproject.toml; 0 where it is written in a way that is not looked for."""
    name, table = rf"[\"']?{re.escape(key)}[\"']?", ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header is not None:
            table = re.sub(r"\s*\.\s*", ".", header[1])
            if re.fullmatch(rf"tool\.hotmod\.{name}", table):
                return number
        inside = {"tool.hotmod": "", "tool": r"hotmod\s*\.\s*", "": r"tool\s*\.\s*hotmod\s*\.\s*"}.get(table)
        if header is None and inside is not None and re.match(rf"\s*{inside}{name}\s*[.=]", line):
            return number
    return 0


def _checked(key: str, value: object, source: _Source) -> object:
    check = CHECKS.get(key)
    if check is None:
        msg = f"unknown option {key!r} in {source.place(key)}; allowed are {', '.join(sorted(CHECKS))}"
        raise ConfigError(msg)
    try:
        found: Any = check(value)
    except (TypeError, ValueError) as error:
        msg = f"option {key!r} in {source.place(key)} has the bad value {value!r}: {error}"
        raise ConfigError(msg) from error
    if key == "paths":
        return tuple(_absolute(each, source.folder) for each in found)
    if key == "depends":
        return tuple(
            (name, tuple(_absolute(each, source.folder) for each in each_of)) for name, each_of in found
        )
    return found


def _absolute(path: str, folder: str) -> str:
    """A path or pattern as seen from the root; one that ends with a slash means all below a folder."""
    whole = os.path.normpath(os.path.join(folder, os.path.expanduser(path)))
    return os.path.join(whole, "") if path.endswith(("/", os.sep)) else whole
