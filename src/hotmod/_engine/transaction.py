"""One transaction: prepare, run, settle, verify, then commit or take everything back.

Touches: the running program, through the rooms of `_live` and one journal.

Guarantees: if anything raises before the commit, every namespace, container, `sys.modules` entry and
linecache entry in scope is what it was, identities included, and the exception goes on.

Assumes: the caller holds the process-wide lock; other threads may call the program meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
import time
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._engine import hooks
from hotmod._engine.canary import run_check
from hotmod._engine.grace import let_calls_end, let_imports_end
from hotmod._engine.hooks import FINDER, Kept, Rerun, compile_text, to_front
from hotmod._engine.identity import Identity, Leftovers
from hotmod._engine.keeping import code_without
from hotmod._engine.loaded import Ledger
from hotmod._engine.opening import prepared
from hotmod._engine.participants import take_part
from hotmod._engine.parts import Parts
from hotmod._engine.settling import Outcome, Settling
from hotmod._engine.snapshot import Snapshot
from hotmod._engine.ties import tied
from hotmod._live import modules
from hotmod._live.definitions import Definitions
from hotmod._live.django import follow_settings
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_module
from hotmod._live.reach import Running
from hotmod._live.registries import Registries
from hotmod._live.stale import codes_gone, codes_in
from hotmod._model.changes import SourceText
from hotmod._model.errors import HotmodError, SourceError
from hotmod._plan import Part
from hotmod._source.parse import check

__all__ = ["Outcome", "Transaction"]

_GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
DISPOSE, RELOADED = "__hotmod_dispose__", "__hotmod_reloaded__"


class NotPure(Exception):  # noqa: N818 - not told to anybody: the transaction is made again, with more care
    """A statement that was taken to bind names only did more: an object had to be replaced."""


class Transaction(Settling):
    """The execution of one plan.

    Args:
        ledger: what is loaded.
        plan: what to do.
        imports: the modules of the scope that a module imports when it runs.
    """

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.outcome.phases[name] = time.perf_counter() - started

    def prepare(self) -> None:
        """Compile every text that will run, and let imports of it end. Changes nothing.

        Raises:
            SyntaxError, SourceError: the first text that can't be compiled; all are in `problems`.
            HotmodError: another thread is importing what will run.
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
        anew = {*self.plan.executed, *self.plan.removed}
        anew |= {name for name in self.ledger.modules if name.rpartition(".")[0] in anew} if anew else set()
        let_imports_end(anew, [part.module for part in self.plan.parts])

    def _old_text(self, part: Part) -> SourceText:
        loaded = self.ledger.loaded(part.module)
        return part.text if loaded is None or loaded.text is None else loaded.text

    @contextlib.contextmanager
    def _compiling(self, text: SourceText) -> Iterator[None]:
        try:
            yield
        except (SyntaxError, SourceError) as error:
            place = check(text) if isinstance(error, SyntaxError) and not error.filename else None
            if place is not None:  # CPython names no line of a NUL byte
                place.__cause__ = error
            self.problems.append(place or error)
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
            follow_settings(self.journal, self._snapshot.before)
            self._announce(report)
            if verify is not None:
                with self._phase("verify"):
                    run_check(verify, self.plan.changes)
            take_part(self.plan, self.journal)
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
        self.outcome = Outcome(hazards=list(self.plan.hazards), phases=self.outcome.phases)

    def _apply_parts(self) -> None:
        """The short way: nothing runs but statements that bind names."""
        running = [part.module for part in self.plan.parts if part.acts]
        self._parts = Parts(self.journal, self._prepared, self.plan.renewed)
        with self._phase("save"):
            self._snapshot = Snapshot(self.journal, self.ledger, running)
            self._identity = self._merging(running)
        with self._phase("run"):
            self._parts.prepare()
            unseen = self._parts.unseen()
            gone = self._parts.removed - unseen
            only_define = self._parts.only_define()
            opening = () if only_define or gone else self._parts.opening(self.plan.entries)
            if not only_define and not opening:
                self._parts.patch()  # what runs may come to it
            self._parts.remove(gone)
            if self.plan.entries:
                with self._identity.watching():
                    self._open(opening, young=True)
                    if opening:
                        self._parts.patch()
                    for name in self.plan.entries:
                        self._run_part(name, young=True)
            if only_define:
                self._parts.patch()  # for other threads: what is new comes before the code that uses it
        with self._phase("settle"):
            if not self._identity.settle_parts(self._known_codes()):
                raise NotPure
            self._remove_last(unseen)
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
            self._parts.prepare()
            unseen = self._parts.unseen() if not self.plan.executed else frozenset()
            gone = self._parts.removed - unseen

            def renew() -> None:
                self._parts.patch()  # what runs may call it
                self._parts.remove(gone)
                registries.withdraw()

            if gone or self.plan.executed or self.plan.removed:
                renew()
                self._run(())
            else:
                self._run(self._parts.opening(self.plan.entries), renew)
        with self._phase("settle"):
            if unseen:  # what another thread has in hand and is about to call must not need them any more
                self._identity.merge_names()
            self._remove_last(unseen)
            self._settle(registries)

    def _remove_last(self, names: Collection[str]) -> None:
        """Clear names that nothing binds any more, when calls that use them had a moment to end."""
        _let_calls_end(self.ledger, names)
        self._parts.remove(names)

    def _merging(self, running: Iterable[str]) -> Identity:
        """What merges old and new objects of the modules of which something runs."""
        before = self._snapshot.spaces(running)
        texts: dict[str, tuple[SourceText | None, SourceText]] = {
            name: (loaded.text if (loaded := self.ledger.loaded(name)) and loaded.certain else None, text)
            for name, (text, _) in self._codes.items()
        }
        texts.update(
            (each.part.module, (self._old_text(each.part), each.part.text)) for each in self._prepared
        )
        edits = {part.module: part.edits for part in self.plan.parts}
        identity = Identity(self.journal, before, texts, hooks.RAN, edits, self._going_names())
        # no method of this transaction, which the garbage collector would find then, with all its code
        identity.merger.before_removal = functools.partial(_let_calls_end, self.ledger)
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

    def _open(self, names: Iterable[str], *, young: bool) -> None:
        """Bind what is new before functions get the code that uses it; see `Parts.opening`."""
        for name in names:
            before, kept = self._snapshot.before[name], self._kept(name).keys()
            self._parts.open(name, before, self._identity.merger, kept, young=young)

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
        bound = {part.module: names[part.module] | part.comes for part in self.plan.parts}
        return self._snapshot.deepen(self.journal, going, self._definitions, ties, running, bound)

    def _dispose(self) -> None:
        """Let superseded modules close what they opened, importers before what they import."""
        acting = [part.module for part in self.plan.parts if part.disposes]
        for name in reversed((*self.plan.removed, *self.plan.executed, *acting)):
            hook = self._snapshot.before.get(name, {}).get(DISPOSE)
            if callable(hook):
                self.outcome.disposed.append(name)
                hook()

    def _run(self, opening: Iterable[str], renew: Callable[[], object] = bool) -> None:
        """Run what the plan says.

        Args:
            opening: the modules whose opening comes first, for other threads: new names come before the code
                that uses them.
            renew: gives functions their new code, after that.
        """
        going = {*self.plan.executed, *self.plan.removed}
        entries = self._snapshot.entries
        reused = {name: module for name in self.plan.executed if is_module(module := entries.get(name))}
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
                self._open(opening, young=False)
                renew()
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
            raise HotmodError(msg, advice="Restart the process.")

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
        self._snapshot.settle()
        self._rebind(before, after)
        self._pin()

    def _announce(self, report: Callable[[], object]) -> None:
        told = functools.cache(report)  # made only if somebody wants it
        for name in dict.fromkeys((*self.outcome.executed, *self._parts.every)):
            hook = modules.space_of(sys.modules.get(name)).get(RELOADED)
            if callable(hook):
                hook(told())

    def _commit(self) -> None:
        for undo in self._snapshot.undos():
            self.journal.record("namespaces and containers", undo)
        rerun = self._rerun
        ran = () if rerun is None else (*rerun.executed, *rerun.added)
        names = (*ran, *self.plan.removed, *self._parts.every)
        ledger, state = self.ledger, {name: self.ledger.loaded(name) for name in names}
        # not by way of this object, which has the journal: only the collector would free the two of them
        self.journal.record("ledger", lambda: ledger.restore(state))
        before = ledger.put_order(ran)
        self.journal.record("order of modules", lambda: ledger.put_order(before))
        for name in self.plan.removed:
            self.ledger.drop(name)
        for name in ran:
            if name in self.texts:
                self.ledger.accept(name, self.texts[name])
        known: dict[str, Running | None] = dict.fromkeys(ran)
        for name in ran:
            if (code := self._identity.codes.get(name)) is not None:
                known[name] = Running((code,))
        for name, each in self._parts.every.items():
            self.ledger.accept(name, each.part.text)
        hooks.note_codes(self.journal, {**known, **self._parts.running})
        self.journal.settle()
        self._snapshot.forget(state)

    def undo(self) -> None:
        """Take the whole transaction back."""
        self.journal.undo()
        self._identity.retire()

    def makes_generators(self) -> bool:
        """Whether generators or coroutines that began before may run other code than new ones."""
        trees = [codes_in(tree) for _, tree in self._codes.values()]
        trees += [codes_gone(each.old, each.new) for each in self._prepared if each.old is not each.new]
        return any(code.co_flags & _GENERATORS for tree in trees for code in tree)

    def forget(self) -> None:
        """Let go of all that an `undo` does not need.

        The code of statements that ran refers to the code of the functions that they made, and who counts the
        references to that would find one too many.
        """
        self._codes, self._without, self._prepared, self._rerun = {}, {}, [], None
        self._parts = Parts(self.journal, ())
        self._identity.left, self._definitions = Leftovers(), Definitions({}, {})


def _let_calls_end(ledger: Ledger, names: Collection[str]) -> None:
    """Give calls that use some names, which are about to go, a moment to end."""
    if names:  # only then: the paths are as many as there are modules
        let_calls_end(names, ledger.paths())


def _loader(name: str) -> object:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
