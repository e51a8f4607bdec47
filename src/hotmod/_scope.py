"""Which modules are ours: the targets that the user named, and nothing else.

Touches: `sys.modules` and the file system, read only. Finds a package that is not loaded yet through
the path finders, without executing it.

Guarantees: a module outside every target is never in scope; the standard library, site-packages and
hotmod itself are in scope only where they are named as a target (hotmod never).
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.machinery
import importlib.util
import os
import re
import site
import sys
import sysconfig
import types
from collections.abc import Iterable, Sequence

from hotmod._config import Config
from hotmod._model.errors import ConfigError

__all__ = [
    "Scope",
    "Target",
    "everything",
    "keep_apart",
    "loaded_of",
    "locations",
    "matches",
    "near",
    "relative",
    "scope_for",
    "scope_of",
    "translated",
]

Target = str | os.PathLike[str] | types.ModuleType


@dataclasses.dataclass(frozen=True)
class Scope:
    """The modules under the user's targets.

    Attributes:
        names: modules and packages; a package means all its submodules.
        folders: folders and files outside any package whose modules are in scope.
        include: patterns of files to watch; empty means all.
        exclude: patterns of files never to touch.
        log_only: patterns of files of which no more is wanted than to know that they were saved.
        everywhere: whether every module is in scope that nobody installed, wherever it lies.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    log_only: tuple[str, ...] = ()
    everywhere: bool = False

    def __str__(self) -> str:
        if self.everywhere:
            return "every module of yours"
        return ", ".join((*self.names, *map(near, self.folders)))

    @property
    def asks_for_paths(self) -> bool:
        """Whether only its file tells of a module whether it is in scope."""
        return self.everywhere or bool(self.folders)

    def owns_name(self, name: str) -> bool:
        """Whether a module of this name is in scope, by its name or by the file from which it is loaded."""
        if _is_hotmod(name) or _is_apart(name):
            return False
        if self.everywhere:
            return _is_own(sys.modules.get(name))
        return self._names(name) or (bool(self.folders) and _lies_in(sys.modules.get(name), self.folders))

    def _names(self, name: str) -> bool:
        return any(name == own or name.startswith(f"{own}.") for own in self.names)

    def owns_path(self, path: str) -> bool:
        """Whether a file lies in one of the folders and is not foreign to them."""
        if self.everywhere:
            return not _holds_installed(os.path.dirname(path))
        return _is_below_any(path, self.folders)

    def allows(self, path: str) -> bool:
        """Whether the patterns let the file through."""
        if not (self.include or self.exclude or self.log_only):
            return True
        text = relative(path)
        if matches(text, self.exclude) or matches(text, self.log_only):
            return False
        return not self.include or matches(text, self.include)

    def logs(self, path: str) -> bool:
        """Whether no more is wanted of a file than to know that it was saved."""
        if not self.log_only:
            return False
        text = relative(path)
        return matches(text, self.log_only) and not matches(text, self.exclude)

    def owns(self, name: str, path: str | None) -> bool:
        """Whether a module of this name and file is in scope."""
        if _is_hotmod(name) or _is_apart(name):
            return False
        if path is not None and not self.allows(path):
            return False
        if self.everywhere:
            return path is not None and self.owns_path(path)
        return self._names(name) or (path is not None and self.owns_path(path))

    def roots(self) -> list[tuple[str, str]]:
        """The folders and files in which the scope's modules lie now, each with its module-name prefix.

        The prefix of a folder target is empty, unless the folder is a package or lies in one. A package that
        can't be found has no roots.
        """
        found = [(folder, _name_at(folder)) for folder in self.folders]
        for name in _own_packages() if self.everywhere else self.names:
            found += [(place, name) for place in locations(name) if not self.everywhere or _is_free(place)]
        return list(dict.fromkeys(found))


def _name_at(path: str) -> str:
    """The name under which a package, or a module of one, is imported; empty for what is in no package."""
    folder, file = os.path.split(path) if path.endswith(".py") else (path, "")
    names = [] if file in ("", "__init__.py") else [file.removesuffix(".py")]
    top = folder
    # what stands on `sys.path` is imported from there, whatever it holds
    while os.path.isfile(os.path.join(top, "__init__.py")) and top not in map(os.path.realpath, sys.path):
        top, name = os.path.split(top)
        names.insert(0, name)
    return ".".join(names) if top != folder else ""


