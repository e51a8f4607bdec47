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
from hotmod._engine.hooks import FINDER, Kept, Rerun, compile_text, to_front
from hotmod._engine.identity import Identity, Leftovers
from hotmod._engine.importers import outside_imports
from hotmod._engine.keeping import code_without, misfits
from hotmod._engine.loaded import Ledger
from hotmod._engine.parts import Parts, Prepared, prepared
from hotmod._engine.snapshot import Snapshot
from hotmod._engine.ties import left_of, tied
from hotmod._live import bindings, modules, namespaces
from hotmod._live.definitions import Definitions
from hotmod._live.entries import Ties
from hotmod._live.journal import Journal
from hotmod._live.reach import Running
from hotmod._live.registries import Registries
from hotmod._live.stale import codes_in
from hotmod._model.changes import ChangeSet, SourceText
from hotmod._model.errors import HotmodError, SourceError
from hotmod._model.hazards import Hazard
from hotmod._plan import Part, Plan, Tie
from hotmod._source.definitions import line_of
from hotmod._source.effects import Effect, effects
from hotmod._source.parse import decode
from hotmod._source.scan import scanned

__all__ = ["Outcome", "Transaction", "show_running_texts"]

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
    statements: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def ran(self) -> tuple[str, ...]:
        """Modules that ran as a whole, and places of single statements, in order."""
        return tuple(each for name in self.executed for each in self.statements.get(name, [name]))


class NotPure(Exception):  # noqa: N818 - not told to anybody: the transaction is made again, with more care
    """A statement that was taken to bind names only did more: an object had to be replaced."""


