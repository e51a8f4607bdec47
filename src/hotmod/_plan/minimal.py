"""The plan of `strategy="minimal"`: the statements that have to run, and code for live functions.

Touches: nothing; a pure function of the changes, the texts before and after, and the import graph.

Guarantees: after the plan the modules are what a fresh process makes of the new texts, as far as the
analysis of the texts can tell; where it can't tell, a module runs as a whole.

Assumes: as `Spread`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from hotmod._model.changes import ChangeKind, ChangeSet
from hotmod._model.errors import SourceError
from hotmod._model.hazards import Hazard
from hotmod._plan.changed import Cause
from hotmod._plan.derived import CallTime
from hotmod._plan.handing import Handing, orders_of
from hotmod._plan.importtime import ImportTime
from hotmod._plan.keeping import Keeping, Texts
from hotmod._plan.modules import cycle_hazards, entries_of, new_texts, unresolved, way_in
from hotmod._plan.mutations import unrepeatable
from hotmod._plan.plan import Hidden, Part, Plan, Run, Step, shown, told_place
from hotmod._plan.program import Program
from hotmod._plan.purity import is_pure
from hotmod._plan.reading import read_again
from hotmod._plan.spread import Spread
from hotmod._plan.ties import ties_of
from hotmod._plan.turns import run_by_turns, run_stars_in_cycles, turns_of
from hotmod._source.diff import Edits, diff
from hotmod._source.facts import Facts, Kind, facts_in
from hotmod._source.graph import ImportGraph
from hotmod._source.layers import layered
from hotmod._source.resolve import ModuleSource, ancestors

__all__ = ["make_minimal_plan"]


def make_minimal_plan(
    changes: ChangeSet,
    graph: ImportGraph,
    sources: Mapping[str, ModuleSource],
    rank: Mapping[str, int],
    frozen: Collection[str] = (),
    was: ImportGraph | None = None,
    hidden: Mapping[str, Hidden] | None = None,
    frozen_edits: Sequence[Hazard] = (),
    unsure: Mapping[str, str] | None = None,
    unknown: Collection[str] = (),
    keeping: Keeping | None = None,
    overwritten: Collection[tuple[str, str]] = (),
    import_time: ImportTime | None = None,
    made: Collection[tuple[str, str]] = (),
    call_time: CallTime | None = None,
    derived: Callable[[str, str, bool], str] = lambda _module, _name, _own: "",
    together: Mapping[tuple[str, str], Collection[tuple[str, str]]] = types.MappingProxyType({}),
) -> Plan:
    """The smallest plan that is safe.

    Args:
        changes: what differs.
        graph: the imports of all loaded modules and of all changed ones, deleted ones still known.
        sources: the texts that the loaded modules were executed from.
        rank: the loaded modules of the scope, by a number that grows in the order of their first import.
        frozen: loaded modules that can't be executed again (compiled ones, the main module).
        was: the graph of the texts that the modules were loaded from; that of the new texts by default.
        hidden: by module, what it uses without an import statement that says so.
        frozen_edits: the edits of modules that can't be executed again.
        unsure: modules that can't be changed in parts, and why.
        unknown: loaded modules of which it is not known which text they ran.
        keeping: the names that keep what they hold.
        overwritten: (module, name) of what somebody else has set in the place of a function or class.
        import_time: what earlier plans for these modules worked out; it is brought up to date.
        made: (module, name) of objects that are made anew when a statement that called them changes.
        call_time: as `import_time`, for what functions call.
        derived: tells what was made of a function; see `Spread`.
        together: by class, as (module, name), those that have to be built again when it is.
    """
    import_time, call_time = import_time or ImportTime(), call_time or CallTime()
    rewired = was is not None and any(
        name not in was or was.targets(name) != graph.targets(name) for name in changes.modules
    )
    known = (keeping, import_time, was, made, call_time, derived, together)
    maker = _Maker(changes, graph, sources, rank, frozen, hidden or {}, *known)
    for each in (import_time, call_time):
        each.begin(maker.program, changes.modules, rewired=rewired)
    maker.seed(unsure or {}, unknown, overwritten)
    maker.spread()
    return maker.plan(frozen_edits)


class _Maker:
    """The making of one plan."""

    def __init__(
        self,
        changes: ChangeSet,
        graph: ImportGraph,
        sources: Mapping[str, ModuleSource],
        rank: Mapping[str, int],
        frozen: Collection[str],
        hidden: Mapping[str, Hidden],
        keeping: Keeping | None,
        import_time: ImportTime,
        was: ImportGraph | None,
        made: Collection[tuple[str, str]],
        call_time: CallTime,
        derived: Callable[[str, str, bool], str],
        together: Mapping[tuple[str, str], Collection[tuple[str, str]]],
    ) -> None:
        self._changes, self._graph, self._rank, self._frozen = changes, graph, rank, frozen
        self._cycles = {frozenset(members) for members in was.cycles()} if was is not None else None
        self._hidden, self._sources, self._was = hidden, sources, graph if was is None else was
        self._by_hidden: set[str] = set()
        self._new_cycle_members: list[tuple[str, ...]] = []
        self._gone = {each.module for each in changes.changes if each.kind is ChangeKind.DELETED}
        new = new_texts(changes)
        after = layered(sources, new)
        if self._gone:
            after = {name: source for name, source in after.items() if name not in self._gone}
        self._partners = together
        others = [name for name in graph.without_text if name not in after and name not in self._gone]
        self.program = Program(after, others)
        follow = self._followers(new, {module for module, _ in (*made, *together) if module in graph})
        inside = {name for name in (*new, *follow) if name in after and name in rank}
        self._region = sorted(inside, key=rank.__getitem__)
        self._after = after
        self._keeping = keeping or Keeping(_texts(after), _texts(sources), {})
        self._edits: dict[str, Edits] = {}
        self._unread: set[str] = set()
        for name, source in new.items():
            if name in sources and name in rank:
                try:
                    self._edits[name] = diff(facts_in(sources[name].text)[0], facts_in(source.text)[0])
                except (SourceError, RecursionError):
                    self._unread.add(name)  # whether it can be compiled is for the transaction to see
        self._spread = Spread(
            self.program,
            Program(sources, others),
            self._edits,
            self._region,
            graph.dependents,
            self._keeping,
            import_time,
            made,
            call_time,
            derived,
        )

    def _followers(self, new: Collection[str], far: Collection[str]) -> set[str]:
        """The modules that can see a change of those that changed, or of some others."""
        graph, changed = self._graph, self._changes.modules
        # who imports a package may use all that is in it; and a function may import when it is called
        above = {package for name in changed for package in ancestors(name) if package in graph}
        found = {*graph.dependents(*changed, *above, deferred=True), *above}
        found |= {name for name, use in self._hidden.items() if not use.modules.isdisjoint(found | set(new))}
        if far:
            found |= {*graph.dependents(*far, deferred=True), *far}
        lazy = {each for name in found for each in self.program.lazy_packages(name) if each in graph} - found
        return found | graph.dependents(*lazy, deferred=True) if lazy else found

    def seed(
        self,
        unsure: Mapping[str, str],
        unknown: Collection[str],
        overwritten: Collection[tuple[str, str]],
    ) -> None:
        """Take in what differs."""
        spread = self._spread
        for change in self._changes.changes:
            name = change.module
            if change.kind is ChangeKind.EDITED and name in self._rank:
                if name in unknown:
                    spread.run_anew(name, Cause(name, 1, "what it was loaded from is not known for sure"))
                elif name in unsure:
                    spread.run_anew(name, Cause(name, 1, unsure[name]))
                self._seed(name)
            elif change.kind is ChangeKind.MOVED and name in self._rank:
                spread.run_whole(name, Cause(name, 1, f"{name} moved to another file"))
                self._seed(name)
            else:
                imported = self._was.dependents(name) if name in self._was else ()
                spread.came_or_went(name, change.kind.value, imported)
            if change.data:
                read_again(spread, name, change.data)
        self._new_cycles()
        for module, name in overwritten:
            if module in self._edits:
                spread.overwrite(module, name)

    def _seed(self, name: str) -> None:
        if name in self._unread:
            self._spread.run_anew(name, Cause(name, 1, "its statements can't be told apart"))
        else:
            self._spread.seed(name)

    def _new_cycles(self) -> None:
        """Modules that import each other only now run as they would if all were imported anew."""
        for members in self._graph.cycles():
            if self._cycles is None or any(known.issuperset(members) for known in self._cycles):
                continue
            self._new_cycle_members.append(members)
            for name in members:
                if name in self._after:
                    self._spread.run_whole(
                        name, Cause(name, 1, f"{', '.join(members)} import each other now")
                    )

    def spread(self) -> None:
        """Let the changes spread; modules in cycles, or that use others by hidden ways, follow as a whole."""
        spread = self._spread
        size: object = None
        while size != (size := (len(spread.whole), sum(map(len, spread.runs.values())))):
            spread.spread()
            self._by_hidden_ways()
            run_by_turns(self._spread, self._graph)
            self._together()
            self._with_partners()

    def _with_partners(self) -> None:
        """What a library made of a class may refer to what it made of another."""
        for module, name in [each for each in self._spread.changed.classes if each in self._partners]:
            for other, partner in self._partners[module, name]:
                cause = self._spread.changed.classes[module, name]
                self._spread.build(other, partner, Cause(other, 0, f"{partner} is built with {name}", cause))

    def _by_hidden_ways(self) -> None:
        touched = {module for module, _ in self._spread.changed.values} | self._gone
        touched |= {module for module, _ in self._spread.changed.classes} | set(self._spread.changed.modules)
        for name, use in self._hidden.items():
            if use.computed and name in self._after and not touched.isdisjoint(use.modules):
                used = next(each for each in sorted(use.modules) if each in touched)
                self._by_hidden.add(name)
                self._spread.run_whole(name, Cause(name, use.line, f"it {use.how} {used}"))

    def _together(self) -> None:
        """Of modules that import each other, all that take part run as a whole, or none."""
        run_stars_in_cycles(self._spread, self._graph)
        if not self._spread.whole:
            return
        taking = {name for name, runs in self._spread.runs.items() if runs} | set(self._spread.whole)
        for members in self._graph.cycles():
            inside = [name for name in members if name in taking]
            whole = [name for name in inside if name in self._spread.whole]
            for name in inside if whole and len(inside) > len(whole) else ():
                self._spread.run_whole(name, Cause(name, 1, f"it and {whole[0]} import each other"))

    def plan(self, frozen_edits: Sequence[Hazard]) -> Plan:
        """The finished plan."""
        spread, rank = self._spread, self._rank
        whole = {name for name in spread.whole if name in rank and name not in self._frozen}
        running = {name for name, runs in spread.runs.items() if runs and name in rank} - whole
        running |= {name for name in spread.stars if name in rank} - whole
        patched = {
            name
            for name, edits in self._edits.items()
            if name not in whole and name in rank and name not in self._frozen
        }
        order = turns_of(spread, self._graph).sort(self._order(whole | running | patched))
        parts = {name: self._part(name) for name in order if name not in whole}
        steps = [
            Step(name, "remove", "deleted") for name in sorted(self._gone & rank.keys(), key=rank.__getitem__)
        ]
        steps += [self._step(name, parts.get(name)) for name in order]
        acting = [name for name in order if name in whole or parts[name].runs or parts[name].stars]
        pure = not whole and not self._gone and not any(spread.registered.values()) and not spread.disposing
        pure = pure and not any(run.acts for part in parts.values() for run in part.runs)
        pure = pure and not any(self._left_something(name) for name in patched)
        hazards = [
            *frozen_edits,
            *(cycle_hazards(self._graph, whole) if len(whole) > 1 else ()),
            *unresolved(self._hidden, [name for name in self._by_hidden if name in whole]),
            *unrepeatable(spread.foreign, self._after),
            *(hazard for name in order for hazard in self._keeping.misfits(name)),
        ]
        sparing = {name for name, names in spread.spared.items() if names}
        keeping = order if sparing.issubset(order) else self._order({*order, *sparing})
        keeps = [
            self._keeping.keep(name, None if name in whole else spread.spared.get(name, ()))
            for name in keeping
        ]
        acted, handing = [*whole, *running, *patched, *self._gone], Handing(self.program, spread.importers)
        return Plan(
            self._changes,
            tuple(steps),
            self._entries(acting, whole),
            tuple(hazards),
            tuple(parts.values()),
            pure,
            self._kept(),
            tuple(each for each in keeps if each is not None),
            tuple((*place, self._made_of(*place)) for place in sorted(spread.withdrawn)),
            (),
            tuple(f"{module}:{name}" for module, name in spread.renewed if module not in whole),
            () if pure else ties_of(spread.before, parts.values(), [*whole, *(self._gone & rank.keys())]),
            () if pure else orders_of(spread.handing, handing, acted, rank),
        )

    def _left_something(self, module: str) -> bool:
        """Whether a statement that is gone may have done more than bind names when it ran."""
        before = self._spread.before
        gone = {each.old for each in self._edits[module].edits if each.new is None}
        pairs = zip(before.statements(module), before.facts(module), strict=True) if gone else ()
        return any(each in gone and not is_pure(before, module, facts) for each, facts in pairs)

    def _kept(self) -> tuple[str, ...]:
        """The values that calls have made in edited modules, and that stay."""
        spread, found = self._spread, []
        for name in self._edits:
            if name in spread.whole or name not in self._after:
                continue
            ran = spread.runs.get(name, {})
            for index, facts in enumerate(spread.program.facts(name)):
                if index not in ran and facts.kind is Kind.OTHER and facts.eager.unknown:
                    found += [f"{name}:{each}" for each in facts.binds if each != "__annotations__"]
        for name in self._order(spread.whole.keys() | spread.spared.keys()):
            spared = self._keeping.names(name) if name in spread.whole else spread.spared.get(name, ())
            found += [f"{name}:{each}" for each in sorted(spared)]
        return tuple(dict.fromkeys(found))

    def _made_of(self, module: str, name: str) -> frozenset[str]:
        """The words of the statements that bind a name and do not run."""
        spread = self._spread
        if module not in spread.program or module in spread.whole:
            return frozenset()
        ran, facts = spread.runs.get(module, {}), spread.program.facts(module)
        binders = spread.program.binders(module).get(name, ())
        return frozenset(word for index in binders if index not in ran for word in facts[index].words)

    def _order(self, names: Collection[str]) -> list[str]:
        if len(names) < 2:  # noqa: PLR2004 - nothing to order
            return list(names)
        order = [name for name in self._graph.load_order(names, first=self._rank) if name in names]
        return order + sorted(set(names) - set(order), key=self._rank.__getitem__)

    def _entries(self, acting: Iterable[str], whole: Collection[str]) -> tuple[str, ...]:
        """Parts in their order; between them, runs of whole modules in the order in which to ask for them."""
        found: list[str] = []
        batch: list[str] = []
        for name in (*acting, ""):
            if name in whole:
                batch.append(name)
                continue
            for members in self._new_cycle_members:
                way = way_in(self._graph, members, self._rank) if not set(members).isdisjoint(batch) else None
                found += [way] if way is not None else []
            found += [*entries_of(self._was, batch, self._rank), name]
            batch = []
        return tuple(found[:-1])

    def _part(self, module: str) -> Part:
        spread = self._spread
        text = self._after[module].text
        edits = self._edits.get(module)
        if edits is None:
            statements = facts_in(text)[0]
            edits = diff(statements, statements)
        causes = spread.runs.get(module, {})
        runs = tuple(self._run(module, index, causes[index]) for index in sorted(causes))
        return Part(
            module,
            text,
            edits,
            runs,
            frozenset(spread.cleared.get(module, ())),
            frozenset(spread.removed.get(module, ())),
            spread.held(module),
            tuple(sorted(spread.stars.get(module, {}).items())),
            frozenset(name for facts in spread.program.facts(module) for name in facts.annotates),
            frozenset(spread.registered.get(module, ())),
            module in spread.disposing,
        )

    def _run(self, module: str, index: int, cause: Cause) -> Run:
        statement = self._spread.program.statements(module)[index]
        facts = self._spread.program.facts(module)[index]
        program = self._spread.program
        bases = [program.absolute(module, each) for each in facts.imports if each.name == "*"]
        own = cause.module == module and cause.line == statement.first and cause.because is None
        why = "edited" if own else f"because {self._told(cause)}"
        return Run(
            statement.first,
            statement.last,
            tuple(name for name in facts.binds if name != "__annotations__"),
            self._where(module, statement.first),
            shown(statement.text),
            why,
            fresh=facts.kind is Kind.FUNCTION and not facts.decorated,
            rebinds=facts.kind is Kind.IMPORT,
            acts=not is_pure(program, module, facts),
            imports=tuple(self._imported(module, facts)),
            stars=tuple((base, frozenset(program.exports(base))) for base in bases),
        )

    def _imported(self, module: str, facts: Facts) -> Iterable[str]:
        program = self._spread.program
        for each in facts.imports:
            base = program.absolute(module, each)
            yield base
            if program.has_module(f"{base}.{each.name}"):
                yield f"{base}.{each.name}"

    def _told(self, cause: Cause | None) -> str:
        parts: list[str] = []
        while cause is not None and len(parts) < 6:  # noqa: PLR2004 - longer chains are not read
            where = self._where(cause.module, cause.line)
            parts.append(f"{cause.what} ({where})" if where else cause.what)
            cause = cause.because
        return ", because ".join(parts)

    def _where(self, module: str, line: int) -> str:
        source = self._after.get(module)
        if source is None or not line:
            return ""
        return told_place(module, source.text.path, line)

    def _step(self, module: str, part: Part | None) -> Step:
        if part is None:
            cause = self._spread.whole[module]
            return Step(module, "execute", self._told(cause), cause.line)
        if part.stars and not part.runs:
            names = ", ".join(name for name, _ in part.stars)
            return Step(module, "run", f"star imports bring {names} anew", 0)
        if part.runs:
            count = len(part.runs)
            return Step(
                module, "run", f"{count} statement{'s' if count > 1 else ''}", 0, part.runs, part.notes
            )
        return Step(module, "patch", "edited", notes=part.notes)


def _texts(sources: Mapping[str, ModuleSource]) -> Texts:
    return lambda name: sources[name].text if name in sources else None
