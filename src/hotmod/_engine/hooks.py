"""The import hook: notes which text a module is imported from, and executes modules again.

Touches: `sys.meta_path` (one finder per process, first in line), `warnings.filters` and the modules that it
executes.

Guarantees: outside a transaction the hook changes nothing about an import but the order of finders; it
only reads the file once more, to note its digest. In a transaction a module runs from the bytes that
were read for it, compiled through its own loader, in its own module object, emptied; no `.pyc` is read
or written.

Assumes: the other finders and loaders follow PEP 451.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.machinery
import re
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from hotmod._engine.identity import Identity
from hotmod._engine.loaded import SOURCE, Ledger, readable
from hotmod._engine.turn import refuse_subinterpreter
from hotmod._engine.weak import WeakList
from hotmod._engine.witness import found_by_others
from hotmod._live import namespaces
from hotmod._live.binder import Binder
from hotmod._live.journal import Journal
from hotmod._live.reach import Running
from hotmod._model.changes import SourceText
from hotmod._source.files import read
from hotmod._source.parse import LOOKED_AT

__all__ = [
    "FINDER",
    "RAN",
    "Kept",
    "Rerun",
    "compile_text",
    "install",
    "note_codes",
    "pass_over_warnings",
    "runs_its_own_way",
    "to_front",
]

_SEEDS: dict[str, Any] = {
    "__name__": None,
    "__doc__": None,
    "__package__": None,
    "__loader__": None,
    "__spec__": None,
}


class SourceLoader(Protocol):
    """What hotmod asks of a loader of source files."""

    def source_to_code(self, data: bytes, path: str) -> types.CodeType:
        """Compile a text."""


_CODES: dict[str, dict[tuple[type, str], types.CodeType]] = {}  # by file, then by loader and text
_MAX_FILES, _MAX_VERSIONS = 20_000, 6  # an edit takes up to five: of what runs, the parts


def compile_text(loader: object, text: SourceText) -> types.CodeType:
    """Compile a text through a module's loader, so that import hooks still apply.

    What was compiled before is taken from memory: importers follow an edit again and again with the text
    that they had, and a watcher compiles an edit while it waits for quiet.
    """
    known, key = _CODES.setdefault(text.path, {}), (type(loader), text.digest)
    code = known.pop(key, None)
    if code is None:
        convert: Callable[[bytes, str], types.CodeType] | None = getattr(loader, "source_to_code", None)
        if convert is not None:
            code = convert(text.data, text.path)
        else:
            code = compile(text.data, text.path, "exec", dont_inherit=True)
    known[key] = code  # the dictionary's order is that of last use
    if len(known) > _MAX_VERSIONS:
        del known[next(iter(known))]
    if len(_CODES) > _MAX_FILES:
        del _CODES[next(iter(_CODES))]
    return code


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What a module that runs as a whole keeps.

    Attributes:
        values: the objects that names hold on to.
        code: the module's code without the statements that only make these.
        mixed: whether other statements may bind the names.
    """

    values: Mapping[str, Any]
    code: types.CodeType
    mixed: bool


class Rerun:
    """The executions of one transaction.

    Attributes:
        executed: the modules that ran, in the order in which they finished.
        order: these and the parts, in the order in which they ran.
        added: in-scope modules that were imported for the first time meanwhile.
        texts: the text that each of them ran from.
        run_part: called when a module that does not run as a whole is imported again; runs its statements.
    """

    def __init__(
        self,
        owned: Callable[[str], bool],
        modules: Mapping[str, types.ModuleType],
        residents: Mapping[str, types.ModuleType],
        imports: Callable[[str], Iterable[str]],
        codes: Mapping[str, tuple[SourceText, types.CodeType]],
        identity: Identity,
        kept: Mapping[str, Kept],
    ) -> None:
        self._kept = kept
        self.owned = owned
        self.modules = modules
        self.executed: list[str] = []
        self.order: list[str] = []
        self.added: list[str] = []
        self.texts: dict[str, SourceText] = {}
        self._residents = residents
        self._imports = imports
        self._codes = codes
        self._identity = identity
        self._thread = threading.get_ident()
        self.run_part: Callable[[str], object] = lambda _: None

    def here(self) -> bool:
        """Whether the current thread is the one that runs the transaction."""
        return threading.get_ident() == self._thread

    def known(self, name: str) -> types.ModuleType | None:
        """The live module object of a name, if there is one, whether it runs again or not."""
        return self.modules.get(name) or self._residents.get(name)

    def module_for(self, name: str) -> types.ModuleType | None:
        """The module object to import into: emptied if it runs again; None for a new module."""
        module = self.modules.get(name)
        if module is not None:
            namespaces.clear(module, {**_SEEDS, "__name__": name})
            return module
        return self._residents.get(name)

    def execute(self, name: str, loader: Any, module: types.ModuleType) -> None:
        """Run a module's text in its namespace, as its loader would."""
        if name in self._residents:
            self._attend(name)
            self.run_part(name)
            return
        spec = module.__spec__
        path = spec.origin if spec is not None and spec.has_location else None
        kept = self._kept.get(name)
        vars(module).update(kept.values if kept is not None else {})
        if path is None or not path.endswith(SOURCE) or runs_its_own_way(loader):
            loader.exec_module(module)
        else:
            prepared = self._codes.get(name)
            if prepared is None or prepared[0].path != path:
                text = read(path)
                prepared = text, compile_text(loader, text)
            self.texts[name] = prepared[0]
            self._identity.runs(name, prepared[1])
            if kept is None or prepared[0].path != self._codes[name][0].path:
                exec(prepared[1], vars(module))  # noqa: S102 - executing the user's module is the task
            else:
                self._run_keeping(kept, vars(module))
        vars(module).update(kept.values if kept is not None else {})  # a function may have bound them
        self._identity.ran(name, vars(module))
        (self.executed if name in self.modules else self.added).append(name)
        self.order += [name] if name in self.modules else []

    def _run_keeping(self, kept: Kept, space: dict[str, Any]) -> None:
        """Run a module's text but for what makes the kept values."""
        if kept.mixed:
            binder = Binder(space, {}, lambda _, new: new, (), kept=kept.values.keys())
            exec(kept.code, space, binder)  # noqa: S102 - executing the user's module is the task
        else:
            exec(kept.code, space)  # noqa: S102 - the same

    def _attend(self, name: str) -> None:
        """A module that need not run is imported anew for what an import does beside running it.

        It binds the module to its package, and it imports what the module imports.
        """
        for imported in self._imports(name):
            if imported in self._residents or imported in self.modules:
                importlib.import_module(imported)


