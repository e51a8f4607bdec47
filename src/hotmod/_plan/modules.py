"""The plan of `strategy="modules"`: every changed module and all its importers, from top to bottom.

Touches: nothing; a pure function of the changes, the import graph and what is loaded.

Guarantees: a plan lists every loaded module whose code may see a changed module while it runs; making
one changes nothing.

Assumes: the graph holds every loaded module of the scope, each with the text it will run with.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping, Sequence

from hotmod._model.changes import ChangeKind, ChangeSet
from hotmod._model.hazards import Hazard
from hotmod._plan.handing import Handing, orders_of
from hotmod._plan.keeping import Keeping
from hotmod._plan.plan import Hidden, Plan, Step
from hotmod._plan.program import Program
from hotmod._plan.ties import ties_of
from hotmod._source.algorithms import components
from hotmod._source.graph import ImportGraph
from hotmod._source.imports import ImportKind
from hotmod._source.layers import layered
from hotmod._source.resolve import ModuleSource, ancestors

__all__ = ["cycle_hazards", "entries_of", "make_plan", "new_texts", "unresolved", "way_in"]

TOLD_CYCLE = 6  # members of a cycle that a message spells out
_NOTHING_HIDDEN: Mapping[str, Hidden] = {}


def make_plan(
    changes: ChangeSet,
    graph: ImportGraph,
    loaded: Sequence[str],
    frozen: Collection[str] = (),
    was: ImportGraph | None = None,
    hidden: Mapping[str, Hidden] = _NOTHING_HIDDEN,
    frozen_edits: Sequence[Hazard] = (),
    keeping: Keeping | None = None,
    sources: Mapping[str, ModuleSource] = types.MappingProxyType({}),
) -> Plan:
    """The plan of `strategy="modules"`: every changed module and all its importers.

    Args:
        changes: what differs.
        graph: the imports of all loaded modules and of all changed ones, deleted ones still known.
        loaded: the loaded modules of the scope, in the order of their first import.
        frozen: loaded modules that can't be executed again (compiled ones, the main module).
        was: the graph of the texts that the modules were loaded from; that of the new texts by default.
        hidden: by module, what it uses without an import statement that says so.
        frozen_edits: the edits of modules that can't be executed again.
        keeping: the names that keep what they hold.
        sources: the texts that the loaded modules were executed from.
    """
    gone = {change.module for change in changes.changes if change.kind is ChangeKind.DELETED}
    rank = {name: index for index, name in enumerate(loaded)}
    why = {change.module: (change.why, 0) for change in changes.changes}
    before = Program(sources)
    follow, by_hidden, partners = _following(graph, changes.modules, rank, hidden, before)
    known = {**by_hidden, **partners}
    for importer in sorted(follow, key=rank.__getitem__):
        why[importer] = known.get(importer) or _why(graph, importer, changes.modules, follow)
    running = {name for name in why if name in rank and name not in gone and name not in frozen}
    order = [name for name in graph.load_order(running, first=list(loaded)) if name in running]
    order += sorted(running - set(order), key=rank.__getitem__)
    steps = [Step(name, "remove", "deleted") for name in loaded if name in gone]
    steps += [Step(name, "execute", *why[name]) for name in order]
    entries = entries_of(graph if was is None else was, running, rank)
    hazards = [*frozen_edits, *cycle_hazards(graph, running), *unresolved(hidden, by_hidden)]
    keeps = [each for name in order if keeping is not None and (each := keeping.keep(name)) is not None]
    hazards += [hazard for name in order if keeping is not None for hazard in keeping.misfits(name)]
    kept = tuple(f"{each.module}:{name}" for each in keeps for name in each.told)
    ties = ties_of(before, (), [*gone.intersection(rank), *order])
    after = Program(layered(sources, new_texts(changes)))
    was_handed, handed = Handing(before, graph.dependents), Handing(after, graph.dependents)
    orders = orders_of(was_handed, handed, [*gone, *order], rank)
    return Plan(
        changes,
        tuple(steps),
        entries,
        tuple(hazards),
        kept=kept,
        keeps=tuple(keeps),
        ties=ties,
        orders=orders,
    )


_Why = dict[str, tuple[str, int]]


def _following(
    graph: ImportGraph,
    changed: Collection[str],
    rank: Mapping[str, int],
    hidden: Mapping[str, Hidden],
    before: Program,
) -> tuple[set[str], _Why, _Why]:
    """The loaded modules that depend on changed ones, and why those do that no import statement names.

    Those that use others by hidden ways come first, then those that hand others what these hand them.
    """
    following = set(graph.dependents(*changed) & rank.keys())
    by_hidden, partners = _Why(), _Why()
    handing, asked = Handing(before, graph.dependents), set[str]()
    while True:
        touched = {*changed, *following}
        found = {
            name: (f"{use.how} {next(each for each in sorted(use.modules) if each in touched)}", use.line)
            for name, use in hidden.items()
            if name in rank and name not in touched and not touched.isdisjoint(use.modules)
        }
        by_hidden.update(found)
        for module in sorted(touched - asked):
            for other, index in handing.others_of(module):
                if other in rank and other not in touched and other not in found:
                    line = before.statements(other)[index].first
                    found[other] = partners[other] = f"hands to an object what {module} hands to it", line
        asked |= touched
        if not found:
            return following, by_hidden, partners
        following |= {*found, *(graph.dependents(*found) & rank.keys())} - set(changed)


def entries_of(graph: ImportGraph, running: Collection[str], rank: Mapping[str, int]) -> tuple[str, ...]:
    """The order in which to ask for the modules, each of which imports what it needs by itself.

    `sys.modules` tells the order in which modules *finished* (importlib moves each to the end when it is
    done). Of modules that import each other the one that was asked for first finishes last, so a group
    is entered there; the way in decides whether a cyclic import works. Imports in functions count here:
    some are called at import. The order tells of the texts that ran, so `graph` is theirs.
    """

    def successors(module: str) -> list[str]:
        edges = graph.imports(module, implicit=True)
        found = [edge.imported for edge in edges if edge.kind is not ImportKind.TYPE_CHECKING]
        found.append(module.rpartition(".")[0])  # a module's own package runs before it
        return [name for name in dict.fromkeys(found) if name in running]

    order: list[str] = []
    targets = {name: successors(name) for name in running}
    stack = [sorted(running, key=rank.__getitem__)]
    while stack:
        names = stack.pop()
        here = set(names)
        inside = {name: [target for target in targets[name] if target in here] for name in names}
        groups = [sorted(group, key=rank.__getitem__) for group in components(names, inside)]
        if len(groups) == 1:
            # by way of its last member most of the others run; the rest is entered in the same manner
            order.append(groups[0].pop())
            stack += [groups[0]] if groups[0] else []
        else:
            stack += sorted(groups, key=lambda group: -rank[group[-1]])
    return tuple(order)


def new_texts(changes: ChangeSet) -> dict[str, ModuleSource]:
    """The texts that changed modules are to run with."""
    return {
        each.module: ModuleSource.at(each.path, each.text)
        for each in changes.changes
        if each.text is not None
    }


def way_in(graph: ImportGraph, members: Collection[str], rank: Mapping[str, int]) -> str | None:
    """Which of some modules a fresh process asks for first; None if it asks for none.

    Only one way into a cycle may work, and of a new one the order of the old imports tells nothing. So the
    imports are walked through, in the order of the texts, from the packages at the top.
    """
    roots = sorted(rank, key=lambda name: (name.count("."), rank[name]))
    left, seen = list(reversed(roots)), set[str]()
    while left:
        name = left.pop()
        if name in members:
            return name
        if name in seen or name not in graph:
            continue
        seen.add(name)
        edges = [edge.imported for edge in graph.imports(name) if edge.at_import]
        left += reversed([each for each in (*reversed(list(ancestors(name))), *edges) if each not in seen])
    return None


def _why(
    graph: ImportGraph, importer: str, changed: Collection[str], following: Collection[str]
) -> tuple[str, int]:
    """The import that makes a module follow; one of a changed module if there is one."""
    edges = [edge for edge in graph.imports(importer) if edge.at_import]
    for wanted in (changed, following):
        for edge in edges:
            if edge.imported in wanted and edge.imported != importer:
                return f"imports {edge.imported} (line {edge.line})", edge.line
    return "imports it through a module that is not loaded", 0


def unresolved(hidden: Mapping[str, Hidden], followed: Collection[str]) -> Iterable[Hazard]:
    """Modules that run because of imports that no text spells out."""
    for name in sorted(followed):
        if hidden[name].computed:
            yield Hazard(
                "dynamic-import",
                name,
                message="it imports by a computed name; what it holds decided that it ran again",
                advice="A value without a home of its own (a number, a text) can't be traced this way.",
                line=hidden[name].line,
            )


def cycle_hazards(graph: ImportGraph, running: Collection[str]) -> Iterable[Hazard]:
    """What the texts show: cycles among the modules that run."""
    for members in graph.cycles() if len(running) > 1 else ():
        inside = [name for name in members if name in running]
        if len(inside) > 1:
            more = f" and {len(inside) - TOLD_CYCLE} more" if len(inside) > TOLD_CYCLE else ""
            listed = ", ".join(inside[:TOLD_CYCLE]) + more
            yield Hazard(
                "import-cycle",
                inside[0],
                message=f"{listed} import each other",
                advice="They ran in the order in which the program first imported them.",
            )
