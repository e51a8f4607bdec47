"""One transaction: prepare, run, settle, verify, then commit or take everything back.

Touches: the running program, through the rooms of `_live` and one journal.

Guarantees: if anything raises before the commit, every namespace, container, `sys.modules` entry and
linecache entry in scope is what it was, identities included, and the exception goes on.

Assumes: the caller holds the process-wide lock; other threads may call the program meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotmod._engine import hooks
from hotmod._engine.foreign import foreign_attributes
from hotmod._engine.hooks import FINDER, Rerun, compile_text, to_front
from hotmod._engine.identity import Identity, Leftovers
from hotmod._engine.importers import outside_imports
from hotmod._engine.loaded import Ledger
from hotmod._engine.others import Others
from hotmod._live import bindings, modules, namespaces
from hotmod._live.journal import Journal
from hotmod._live.registries import Definitions, Registries
from hotmod._live.state import State
from hotmod._live.takeback import everything
from hotmod._model.changes import SourceText
from hotmod._model.errors import HotmodError, SourceError
from hotmod._model.hazards import Hazard
from hotmod._plan import Plan
from hotmod._source.definitions import line_of
from hotmod._source.effects import Effect, effects
from hotmod._source.parse import decode
from hotmod._source.scan import scanned

__all__ = ["Outcome", "Transaction"]

DISPOSE, RELOADED = "__hotmod_dispose__", "__hotmod_reloaded__"


@dataclasses.dataclass(slots=True)
class Outcome:
    """What a transaction did; filled in as it goes."""

    executed: tuple[str, ...] = ()
    patched: list[str] = dataclasses.field(default_factory=list)
    rebound: list[str] = dataclasses.field(default_factory=list)
    cleared: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    hazards: list[Hazard] = dataclasses.field(default_factory=list)
    phases: dict[str, float] = dataclasses.field(default_factory=dict)
    disposed: list[str] = dataclasses.field(default_factory=list)


class Transaction:
    """The execution of one plan."""

    def __init__(self, ledger: Ledger, plan: Plan, imports: Callable[[str], Iterable[str]]) -> None:
        self._imports = imports
        self.ledger = ledger
        self.plan = plan
        self.generation = 0  # that of the process after the commit
        self.journal = Journal()
        self.outcome = Outcome(hazards=list(plan.hazards))
        self.texts: dict[str, SourceText] = {}
        self._codes: dict[str, tuple[SourceText, types.CodeType]] = {}
        self._before: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, Any] = {}
        self._states: tuple[State, ...] = ()
        self._identity = Identity(self.journal, {}, {}, {})
        self.left = Leftovers()  # what the survey looks at
        self._new_texts = {change.module: change.text for change in plan.changes.changes if change.text}
        self.problems: list[SourceError | SyntaxError] = []

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.outcome.phases[name] = time.perf_counter() - started

    def prepare(self) -> None:
        """Compile every text that will run. Changes nothing.

        Raises:
            SyntaxError, SourceError: the first text that can't be compiled; all are in `problems`.
        """
        with self._phase("prepare"):
            for name in self.plan.executed:
                text = self._new_texts.get(name) or self.ledger.modules[name].text
                if text is None:
                    continue
                module = sys.modules.get(name)
                loader = getattr(getattr(module, "__spec__", None), "loader", None)
                try:
                    self._codes[name] = text, compile_text(loader, text)
                except (SyntaxError, SourceError) as error:
                    self.problems.append(error)
                except (ValueError, RecursionError, MemoryError) as error:
                    problem = SourceError(text.path, 0, f"can't be compiled: {error}")
                    problem.__cause__ = error
                    self.problems.append(problem)
        if self.problems:
            raise self.problems[0]

    def apply(self, verify: Callable[[], object] | None, report: Callable[[], object]) -> None:
        """Run the plan and settle what it left; the state before is restored if anything raises."""
        importlib.invalidate_caches()
        try:
            with self._phase("save"):
                registries = self._save()
            with self._phase("run"):
                self._dispose()
                registries.withdraw()
                rerun = self._run()
            with self._phase("settle"):
                self._settle(rerun, registries)
                self._announce(report())
            if verify is not None:
                with self._phase("verify"):
                    self._verify(verify)
            self._commit(rerun)
        except BaseException:
            with self._phase("roll back"):
                self.undo()
            raise

    def _save(self) -> Registries:
        plan = {*self.plan.executed, *self.plan.removed}
        owned = self.ledger.owns
        inside = {
            name: module
            for name, module in list(sys.modules.items())
            if isinstance(module, types.ModuleType) and owned(name, module)
        }
        self._entries = modules.watch_entries(self.journal, lambda name: name in inside or owned(name))
        others = State(
            [module for name, module in inside.items() if name not in plan], self.ledger.scope.owns_name
        )
        own = State([module for name, module in inside.items() if name in plan], self.ledger.scope.owns_name)
        self._states = own, others
        self._before = {name: dict(vars(module)) for name, module in inside.items()}
        self._kinds = {name: type(module) for name, module in inside.items()}
        paths = {loaded.path for name, loaded in self.ledger.modules.items() if name in plan}
        self._definitions = Definitions(self.superseded(), paths)
        self._others = Others(self._definitions, [code for _, code in self._codes.values()])
        self.journal.record("namespaces and containers", self._restore, lasting=False)
        return Registries(others, self._definitions)

    def _restore(self) -> None:
        """Abort: put namespaces and the contents of containers back, without losing what others did."""
        whole = set(self._before) if self._others.only_mine() else set(self.superseded())
        for undo in self._undos():
            undo()
        for name in whole:
            module = self._entries[name]
            if isinstance(module, types.ModuleType):
                namespaces.restore(module, self._before[name], self._kinds[name])

    def _undos(self) -> list[Callable[[], None]]:
        mine = self._others.attribution()
        found = [undo for state in self._states for undo in state.undos(mine)]
        running = self.superseded()
        for name, before in self._before.items():
            module = self._entries[name]
            if isinstance(module, types.ModuleType):
                wanted = everything if name in running else mine
                undo = namespaces.undo_of(module, before, self._kinds[name], wanted)
                found += [undo] if undo is not None else []
        return found

    def _dispose(self) -> None:
        """Let superseded modules close what they opened, importers before what they import."""
        for name in reversed((*self.plan.removed, *self.plan.executed)):
            hook = self._before.get(name, {}).get(DISPOSE)
            if callable(hook):
                self.outcome.disposed.append(name)
                hook()

    def _run(self) -> Rerun:
        going = {*self.plan.executed, *self.plan.removed}
        reused = {
            name: module
            for name in self.plan.executed
            if isinstance(module := self._entries.get(name), types.ModuleType)
        }
        residents = {
            name: module
            for name, module in self._entries.items()
            if name in self.ledger.modules and name not in going and name.rpartition(".")[0] in reused
        }
        texts = {
            name: (loaded.text if (loaded := self.ledger.modules.get(name)) else None, text)
            for name, (text, _) in self._codes.items()
        }
        self._identity = Identity(
            self.journal, {name: self._before[name] for name in reused}, texts, hooks.RAN
        )
        rerun = Rerun(self.ledger.owns, reused, residents, self._imports, self._codes, self._identity)
        self.texts = rerun.texts  # filled as modules start
        for name in (*going, *residents):
            modules.forget(self.journal, name)
        to_front()
        FINDER.rerun = rerun
        try:
            with self._identity.watching():
                for name in (*self.plan.entries, *residents):
                    importlib.import_module(name)
                for name in self.plan.entries:  # another thread may have imported one in between
                    if name in reused and name not in rerun.executed:
                        modules.forget(self.journal, name)
                        importlib.import_module(name)
        finally:
            FINDER.rerun = None
        self.outcome.executed = tuple(rerun.executed)
        missed = [name for name in self.plan.executed if name not in rerun.executed]
        if missed:
            msg = f"{', '.join(missed)} did not run: another import hook or sys.modules answered in its place"
            raise HotmodError(msg)
        return rerun

    def _settle(self, rerun: Rerun, registries: Registries) -> None:
        outcome, before = self.outcome, self.superseded()
        self._unify(rerun)
        kept = foreign_attributes(self.ledger, before, self._definitions)
        for name, values in kept.items():
            space = modules.space_of(sys.modules.get(name))
            for attribute, value in values.items():
                if attribute not in space:
                    space[attribute] = value
                    outcome.kept.append(f"{name}:{attribute}")
                    outcome.hazards.append(
                        Hazard(
                            "foreign-attribute",
                            name,
                            attribute,
                            message="the module's text does not bind it; others set it, and it was kept",
                            advice="Set it again if it depends on the code that ran.",
                        )
                    )
        after: dict[str, Mapping[str, Any]] = {
            name: dict(modules.space_of(sys.modules.get(name))) for name in before if name in sys.modules
        }
        for name, old in before.items():
            if name not in after:
                outcome.cleared.append(name)
                continue
            gone = old.keys() - after[name].keys() - namespaces.IMPORT_NAMES
            outcome.cleared += [f"{name}:{attribute}" for attribute in sorted(gone)]
        outcome.cleared += [key for key in registries.settle() if key not in outcome.cleared]
        self._rebind(before, after)
        self._pin(rerun)

    def _unify(self, rerun: Rerun) -> None:
        """Let what exists before and after be one object, wherever it is referred to."""
        inside = [module for name, module in list(sys.modules.items()) if self._is_inside(name, module)]
        spaces = {text.path: modules.space_of(sys.modules.get(name)) for name, text in rerun.texts.items()}
        self._identity.settle(inside, self.ledger.scope.owns_name, spaces)
        self._definitions.is_current = self._identity.is_current
        self.left = self._identity.left
        self.outcome.patched += sorted(set(self._identity.merger.patched))
        self.outcome.cleared += sorted(self._identity.merger.forgotten)
        self.outcome.hazards += [self._placed(hazard) for hazard in self._identity.merger.hazards]

    def _placed(self, hazard: Hazard) -> Hazard:
        """The hazard with the place of the definition that it is about."""
        text = self.texts.get(hazard.module)
        if text is None:
            return hazard
        line = line_of(text, hazard.name.partition(".")[0])
        return dataclasses.replace(hazard, path=text.path, line=line)

    def _is_inside(self, name: str, module: object) -> bool:
        return isinstance(module, types.ModuleType) and (
            name in self._before or self.ledger.owns(name, module)
        )

    def _rebind(
        self, before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
    ) -> None:
        replaced = bindings.replacements(before, after, self._came_by_import)
        for name in self._before.keys() - before.keys():
            space = modules.space_of(sys.modules.get(name))
            self.outcome.rebound += bindings.rebind_definitions(self.journal, name, space, replaced)
        for importer, space, imported in outside_imports():
            rebound, cleared = bindings.rebind_imports(self.journal, importer, space, imported, before, after)
            self.outcome.rebound += rebound
            self.outcome.cleared += cleared
            self.outcome.rebound += bindings.rebind_definitions(self.journal, importer, space, replaced)
        self.outcome.rebound.sort()

    def _came_by_import(self, module: str, name: str) -> bool:
        """Whether the text that a module ran from before binds a name by an import statement."""
        loaded = self.ledger.modules.get(module)
        if loaded is None or loaded.text is None:
            return False
        return any(each.star or name in each.bound for each in scanned(loaded.text).statements)

    def _pin(self, rerun: Rerun) -> None:
        old = {loaded.path: loaded.text for loaded in self.ledger.modules.values() if loaded.text}
        new = {text.path: text for text in rerun.texts.values()}
        # a removed module, and one that has become a package or ceased to be one, had another file
        gone = [loaded.path for name in self.superseded() if (loaded := self.ledger.modules.get(name))]
        modules.pin_lines(
            self.journal,
            {
                path: (_decoded(new.get(path)), _decoded(old.get(path)))
                for path in (*new, *(path for path in gone if path not in new))
            },
        )

    def show_running_texts(self) -> None:
        """After a rejection: let tracebacks show the texts that still run, not those on disk."""
        for change in self.plan.changes.changes:
            loaded = self.ledger.modules.get(change.module)
            if loaded is not None and loaded.text is not None:
                modules.pin_lines(None, {loaded.path: (decode(loaded.text), None)})

    def effects(self) -> list[tuple[str, str, Effect]]:
        """(module, path, effect) of every statement with an effect outside, of modules that began to run."""
        return [(name, text.path, effect) for name, text in self.texts.items() for effect in effects(text)]

    def _announce(self, report: object) -> None:
        for name in self.outcome.executed:
            hook = modules.space_of(sys.modules.get(name)).get(RELOADED)
            if callable(hook):
                hook(report)

    def _verify(self, verify: Callable[[], object]) -> None:
        if verify() is False:
            msg = f"the verify= check {getattr(verify, '__qualname__', verify)!r} returned False"
            raise HotmodError(msg)

    def _commit(self, rerun: Rerun) -> None:
        for undo in self._undos():
            self.journal.record("namespaces and containers", undo)
        self._states = ()
        state = {
            name: self.ledger.modules.get(name)
            for name in (*rerun.executed, *rerun.added, *self.plan.removed)
        }
        self.journal.record("ledger", lambda: self.ledger.restore(state))
        for name in self.plan.removed:
            self.ledger.drop(name)
        for name in (*rerun.executed, *rerun.added):
            if name in self.texts:
                self.ledger.accept(name, self.texts[name])
        hooks.note_codes(self.journal, rerun.executed, self._identity.codes)
        self.journal.settle()
        self._before = {name: space for name, space in self._before.items() if name in state}

    def superseded(self) -> Mapping[str, Mapping[str, Any]]:
        """The namespaces of the modules that ran or were removed, as they were before."""
        plan = (*self.plan.executed, *self.plan.removed)
        return {name: self._before[name] for name in plan if name in self._before}

    def owned_containers(self) -> set[int]:
        """Ids of the containers in which the transaction itself keeps old objects."""
        return {id(self._before), *map(id, self._before.values())}

    def undo(self) -> None:
        """Take the whole transaction back."""
        self.journal.undo()
        self._identity.retire()


def _decoded(text: SourceText | None) -> str | None:
    return None if text is None else decode(text)
