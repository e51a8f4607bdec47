"""Which tests an edit can affect.

Touches: source files, reading only.

Guarantees: a test file is affected if it, a conftest above it, a plugin of the user's or anything that one
of these imports has changed: anywhere in the text, in functions as well, directly or through other files.
The packages around an imported module count, and submodules that are used as attributes of their package.
What can't be told from the text counts as affected: whatever imports computed names depends on every module,
and so does a test file that starts processes.

Assumes: a test depends on modules, not on data files. Nobody imports a test file by a computed name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from hotmod._model.changes import SourceText
from hotmod._source.files import discover
from hotmod._source.graph import ImportGraph, ModuleSource, build, update
from hotmod._source.reached import may_reach
from hotmod.pytest_plugin.reading import Texts

if TYPE_CHECKING:
    from hotmod._engine.loaded import Ledger

__all__ = ["Reach"]

# Words of a test that may have another process import anything.
_PROCESSES = re.compile(
    rb"\b(subprocess|multiprocessing|runpy|pexpect|pytester|testdir|popen|fork|system|spawn\w*|exec[lv]\w*"
    rb"|create_subprocess_\w+|run_path|run_module)\b"
)
_Edges = Mapping[str, frozenset[str]]


class Reach:
    """The files of a program and its tests, and which of them uses which.

    Args:
        ledger: what is loaded.
        root: the folder of the project.
        find: gives the folders from which modules are imported by their plain names.
    """

    def __init__(self, ledger: Ledger, root: str, find: Callable[[], Iterable[str]]) -> None:
        self._ledger, self._root, self._find = ledger, root, find
        self._read = Texts().read  # what is gone, or is about to be written, has changed
        self._sources: dict[str, ModuleSource] = {}
        self._graph: ImportGraph | None = None
        self._users: _Edges = {}  # by file: those that use it
        self._unsure: frozenset[str] = frozenset()
        self.texts: dict[str, SourceText] = {}  # by file, as of the last look

    def look(self) -> dict[str, SourceText | None]:
        """Look at all files.

        Returns:
            Those that have changed since the last look, with the text that they had then; None where there
            was none.
        """
        before, sources = self.texts, self._found()
        self.texts = {source.text.path: source.text for source in sources.values()}
        changed = {
            path: before.get(path)
            for path in before.keys() | self.texts.keys()
            if before.get(path) != self.texts.get(path)
        }
        if changed or sources.keys() != self._sources.keys():
            self._draw(sources)
        return changed

    def affected(self, changed: Collection[str], tests: Collection[str], plugins: Iterable[str]) -> set[str]:
        """The test files that a change of some files can affect.

        Args:
            changed: files that have changed since the look before the last one.
            tests: all test files.
            plugins: files of plugins: a change there affects all tests, and one of a conftest those below it.
        """
        tests = frozenset(tests)
        touched = self.users(changed, tests)
        if any(path in touched and not _is_conftest(path) for path in plugins):
            return set(tests)
        above = {os.path.dirname(path) for path in touched if _is_conftest(path)}
        return {path for path in tests if path in touched or not above.isdisjoint(_folders(path))}

    def users(self, changed: Collection[str], tests: Collection[str] = ()) -> set[str]:
        """Some files, and all that use them, directly or through others.

        Args:
            changed: the files.
            tests: files that nobody imports by a computed name.
        """
        found = set(changed)
        if not found.issubset(tests):
            found |= self._unsure
            found |= {path for path in tests if path in self.texts and self._starts_processes(path)}
            found |= {path for path in self.texts if _is_conftest(path) and self._starts_processes(path)}
        left = list(found)
        while left:
            new = self._users.get(left.pop(), frozenset()) - found
            found |= new
            left += new
        return found

    def used_by(self, path: str, names: Collection[str]) -> set[str]:
        """The files that hold what imports of a file bind to some names or import in functions so called."""
        return {
            self._sources[edge.imported].text.path
            for name, source in self._sources.items()
            if source.text.path == path and self._graph is not None
            for edge in self._graph.imports(name)
            if edge.imported in self._sources and not {*edge.names, *edge.where.split(".")}.isdisjoint(names)
        }

    def _found(self) -> dict[str, ModuleSource]:
        """Every module by every name that it can be imported by."""
        if not self._ledger.is_as_seen():
            self._ledger.refresh()
        paths = {name: each.path for name, each in self._ledger.modules.items() if each.text is not None}
        for folder in (*self._find(), self._root):
            for name, file in discover([folder]).modules.items():
                paths.setdefault(name, file.path)
        texts: dict[str, SourceText | None] = {}
        found = {}
        for name, path in paths.items():
            if path not in texts:
                texts[path] = self._read(path)
            text = texts[path]
            if text is not None:
                found[name] = ModuleSource.at(path, text)
        return found

    def _draw(self, sources: dict[str, ModuleSource]) -> None:
        changed = {name: source for name, source in sources.items() if self._sources.get(name) != source}
        gone = self._sources.keys() - sources.keys()
        graph = build(sources) if self._graph is None else update(self._graph, changed, gone)
        # while no name comes, goes or moves, what a text leads to is for that text alone to say
        places, before = ({n: one.text.path for n, one in each.items()} for each in (sources, self._sources))
        drawn = changed if places == before else sources
        self._sources, self._graph = sources, graph
        children: dict[str, dict[str, str]] = {}
        for name in sources:
            package, _, last = name.rpartition(".")
            children.setdefault(package, {})[last] = name
        users: dict[str, set[str]] = {path: set(found) for path, found in self._users.items()}
        for name, source in drawn.items():
            imported = {name, *graph.targets(name)}
            targets = set(imported)
            for target in imported:
                targets.update(_packages(target))
                below = children.get(target, {})
                if below and may_reach(source.text, frozenset(below)):
                    targets.update(
                        each for last, each in below.items() if may_reach(source.text, frozenset((last,)))
                    )
            for target in targets & sources.keys():
                users.setdefault(sources[target].text.path, set()).add(source.text.path)
        # What was used before is still there where a file has gone: who used it has to be run.
        self._users = {path: frozenset(found) for path, found in users.items()}
        self._unsure = frozenset(sources[name].text.path for name, _ in graph.unsure if name in sources)

    def _starts_processes(self, path: str) -> bool:
        text = self.texts.get(path)
        return text is not None and _PROCESSES.search(text.data) is not None


def _is_conftest(path: str) -> bool:
    return os.path.basename(path) == "conftest.py"


def _packages(name: str) -> list[str]:
    """The packages around a module."""
    parts = name.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts))]


def _folders(path: str) -> Iterable[str]:
    """The folders around a file."""
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        yield folder
        folder = os.path.dirname(folder)