def runs_its_own_way(loader: object) -> bool:
    """Whether a loader overrides how a module is executed, not only how it is compiled."""
    own = getattr(type(loader), "exec_module", None)
    return own is not importlib.machinery.SourceFileLoader.exec_module


class _Loader:
    """Stands in for a module's loader while its import is under way."""

    def __init__(self, inner: Any, rerun: Rerun, name: str) -> None:
        self._inner, self._rerun, self._name = inner, rerun, name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        if self._rerun.here():
            module = self._rerun.module_for(self._name)
            if module is not None:
                return module
        found: types.ModuleType | None = self._inner.create_module(spec)
        return found

    def exec_module(self, module: types.ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._inner
        module.__loader__ = self._inner
        self._rerun.execute(self._name, self._inner, module)


class _Bystander:
    """Gives who imports a module in mid-transaction the module object that there is.

    For another thread than that of the transaction, or for a module that no text makes.
    """

    def __init__(self, module: types.ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        """Leave the execution to the transaction; take back the spec that the import system just set."""
        module.__spec__ = self._spec


class Finder:
    """The one finder that hotmod puts into `sys.meta_path`."""

    def __init__(self) -> None:
        self.ledgers: WeakList[Ledger] = WeakList()
        self.rerun: Rerun | None = None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of a scope through the other finders; None for all other modules."""
        rerun = self.rerun
        known = rerun.known(name) if rerun is not None else None
        if rerun is not None and (known is not None or rerun.owned(name)):
            if known is not None and not rerun.here():
                return importlib.machinery.ModuleSpec(name, _Bystander(known))  # type: ignore[arg-type]
            spec = found_by_others(self, name, path, target)
            if spec is not None and spec.loader is not None and rerun.here():
                spec.loader = _Loader(spec.loader, rerun, name)  # type: ignore[assignment]
            elif spec is not None and known is not None and rerun.here():  # a folder without __init__.py
                return importlib.machinery.ModuleSpec(name, _Bystander(known))  # type: ignore[arg-type]
            return spec
        # Of a module in a folder that is a target only the file tells that it is ours.
        asking = [each for each in self.ledgers if each.scope.asks_for_paths or each.scope.owns_name(name)]
        if not asking:
            return None
        spec = found_by_others(self, name, path, target)
        origin = spec.origin if spec is not None and spec.has_location else None
        RAN.pop(name, None)
        if origin and origin.endswith(SOURCE):
            ledgers = [each for each in asking if each.scope.owns(name, origin)]
            text = readable(origin) if ledgers else None
            if text is not None:
                for ledger in ledgers:
                    ledger.note(name, text)
        return spec


RAN: dict[str, Running] = {}
"""What is known of the code of modules that hotmod executed or patched, and nobody else executed since."""


def note_codes(journal: Journal, known: Mapping[str, Running | None]) -> None:
    """Note, at a commit, what modules run from now on; None where it is not known."""
    before = {name: RAN.get(name) for name in known}

    def put(what: Mapping[str, Running | None]) -> None:
        for name, running in what.items():
            if running is None:
                RAN.pop(name, None)
            else:
                RAN[name] = running

    journal.record("code of modules", functools.partial(put, before))
    put(known)
    for name, old in before.items():
        running = known[name]
        for tree in old.trees if old is not None else ():
            if running is None or all(tree is not each for each in running.trees):
                _forget_code(tree)


def _forget_code(tree: types.CodeType) -> None:
    """Compile a text anew when it comes back: the journal refers to the code that it ran before."""
    known = _CODES.get(tree.co_filename, {})
    for key in [key for key, code in known.items() if code is tree]:
        del known[key]


FINDER = Finder()


def install(ledger: Ledger) -> None:
    """Let the import hook note imports for this ledger, for as long as the ledger lives."""
    refuse_subinterpreter()
    FINDER.ledgers.add(ledger)
    to_front()
    pass_over_warnings()


def to_front() -> None:
    """Put the import hook first again: a finder that others inserted since would answer in its place."""
    if not sys.meta_path or sys.meta_path[0] is not FINDER:
        while FINDER in sys.meta_path:
            sys.meta_path.remove(FINDER)
        sys.meta_path.insert(0, FINDER)


_QUIET = ("ignore", None, Warning, re.compile(re.escape(LOOKED_AT)), 0)


def pass_over_warnings() -> None:
    """Keep quiet what the parser warns of in texts that are only looked at; the compiler says it again.

    A filter for their name alone touches no warning of the program, which may have thrown all filters away.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", module=re.escape(LOOKED_AT))
