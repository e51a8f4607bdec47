"""The state of one transaction, and how what its statements left is settled and told.

Touches: namespaces and linecache, through the journal of the transaction.

Guarantees: names that imports bound elsewhere hold the objects that live on; what is gone, kept, rebound or
left behind is noted in the outcome.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._engine.foreign import foreign_attributes
from hotmod._engine.hooks import Rerun
from hotmod._engine.identity import Identity, Leftovers
from hotmod._engine.importers import outside_imports
from hotmod._engine.keeping import misfits
from hotmod._engine.loaded import Ledger
from hotmod._engine.opening import Prepared
from hotmod._engine.parts import Parts
from hotmod._engine.snapshot import Snapshot
from hotmod._live import bindings, modules, namespaces
from hotmod._live.definitions import Definitions
from hotmod._live.entries import Ties
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_module
from hotmod._live.parts import resolved
from hotmod._model.changes import ChangeSet, SourceText
from hotmod._model.errors import SourceError
from hotmod._model.hazards import Hazard
from hotmod._plan import Plan, Tie
from hotmod._source.definitions import line_of
from hotmod._source.effects import Effect, effects
from hotmod._source.parse import decode
from hotmod._source.scan import scanned

__all__ = ["Outcome", "Settling", "show_running_texts"]


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


class Settling:
    """What a transaction knows, and the last part of its work; see `Transaction`."""

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
        inside = [
            module for name, module in list(sys.modules.copy().items()) if self._is_inside(name, module)
        ]
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
        return is_module(module) and (name in self._snapshot.before or self.ledger.owns(name, module))

    def _rebind(
        self, before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
    ) -> None:
        replaced = bindings.replacements(before, after, self._came_by_import, self._identity.merger.staying)
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
        """Whether the text that a module ran from before may bind a name by an import statement."""
        loaded = self.ledger.loaded(module)
        if loaded is None or loaded.text is None:
            return False
        if not loaded.certain:
            return True
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
        """The effects that statements had which run again or are gone, each with its file."""
        found: list[tuple[Tie, str, Effect]] = []
        for tie in self.plan.ties:
            text = self._old.get(tie.module)
            if text is not None:
                found += [
                    (tie, text.path, effect)
                    for effect in effects(text)
                    if tie.first <= effect.line <= tie.last and not self._is_settled(tie, effect)
                ]
        return found

    def _is_settled(self, tie: Tie, effect: Effect) -> bool:
        """Whether nothing is left of an effect: a registry was put in order, or a hook saw to it."""
        if tie.module in self.outcome.disposed:
            return True
        if not effect.owner:
            return False
        owner = resolved(effect.owner, self._snapshot.before.get(tie.module, {}))
        now = resolved(effect.owner, modules.space_of(sys.modules.get(tie.module)))
        if len(owner) != len(effect.owner) or isinstance(
            owner[-1], (types.ModuleType, type, types.FunctionType)
        ):
            return True
        return not now or now[-1] is not owner[-1] or self._ties.settled((tie.module, tie.line))

    def without_settled(self) -> None:
        """Forget the hazards of objects of other modules that have been put in order."""
        self.outcome.hazards[:] = [
            hazard
            for hazard in self.outcome.hazards
            if hazard.code != "effect-not-undone" or not self._ties.settled((hazard.module, hazard.line))
        ]

    def superseded(self) -> Mapping[str, Mapping[str, Any]]:
        """The namespaces, as they were before, of the modules of which something ran or that are gone."""
        parts = (part.module for part in self.plan.parts if part.acts)
        return self._snapshot.spaces((*self.plan.executed, *self.plan.removed, *parts))


def _decoded(text: SourceText | None) -> str | None:
    return None if text is None else decode(text)


def show_running_texts(ledger: Ledger, changes: ChangeSet) -> None:
    """After a rejection: let tracebacks show the texts that still run, not those on disk."""
    for change in changes.changes:
        loaded = ledger.loaded(change.module)
        if loaded is not None and loaded.text is not None:
            modules.pin_lines(None, {loaded.path: (decode(loaded.text), None)})
