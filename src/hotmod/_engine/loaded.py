"""The ledger: which modules of the scope are loaded, from which text, and in which order.

Touches: `sys.modules` and source files, read only.

Guarantees: a module's text is the one it was executed from: noted by the import hook when it was
imported, by a transaction when it ran again, and read from disk when hotmod came after the import. Where
the file may have changed before it was read, the text is marked as uncertain, and the module counts as
changed. The order is that of first imports, whatever happens to `sys.modules` afterwards. All ledgers of
a process agree on the text of a module that they share.

Assumes: a file did not change between its import and the moment when hotmod first saw the module. The
caller holds the lock of the reloader, but for `note` and `owns`.
"""

from __future__ import annotations

import dataclasses
import importlib.machinery
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence

from hotmod._engine.data import DataFiles, Digests
from hotmod._engine.records import Loaded, edit_of, is_same, with_data
from hotmod._engine.sightings import SOURCE, UNKNOWN, Census, View, end_of_modules, main_module, source_of
from hotmod._engine.texts import (
    exists,
    files_of,
    is_too_large,
    must_exist,
    read_if_there,
    readable,
    sized,
    stem_of,
)
from hotmod._engine.weak import WeakList
from hotmod._live.kinds import is_module, space_in
from hotmod._model.changes import Change, ChangeKind, ChangeSet, SourceText, digest_of
from hotmod._model.errors import SourceError
from hotmod._scope import Scope, find_spec

__all__ = ["SOURCE", "Ledger", "Loaded", "readable", "source_of"]

COMPILED = tuple(importlib.machinery.EXTENSION_SUFFIXES)


