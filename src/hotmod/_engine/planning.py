"""What the plans of one reloader are made of: what is loaded, what was found out before, and the options.

Touches: modules and files, read only; keeps the graph of what is loaded and what earlier plans worked out.

Guarantees: making a plan changes nothing of the program.

Assumes: the caller holds the lock of the reloader.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Collection, Iterator

from hotmod._config import Config
from hotmod._engine.frozen import Frozen
from hotmod._engine.hidden import hidden_uses
from hotmod._engine.identity import learn_homes
from hotmod._engine.loaded import Ledger
from hotmod._engine.obstacles import (
    built_together,
    derived,
    made_anew,
    overwritten_definitions,
    unsure_modules,
)
from hotmod._engine.sightings import is_replaced
from hotmod._engine.texts import files_of, is_long, is_too_large, readable
from hotmod._live.modules import space_of
from hotmod._model.changes import Change, ChangeKind, ChangeSet, SourceText
from hotmod._model.errors import SourceError
from hotmod._plan import CallTime, ImportTime, Keeping, Plan, make_minimal_plan, make_plan, with_main_module
from hotmod._plan.program import Unreadable
from hotmod._source.graph import ImportGraph, ModuleSource, build, update
from hotmod._source.resolve import spelled
from hotmod._source.scan import scanned

__all__ = ["Planner"]

logger = logging.getLogger("hotmod")


class Planner:
    """Makes the plans of one reloader.

    Attributes:
        import_time: what earlier plans worked out.
        call_time: the same, for what functions call.
    """

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config, self._ledger = config, ledger
        self._frozen = Frozen(ledger.scope)
        self._begin()

    def _begin(self) -> None:
        """Know nothing yet."""
        self._graph = self._loaded_graph = build({})
        self._derived: tuple[ImportGraph, dict[str, ModuleSource]] = self._graph, {}
        self._sources: dict[str, ModuleSource] = {}
        self._sourceless: set[str] = set()  # the other loaded modules
        self.import_time = ImportTime()
        self.call_time = CallTime()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """If this is interrupted, by a signal say, what was half taken in is taken in anew the next time."""
        try:
            yield
        except SourceError:
            raise
        except BaseException:
            self._begin()
            self._ledger.touch()
            raise

    def plan(self, changes: ChangeSet) -> Plan:
        """The plan for some changes, without added modules that nobody imports.

        Raises:
            SourceError: a text can't be read.
        """
        with self._whole():
            return self._plan_of_all(changes)

    def _plan_of_all(self, changes: ChangeSet) -> Plan:
        main = self._ledger.main
        of_main = [each for each in changes.changes if main is not None and each.module == main.name]
        if not of_main or main is None or main.text is None:
            return self._plan(changes)
        others = ChangeSet(tuple(each for each in changes.changes if each not in of_main))
        return with_main_module(self._plan(others), of_main[0], main.text)

    def _plan(self, changes: ChangeSet) -> Plan:
        """The plan for some changes, without added modules that nobody imports."""
        edits = self._frozen.hazards(self._ledger.looks)
        if not changes:
            return Plan(changes, hazards=tuple(edits))
        was = self.graph()
        changes = self._awake(changes)
        graph = self._graph_after(changes)
        changes = self._relevant(changes, graph)
        for name in changes.modules:
            learn_homes(name, self._text_of(name))
        plain = self._config.strategy == "modules"
        hidden = hidden_uses(graph, self._ledger.modules, computed=not plain)
        keeping = Keeping(self._after(changes), self._text_of, self._config.kept(), self._held)
        if not plain and not any(
            is_long(change.text) for change in changes.changes if change.text is not None
        ):
            try:
                return make_minimal_plan(
                    changes,
                    graph,
                    self._sources,
                    self._ledger.rank,
                    frozen=self._sourceless,
                    was=was,
                    hidden=hidden,
                    frozen_edits=edits,
                    unsure=unsure_modules(self._ledger, changes.modules),
                    unknown=[name for name in changes.modules if not self._ledger.is_certain(name)],
                    made=made_anew(changes.modules, self._ledger.modules),
                    overwritten=overwritten_definitions(changes.modules),
                    keeping=keeping,
                    import_time=self.import_time,
                    call_time=self.call_time,
                    derived=derived,
                    together=built_together(changes.modules, self._ledger.modules),
                )
            except (Unreadable, RecursionError) as error:
                # A text that nests too deeply to be looked at, or is too long, may be a program all the same:
                # everything that the edit may concern runs, as the strategy `modules` has it.
                logger.debug("hotmod: a text nests too deeply to be looked at: %s", error)
        return make_plan(
            changes,
            graph,
            list(self._ledger.modules),
            frozen=self._sourceless,
            was=was,
            hidden=hidden,
            frozen_edits=edits,
            sources=self._sources,
            keeping=keeping,
        )

    def _awake(self, changes: ChangeSet) -> ChangeSet:
        """The changes with the files that nobody had imported, and that these or each other import now."""
        if not self._ledger.idle:
            return changes
        found, left = dict(zip(changes.modules, changes.changes, strict=True)), list(changes.changes)
        while left:
            change = left.pop()
            if change.text is None:
                continue
            source = ModuleSource.at(change.path, change.text)
            try:
                names = spelled(change.module, source, scanned(source.text))
            except SourceError:
                continue  # the graph tells of it
            more = _asleep(self._ledger, names - found.keys())
            found.update((each.module, each) for each in more)
            left += more
        return changes if len(found) == len(changes.changes) else ChangeSet(tuple(found.values()))

    def _relevant(self, changes: ChangeSet, graph: ImportGraph) -> ChangeSet:
        """The changes without added modules that nobody imports, or another object stands for."""
        relevant = tuple(
            change
            for change in changes.changes
            if change.kind is not ChangeKind.ADDED
            or (
                not is_replaced(change.module)
                and any(
                    edge.at_import and edge.importer in self._ledger.modules
                    for edge in graph.importers(change.module)
                )
            )
        )
        if len(relevant) == len(changes.changes):
            return changes
        self._ledger.settle(ChangeSet(tuple(each for each in changes.changes if each not in relevant)))
        return ChangeSet(relevant)

    def _text_of(self, module: str) -> SourceText | None:
        source = self._sources.get(module)
        return None if source is None else source.text

    def _after(self, changes: ChangeSet) -> Callable[[str], SourceText | None]:
        new = {change.module: change.text for change in changes.changes}
        return lambda module: new[module] if module in new else self._text_of(module)

    def _held(self, module: str) -> Collection[str]:
        return space_of(sys.modules.get(module)).keys()

    def graph(self) -> ImportGraph:
        """The import graph of the loaded modules, by the texts that they were executed from."""
        with self._whole():
            return self._graph_of_loaded()

    def _graph_of_loaded(self) -> ImportGraph:
        touched = self._ledger.touched()
        loaded = {name: self._ledger.modules.get(name) for name in touched}
        known = (self._sourceless - set(touched)) | {
            name for name, each in loaded.items() if each is not None and each.text is None
        }
        changed = {
            name: ModuleSource(each.text, each.is_package)
            for name, each in loaded.items()
            if each is not None and each.text is not None
        }
        gone = {name for name in touched if name in self._sources and name not in changed}
        changed = {name: source for name, source in changed.items() if self._sources.get(name) != source}
        for name in gone:
            del self._sources[name]
        self._sources.update(changed)
        if known != self._sourceless:
            self._sourceless = known
            self._loaded_graph = build(self._sources, known)
        elif changed or gone:
            self._loaded_graph = (
                self._updated(changed) if not gone else update(self._loaded_graph, changed, gone)
            )
        return self._loaded_graph

    def _updated(self, changed: dict[str, ModuleSource]) -> ImportGraph:
        """The graph with other texts. A plan asks for it, and once it is carried out, so does the next."""
        graph, known = self._derived
        if graph is not self._loaded_graph or known != changed:
            self._graph = update(self._loaded_graph, changed)
            self._derived = self._loaded_graph, changed
        return self._graph

    def _graph_after(self, changes: ChangeSet) -> ImportGraph:
        """The import graph with the changed texts in place; deleted modules are still known."""
        changed = {
            change.module: ModuleSource.at(change.path, change.text)
            for change in changes.changes
            if change.text is not None
        }
        self.graph()
        return self._updated(changed)

    def imported_by(self, module: str) -> list[str]:
        """The modules of the scope that a module imports when it runs, in order."""
        graph = self._graph
        return [edge.imported for edge in graph.imports(module) if edge.at_import] if module in graph else []


def _asleep(ledger: Ledger, names: Collection[str]) -> list[Change]:
    """Those of some modules that are not loaded, and whose files nobody asked for, as if they were new."""
    wanted = {name for name in names if name in ledger.idle and name not in ledger.modules}
    files = files_of(ledger.scope) if wanted else {}
    texts = {name: readable(files[name]) for name in sorted(wanted.intersection(files))}
    return [
        Change(name, ChangeKind.ADDED, text.path, text)
        for name, text in texts.items()
        if text is not None and not is_too_large(text)
    ]
