"""Plans without a program: what an edit would do to a process that has loaded an earlier version.

Touches: files and, for a version that git keeps, the `git` command; reads only, and runs no code of the
user's.

Guarantees: the plan is that of a reloader whose process has imported every module of the package, from the
earlier texts.

Assumes: what only live objects show (a module that has replaced its class, a function compiled by a
decorator, a name that somebody else has set) is not the case.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import types
from collections.abc import Mapping, Sequence

from hotmod._config import Config
from hotmod._engine.data import DataFiles
from hotmod._model.changes import Change, ChangeKind, ChangeSet, DataChange, SourceText
from hotmod._model.errors import ConfigError, HotmodError
from hotmod._plan import Keeping, Plan, make_minimal_plan, make_plan, with_main_module
from hotmod._scope import Scope, locations, relative
from hotmod._source.files import discover, read
from hotmod._source.graph import build, update
from hotmod._source.parse import parse
from hotmod._source.resolve import ModuleSource

__all__ = ["Preview", "plan_of_file", "plan_of_scope"]

Sources = Mapping[str, ModuleSource]
INSTEAD = "`hotmod explain FILE --against OTHER` compares with a file."


def plan_of_file(path: str, against: str, config: Config) -> Plan:
    """What the save of one file would do to a process that has loaded everything else as it is on disk.

    Args:
        path: the file of a module; or another one that modules read, by the option `depends`, which is
            taken to hold something else than before.
        against: the earlier text of a module: another file, or a revision of git.
        config: the options.

    Raises:
        ConfigError: there is no such file, or it is no module.
        SourceError: a text can't be read.
        HotmodError: git has no such revision.
    """
    readers = DataFiles(config.depends).readers(os.path.abspath(path))
    if readers:
        return _plan_of_data(os.path.abspath(path), readers, config)
    path = os.path.realpath(path)
    if not (os.path.isfile(path) and path.endswith(".py")):
        msg = f"{path} is not a Python file that exists, and no module says that it reads it"
        raise ConfigError(msg)
    root, prefix = _package_of(path)
    after, others = _on_disk(root, prefix)
    name = next(name for name, source in after.items() if os.path.samefile(source.text.path, path))
    if os.path.isfile(against):
        data: bytes | None = read(os.path.realpath(against)).data
    else:
        folder, file = os.path.split(path)
        data = _texts_at(folder, against).get(file)
    before = {each: source for each, source in after.items() if each != name}
    if data is not None:
        before[name] = ModuleSource(SourceText.of(path, data), after[name].is_package)
    return _plan(before, after, others, config)


def _plan_of_data(path: str, readers: Sequence[str], config: Config) -> Plan:
    """What another file would do that some modules read, if it held something else."""
    sources: dict[str, ModuleSource] = {}
    others: set[str] = set()
    for name in dict.fromkeys(each.partition(".")[0] for each in readers):
        for place in locations(name):
            found, without = _on_disk(place, name)
            sources.update(found)
            others |= without
    kind = ChangeKind.EDITED if os.path.exists(path) else ChangeKind.DELETED
    data = (DataChange(path, relative(path), kind, ""),)
    changes = [
        Change(name, ChangeKind.EDITED, sources[name].text.path, sources[name].text, data, read=True)
        for name in sorted(readers)
        if name in sources
    ]
    if not changes:
        names = ", ".join(readers)
        msg = f"{relative(path)} is read by {names}, says the option depends, and there is no such module"
        raise ConfigError(msg)
    return _plan_of_modules(ChangeSet(tuple(changes)), sources, others, config)


class Preview:
    """What saves would do, one after the other, to a process that has loaded all modules of a scope.

    Args:
        scope: the modules, loaded as they are on disk now.
        config: the options.
        data: the other files that they read, as they are now.

    Raises:
        SourceError: a file can't be read.
    """

    def __init__(self, scope: Scope, config: Config, data: DataFiles) -> None:
        self._scope, self._config, self._data = scope, config, data
        self._loaded, self._others = _in_scope(scope)
        self._read = {name: data.now(name) for name in data.modules}

    def __len__(self) -> int:
        return len(self._loaded)

    def plan(self) -> Plan:
        """The plan for what was saved since the last one, which is taken to be applied.

        Raises:
            SourceError: a text can't be read or parsed; what was saved is part of the next plan.
        """
        after, others = _in_scope(self._scope)
        now = {name: self._data.now(name) for name in self._read}
        data = {name: self._data.changes(name, before) for name, before in self._read.items()}
        found = _plan(self._loaded, after, self._others | others, self._config, data)
        self._loaded, self._others, self._read = after, others, now
        return found


def plan_of_scope(scope: Scope, against: str, config: Config) -> Plan:
    """What all that differs from a revision would do to a process that has loaded that revision.

    Args:
        scope: the modules.
        against: a revision of git.
        config: the options.

    Raises:
        SourceError: a text can't be read.
        HotmodError: git has no such revision.
    """
    before: dict[str, ModuleSource] = {}
    after, others = _in_scope(scope)
    for root, prefix in scope.roots():
        folder = os.path.dirname(root) if root.endswith(".py") else root
        texts, file = _texts_at(folder, against), os.path.basename(root)
        if root != folder:  # one module, and its file
            named = {name: (file, texts[file]) for name in _on_disk(root, prefix)[0] if file in texts}
        else:
            named = _tracked(texts, prefix)
        for name, (path, data) in named.items():
            place = os.path.join(folder, *path.split("/"))
            if scope.allows(place):
                before[name] = ModuleSource(SourceText.of(place, data), place.endswith("__init__.py"))
    return _plan(before, after, others, config)


def _package_of(path: str) -> tuple[str, str]:
    """The folder and the name of the outermost package around a file; the file itself if there is none."""
    folder, names = os.path.dirname(path), list[str]()
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, name = os.path.split(folder)
        names.insert(0, name)
    return (os.path.join(folder, names[0]), names[0]) if names else (path, "")


def _on_disk(root: str, prefix: str) -> tuple[dict[str, ModuleSource], set[str]]:
    """The modules below a root by name, and the names of those without a source."""
    if root.endswith(".py"):
        name = prefix or os.path.splitext(os.path.basename(root))[0]
        return {name: ModuleSource(read(root), os.path.basename(root) == "__init__.py")}, set()
    found = discover([root], prefix)
    sources = {name: ModuleSource(read(file.path), file.is_package) for name, file in found.modules.items()}
    return sources, set(found.sourceless)


def _in_scope(scope: Scope) -> tuple[dict[str, ModuleSource], set[str]]:
    """The modules of a scope as they are on disk, and the names of those without a source."""
    found: dict[str, ModuleSource] = {}
    others: set[str] = set()
    for root, prefix in scope.roots():
        now, without = _on_disk(root, prefix)
        found.update({name: source for name, source in now.items() if scope.allows(source.text.path)})
        others |= without
    return found, others


def _tracked(texts: Mapping[str, bytes], prefix: str) -> dict[str, tuple[str, bytes]]:
    """By module name, the path and the text of files below the folder of a package."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in sorted(texts, key=lambda path: path.endswith("__init__.py")):  # a package wins over a module
        parts = [*prefix.split("."), *path.removesuffix(".py").split("/")]
        parts = [part for part in parts if part]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name and all(part.isidentifier() for part in name.split(".")):
            found[name] = path, texts[path]
    return found


