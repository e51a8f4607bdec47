"""Whether a file is watched, by which target, or why it is not.

Touches: files and folders, reading only.

Guarantees: the answer is that of a watcher of the scope, and names the first reason that applies.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable
from typing import Any, Literal

from hotmod._config import Setting
from hotmod._engine.data import DataFiles
from hotmod._engine.roots import barred
from hotmod._engine.sightings import SOURCE
from hotmod._scope import Scope, is_installed, locations, matches, relative

__all__ = ["Verdict", "whether"]


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one file.

    Attributes:
        path: the file, absolute.
        state: `watched` (a save is applied), `logged` (it is logged and not applied), `ignored`.
        why: in words.
        target: the target that it belongs to; empty if there is none.
        module: the name of its module, or of the modules that read it.
        pattern: the pattern that decided; empty if none did.
        origin: where that stands.
    """

    path: str
    state: Literal["watched", "logged", "ignored"]
    why: str
    target: str = ""
    module: str = ""
    pattern: str = ""
    origin: str = ""

    def __str__(self) -> str:
        said = {"watched": "is watched", "logged": "is logged only", "ignored": "is not watched"}[self.state]
        return f"{relative(self.path)} {said}: {self.why}"


def whether(path: str, scope: Scope, settings: Iterable[Setting]) -> Verdict:
    """Whether a file is watched.

    Args:
        path: the file, which need not exist.
        scope: the modules that are ours.
        settings: the options in force.
    """
    options = {each.key: each for each in settings}
    path = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(path))
    found = _by_pattern(path, options) or _as_data(path, options) or _as_module(path, scope)
    if found.state == "ignored" or os.path.exists(path):
        return found
    return dataclasses.replace(found, why=f"{found.why}. There is no such file now")


def _by_pattern(path: str, options: dict[str, Setting]) -> Verdict | None:
    text = relative(path)
    for key, state in (("exclude", "ignored"), ("log_only", "logged")):
        if matches(text, options[key].value):
            pattern = _deciding(text, options[key].value)
            return _told(path, state, f"{key} has {pattern!r}", pattern, options[key].origin)
    include = options["include"]
    if path.endswith(SOURCE) and include.value and not matches(text, include.value):
        return _told(path, "ignored", "include has no pattern that matches", "", include.origin)
    return None


def _told(path: str, state: Any, why: str, pattern: str, origin: str) -> Verdict:
    return Verdict(path, state, f"{why} ({_near(origin)})", pattern=pattern, origin=origin)


def _near(origin: str) -> str:
    """The place of an option as seen from the working directory."""
    return relative(origin) if os.path.isabs(origin) else origin


def _deciding(text: str, patterns: Iterable[str]) -> str:
    """The last pattern that matches."""
    return [each for each in patterns if matches(text, [each.removeprefix("!")])][-1]


def _as_data(path: str, options: dict[str, Setting]) -> Verdict | None:
    depends = options["depends"]
    readers = DataFiles(depends.value).readers(path)
    if not readers:
        return None
    patterns = [
        relative(each)
        for name, listed in depends.value
        for each in listed
        if name in readers and DataFiles([(name, [each])]).readers(path)
    ]
    missing = [name for name in readers if name not in sys.modules and not locations(name)]
    names = ", ".join(readers)
    why = f"{names} reads it, as depends has {patterns[0]!r} ({_near(depends.origin)})"
    if missing == readers:
        return Verdict(path, "ignored", f"{why}, and there is no module {', '.join(missing)}")
    return Verdict(path, "watched", why, names, names, patterns[0], depends.origin)


def _as_module(path: str, scope: Scope) -> Verdict:
    roots = [(os.path.realpath(root), prefix) for root, prefix in scope.roots()]
    near = [each for each in roots if path == each[0] or path.startswith(os.path.join(each[0], ""))]
    if os.path.isdir(path):
        return Verdict(path, "ignored", "it is a folder: ask about a file in it")
    if not path.endswith(SOURCE):
        why = "it is no Python source, and no module says that it reads it (the option depends)"
        return Verdict(path, "ignored", why)
    if not near:
        listed = ", ".join(relative(root) for root, _ in roots) or "nothing that is there"
        which = f", which means {listed}" if scope.names else ""
        return Verdict(path, "ignored", f"it is not in scope: the targets are {scope}{which}")
    root, prefix = max(near)
    target = prefix or relative(root)
    bar = barred(root, path) if path != root else None
    if bar is not None:
        why = f"the folder {relative(bar[0])} is not entered: {bar[1]}"
        return Verdict(path, "ignored", why, target)
    stem = os.path.splitext(os.path.basename(path))[0]
    if not stem.isidentifier():
        return Verdict(path, "ignored", f"{stem!r} is no identifier, so no import finds it", target)
    if not prefix and is_installed(path):
        return Verdict(path, "ignored", "it is installed: name its package as a target", target)
    below = os.path.relpath(path, root) if path != root else stem if not prefix else ""
    parts = [prefix, *os.path.splitext(below)[0].split(os.sep)] if below else [prefix]
    module = ".".join(part for part in parts if part and part != "__init__") or stem
    why = f"it is the module {module} of the target {target}; a save is applied where {module} is loaded"
    return Verdict(path, "watched", why, target, module)
