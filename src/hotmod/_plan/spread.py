"""From edits to the statements that have to run: the change spreads until nothing more depends on it.

Touches: nothing; a pure function of the old and the new program, the edits and the import graph.

Guarantees: a statement that is not in `runs` would give what it gave when it ran last: nothing that it
reads, uses or calls has changed. Where that can't be told, the module is in `whole`.

Assumes: what `Reach` assumes.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterable

from hotmod._plan.changed import Cause, Changed
from hotmod._plan.contents import containers, readers
from hotmod._plan.derived import hits
from hotmod._plan.marks import named
from hotmod._plan.mutations import changed_by
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.reach import Reach
from hotmod._plan.registering import registries_of
from hotmod._plan.runs import Runs
from hotmod._plan.taint import Taint
from hotmod._source.diff import Edit, EditKind
from hotmod._source.facts import Facts, Kind
from hotmod._source.statements import parsed

__all__ = ["Spread"]


class Spread(Runs):
    """What follows from the edits of some modules.

    Args:
        program: the program with the new texts.
        before: the program with the texts that are loaded.
        edits: the edits by module.
        region: the modules that can see a change, in the order in which they are to run.
        importers: gives the modules that import one, directly or not.
        keeping: the names that keep what they hold.
        import_time: what is known of the functions that imports call.
        made: (module, name) of objects that are made anew when a statement that called them changes.
        call_time: what is known of what functions call.
        derived: tells what a name of a module, dotted for a method, holds of a function that was changed:
            `"cache"` for results that can be forgotten, `"compiled"` for what has to be made again. The third
            argument is whether the name is that of the function: if not, something handed it to a call.

    Attributes:
        runs: by module, the statements to run (by index in the new text), and why.
        whole: the modules to run as a whole, and why.
        cleared: by module, names that are to be absent when its statements begin to run.
        removed: by module, names that nothing binds any more.
        stars: by module, names that star imports bring anew, and the modules that may bring each, in order.
        spared: by module, the names that would be made anew if they were not kept.
        registered: by module, definitions that are withdrawn wherever they were registered: all statements
            that hand them to others run again.
        disposing: the modules that are asked to close what they opened.
        withdrawn: (module, name) of the registries that statements which changed or are gone had filled.
        foreign: (module, dotted name, line) of changes to objects of modules that do not make them anew.
        changed: what is not as it was.
        renewed: (module, name) of the caches that are cleared because of what the function calls, and why.
    """

    # where the change begins

    def came_or_went(self, module: str, what: str, importers: Collection[str] = ()) -> None:
        """A module was added or deleted.

        Args:
            module: the module.
            what: `"deleted"`, or what else.
            importers: of a module that was deleted, those that imported it, directly or not.
        """
        cause = Cause(module, 0, f"{module} was {what}")
        self.changed.modules[module] = cause
        program = self.program
        if what == "deleted":
            program = self.before
            self._hand_again(self.handing.others_of(module), cause)
        self._after[module] = frozenset(importers)
        self._fills_all(program, module, cause)
        package, _, name = module.rpartition(".")
        if package and name not in self.program.binders(package):
            self.changed.values[package, name] = cause  # the import system binds it there

    def seed(self, module: str) -> None:
        """Take in the edits of a module."""
        edits = self._edits[module]
        if edits.whole:
            self.run_whole(module, Cause(module, 1, edits.whole))
        here = itertools.count()  # the edits are in the order of the new text
        for edit in edits.edits:
            self._seed(module, edit, next(here) if edit.new is not None else -1)
        for name in sorted(self._keeping.released(module)):
            for index in self.program.binders(module).get(name, ()):
                self.run(module, index, Cause(module, 0, f"{name} is not kept any more"))

    def _seed(self, module: str, edit: Edit, index: int) -> None:
        line = edit.new.first if edit.new is not None else 0
        if edit.reordered:
            self._reordered(module, edit, index)
        if edit.kind in (EditKind.UNCHANGED, EditKind.MOVED):
            return
        for name in edit.bodies:
            self.changed.bodies[module, name] = Cause(module, line, f"{name}() has changed inside")
        if edit.kind is EditKind.BODY:
            self._documented(module, edit, index)
            return
        if edit.kind is EditKind.REMOVED:
            self._removed(module, edit)
            return
        names = self.program.facts(module)[index].binds
        gone = self._old_names(module, edit).difference(names)
        self._gone(module, gone)
        self._withdrawn(module, edit)
        verb = "was added" if edit.kind is EditKind.ADDED else "changed"
        cause = Cause(module, line, f"{named(edit)} {verb}")
        self._fills(self.program, module, self.program.facts(module)[index], cause)
        self.run(module, index, cause, edit)

    def _documented(self, module: str, edit: Edit, index: int) -> None:
        """A decorator that nobody knows may have copied the docstring of a function."""
        facts = self.program.facts(module)[index]
        if facts.kind is Kind.FUNCTION and facts.decorated and edit.old is not None and edit.new is not None:
            docs = [[ast.get_docstring(node) for node in parsed(each.text)] for each in (edit.old, edit.new)]  # type: ignore[arg-type]
            if docs[0] != docs[1] and not self._stays(self.program, module, facts):
                cause = Cause(module, edit.new.first, f"the docstring of {named(edit)} changed")
                self.run(module, index, cause, edit)

    def overwrite(self, module: str, name: str) -> None:
        """Something else than its definition has a name: if that is edited, it takes the name back."""
        for index in self.program.binders(module).get(name, ()):
            statement = self.program.statements(module)[index]
            edit = self._edited.get(module, {}).get(statement)
            if (
                edit is not None
                and edit.kind is EditKind.BODY
                and not self.program.facts(module)[index].decorated
            ):
                self.run(
                    module, index, Cause(module, statement.first, f"{name} is not what its definition made")
                )

    def build(self, module: str, name: str, cause: Cause) -> None:
        """A class is built again, if its text is known."""
        for index in self.program.binders(module).get(name, ()) if module in self.program else ():
            self.run(module, index, cause)

    def forget(self, module: str, name: str, cause: Cause) -> None:
        """What a function gives is not what it gave: a cache of its results is cleared."""
        if self._derived(module, name, True) == "cache":  # noqa: FBT003 - see `derived`
            self.renewed[module, name] = cause

    def held(self, module: str) -> tuple[tuple[str, frozenset[str]], ...]:
        """By class of which only methods changed, the data of its body, which stays."""
        facts = self.program.facts(module)
        found = []
        for owner, index in sorted(self._light):
            if owner == module:
                found += [(name, each.data) for name, each in facts[index].classes.items() if "." not in name]
        return tuple(found)

    def kept(self, module: str) -> frozenset[str]:
        """The names of a module that keep what they hold."""
        return self._keeping.names(module)

    def _reordered(self, module: str, edit: Edit, index: int) -> None:
        """A statement stands elsewhere: that is nothing, unless the order matters to somebody."""
        facts = self.program.facts(module)[index]
        line = edit.new.first if edit.new is not None else 0
        bound, every = set(facts.binds), self.program.facts(module)
        for other, each in enumerate(every[:index]):
            if not bound.isdisjoint(self._roots(module, each)):
                self.run(module, other, Cause(module, line, f"{named(edit)} moved below what reads it"))
        if edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED, EditKind.BODY):
            return  # it runs anyway
        if facts.kind in (Kind.INERT, Kind.CONSTANT, Kind.IMPORT) or (
            facts.kind is Kind.FUNCTION and not facts.decorated
        ):
            alone = all(len(self.program.binders(module).get(name, ())) <= 1 for name in facts.binds)
            if alone and not self._out_of_order(module, index, facts):
                return
        self.run(module, index, Cause(module, line, f"{named(edit)} moved"), edit)

    def _out_of_order(self, module: str, index: int, facts: Facts) -> bool:
        """Whether a statement reads what is bound only below it now, or binds what is read above it."""
        binders = self.program.binders(module)
        if any(other >= index for name in self._roots(module, facts) for other in binders.get(name, ())):
            return True
        every, bound = self.program.facts(module), set(facts.binds)
        return any(not bound.isdisjoint(self._roots(module, each)) for each in every[:index])

    def _old_names(self, module: str, edit: Edit) -> set[str]:
        if edit.old is None:
            return set()
        facts = self._facts_before(module, edit)
        return set(facts.binds) if facts is not None else set()

    def _removed(self, module: str, edit: Edit) -> None:
        if edit.docstring:
            self._gone(module, ["__doc__"])
        self._gone(module, self._old_names(module, edit))
        self._withdrawn(module, edit)

    def _gone(self, module: str, names: Iterable[str]) -> None:
        """Names that a removed or changed statement bound: others may still bind them."""
        binders = self.program.binders(module)
        for name in sorted(set(names) - {"__annotations__"} - self._keeping.names(module)):
            cause = Cause(module, 0, f"{name} was removed from {module}")
            if name == "*":
                self.run_whole(module, Cause(module, 1, "a star import was removed"))
            elif name not in binders:
                self.removed.setdefault(module, set()).add(name)
                self.changed.values.setdefault((module, name), cause)
                for star in binders.get("*", ()):
                    self.run(module, star, cause)
            else:
                self.changed.values.setdefault((module, name), cause)
                for index in binders[name]:
                    self.run(module, index, cause)

    def _withdrawn(self, module: str, edit: Edit) -> None:
        """What a removed or changed statement did to objects is undone by making them anew."""
        if edit.old is None:
            return
        facts = self._facts_before(module, edit)
        line = edit.new.first if edit.new is not None else edit.old.first
        if facts is None:
            return
        if facts.eager.dynamic:  # it may have bound names that it does not spell: they go with it
            cause = Cause(module, line, f"{named(edit)}, which computes what it binds, is not as it was")
            self.run_whole(module, cause)
            self._unspelled(module, cause)
        self._made_anew(module, facts, Cause(module, line, f"{named(edit)} changed"))
        for chain in sorted({*facts.eager.changes, *changed_by(self.before, module, facts)}):
            self._rebuilt(
                module, chain, line, Cause(module, line, f"{named(edit)} changed {'.'.join(chain)}")
            )
        verb = "changed" if edit.new is not None else "was removed"
        cause = Cause(module, line, f"{named(edit)} {verb}")
        self._register_again(self.before, module, facts, cause)
        self._hand_again(self.handing.others(module, facts), cause)
        self._dispose(self.before, module, facts, cause)
        self._fills(self.before, module, facts, cause)

    def _fills(self, program: Program, module: str, facts: Facts, cause: Cause) -> None:
        """What an edited statement puts into containers of others is something to who reads these."""
        seen = self._called_to_fill.setdefault((module, program is self.before), set())
        for place in registries_of(program, module, facts, seen):
            for key in containers(program, *place) if place[0] != module else ():
                self._filled.setdefault(module, {}).setdefault(key, cause)

    def _fills_all(self, program: Program, module: str, cause: Cause) -> None:
        try:
            every = program.facts(module)
        except Unreadable:
            every = ()
        for facts in every:
            self._fills(program, module, facts, cause)

    def _read_again(self) -> bool:
        """Who comes after those statements, and reads the containers, reads them again; whether any does."""
        count = sum(map(len, self.runs.values()))
        for filler, filled in self._filled.items():
            importers = self._after.get(filler, frozenset()) | self.importers(filler)
            after = [each for each in self._region if each in importers]
            cause = next(iter(filled.values()))
            for module, index in list(readers(self.program, filled, after)):
                self.run(module, index, cause)
        return sum(map(len, self.runs.values())) > count

    # the fixed point

    def spread(self) -> None:
        """Follow the changes through all modules that can see them, until nothing more has to run."""
        self._spread()
        while self._renew() or self._read_again():
            self._spread()

    def _renew(self) -> bool:
        """What was made of functions that do something else now is made again; whether anything runs."""
        count = sum(map(len, self.runs.values()))
        found = hits(self.program, self._region, self.changed, self._call_time, self.importers)
        for module, index, name, own, cause in list(found):
            if module in self.whole or index in self.runs.get(module, ()):
                continue
            kind = self._derived(module, name, own)
            if kind == "cache":
                self.renewed[module, name] = cause
            elif kind:
                self.run(module, index, cause)
        return sum(map(len, self.runs.values())) > count

    def _spread(self) -> None:
        """Follow the changes.

        What was found to have nothing to do with the changes of one round is not asked about them again.
        """
        done = Changed()
        if self.changed.is_inside_only() and not self.runs and not self.whole:
            met = self._call_time.met(self.changed.bodies)
            self._call_time.rewire(
                self.program, self._edits, [each for each in met if self._is_rewired(*each)]
            )
            # the usual edit: it is something to others only if an import calls what was edited
            met = self._import_time.met(self.changed.bodies)
            rewired = [each for each in met if self._is_rewired(*each)]
            self._import_time.rewire(self.program, self._edits, rewired)
            if self._called().isdisjoint(self.changed.bodies):
                return
        while self.changed.size() != done.size():
            fresh, done = self.changed.since(done), self.changed.copy()
            taint = Taint(self.program, self._region, fresh.names(), fresh.methods(), self._called())
            reach = Reach(self.program, fresh, taint.words, self._region, self.importers)
            for module in self._region:
                self._look_at(module, taint.words, reach)
                self._look_for_computed(module, reach)

    def _is_rewired(self, module: str, qualname: str) -> bool:
        """Whether a function reads or calls others than before."""
        regions = []
        for program in (self.before, self.program):
            index = program.binders(module).get(qualname.partition(".")[0], (-1,))[-1]
            regions.append(program.region(module, index, qualname) if index >= 0 else None)
        return regions[0] is None or regions[0] != regions[1]

    def _called(self) -> frozenset[tuple[str, str]]:
        return self._import_time.called(self.program, self._region, self.importers)

    def _is_hit(self, module: str, known: Collection[str]) -> bool:
        words = self.program.words(module)
        return words.star or not (words.eager.isdisjoint(known) and words.imported.isdisjoint(known))

    def _look_at(self, module: str, known: Collection[str], reach: Reach) -> None:
        if not self._is_hit(module, known):
            return
        try:
            every = self.program.facts(module)
        except Unreadable:
            self.run_whole(module, Cause(module, 0, f"{module} can't be looked at statement by statement"))
            return
        ran = self.runs.get(module, {})
        for index, facts in enumerate(every):
            if (module, index) in self._light:
                self._recheck(module, index, facts, reach)
            if index in ran or facts.kind is Kind.INERT:
                continue
            star = "*" in facts.binds
            if star or facts.eager.dynamic or not facts.words.isdisjoint(known):
                cause = reach.cause(module, index)
                if cause is not None:
                    self.run(module, index, cause)

    def _look_for_computed(self, module: str, reach: Reach) -> None:
        """A function that binds computed names, as lazy imports do, may bind others: no text tells."""
        if module in self.whole:
            return
        for name, words in self.program.words(module).bodies.items():
            for index in self.program.binders(module).get(name, ()) if "globals" in words else ():
                region = self.program.region(module, index, name)
                if region is not None and "*" in region.stores:
                    cause = self.changed.bodies.get((module, name)) or reach.calls_change(module, name)
                    if cause is not None:
                        self.run_whole(module, cause)

    def _recheck(self, module: str, index: int, facts: Facts, reach: Reach) -> None:
        """The data of a class stays only if nothing that it is computed from has changed."""
        cause = reach.cause(module, index)
        if cause is not None:
            self._light.discard((module, index))
            self._class(module, index, facts, cause, None)