def relative(path: str) -> str:
    """A path as seen from the working directory; where that is gone, from the one in which we were loaded."""
    try:
        return os.path.relpath(path)
    except FileNotFoundError:
        return os.path.relpath(path, _FOLDER)


def near(path: str) -> str:
    """A path as people say it: as seen from the working directory, if it lies there."""
    here = relative(path)
    if here.startswith(os.pardir):
        return path
    return os.path.join(here, "") if os.path.isdir(path) else here


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.path.abspath(os.sep)


_FOLDER = _folder()


def scope_of(
    targets: Sequence[Target],
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    log_only: Iterable[str] = (),
) -> Scope:
    """The scope of the targets as the user gave them.

    Raises:
        ConfigError: there is no target, one has a wrong type or versions side by side, or no module or path
            of that name exists.
    """
    if not targets:
        msg = "no target: name at least one module, package, folder or file, as in hotmod.watch('shop')"
        raise ConfigError(msg)
    names: list[str] = []
    folders: list[str] = []
    for target in targets:
        name, folder = _resolved(target)
        names += [name] if name else []
        folders += [folder] if folder else []
    patterns = tuple(include), tuple(exclude), tuple(log_only)
    return Scope(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(folders)), *patterns)


_APART: list[str] = []  # packages with versions side by side: nobody changes their modules in place


def keep_apart(names: Iterable[str], *, apart: bool) -> None:
    """Take packages out of every scope, or let them be in scopes again."""
    for name in names:
        _APART.append(name) if apart else _APART.remove(name)


def _is_apart(name: str) -> bool:
    return bool(_APART) and any(name == each or name.startswith(f"{each}.") for each in _APART)


def loaded_of(scope: Scope) -> list[str]:
    """The modules of a scope that are loaded, or kept apart."""
    return [name for name in list(sys.modules) if _is_named(name, scope)] + [
        name for name in _APART if _is_named(name, scope)
    ]


def _is_named(name: str, scope: Scope) -> bool:
    return any(name == own or name.startswith(f"{own}.") for own in scope.names)


def scope_for(targets: Sequence[Target], config: Config) -> Scope:
    """The scope of the targets as the user gave them, with what the options add and leave out.

    Raises:
        ConfigError: as `scope_of`.
    """
    more = config.paths if targets else ()
    for path in more:
        if not os.path.exists(path):
            msg = f"option 'paths' names {path}: there is no such folder or file; `hotmod config` tells where"
            raise ConfigError(msg)
    return scope_of((*targets, *more), config.include, config.exclude, config.log_only)


def everything(
    include: Iterable[str] = (), exclude: Iterable[str] = (), log_only: Iterable[str] = ()
) -> Scope:
    """The scope of every module, loaded now or later, but the standard library and what is installed."""
    return Scope((), (), tuple(include), tuple(exclude), tuple(log_only), everywhere=True)


def _resolved(target: Target) -> tuple[str, str]:
    """(module name, "") or ("", absolute path) of one target."""
    if isinstance(target, types.ModuleType):
        return _checked_name(target.__name__), ""
    if not isinstance(target, (str, os.PathLike)):
        msg = f"target {target!r} is a {type(target).__name__}; allowed are modules, their names, and paths"
        raise ConfigError(msg)
    text = os.fspath(target)
    dotted = all(part.isidentifier() for part in text.split("."))
    if isinstance(target, str) and dotted and not text.endswith(".py"):
        return _checked_name(text), ""
    path = os.path.realpath(text)
    if not os.path.exists(path):
        msg = f"target {text!r}: there is no such folder or file ({path})"
        raise ConfigError(msg)
    return "", path


def _checked_name(name: str) -> str:
    if _is_hotmod(name):
        msg = f"target {name!r}: hotmod can't reload itself"
        raise ConfigError(msg)
    if _is_apart(name):
        msg = (
            f"{name} can't be a target: it has a service already, of hotmod.versions.open(), that follows "
            "what is saved; versions are never changed in place. Leave the target out or close() the service."
        )
        raise ConfigError(msg)
    if name not in sys.modules and not locations(name):
        msg = (
            f"target {name!r}: no module of that name is loaded or can be found on sys.path; "
            "check the spelling, or give a path such as 'plugins/'"
        )
        raise ConfigError(msg)
    return name