class Ledger:
    """What is loaded of a scope, and from which texts.

    Args:
        scope: which modules are ours.
        view: how their files looked at an earlier moment, if edits since then are to count; by default
            the files are taken to be what is loaded.
        data: the other files that modules read.
    """

    def __init__(self, scope: Scope, view: View | None = None, data: DataFiles | None = None) -> None:
        self.scope = scope
        self.data = data or DataFiles()
        self.modules: dict[str, Loaded] = {}
        self.main = self._main(view)  # not one of the modules: it can be patched, but never be executed again
        self.rank: dict[str, int] = {}  # the order in which the loaded modules came to their end
        self.idle: dict[str, str] = {}  # digests of files whose modules are not loaded
        self.looks = 0  # how often all modules of the process were looked at
        self._census = view.census if view is not None else Census(scope)
        self._noted: dict[str, SourceText] = {}
        self._objects: dict[str, int] = {}  # the identities of the module objects
        self._order: dict[str, int] = {}
        self._touched: dict[str, None] = {}  # modules whose records changed
        self._by_path: dict[str, dict[str, None]] = {}
        self._stirred = False  # whether something was imported since the last look
        self._whole = True  # whether the last look could read everything
        self._end: object = None  # what `sys.modules` ended with then
        self._pending = ChangeSet()
        self._refused: dict[str, Change] = {}
        self._take_in(view)
        for name, path in files_of(self.scope).items():
            text = None if name in self.modules else readable(path)
            # A file that came after the view was taken may be one that an importer went without.
            if text is not None and not (view is not None and view.may_have_changed(path)):
                self.idle[name] = text.digest
        _LEDGERS.add(self)

    def _main(self, view: View | None) -> Loaded | None:
        found = main_module(self.scope)
        if found is None:
            return None
        name, path = found
        if view is not None:
            text = SourceText.of(path, view.main) if view.main is not None else None
        else:
            text = readable(path)
        if text is None:
            return None
        return Loaded(name, path, is_package=False, text=text, witnessed=False)

    def loaded(self, name: str) -> Loaded | None:
        """What is known of a loaded module, or of the main module."""
        if self.main is not None and name == self.main.name:
            return self.main
        return self.modules.get(name)

    def at(self, path: str) -> list[Loaded]:
        """What is loaded from a file."""
        found = [self.modules[name] for name in self._by_path.get(path, {})]
        return found + ([self.main] if self.main is not None and self.main.path == path else [])

    def paths(self) -> set[str]:
        """The files of all that is loaded."""
        found = {each.path for each in self.modules.values() if each.path}
        return found | ({self.main.path} if self.main is not None else set())

    def owns(self, name: str, module: object = None) -> bool:
        """Whether a module is in scope."""
        if self.main is not None and name == self.main.name:
            return True
        path = source_of(module) if is_module(module) else None
        return self.scope.owns(name, path)

    def note(self, name: str, text: SourceText) -> None:
        """The import hook saw that a module is about to be imported from this text."""
        self._noted[name] = text
        self._stirred = True
        self.data.note(name)

    def refresh(self) -> None:
        """Take in modules that were imported since the last call, in the order of their import."""
        self._take_in(None)

    def touched(self) -> Collection[str]:
        """The modules of which anything is not as it was at the last call."""
        touched, self._touched = self._touched, {}
        return touched.keys()

    def touch(self) -> None:
        """Let `touched` give every module once more."""
        self._touched = dict.fromkeys((*self._touched, *self.modules))

    def is_as_seen(self) -> bool:
        """Whether no module can have come or gone since the last look; costs the same for any number."""
        return not self._stirred and self._end == end_of_modules()

    def _take_in(self, view: View | None) -> None:
        self.looks += 1
        self._stirred, self._end = False, end_of_modules()
        for name in [name for name in self.modules if name not in sys.modules]:
            self._put(name, None)
        for name, module, path in self._census.ours(self._objects):
            if self._objects.get(name) == id(None):  # its record came back before the module did
                self._objects[name] = id(module)
                continue
            # A known name with another object: somebody took the module out, and it was imported again.
            known = self.modules.get(name)
            self._put(name, None)
            if known is not None and known.text is not None:
                self.idle[name] = known.text.digest
            loaded = self._loaded(name, module, path, view)
            if name in self.data:
                seen = view.data(digest_of) if view is not None else None
                loaded = dataclasses.replace(loaded, data=self.data.at_import(name, seen))
            self._put(name, loaded)

    def _loaded(self, name: str, module: types.ModuleType, path: str, view: View | None) -> Loaded:
        is_package = space_in(module).get("__path__") is not None
        text = self._noted.pop(name, None)
        if text is None and view is not None and (began := view.noted_of(name, path)) is not None:
            text = SourceText.of(path, began)
        if text is not None and text.path == path:
            return Loaded(name, path, is_package, text)
        if not path.endswith(SOURCE):
            return Loaded(name, path, is_package, None)
        text = readable(path)
        if text is None:  # it was there when it was imported; `changes` tells what is wrong with it now
            return Loaded(name, path, is_package, SourceText.of(path, b""), certain=False)
        elsewhere = self._known_elsewhere(name, module, path)
        if elsewhere is not None:
            return elsewhere
        held = view.read(name) if view is not None else None
        if held is not None:
            return Loaded(name, path, is_package, SourceText.of(path, held), witnessed=False)
        # Without a view: if the file changed since the last look, it may be older than the import.
        certain = (
            view.still_holds(name, path, text.data)
            if view is not None
            else self.idle.get(name, text.digest) == text.digest
        )
        return Loaded(name, path, is_package, text, certain, witnessed=False)

    def _known_elsewhere(self, name: str, module: types.ModuleType, path: str) -> Loaded | None:
        """What another ledger knows of this very module: it came earlier, or saw it being imported."""
        for ledger in _LEDGERS:
            known = ledger.modules.get(name) if ledger._objects.get(name) == id(module) else None  # noqa: SLF001 - another ledger
            if known is not None and known.path == path and known.text is not None:
                return known
        return None

    def accept(self, name: str, text: SourceText) -> None:
        """A module ran from this text."""
        module = sys.modules.get(name)
        is_package = is_module(module) and space_in(module).get("__path__") is not None
        for ledger in self._sharing(name, text.path):
            data = ledger._data_after(name)  # noqa: SLF001 - another ledger
            ledger._put(name, Loaded(name, text.path, is_package, text, again=True, data=data))  # noqa: SLF001 - the same
            ledger._refused.pop(name, None)  # noqa: SLF001 - the same

    def _data_after(self, name: str) -> Digests:
        """What the other files of a module held when the changes that are being made were looked for."""
        known = self.modules.get(name)
        found = dict(known.data) if known is not None else {}
        for change in self._pending.changes:
            for each in change.data if change.module == name else ():
                found[each.path] = each.digest
        return tuple(sorted((path, digest) for path, digest in found.items() if digest))

    def is_certain(self, name: str) -> bool:
        """Whether it is known which text a module ran."""
        loaded = self.modules.get(name)
        return loaded is None or loaded.certain

    def drop(self, name: str) -> None:
        """A module was removed from the process."""
        known = self.modules.get(name)
        for ledger in self._sharing(name, known.path if known else None):
            ledger._put(name, None)  # noqa: SLF001 - another ledger

    def put_order(self, names: Sequence[str]) -> list[str]:
        """Modules came to their end in this order when they ran; gives that in which they did before."""
        before = sorted((name for name in names if name in self._order), key=self._order.__getitem__)
        for ledger in _LEDGERS:
            ledger._arrange([name for name in names if name in ledger._order])  # noqa: SLF001 - another ledger
        return before

    def _arrange(self, names: Sequence[str]) -> None:
        places = sorted(self._order[name] for name in names)
        if places == [self._order[name] for name in names]:
            return
        self._order.update(zip(names, places, strict=True))
        self.rank.update((name, self._order[name]) for name in names if name in self.rank)
        self._sort()

    def _sort(self) -> None:
        ranked = sorted(self.modules.items(), key=lambda item: self._order[item[0]])
        self.modules.clear()
        self.modules.update(ranked)

    def restore(self, state: Mapping[str, Loaded | None]) -> None:
        """Put the records of some modules back; None for one that was not loaded."""
        for name, loaded in state.items():
            known = loaded or self.loaded(name)
            for ledger in self._sharing(name, known.path if known else None):
                ledger._put(name, loaded)  # noqa: SLF001 - another ledger
                if loaded is not None and ledger is not self and name in ledger.data:
                    ledger._doubt(name)  # noqa: SLF001 - the same

    def _doubt(self, name: str) -> None:
        """It is not known what the other files of a module held when it ran: they count as changed."""
        loaded = self.modules[name]
        data = tuple((path, UNKNOWN) for path, _ in self.data.now(name))
        self.modules[name] = dataclasses.replace(loaded, data=data)

    def _sharing(self, name: str, path: str | None) -> list[Ledger]:
        """This ledger and every other one that has the module in scope."""
        others = [each for each in _LEDGERS if each is not self]
        if self.main is not None and name == self.main.name:
            return [self, *(each for each in others if each.main is not None)]
        return [self, *(each for each in others if each.scope.owns(name, path))]

    def _put(self, name: str, loaded: Loaded | None) -> None:
        if self.main is not None and name == self.main.name:
            self.main = loaded or self.main
            return
        self._touched[name] = None
        known = self.modules.get(name)
        if known is not None:
            self._by_path[known.path].pop(name, None)
        if loaded is None:
            self.modules.pop(name, None)
            self.rank.pop(name, None)
            self._objects.pop(name, None)
            return
        late = known is None and name in self._order
        self.rank[name] = self._order.setdefault(name, len(self._order))
        self.modules[name] = loaded
        self._by_path.setdefault(loaded.path, {})[name] = None
        self._objects[name] = id(sys.modules.get(name))
        self.idle.pop(name, None)
        if late:  # a module that comes back takes its old place
            self._sort()

    def changes(self, paths: Collection[str] | None = None) -> ChangeSet:
        """What differs between disk and memory now. Every file is read once.

        A file of a module that is not loaded counts when it is new or edited: importers that went
        without it may import it now.

        Args:
            paths: the files that may have changed since the last call; None when that is not known. If
                all are files of loaded modules, only they and what differed before are read.

        Raises:
            SourceError: a file exists but can't be read.
        """
        whole, self._whole = self._whole, False  # until this look has come to its end
        paths = paths if whole else None
        found = self._look_at(paths) if paths is not None and self.is_as_seen() else None
        if found is None:
            self.refresh()
            found = self._look_at(paths) if paths is not None else None
        if found is None:
            must_exist(self.scope.roots(), [path for path, names in self._by_path.items() if names])
            files = files_of(self.scope)
            found = [change for loaded in self.modules.values() for change in self._change(loaded, files)]
            found = with_data(
                found, (each for each in self.modules.values() if each.name in self.data), self.data
            )
            found += self._change_of_main()
            for name, path in files.items():
                text = None if name in self.modules else readable(path)
                if text is not None and self.idle.get(name) != text.digest and not is_too_large(text):
                    found.append(Change(name, ChangeKind.ADDED, text.path, text))
        self._whole = True
        self._pending = ChangeSet(tuple(sorted(found, key=lambda change: change.module)))
        return self._pending

    def is_loss(self, change: Change) -> bool:
        """Whether a file is missing, or empty, that held something before; it may be about to be written."""
        if change.kind is ChangeKind.DELETED or any(each.lost for each in change.data):
            return True
        loaded = self.loaded(change.module)
        before = loaded.text if loaded is not None else None
        now_empty = change.text is not None and not change.text.data.strip()
        return now_empty and before is not None and bool(before.data.strip())

    def _look_at(self, paths: Collection[str]) -> list[Change] | None:
        """The changes of some files; None if the answer takes a look at all of them."""
        if any(change.kind is not ChangeKind.EDITED for change in self._pending.changes):
            return None
        data = {path: self.data.readers(path) for path in paths} if self.data else {}
        readers = {name for names in data.values() for name in names}
        readers |= {change.module for change in self._pending.changes if change.data}
        readers &= self.modules.keys()
        paths = {path for path in paths if not data.get(path) or path in self._by_path}
        suspects = {*paths, *(change.path for change in self._pending.changes)}
        found: list[Change] = []
        for path in suspects:
            names = self._by_path.get(path, {})
            main = self.main if self.main is not None and path == self.main.path else None
            text = read_if_there(path) if names or main is not None else None
            if text is None or any(id(sys.modules.get(n)) != self._objects[n] for n in names):
                return None
            every = [*map(self.modules.__getitem__, names), *([main] if main is not None else [])]
            found += [each for loaded in every for each in edit_of(loaded, text)]
        return with_data(found, map(self.modules.__getitem__, sorted(readers)), self.data)

    def settle(self, changes: ChangeSet) -> None:
        """Added files that nobody ended up importing are old news from now on."""
        for change in changes.changes:
            if change.kind is ChangeKind.ADDED and change.module not in self.modules:
                self.idle[change.module] = change.text.digest if change.text else ""
        self._pending = ChangeSet(
            tuple(each for each in self._pending.changes if each not in changes.changes)
        )

    def refuse(self, changes: ChangeSet, *, rolled_back: bool = False) -> None:
        """This version on disk is not to be applied by itself.

        Args:
            changes: the version, as the difference to what is loaded.
            rolled_back: it was applied and taken back, and comes on top of what was refused before; the
                other ledgers that hold the modules know it too. Else it was rejected.
        """
        if not rolled_back:
            self._refused = {change.module: change for change in changes.changes}
            return
        names = set(changes.modules)
        for ledger in _LEDGERS:
            if ledger is self or not names.isdisjoint(ledger.modules):
                ledger._take_back(changes)  # noqa: SLF001 - the same

    @property
    def is_behind(self) -> bool:
        """Whether a version was refused, and no other one has come since."""
        return bool(self._refused)

    def _take_back(self, changes: ChangeSet) -> None:
        """What these changes led to is on disk, but not in memory any more."""
        self._refused = {**{each.module: each for each in changes.changes}, **self._refused}
        pending = {each.module: each for each in self._pending.changes}
        self._pending = ChangeSet(tuple({**self._refused, **pending}.values()))

    def refused(self, name: str) -> bool:
        """Whether the version of a module that is on disk was rejected or rolled back."""
        return name in self._refused

    def refuses(self, changes: ChangeSet) -> bool:
        """Whether this version was refused. A version with anything new in it ends the refusal."""
        if not changes:
            self._refused = {}
            return False
        same = all(is_same(change, self._refused.get(change.module)) for change in changes.changes)
        expected = {name for name, change in self._refused.items() if change.kind is not ChangeKind.ADDED}
        if not same or not expected.issubset(changes.modules):
            self._refused = {}
        return bool(self._refused)

    def _change_of_main(self) -> Iterator[Change]:
        text = read_if_there(self.main.path) if self.main is not None else None
        if self.main is not None and text is not None:  # a program whose file is gone goes on
            yield from edit_of(self.main, text)

    def on_disk(self) -> Iterator[tuple[Loaded, SourceText | SourceError | None]]:
        """Every loaded module with a source, and what its file holds now; None where there is none.

        What can't be read is given as the error.
        """
        self.refresh()
        files = files_of(self.scope)
        loaded = [*self.modules.values(), *([self.main] if self.main is not None else [])]
        for each in [each for each in loaded if each.text is not None]:
            try:
                text = read_if_there(each.path) if each is self.main else self._text_of(each, files)
                yield each, text if text is None or text == each.text else sized(text)
            except SourceError as error:
                yield each, error

    def _change(self, loaded: Loaded, files: dict[str, str]) -> Iterator[Change]:
        if loaded.text is None:
            return
        text = self._text_of(loaded, files)
        if text is None:
            yield Change(loaded.name, ChangeKind.DELETED, loaded.path)
        elif text.path != loaded.path:
            yield Change(loaded.name, ChangeKind.MOVED, text.path, sized(text))
        else:
            yield from edit_of(loaded, text)

    def _text_of(self, loaded: Loaded, files: Mapping[str, str]) -> SourceText | None:
        """What an import of a loaded module would read now; None if it would find nothing."""
        path = files.get(loaded.name, loaded.path)
        if path != loaded.path and stem_of(path) != stem_of(loaded.path) and exists(loaded.path):
            path = loaded.path  # the same file through a link, or the same name in another folder
        text = read_if_there(path)
        if text is None or (path != loaded.path and not exists(loaded.path)):
            spec = find_spec(loaded.name)
            origin = spec.origin if spec is not None and spec.has_location else None
            text = read_if_there(origin) if origin else None
        return text


_LEDGERS: WeakList[Ledger] = WeakList()
