"""Editions: what a process has committed, as a value that others can follow, and the texts that belong to it.

Touches: the ledger of a reloader and its source files, read only; a folder of its own for local workers.

Guarantees: an edition holds committed texts alone: of loaded modules those that they ran, of the others what
the reloader last took note of. A text is stored and handed out under the digest of its bytes.

Assumes: whoever reads a store runs on the same machine.
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from hotmod._config import Config
from hotmod._engine.texts import files_of, readable
from hotmod._engine.turn import reloads_here, turn
from hotmod._model.changes import SourceText, digest_of
from hotmod._model.errors import HotmodError
from hotmod._scope import Scope

if TYPE_CHECKING:
    from hotmod._engine.reloader import Reloader

__all__ = ["Edition", "Entry", "Publisher", "Store", "Ticket"]

_PROCESS = uuid.uuid4().hex


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One module of an edition.

    Attributes:
        path: its file, as the process that publishes it knows it.
        is_package: whether that is the `__init__.py` of a package.
        digest: the content digest of its text.
    """

    path: str
    is_package: bool
    digest: str


@dataclasses.dataclass(frozen=True, slots=True)
class Edition:
    """Every module of a scope at one moment.

    Attributes:
        origin: the process that published it.
        publisher: who did, in that process.
        sequence: counted up with each edition of a publisher; of two, the larger one is the newer.
        generation: the generation of the reloader then.
        scope: which modules are meant.
        config: the options by which edits are applied.
        roots: the folders and files in which they lie, each with its module-name prefix.
        modules: the modules with a source, by name.
        main: the main module, if it is in scope.
    """

    origin: str
    publisher: str
    sequence: int
    generation: int
    scope: Scope
    config: Config
    roots: tuple[tuple[str, str], ...]
    modules: Mapping[str, Entry]
    main: Entry | None = None

    @property
    def digests(self) -> set[str]:
        """The digests of all its texts."""
        found = {entry.digest for entry in self.modules.values()}
        return found | ({self.main.digest} if self.main is not None else set())

    @property
    def is_from_here(self) -> bool:
        """Whether this process published it, and so has it already."""
        return self.origin == _here()


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """What a task carries: the edition that its submitter saw.

    Attributes:
        store: the folder that holds it.
        publisher: whose it is.
        sequence: which one it is.
        generation: its generation.
    """

    store: str
    publisher: str
    sequence: int
    generation: int