class Transaction:
    """The execution of one plan.

    Args:
        ledger: what is loaded.
        plan: what to do.
        imports: the modules of the scope that a module imports when it runs.
    """

    def __init__(self, ledger: Ledger, plan: Plan, imports: Callable[[str], Iterable[str]]) -> None:
        self._imports = imports
        self.ledger = ledger
        self.plan = plan
        self.generation = 0  # that of the process after the commit
        self.journal = Journal()
        self.outcome = Outcome(hazards=list(plan.hazards))
        self.texts: dict[str, SourceText] = {}
        self._codes: dict[str, tuple[SourceText, types.CodeType]] = {}
        self._keeps = {keep.module: keep for keep in plan.keeps}
        self._without: dict[str, types.CodeType] = {}  # of modules that keep something
        self._prepared: list[Prepared] = []
        self._parts = Parts(self.journal, ())
        self._snapshot = Snapshot(None, ledger, ())
        self._definitions = Definitions({}, {})
        self._ties = Ties()
        self._old = {
            tie.module: ledger.modules[tie.module].text for tie in plan.ties if tie.module in ledger.modules
        }
        self._identity = Identity(self.journal, {}, {}, {})
        self.left = Leftovers()  # what the survey looks at
        self._new_texts = {change.module: change.text for change in plan.changes.changes if change.text}
        self._rerun: Rerun | None = None
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
                known = self.ledger.loaded(name)
                text = self._new_texts.get(name) or (known.text if known is not None else None)
                if text is not None:
                    with self._compiling(text):
                        self._codes[name] = text, compile_text(_loader(name), text)
                        if name in self._keeps:
                            whole = self._codes[name][1]
                            keep = self._keeps[name]
                            self._without[name] = code_without(keep, text, _loader(name), whole)
            for part in self.plan.parts:
                with self._compiling(part.text):
                    self._prepared.append(prepared(part, self._old_text(part), _loader(part.module)))
        if self.problems:
            raise self.problems[0]

    def _old_text(self, part: Part) -> SourceText:
        loaded = self.ledger.loaded(part.module)
        return part.text if loaded is None or loaded.text is None else loaded.text

    @contextlib.contextmanager
    def _compiling(self, text: SourceText) -> Iterator[None]:
        try:
            yield
        except (SyntaxError, SourceError) as error:
            self.problems.append(error)
        except (ValueError, RecursionError, MemoryError) as error:
            problem = SourceError(text.path, 0, f"can't be compiled: {error}")
            problem.__cause__ = error
            self.problems.append(problem)

    def apply(self, verify: Callable[[], object] | None, report: Callable[[], object]) -> None:
        """Carry out the plan and settle what it left; the state before is restored if anything raises."""
        if self.plan.entries:
            importlib.invalidate_caches()
        try:
            if self._is_pure():
                try:
                    self._apply_parts()
                except NotPure:
                    self._begin_again()
                    self._apply_all()
            else:
                self._apply_all()
            self._announce(report())
            if verify is not None:
                with self._phase("verify"):
                    self._verify(verify)
            self._commit()
        except BaseException:
            with self._phase("roll back"):
                self.undo()
            raise

    def _is_pure(self) -> bool:
        """Whether what runs can do nothing but bind names, now that it can be seen what is loaded."""
        return self.plan.pure and all(
            name in sys.modules for part in self.plan.parts for run in part.runs for name in run.imports
        )

    def _begin_again(self) -> None:
        self.undo()
        self.journal = Journal()
        kept = self.outcome.phases
        self.outcome = Outcome(hazards=list(self.plan.hazards), phases=kept)

    def _apply_parts(self) -> None:
        """The short way: nothing runs but statements that bind names."""
        running = [part.module for part in self.plan.parts if part.acts]
        self._parts = Parts(self.journal, self._prepared, self.plan.renewed)
        with self._phase("save"):
            self._snapshot = Snapshot(self.journal, self.ledger, running)
            self._identity = self._merging(running)
        with self._phase("run"):
            self._parts.patch()
            self._parts.remove()
            if self.plan.entries:
                with self._identity.watching():
                    for name in self.plan.entries:
                        self._run_part(name, young=True)
        with self._phase("settle"):
            self._identity.settle_parts(self._known_codes())
            if self._identity.merger.hazards:
                raise NotPure
            self._parts.finish()
            self._parts.prune_annotations()
            self._note_merged()
            self._settle_names({})
            self._rebind_outside(self._snapshot.spaces(running))
            self.outcome.rebound.sort()
            self._pin()

    def _apply_all(self) -> None:
        """The long way: whatever runs may change anything in scope."""
        self._parts = Parts(self.journal, self._prepared, self.plan.renewed)
        with self._phase("save"):
            registries = self._save()
        with self._phase("run"):
            self._dispose()  # by the code that opened what is to be closed
            self._parts.patch()
            self._parts.remove()
            registries.withdraw()
            self._run()
        with self._phase("settle"):
            self._settle(registries)

    def _merging(self, running: Iterable[str]) -> Identity:
        """What merges old and new objects of the modules of which something runs."""
        before = self._snapshot.spaces(running)
        texts: dict[str, tuple[SourceText | None, SourceText]] = {
            name: (loaded.text if (loaded := self.ledger.loaded(name)) else None, text)
            for name, (text, _) in self._codes.items()
        }
        texts.update(
            (each.part.module, (self._old_text(each.part), each.part.text)) for each in self._prepared
        )
        edits = {part.module: part.edits for part in self.plan.parts}
        identity = Identity(self.journal, before, texts, hooks.RAN, edits, self._going_names())
        identity.merger.held.update(
            ((part.module, name), names) for part in self.plan.parts for name, names in part.held
        )
        for each in self._prepared:
            if each.running is not None:
                identity.runs(each.part.module, each.new)
        return identity

    def _run_part(self, name: str, *, young: bool) -> None:
        part, before = self._parts.every[name].part, self._snapshot.before[name]
        self.texts[name] = part.text
        self._parts.run(name, before, self._identity.merger, self._kept(name).keys(), young=young)
        self._identity.merger.finish()
        self.outcome.executed = (*self.outcome.executed, name)
        if self._rerun is not None:
            self._rerun.order.append(name)
        self.outcome.statements[name] = [f"{name}:{run.first}" for run in part.runs if not run.rebinds]

    def _run_part_once(self, name: str) -> None:
        if name in self._parts and name not in self.outcome.executed and self._parts.every[name].part.acts:
            self._run_part(name, young=False)
            self._identity.ran(name, vars(sys.modules[name]))

    def _kept(self, name: str) -> Mapping[str, Any]:
        """What a module holds under names that it keeps."""
        before, keep = self._snapshot.before.get(name, {}), self._keeps.get(name)
        return {item: before[item] for item in (keep.names if keep is not None else ()) if item in before}

    def _known_codes(self) -> list[types.CodeType]:
        return [code for each in self._prepared for code in codes_in(each.new)]

    def _going_names(self) -> dict[str, set[str]]:
        """By module of which only parts run, the names that are bound again or are gone."""
        return {
            part.module: {*part.removed, *(name for run in part.runs for name in run.binds)}
            for part in self.plan.parts
        }

    def _save(self) -> Registries:
        self._snapshot = Snapshot(self.journal, self.ledger)
        names = self._going_names()
        for part in self.plan.parts:
            names[part.module] |= part.registered
        going = {*self.plan.executed, *self.plan.removed}
        paths = {
            name: loaded.path
            for name, loaded in self.ledger.modules.items()
            if name in going or name in names
        }
        anew = {part.module: part.registered | part.removed for part in self.plan.parts}
        self._definitions = Definitions(self.superseded(), paths, names, anew, self.plan.withdrawn)
        running = [code for _, code in self._codes.values()]
        running += [each.running for each in self._prepared if each.running is not None]
        ties = self._ties = tied(self.plan, self._snapshot.before, paths)
        edited = [each.new for each in self._prepared if each.old is not each.new]
        ties.renewed = frozenset(id(code) for tree in edited for code in codes_in(tree))
        return self._snapshot.deepen(self.journal, going, self._definitions, ties, running)

    def _dispose(self) -> None:
        """Let superseded modules close what they opened, importers before what they import."""
        acting = [part.module for part in self.plan.parts if part.disposes]
        for name in reversed((*self.plan.removed, *self.plan.executed, *acting)):
            hook = self._snapshot.before.get(name, {}).get(DISPOSE)
            if callable(hook):
                self.outcome.disposed.append(name)
                hook()

    def _run(self) -> None:
        going = {*self.plan.executed, *self.plan.removed}
        entries = self._snapshot.entries
        reused = {
            name: module
            for name in self.plan.executed
            if isinstance(module := entries.get(name), types.ModuleType)
        }
        residents = {
            name: module
            for name, module in entries.items()
            if name in self.ledger.modules and name not in going and name.rpartition(".")[0] in reused
        }
        acting = [part.module for part in self.plan.parts if part.runs or part.removed]
        self._identity = self._merging([*reused, *acting])
        kept = {
            name: Kept(self._kept(name), code, self._keeps[name].mixed)
            for name, code in self._without.items()
        }
        owns = self.ledger.owns
        rerun = Rerun(owns, reused, residents, self._imports, self._codes, self._identity, kept)
        rerun.texts = self.texts  # filled as modules start
        self._rerun = rerun
        for name in (*going, *residents):
            modules.forget(self.journal, name)
        to_front()
        FINDER.rerun = rerun
        try:
            with self._identity.watching():
                self._run_all(rerun, [*self.plan.entries, *residents])
        finally:
            FINDER.rerun = None

    def _run_all(self, rerun: Rerun, names: Iterable[str]) -> None:
        rerun.run_part = self._run_part_once
        for name in names:
            if name in self._parts and name in sys.modules:
                self._run_part_once(name)
                continue
            importlib.import_module(name)  # a part of a package that runs again runs when it is imported
            if name in rerun.modules and name not in rerun.executed:
                # another thread may have imported it in between
                modules.forget(self.journal, name)
                importlib.import_module(name)
        self.outcome.executed = tuple(rerun.order)
        missed = [name for name in self.plan.executed if name not in rerun.executed]
        if missed:
            msg = f"{', '.join(missed)} did not run: another import hook or sys.modules answered in its place"
            raise HotmodError(msg)

    def _settle(self, registries: Registries) -> None:
        self._unify()
        self._parts.finish()
        self._parts.prune_annotations()
        self._keep_foreign()
        before = self.superseded()
        after: dict[str, Mapping[str, Any]] = {
            name: dict(modules.space_of(sys.modules.get(name))) for name in before if name in sys.modules
        }
        self._settle_names(after)
        dropped = registries.settle()
        self.outcome.cleared += [key for key in dropped if key not in self.outcome.cleared]
        self._rebind(before, after)
        self._pin()

    def _keep_foreign(self) -> None:
        """What others set on modules that ran as a whole stays."""
        outcome, going = self.outcome, (*self.plan.executed, *self.plan.removed)
        kept = foreign_attributes(self.ledger, self._snapshot.spaces(going), self._definitions)
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

    def _settle_names(self, after: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell what is gone, of functions and of names."""
        outcome, going = self.outcome, (*self.plan.removed, *self.plan.executed)
        for name, old in self._snapshot.spaces(going).items():
            if name not in after:
                outcome.cleared.append(name)
                continue
            gone = old.keys() - after[name].keys() - namespaces.IMPORT_NAMES
            outcome.cleared += [f"{name}:{attribute}" for attribute in sorted(gone)]
        outcome.cleared += [f"{name}:{item}" for name, item in self._parts.gone(self._snapshot.before)]
        outcome.patched += [name for name in self._parts.patched if name not in outcome.patched]
        outcome.patched.sort()
        outcome.cleared += sorted(self._parts.forgotten)
        outcome.kept += [f"{keep.module}:{item}" for keep in self.plan.keeps for item in keep.told]
        outcome.hazards += misfits(self.plan.keeps, self._snapshot.before)
        self.left.lost += self._parts.lost
        for part in self.plan.parts:
            names = [name for run in part.runs if run.rebinds for name in run.binds]
            self._tell_rebound(part.module, [*names, *(name for name, _ in part.stars)])

    def _tell_rebound(self, module: str, names: Iterable[str]) -> None:
        """The names that an import statement bound to something else."""
        before, space = self._snapshot.before.get(module, {}), vars(sys.modules[module])
        self.outcome.rebound += [
            f"{module}:{name}" for name in names if before.get(name, self) is not space.get(name, self)
        ]

    def _unify(self) -> None:
        """Let what exists before and after be one object, wherever it is referred to."""
        inside = [module for name, module in list(sys.modules.items()) if self._is_inside(name, module)]
        spaces = {text.path: modules.space_of(sys.modules.get(name)) for name, text in self.texts.items()}
        self._identity.settle(inside, self.ledger.scope.owns_name, spaces)
        self._definitions.is_current = self._identity.is_current
        self._note_merged()

    def _note_merged(self) -> None:
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
            name in self._snapshot.before or self.ledger.owns(name, module)
        )

    def _rebind(
        self, before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
    ) -> None:
        replaced = bindings.replacements(before, after, self._came_by_import)
        for name in self._snapshot.before.keys() - {*self.plan.executed, *self.plan.removed}:
            space = modules.space_of(sys.modules.get(name))
            fresh = self._parts.bound(name)
            self.outcome.rebound += bindings.rebind_definitions(self.journal, name, space, replaced, fresh)
        self._rebind_outside(before, replaced)
        self.outcome.rebound = sorted(set(self.outcome.rebound))

    def _rebind_outside(
        self, before: Mapping[str, Mapping[str, Any]], replaced: Mapping[int, object] | None = None
    ) -> None:
        """Bind again what the main module or a notebook imported."""
        if not before:
            return
        after = {name: modules.space_of(sys.modules[name]) for name in before if name in sys.modules}
        for importer, space, imported in outside_imports():
            rebound, cleared = bindings.rebind_imports(self.journal, importer, space, imported, before, after)
            self.outcome.rebound += rebound
            self.outcome.cleared += cleared
            if replaced:
                self.outcome.rebound += bindings.rebind_definitions(self.journal, importer, space, replaced)

    def _came_by_import(self, module: str, name: str) -> bool:
        """Whether the text that a module ran from before binds a name by an import statement."""
        loaded = self.ledger.loaded(module)
        if loaded is None or loaded.text is None:
            return False
        return any(each.star or name in each.bound for each in scanned(loaded.text).statements)

    def _pin(self) -> None:
        changed = {*self.texts, *self._parts.every, *self.plan.removed}
        known = {name: loaded for name in changed if (loaded := self.ledger.loaded(name))}
        old = {loaded.path: loaded.text for loaded in known.values() if loaded.text}
        new = {text.path: text for text in self.texts.values()}
        new.update((each.part.text.path, each.part.text) for each in self._prepared)
        # a removed module, and one that has become a package or ceased to be one, had another file
        paths = [*new, *(loaded.path for loaded in known.values() if loaded.path not in new)]
        modules.pin_lines(
            self.journal, {path: (_decoded(new.get(path)), _decoded(old.get(path))) for path in paths}
        )

    def effects(self) -> list[tuple[str, str, Effect]]:
        """(module, path, effect) of every statement with an effect outside that began to run."""
        found = []
        for name, text in self.texts.items():
            part = self._parts.every.get(name)
            for effect in effects(text):
                ran = part is None or any(run.first <= effect.line <= run.last for run in part.part.runs)
                found += [(name, text.path, effect)] if ran and not effect.owner else []
        return found

    def earlier_effects(self) -> list[tuple[Tie, str, Effect]]:
        """The effects that statements had, when they ran before, which run again or are gone: with the file."""
        return left_of(self.plan.ties, self._old, self.outcome.disposed, self._snapshot.before, self._ties)

    def without_settled(self) -> None:
        """Forget the hazards of objects of other modules that have been put in order."""
        hazards = self.outcome.hazards
        hazards[:] = [
            each
            for each in hazards
            if each.code != "effect-not-undone" or not self._ties.settled((each.module, each.line))
        ]

    def _announce(self, report: object) -> None:
        for name in dict.fromkeys((*self.outcome.executed, *self._parts.every)):
            hook = modules.space_of(sys.modules.get(name)).get(RELOADED)
            if callable(hook):
                hook(report)

    def _verify(self, verify: Callable[[], object]) -> None:
        if verify() is False:
            msg = f"the verify= check {getattr(verify, '__qualname__', verify)!r} returned False"
            raise HotmodError(msg)

    def _commit(self) -> None:
        for undo in self._snapshot.undos():
            self.journal.record("namespaces and containers", undo)
        rerun = self._rerun
        ran = () if rerun is None else (*rerun.executed, *rerun.added)
        names = (*ran, *self.plan.removed, *self._parts.every)
        state = {name: self.ledger.loaded(name) for name in names}
        self.journal.record("ledger", lambda: self.ledger.restore(state))
        for name in self.plan.removed:
            self.ledger.drop(name)
        for name in ran:
            if name in self.texts:
                self.ledger.accept(name, self.texts[name])
        known: dict[str, Running | None] = dict.fromkeys(ran)
        for name in ran:
            code = self._identity.codes.get(name)
            if code is not None:
                known[name] = Running((code,))
        for name, each in self._parts.every.items():
            self.ledger.accept(name, each.part.text)
        hooks.note_codes(self.journal, {**known, **self._parts.running})
        self.journal.settle()
        self._snapshot.forget(state)

    def superseded(self) -> Mapping[str, Mapping[str, Any]]:
        """The namespaces, as they were before, of the modules of which something ran or that are gone."""
        parts = (part.module for part in self.plan.parts if part.acts)
        return self._snapshot.spaces((*self.plan.executed, *self.plan.removed, *parts))

    def owned_containers(self) -> set[int]:
        """Ids of the containers in which the transaction itself keeps old objects."""
        return self._snapshot.containers()

    def undo(self) -> None:
        """Take the whole transaction back."""
        self.journal.undo()
        self._identity.retire()


def show_running_texts(ledger: Ledger, changes: ChangeSet) -> None:
    """After a rejection: let tracebacks show the texts that still run, not those on disk."""
    for change in changes.changes:
        loaded = ledger.loaded(change.module)
        if loaded is not None and loaded.text is not None:
            modules.pin_lines(None, {loaded.path: (decode(loaded.text), None)})


def _loader(name: str) -> object:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)


def _decoded(text: SourceText | None) -> str | None:
    return None if text is None else decode(text)