def _texts_at(folder: str, revision: str) -> dict[str, bytes]:
    """The Python files that a revision has below a folder, by their path from there.

    Raises:
        HotmodError: git can't tell.
    """
    listed = _git(folder, ["ls-tree", "-r", "-z", f"{revision}", "--", "."])
    entries = [
        entry.decode("utf-8", "surrogateescape").split("\t", 1) for entry in listed.split(b"\0") if entry
    ]
    files = {
        path: head.split()[2] for head, path in entries if path.endswith(".py") and head.startswith("100")
    }
    wanted = "".join(f"{digest}\n" for digest in files.values()).encode()
    answer, found = _git(folder, ["cat-file", "--batch"], wanted), {}
    for path in files:
        head, _, answer = answer.partition(b"\n")
        size = int(head.split()[2])
        found[path], answer = answer[:size], answer[size + 1 :]
    return found


def _git(folder: str, arguments: Sequence[str], given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell
            ["git", "-C", folder, *arguments],  # noqa: S607 - the git of the user
            input=given,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        msg = f"git can't be run ({error}). {INSTEAD}"
        raise HotmodError(msg) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        msg = f"git can't tell what was there before: {said}. {INSTEAD}"
        raise HotmodError(msg)
    return done.stdout


def _plan(
    before: Sources,
    after: Sources,
    others: set[str],
    config: Config,
    data: Mapping[str, tuple[DataChange, ...]] = types.MappingProxyType({}),
) -> Plan:
    for name, source in after.items():
        if before.get(name) != source:
            parse(source.text)
    changes = {name: each for name in {*before, *after} if (each := _change(name, before, after)) is not None}
    for name in [name for name, differing in data.items() if differing and name in before and name in after]:
        text = after[name].text
        known = changes.get(name) or Change(name, ChangeKind.EDITED, text.path, text, read=True)
        changes[name] = dataclasses.replace(known, data=data[name])
    mains = {
        name for name in changes if name.rpartition(".")[2] == "__main__" and name in before and name in after
    }
    plan = _plan_of_modules(
        ChangeSet(tuple(changes[name] for name in sorted(changes.keys() - mains))),
        {name: source for name, source in before.items() if name.rpartition(".")[2] != "__main__"},
        others,
        config,
    )
    for name in sorted(mains):  # it runs as the main module, or not at all
        plan = with_main_module(plan, changes[name], before[name].text)
    return plan


def _plan_of_modules(changes: ChangeSet, before: Sources, others: set[str], config: Config) -> Plan:
    if not changes:
        return Plan(changes)
    was = build(before, others)
    new = {
        change.module: ModuleSource(change.text, os.path.basename(change.path) == "__init__.py")
        for change in changes.changes
        if change.text is not None
    }
    graph, loaded = update(was, new), [name for name in was.load_order() if name in before]
    texts = {name: source.text for name, source in before.items()}
    then = {**texts, **{change.module: change.text for change in changes.changes}}
    keeping = Keeping(then.get, texts.get, config.kept())
    if config.strategy == "minimal":
        rank = {name: index for index, name in enumerate(loaded)}
        return make_minimal_plan(changes, graph, before, rank, frozen=others, was=was, keeping=keeping)
    return make_plan(changes, graph, loaded, frozen=others, was=was, keeping=keeping)


def _change(name: str, before: Sources, after: Sources) -> Change | None:
    old, new = before.get(name), after.get(name)
    if new is None:
        return Change(name, ChangeKind.DELETED, old.text.path) if old is not None else None
    if old is None:
        return Change(name, ChangeKind.ADDED, new.text.path, new.text)
    if old.text.path != new.text.path:
        return Change(name, ChangeKind.MOVED, new.text.path, new.text)
    return (
        Change(name, ChangeKind.EDITED, new.text.path, new.text)
        if old.text.digest != new.text.digest
        else None
    )