class Store:
    """A folder of texts by digest, and of editions by number.

    Args:
        folder: an existing one; by default one that is made, and removed when this object is.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder or tempfile.mkdtemp(prefix="hotmod-")
        self._end = weakref.finalize(self, _remove, self.folder, os.getpid()) if folder is None else None

    def put(self, edition: Edition, texts: Mapping[str, bytes]) -> Ticket:
        """Store an edition whose texts are given by digest, as far as they are new."""
        for digest, data in texts.items():
            self._write(digest, data)
        self._write(str(edition.sequence), pickle.dumps(edition))
        return Ticket(self.folder, edition.publisher, edition.sequence, edition.generation)

    def edition(self, sequence: int) -> Edition:
        """A stored edition."""
        found = pickle.loads(self._read(str(sequence)))  # noqa: S301 - this machine's own, see the assumption
        if not isinstance(found, Edition):
            msg = f"{self.folder}: {sequence} is no edition. This worker is as it was; start the pool anew."
            raise HotmodError(msg)
        return found

    def text(self, digest: str) -> bytes:
        """The bytes of a digest.

        Raises:
            HotmodError: others are stored under it.
        """
        data = self._read(digest)
        if digest_of(data) != digest:
            msg = (
                f"{self.folder}: the text {digest} is damaged. This worker is as it was; start the pool anew."
            )
            raise HotmodError(msg)
        return data

    def close(self) -> None:
        """Remove the folder, if this object made it."""
        if self._end is not None:
            self._end()

    def _write(self, name: str, data: bytes) -> None:
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            with open(f"{path}.part", "wb") as file:
                file.write(data)
            os.replace(f"{path}.part", path)

    def _read(self, name: str) -> bytes:
        with open(os.path.join(self.folder, name), "rb") as file:
            data: bytes = file.read()
            return data


class Publisher:
    """Makes an edition of what a reloader has committed, whenever that is not what it was.

    Args:
        reloader: whose modules these are.

    Attributes:
        name: of this publisher alone.
        edition: the last one.
        texts: its texts, by digest.
    """

    def __init__(self, reloader: Reloader) -> None:
        self._reloader, self.name = reloader, uuid.uuid4().hex
        self._mark: tuple[int, int] | None = None
        self.edition: Edition | None = None
        self.texts: dict[str, bytes] = {}

    def current(self) -> Edition:
        """The edition of this moment; within a transaction, the one before it.

        Raises:
            HotmodError: the transaction of another thread does not end.
        """
        if reloads_here() and self.edition is not None:
            return self.edition
        with turn():
            ledger = self._reloader.ledger
            if not ledger.is_as_seen():
                ledger.refresh()
            mark = self._reloader.generation, ledger.looks
            if self.edition is None or mark != self._mark:
                self.edition = self._publish(self.edition)
                self._mark = mark
            return self.edition

    def touched(self, before: Edition, without: Collection[str] = ()) -> list[str]:
        """The modules of which this process ran anything since an edition: who follows has to be able to.

        Args:
            before: an earlier edition.
            without: modules, and packages with all that is in them, that are left out.
        """
        now = self.current()
        reports = [each for each in self._reloader.history if each.generation > before.generation]
        if len(reports) >= now.generation - before.generation:
            names = [name for each in reports for name in each.executed]
        else:  # they are not all kept: whatever differs, and is imported here
            loaded = self._reloader.ledger.modules
            names = [name for name, each in now.modules.items() if before.modules.get(name) != each]
            names = [name for name in names if name in loaded]
        apart = tuple(f"{each}." for each in without)
        return [name for name in dict.fromkeys(names) if not f"{name}.".startswith(apart)]

    def _publish(self, before: Edition | None) -> Edition:
        """The edition of this moment: the one before, if nothing is different."""
        ledger = self._reloader.ledger
        known = dict(before.modules) if before is not None else {}
        modules, texts = {}, {}
        for name, loaded in ledger.modules.items():
            if loaded.text is not None:
                modules[name] = Entry(loaded.path, loaded.is_package, loaded.text.digest)
                texts[loaded.text.digest] = loaded.text.data
        for name, path in files_of(ledger.scope).items():
            if name not in modules:
                entry, text = self._idle(name, path, known.get(name))
                if entry is not None:
                    modules[name] = entry
                    texts[entry.digest] = text
        main = None
        if ledger.main is not None and ledger.main.text is not None:
            main = Entry(ledger.main.path, is_package=False, digest=ledger.main.text.digest)
            texts[main.digest] = ledger.main.text.data
        generation, config = self._reloader.generation, _for_workers(self._reloader.config)
        roots = tuple(ledger.scope.roots())
        same = before is not None and (before.modules, before.main) == (modules, main)
        if before is not None and same and before.generation == generation:
            return before
        self.texts = texts
        sequence = before.sequence + 1 if before is not None else 1
        here = _here(), self.name
        return Edition(*here, sequence, generation, ledger.scope, config, roots, modules, main)

    def _idle(self, name: str, path: str, known: Entry | None) -> tuple[Entry | None, bytes]:
        """A module that is not loaded: as the reloader last took note of it, not as it may be by now."""
        digest = self._reloader.ledger.idle.get(name)
        if known is None or known.digest != digest:
            text: SourceText | None = readable(path)
            if text is not None and text.digest == digest:
                is_package = os.path.splitext(os.path.basename(path))[0] == "__init__"
                return Entry(path, is_package, text.digest), text.data
        return known, self.texts.get(known.digest, b"") if known is not None else b""


def _for_workers(config: Config) -> Config:
    """The options for those who follow: an edit that they can't take is told, whatever is done here."""
    return dataclasses.replace(config, on_rude="report", paranoid=False, stress=())


def _remove(folder: str, process: int) -> None:
    """Remove a folder, but not from a child that was forked with everything in it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _here() -> str:
    return f"{_PROCESS}-{os.getpid()}"
