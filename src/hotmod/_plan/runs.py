"""What a statement that runs again brings with it: other statements of its module, or the whole of it.

Touches: nothing; works on the facts of statements.

Guarantees: all statements that bind one name run together; what changes an object runs with what makes it;
what a statement reads before it is bound is absent when it runs.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from hotmod._plan.changed import Cause
from hotmod._plan.disposing import is_disposed, used_by_hook
from hotmod._plan.marks import Marks, is_as_it_was
from hotmod._plan.mutations import changed_by
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.registering import registered_by, registries_of
from hotmod._source.diff import Edit
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Chain

__all__ = ["Runs"]


class Runs(Marks):
    """The statements that run; see `Spread`."""

    def run(self, module: str, index: int, cause: Cause, edit: Edit | None = None) -> None:
        """A statement runs again."""
        runs = self.runs.setdefault(module, {})
        if index in runs:
            return
        facts = self.program.facts(module)[index]
        if self._keeping.spares(module, facts):
            self.spared.setdefault(module, set()).update(set(facts.binds) - {"__annotations__"})
            return
        if module in self.whole:  # it runs anyway; what matters is what that changes
            runs[index] = cause
            edit = edit or self._edited.get(module, {}).get(self.program.statements(module)[index])
            self._mark(module, index, facts, cause, edit)
            return
        if facts.kind is Kind.INERT and not facts.binds:
            if not self._is_docstring(module, index):
                return
            self._value(module, "__doc__", cause)
        edit = edit or self._edited.get(module, {}).get(self.program.statements(module)[index])
        if "*" in facts.binds and facts.kind is Kind.IMPORT and is_as_it_was(edit):
            self._stars_again(module, index, facts)
            return
        runs[index] = cause
        if (
            facts.eager.dynamic
            or self._hides_submodule(module, facts)
            or self._shares_with_star(module, index, facts)
        ):
            self.run_whole(module, cause)
        self._mark(module, index, facts, cause, edit)
        if module in self.whole:
            return
        for name in self._made_by(module, index, facts):
            for other in self.touchers.of(module, name):
                self.run(module, other, cause)
        for chain in sorted({*facts.eager.changes, *changed_by(self.program, module, facts)}):
            self._rebuilt(module, chain, self.program.statements(module)[index].first, cause)
        self._register_again(self.program, module, facts, cause)
        ran = self._ran_before(module, index, edit)
        if ran is not None:
            self._hand_again(self.handing.others(module, ran), cause)
        self._made_anew(module, facts, cause)
        self._dispose(self.program, module, facts, cause)
        self._leftovers(module, index, facts, cause)

    def _hides_submodule(self, module: str, facts: Facts) -> bool:
        """Whether a package gives the name of a submodule to something else: who comes last has it."""
        own = {
            each.local
            for each in facts.imports
            if self.program.absolute(module, each) in (f"{module}.{each.local}", module)
        }
        return any(self.program.has_module(f"{module}.{name}") for name in facts.binds if name not in own)

    def _shares_with_star(self, module: str, index: int, facts: Facts) -> bool:
        """Whether a star import may bind, too, what a statement binds, so that more than it has to run.

        A foreign module may have any name; that one above the statement has it as well is not expected.
        """
        stars = dict(self.program.star_imports(module))
        bound = self._bound_by(module, index, facts) if stars else ()
        for name in bound:
            for star, base in stars.items():
                if base not in self.program:
                    if star > index:
                        return True
                elif name in self.program.exports(base) and not self.program.overrides(module, name, star):
                    return True
        return False

    def _made_anew(self, module: str, facts: Facts, cause: Cause) -> None:
        """Objects that remember each call, and refuse a second one, are made anew, wherever that is."""
        for chain in facts.eager.unknown if self._made else ():
            places = self.program.places(module, chain[:-1]) if len(chain) > 1 else ()
            for place in places if any((each.module, each.name) in self._made for each in places) else ():
                if place.name:
                    for index in self.program.binders(place.module).get(place.name, ()):
                        self.run(place.module, index, cause)

    def _made_by(self, module: str, index: int, facts: Facts) -> list[str]:
        """The names that hold something else after a statement has run."""
        kept = self._keeping.names(module)
        bound = self._bound_by(module, index, facts)
        self.spared.setdefault(module, set()).update(kept.intersection(bound))
        return [name for name in bound if name not in kept]

    def _is_docstring(self, module: str, index: int) -> bool:
        return index == 0 and self.program.has_docstring(module)

    def _rebuilt(self, module: str, chain: Chain, line: int, cause: Cause) -> None:
        """An object that a statement changes is made anew before, if its module makes it."""
        own = False
        for place in self.program.places(module, chain):
            if place.module != module or not place.name:
                continue
            if place.name in self._keeping.names(module):
                own = True  # it stays the object that it is, with what it holds
                continue
            binders = self.program.binders(module).get(place.name, ())
            facts = self.program.facts(module)
            if any(place.name in each.classes or each.imports for each in map(facts.__getitem__, binders)):
                continue
            own = True
            for index in self.touchers.of(module, place.name):
                self.run(module, index, cause)
        if not own and self.program.places(module, chain):
            self.foreign.append((module, ".".join(chain), line))

    def _register_again(self, program: Program, module: str, facts: Facts, cause: Cause) -> None:
        """What a statement hands to others is withdrawn there, and handed to them anew by all who do so."""
        known = self.registered.setdefault(module, set())
        names = registered_by(program, module, facts)
        if names:
            seen = self._called_to_register[program is self.before]
            self.withdrawn |= registries_of(program, module, facts, seen)
        names -= known
        known |= names
        every = self.program.facts(module) if names else ()
        for index, each in enumerate(every):
            if not names.isdisjoint(registered_by(self.program, module, each)):
                self.run(module, index, cause)

    def _ran_before(self, module: str, index: int, edit: Edit | None) -> Facts | None:
        """The statement of the loaded text that a statement is, or takes the place of."""
        if edit is not None:
            return self._facts_before(module, edit) if edit.old is not None else None
        return self.before.facts(module)[index] if module in self.before else None

    def _hand_again(self, others: Iterable[tuple[str, int]], cause: Cause) -> None:
        """What statements handed to an object is withdrawn there, and handed to it anew by all who did so."""
        for module, index in others:
            if module not in self.program:
                continue  # it is gone
            if module not in self._edits:
                self.run(module, index, cause)
                continue
            old, now = self.before.statements(module)[index], self.program.statements(module)
            for edit in self._edits[module].edits:
                if edit.old == old and edit.new is not None:
                    self.run(module, now.index(edit.new), cause, edit)

    def _dispose(self, program: Program, module: str, facts: Facts, cause: Cause) -> None:
        """The hook closes all that it knows of; so all that is made again."""
        used = used_by_hook(self.before, module)
        if used is None or module in self.disposing or not is_disposed(program, module, facts, used):
            return
        self.disposing.add(module)
        for index, each in enumerate(self.program.facts(module)):
            if is_disposed(self.program, module, each, used):
                self.run(module, index, cause)

    def _leftovers(self, module: str, index: int, facts: Facts, cause: Cause) -> None:
        """What a statement reads before it is bound must be as absent as in a fresh process."""
        for name in self._roots(module, facts):
            if name not in self.program.binders(module) or name in self._keeping.names(module):
                continue
            touchers = self.touchers.of(module, name)
            if any(other >= index for other in touchers):
                self.cleared.setdefault(module, set()).add(name)
                for other in touchers:
                    self.run(module, other, cause)

    def _roots(self, module: str, facts: Facts) -> set[str]:
        """The names of its module that a statement reads, also in functions of the module that it calls."""
        found = {chain[0] for chain in facts.eager.reads}
        left, seen = [chain[0] for chain in facts.eager.reads], set[str]()
        every = self.program.facts(module)
        called = {chain[0] for chain in facts.eager.unknown if chain}
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            for index in self.program.binders(module).get(name, ()):
                if name in every[index].functions and name in called:
                    region = self.program.region(module, index, name)
                    found.update(chain[0] for chain in region.reads) if region is not None else None
        return found

    def run_whole(self, module: str, cause: Cause) -> None:
        """A module runs from top to bottom."""
        if module in self.whole:
            return
        self.whole[module] = cause
        try:
            every = self.program.facts(module)
        except Unreadable:
            every = ()
        edited = self._edited.get(module, {})
        for index, facts in enumerate(every):
            edit = edited.get(self.program.statements(module)[index])
            if facts.kind is Kind.OTHER:
                for name in facts.binds:
                    self._value(module, name, cause)
            elif "*" in facts.binds or facts.decorated or not is_as_it_was(edit):
                self.run(module, index, cause, edit)
        self._hand_again(self.handing.others_of(module), cause)
        if any(facts.eager.dynamic for facts in every):
            self._unspelled(module, cause)
        if module in self.before:
            kinds, had = _kinds(every), _kinds(self.before.facts(module))
            for name in had.keys() - self._keeping.names(module):
                if had[name] != kinds.get(name):
                    self.changed.values.setdefault((module, name), cause)

    def _unspelled(self, module: str, cause: Cause) -> None:
        """Names that others take from a module though its text does not bind them: it computes them."""
        known = self.program.binders(module)
        for importer in self._region:
            for facts in self.program.facts(importer) if importer in self.importers(module) else ():
                for each in facts.imports:
                    if (
                        each.name
                        and each.name not in known
                        and self.program.absolute(importer, each) == module
                    ):
                        self._value(module, each.name, cause)
                for chain in facts.eager.reads:
                    for place in self.program.places(importer, chain):
                        if (
                            place.module == module
                            and place.name not in known
                            and not hasattr(builtins, place.name)
                        ):
                            self._value(module, place.name, cause)

    def run_anew(self, module: str, cause: Cause) -> None:
        """A module runs as a whole, and what it ran before is not known: nothing of it is as it was."""
        self.run_whole(module, cause)
        try:
            every = self.program.facts(module)
        except Unreadable:
            every = ()
        for facts in every:
            for name in facts.binds:
                self._value(module, name, cause)
            for name in facts.functions:
                self.changed.bodies.setdefault((module, name), cause)
        self._unspelled(module, cause)


def _kinds(every: Iterable[Facts]) -> dict[str, set[Kind]]:
    """By name, what kinds of statements bind it; those that always run with the module count as one."""
    found: dict[str, set[Kind]] = {}
    for facts in every:
        for name in facts.binds:
            found.setdefault(name, set()).add(Kind.OTHER if facts.kind is Kind.CONSTANT else facts.kind)
    return found
