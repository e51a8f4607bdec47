"""What the plans of one reloader are made of: what is loaded, what was found out before, and the options.

Touches: modules and files, read only; keeps the graph of what is loaded and what earlier plans worked out.

Guarantees: making a plan changes nothing of the program.

Assumes: the caller holds the lock of the reloader.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection

from hotmod._config import Config
from hotmod._engine.frozen import Frozen
from hotmod._engine.hidden import hidden_uses
from hotmod._engine.loaded import Ledger
from hotmod._engine.obstacles import opaque_functions, unsure_modules
from hotmod._live.modules import space_of
from hotmod._model.changes import ChangeKind, ChangeSet, SourceText
from hotmod._plan import ImportTime, Keeping, Plan, make_minimal_plan, make_plan, with_main_module
from hotmod._source.graph import ImportGraph, ModuleSource, build, update

__all__ = ["Planner"]


class Planner:
    """Makes the plans of one reloader.

    Attributes:
        import_time: what earlier plans worked out.
    """

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config, self._ledger = config, ledger
        self._frozen = Frozen(ledger.scope)
        self._graph = self._loaded_graph = build({})
        self._sources: dict[str, ModuleSource] = {}
        self._sourceless: set[str] = set()
        self.import_time = ImportTime()

    def plan(self, changes: ChangeSet) -> Plan:
        """The plan for some changes, without added modules that nobody imports.

        Raises:
            SourceError: a text can't be read.
        """
        main = self._ledger.main
        of_main = [each for each in changes.changes if main is not None and each.module == main.name]
        if not of_main or main is None or main.text is None:
            return self._plan(changes)
        others = ChangeSet(tuple(each for each in changes.changes if each not in of_main))
        return with_main_module(self._plan(others), of_main[0], main.text)

    def _plan(self, changes: ChangeSet) -> Plan:
        edits = self._frozen.hazards()
        if not changes:
            return Plan(changes, hazards=tuple(edits))
        graph = self._graph = self._graph_after(changes)
        loaded = list(self._ledger.modules)
        relevant = tuple(
            change
            for change in changes.changes
            if change.kind is not ChangeKind.ADDED
            or any(
                edge.at_import and edge.importer in self._ledger.modules
                for edge in graph.importers(change.module)
            )
        )
        if len(relevant) != len(changes.changes):
            kept = ChangeSet(relevant)
            self._ledger.settle(ChangeSet(tuple(c for c in changes.changes if c not in relevant)))
            changes = kept
        frozen = [name for name, module in self._ledger.modules.items() if module.text is None]
        plain = self._config.strategy == "modules"
        hidden = hidden_uses(graph, self._ledger.modules, computed=not plain)
        if plain:
            keeping = Keeping(self._after(changes), self._text_of, self._config.kept(), self._held)
            return make_plan(
                changes,
                graph,
                loaded,
                frozen=frozen,
                was=self.graph(),
                hidden=hidden,
                frozen_edits=edits,
                keeping=keeping,
            )
        return make_minimal_plan(
            changes,
            graph,
            self._sources,
            loaded,
            frozen=frozen,
            was=self.graph(),
            hidden=hidden,
            frozen_edits=edits,
            unsure=unsure_modules(self._ledger),
            opaque=opaque_functions(changes.modules),
            keep=self._config.kept(),
            held=self._held,
            import_time=self.import_time,
        )

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
        sources = {
            name: ModuleSource(loaded.text, loaded.is_package)
            for name, loaded in self._ledger.modules.items()
            if loaded.text is not None
        }
        known = self._ledger.modules.keys() - sources.keys()
        if known != self._sourceless:
            self._loaded_graph, self._sources, self._sourceless = build({}, known), {}, known
        changed = {name: source for name, source in sources.items() if self._sources.get(name) != source}
        gone = self._sources.keys() - sources.keys()
        if changed or gone:
            self._loaded_graph = update(self._loaded_graph, changed, gone)
            self._sources = sources
        return self._loaded_graph

    def _graph_after(self, changes: ChangeSet) -> ImportGraph:
        """The import graph with the changed texts in place; deleted modules are still known."""
        changed = {
            change.module: ModuleSource(change.text, os.path.basename(change.path).startswith("__init__."))
            for change in changes.changes
            if change.text is not None
        }
        return update(self.graph(), changed)

    def imported_by(self, module: str) -> list[str]:
        """The modules of the scope that a module imports when it runs, in order."""
        graph = self._graph
        return [edge.imported for edge in graph.imports(module) if edge.at_import] if module in graph else []