def locations(name: str) -> list[str]:
    """The folders of a package, or the file of a module, found without executing anything."""
    module = sys.modules.get(name)
    if module is not None:
        space = vars(module) if hasattr(module, "__dict__") else {}
        if space.get("__path__") is not None:
            return [os.path.abspath(entry) for entry in space["__path__"]]
        path = space.get("__file__")
        return [os.path.abspath(path)] if path else []
    spec = find_spec(name)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [os.path.abspath(entry) for entry in spec.submodule_search_locations]
    return [os.path.abspath(spec.origin)] if spec.has_location and spec.origin else []


def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """The spec of a module that need not be loaded; parents are looked up, never imported."""
    parent, _, _ = name.rpartition(".")
    path: Sequence[str] | None = None
    if parent:
        path = locations(parent)
        if not path:
            return None
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        spec = find(name, path, None) if find is not None else None
        if spec is not None:
            return spec if isinstance(spec, importlib.machinery.ModuleSpec) else None
    return None


@functools.cache
def _installed_roots() -> tuple[str, ...]:
    places = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(sorted(os.path.realpath(place) for place in places if place))


def is_installed(path: str) -> bool:
    """Whether a file belongs to the standard library or to site-packages."""
    real = os.path.realpath(path)
    return any(_below(real, root) for root in _installed_roots())


_INSTALLED = frozenset(("site-packages", "dist-packages"))  # of whichever interpreter


@functools.lru_cache(maxsize=4096)
def _holds_installed(folder: str) -> bool:
    """Whether the modules of a folder are installed; asked of every module of a process."""
    return not _INSTALLED.isdisjoint(folder.split(os.sep)) or is_installed(folder)


def _is_free(place: str) -> bool:
    """Whether a folder of a package, or the file of a module, is not installed."""
    return not _holds_installed(os.path.dirname(place)) and os.path.basename(place) not in _INSTALLED


def _is_own(module: object) -> bool:
    """Whether a loaded module is one that nobody installed."""
    path = vars(module).get("__file__") if isinstance(module, types.ModuleType) else None
    return isinstance(path, str) and not _holds_installed(os.path.dirname(path))


def _is_hotmod(name: str) -> bool:
    return name == "hotmod" or name.startswith("hotmod.")


def _is_below_any(path: str, folders: tuple[str, ...]) -> bool:
    """Whether a file that nobody installed lies in a folder; asked of every module of a process."""
    if not folders or _holds_installed(os.path.dirname(path)):
        return False
    if any(_below(path, folder) for folder in folders):
        return True
    real = os.path.realpath(path)  # the folders are: a module may have come in by a link
    return any(_below(real, folder) for folder in folders)


def _lies_in(module: object, folders: tuple[str, ...]) -> bool:
    path = vars(module).get("__file__") if isinstance(module, types.ModuleType) else None
    return isinstance(path, str) and _is_below_any(os.path.abspath(path), folders)


def _own_packages() -> tuple[str, ...]:
    """The top of every loaded package that nobody installed; hotmod's own is left out."""
    return _own_of(tuple(sys.modules))


@functools.lru_cache(maxsize=1)
def _own_of(loaded: tuple[str, ...]) -> tuple[str, ...]:
    names = {name.partition(".")[0]: None for name in loaded if _is_own(sys.modules.get(name))}
    return tuple(name for name in names if name not in ("hotmod", "__main__", "__mp_main__"))


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a relative path matches gitignore-style patterns; the last one that matches decides."""
    text = path.replace(os.sep, "/")
    verdict = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if _pattern(pattern.removeprefix("!")).search(text):
            verdict = not negated
    return verdict


@functools.lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    """A gitignore-style pattern as a regular expression over slash-separated relative paths."""
    body = pattern.rstrip("/")
    head = "^" if "/" in body else "(?:^|/)"
    tail = "/" if pattern.endswith("/") else "(?:/|$)"
    return re.compile(head + translated(body.removeprefix("/")).pattern + tail)


@functools.lru_cache(maxsize=512)
def translated(pattern: str) -> re.Pattern[str]:
    """What matches a pattern as a whole: a slash-separated path with `*`, `**`, `?` and `[...]`."""
    tokens = re.split(r"(\*\*/|/\*\*|\*|\?|\[[^\]]+\])", pattern)
    known = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}
    parts = [
        known.get(token) or (token.replace("[!", "[^", 1) if token.startswith("[") else re.escape(token))
        for token in tokens
    ]
    return re.compile("".join(parts))
