"""The import graph of a set of modules.

Touches: texts. Building it runs no user code and parses only what a cheaper scan can't read for sure.

Guarantees: a graph never changes; `update` makes another one and reads only the changed texts again. A
file that can't be decoded or parsed is listed in `errors` and the rest of the graph stands. Every result
is in a defined order.

Assumes: the modules given are the whole scope: what they import from elsewhere is left out.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hotmod._model.errors import SourceError
from hotmod._source import drawing
from hotmod._source.algorithms import components, ordered, reach, shortest_path
from hotmod._source.eager import EagerCode, may_run
from hotmod._source.edges import DirectImport, Route, implicit_imports
from hotmod._source.imports import ImportKind, Scan
from hotmod._source.layers import layered
from hotmod._source.parse import check, decode, parse
from hotmod._source.resolve import Link, ModuleSource, Resolver, mentioned
from hotmod._source.scan import scan_into

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Sequence

    from hotmod._model.changes import SourceText
    from hotmod._source.imports import Unsure

__all__ = ["DirectImport", "ImportGraph", "ModuleSource", "Route", "build", "update"]


class ImportGraph:
    """Which module of a program imports which, and when.

    Make one with `hotmod.graph`. Iterating gives the names of the modules, sorted.
    """

    __slots__ = (
        *("_called", "_checked", "_code", "_errors", "_links", "_plain", "_resolver", "_reverse", "_scans"),
        *("_cycles", "_sources", "_unsure", "_without_text"),
    )

    def __init__(
        self,
        sources: Mapping[str, ModuleSource | None],
        scans: Mapping[str, Scan],
        links: Mapping[str, tuple[Link, ...]],
        resolver: Resolver,
        errors: Mapping[str, SourceError],
    ) -> None:
        self._sources, self._scans, self._links = sources, scans, links
        self._resolver = resolver
        self._errors = dict(errors)  # by path
        self._checked = False
        self._reverse: dict[str, list[str]] | None = None
        self._plain: dict[str, frozenset[str]] = {}
        self._called: dict[str, frozenset[str]] = {}
        self._code: dict[str, EagerCode] = {}
        self._cycles: tuple[tuple[str, ...], ...] | None = None
        self._unsure: tuple[str, ...] | None = None
        self._without_text: tuple[str, ...] | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of all modules, sorted."""
        return tuple(sorted(self._sources))

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, module: object) -> bool:
        return module in self._sources

    def __repr__(self) -> str:
        count = sum(len(links) for links in self._links.values())
        return f"<ImportGraph of {len(self)} modules, {count} imports>"

    @property
    def errors(self) -> tuple[SourceError, ...]:
        """The files that can't be decoded or parsed; reading this parses what was not parsed before.

        What could be read of the imports of such a file is in the graph all the same.
        """
        if not self._checked:
            texts = [source.text for source in self._sources.values() if source is not None]
            found = [check(text) for text in texts if text.path not in self._errors]
            self._errors.update((error.path, error) for error in found if error is not None)
            self._checked = True
        return tuple(self._errors[path] for path in sorted(self._errors))

    @property
    def unsure(self) -> tuple[tuple[str, Unsure], ...]:
        """What may import something that the text doesn't tell: pairs of module and note."""
        if self._unsure is None:
            self._unsure = tuple(sorted(name for name, scan in self._scans.items() if scan.unsure))
        return tuple((module, note) for module in self._unsure for note in self._scans[module].unsure)

    @property
    def without_text(self) -> tuple[str, ...]:
        """The modules that have no text: extension modules, namespace packages."""
        if self._without_text is None:
            self._without_text = tuple(name for name, source in self._sources.items() if source is None)
        return self._without_text

    def imports(self, module: str, *, implicit: bool = False) -> tuple[DirectImport, ...]:
        """What a module imports, by line.

        Args:
            module: the importer.
            implicit: whether to list also the packages that are run because a module in them is
                imported.

        Raises:
            KeyError: the graph has no such module.
        """
        source = self._sources[module]
        edges = [self._edge(module, link) for link in self._links.get(module, ())]
        if implicit and source is not None:
            edges += implicit_imports(module, edges, self._sources)
        return tuple(sorted(edges, key=lambda edge: (edge.line, edge.imported)))

    def importers(self, module: str) -> tuple[DirectImport, ...]:
        """The imports of a module, sorted by importer and line.

        Raises:
            KeyError: the graph has no such module.
        """
        self._sources[module]  # an unknown name is an error, no empty answer
        return tuple(
            edge
            for importer in sorted(set(self._importers(module)))
            for edge in self.imports(importer)
            if edge.imported == module
        )

    def dependents(self, *modules: str, deferred: bool = False) -> frozenset[str]:
        """The modules that import any of these, directly or not; without these themselves.

        Args:
            modules: where to start.
            deferred: whether to follow also imports in functions that the module body doesn't call.
                Imports for type checking only are never followed.

        Raises:
            KeyError: the graph has no such module.
        """
        for module in modules:
            self._sources[module]

        def importers(module: str) -> Iterator[str]:
            for importer in dict.fromkeys(self._importers(module)):
                if self._follows(importer, module, deferred=deferred):
                    yield importer

        return frozenset(reach(modules, importers).difference(modules))

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """The groups of modules that import each other while their bodies run, each sorted."""
        if self._cycles is None:
            parts = components(self.modules, self._successors(self._sources))
            self._cycles = tuple(sorted(tuple(sorted(part)) for part in parts if len(part) > 1))
        return self._cycles

    def load_order(
        self, modules: Iterable[str] | None = None, first: Sequence[str] | Mapping[str, int] | None = None
    ) -> tuple[str, ...]:
        """The order in which to execute modules: what is imported before its importers.

        Args:
            modules: which ones; all by default. They keep their order also where the way from one to the
                other leads through modules that are not asked for.
            first: modules in the order in which they were first imported, or by numbers that grow in it.
                Modules of one import cycle, and those that nothing orders, go in this order, then by name.

        Raises:
            KeyError: the graph has no such module.
        """
        wanted = set(self._sources if modules is None else modules)
        for module in wanted:
            self._sources[module]
        region = wanted if modules is None else wanted | self.dependents(*wanted)
        last = sys.maxsize
        position = first if isinstance(first, Mapping) else {name: at for at, name in enumerate(first or ())}
        order = ordered(
            sorted(region),
            self._successors(region),
            lambda name: (position.get(name, last), name),
        )
        return tuple(name for name in order if name in wanted)

    def route(self, importer: str, imported: str, *, deferred: bool = True) -> Route | None:
        """Why `importer` reaches `imported`: a shortest chain, None if there is none.

        A chain of imports that run with the module bodies is preferred to a shorter one through functions.

        Args:
            importer: where the chain starts.
            imported: where it ends.
            deferred: whether imports in functions may be part of it.

        Raises:
            KeyError: the graph lacks one of the two.
        """
        for module in (importer, imported):
            self._sources[module]
        for lazily in (False, True) if deferred else (False,):

            def targets(module: str, *, lazily: bool = lazily) -> set[str]:
                links = self._links.get(module, ())
                return {link.imported for link in links if self._runs(module, link, deferred=lazily)}

            path = shortest_path(importer, imported, targets)
            if path is not None:
                pairs = itertools.pairwise(path)
                return Route(tuple(self._step(start, end, deferred=lazily) for start, end in pairs))
        return None

    def is_hard(self, importer: str, imported: str) -> bool:
        """Whether `importer` reads something of `imported` while its body is executed.

        The importer's text is parsed for the answer, once.

        Raises:
            KeyError: the graph has no such importer.
        """
        return any(edge.hard for edge in self.imports(importer) if edge.imported == imported)

    def targets(self, module: str) -> frozenset[str]:
        """The modules that a module imports, whenever that is."""
        return frozenset(link.imported for link in self._links.get(module, ()))

    def chains(self, module: str) -> frozenset[tuple[str, ...]]:
        """The dotted names, split at the dots, that running code of a module reads; parses its text once."""
        return self._eager(module).chains

    def text(self, module: str) -> SourceText | None:
        """The text of a module, None if it has none."""
        source = self._sources[module]
        return None if source is None else source.text

    def reads(self, edge: DirectImport) -> bool:
        """Whether the importer of an edge reads the names of the edge while its body is executed."""
        if not edge.at_import or edge.implicit:
            return False
        code = self._eager(edge.importer)
        if edge.star:
            free = code.free_names()
            return any(self._provides(edge.imported, name) for name in sorted(free))
        return code.reads(edge.names, edge.imported, edge.line, self._sources)

    def to_dot(self) -> str:
        """The graph in the language of Graphviz."""
        return drawing.to_dot(self)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        return drawing.to_mermaid(self)

    def as_dict(self) -> dict[str, Any]:
        """The graph as JSON-ready values."""
        return drawing.as_dict(self, self._sources)

    def _edge(self, importer: str, link: Link) -> DirectImport:
        imported, line, kind, names, star, where, _ = link
        at_import = self._runs(importer, link, deferred=False)
        return DirectImport(importer, imported, line, kind, names, at_import, star, where=where, _graph=self)

    def _importers(self, module: str) -> Sequence[str]:
        if self._reverse is None:
            reverse: dict[str, list[str]] = {}
            for importer, links in self._links.items():
                for imported in {link.imported for link in links}:
                    reverse.setdefault(imported, []).append(importer)
            self._reverse = reverse
        return self._reverse.get(module, ())

    def _follows(self, importer: str, imported: str, *, deferred: bool) -> bool:
        """Whether any import of `imported` by `importer` runs."""
        return imported in self._plainly(importer) or any(
            self._runs(importer, link, deferred=deferred)
            for link in self._links[importer]
            if link.deferred and link.imported == imported
        )

    def _plainly(self, module: str) -> frozenset[str]:
        """What a module imports outside of functions."""
        if module not in self._plain:
            self._plain[module] = frozenset(
                link.imported
                for link in self._links.get(module, ())
                if not link.deferred and link.kind is not ImportKind.TYPE_CHECKING
            )
        return self._plain[module]

    def _runs(self, importer: str, link: Link, *, deferred: bool) -> bool:
        if link.kind is ImportKind.TYPE_CHECKING:
            return False
        if deferred or not link.deferred:
            return True
        return link.where in self._called_in(importer)

    def _called_in(self, module: str) -> frozenset[str]:
        """The functions of a module that its body visibly calls."""
        if module not in self._called:
            places = sorted({link.where for link in self._links[module] if link.deferred and link.where})
            source = self._sources[module]
            called: frozenset[str] = frozenset()
            if source is not None:
                places = [place for place in places if mentioned(source, place)]
                if places and may_run(decode(source.text), places):
                    # Not kept: the code of a module that is asked about once holds on to its whole tree.
                    called = self._eager(module, keep=False).called
            self._called[module] = called
        return self._called[module]

    def _eager(self, module: str, *, keep: bool = True) -> EagerCode:
        code = self._code.get(module)
        if code is None:
            source = self._sources[module]
            try:
                code = EagerCode(None if source is None else parse(source.text))
            except SourceError as error:
                self._errors[error.path] = error
                code = EagerCode(None)
            if keep:
                self._code[module] = code
        return code

    def _provides(self, module: str, name: str) -> bool:
        exports = self._scans.get(module, Scan()).exports
        return name in exports if exports is not None else self._resolver.binds(module, name)

    def _successors(self, modules: Iterable[str]) -> dict[str, list[str]]:
        inside = modules if isinstance(modules, (set, dict)) else set(modules)
        return {module: sorted(self.runs_first(module, inside)) for module in sorted(inside)}

    def runs_first(self, module: str, inside: Container[str]) -> set[str]:
        """Those of some modules that a module imports while its body runs."""
        plain = self._plainly(module)
        later = {
            link.imported
            for link in self._links.get(module, ())
            if link.deferred and link.imported in inside and link.imported not in plain
            if self._runs(module, link, deferred=False)
        }
        return later | {name for name in plain if name in inside}

    def _step(self, importer: str, imported: str, *, deferred: bool) -> DirectImport:
        edges = [edge for edge in self.imports(importer) if edge.imported == imported]
        runs = [edge for edge in edges if edge.at_import]
        return (runs or [edge for edge in edges if deferred and edge.kind is not ImportKind.TYPE_CHECKING])[0]

    def _updated(self, changed: Mapping[str, ModuleSource], removed: frozenset[str]) -> ImportGraph:
        """See `update`."""
        sources = layered(self._sources, changed)
        if removed:
            sources = {name: each for name, each in sources.items() if name in changed or name not in removed}
        gone = map(self._sources.get, (*changed, *removed))
        paths = {each.text.path for each in (*changed.values(), *gone) if each is not None}
        failed = {path: error for path, error in self._errors.items() if path not in paths}
        fresh: dict[str, Scan] = {}
        for module, source in changed.items():
            scan_into(fresh, failed, module, source)
        scans = layered(self._scans, fresh)
        lost = changed.keys() - fresh.keys()
        if removed or any(name in self._scans for name in lost):
            scans = {name: scan for name, scan in scans.items() if name in sources and name not in lost}
        if not removed and all(self._sources.get(name) is not None for name in changed):
            resolver = self._resolver.refreshed(sources, scans, changed)
            if all(resolver.facade(each) == self._resolver.facade(each) for each in changed):
                links = layered(self._links, {module: resolver.links(module) for module in changed})
                newer = ImportGraph(sources, scans, links, resolver, failed)
                newer._take_over(self, changed)
                return newer
        resolver = Resolver(sources, scans)
        links = {name: resolver.links(name) for name, source in sources.items() if source is not None}
        newer = ImportGraph(sources, scans, links, resolver, failed)
        kept = [name for name in links if name not in changed and links[name] == self._links.get(name)]
        newer._plain = {name: self._plain[name] for name in kept if name in self._plain}
        newer._called = {name: self._called[name] for name in kept if name in self._called}
        newer._code = {name: self._code[name] for name in kept if name in self._code}
        return newer

    def _take_over(self, before: ImportGraph, changed: Collection[str]) -> None:
        """Take over what was worked out for a graph of which only the texts of some modules have changed."""
        # what is the same is one object in both: a copy would take time for every module there is
        self._without_text = before._without_text
        self._called = {name: each for name, each in before._called.items() if name not in changed}
        self._code = {name: each for name, each in before._code.items() if name not in changed}
        plain = {name: self._plainly(name) for name in changed}
        same = all(plain[name] == before._plainly(name) for name in changed)
        self._plain = before._plain if same else {**before._plain, **plain}
        if all(self.targets(name) == before.targets(name) for name in changed):
            self._reverse = before._reverse
        if all(self.runs_first(each, self) == before.runs_first(each, self) for each in changed):
            self._cycles = before._cycles
        if before._unsure is not None:
            may = {*before._unsure, *changed}
            self._unsure = tuple(
                sorted(each for each in may if each in self._scans and self._scans[each].unsure)
            )


def build(
    sources: Mapping[str, ModuleSource], known: Iterable[str] = (), *, errors: Iterable[SourceError] = ()
) -> ImportGraph:
    """The import graph of a set of modules.

    Args:
        sources: the modules in scope that have a text, by name.
        known: the names of modules in scope without one: extension modules, namespace packages.
        errors: what went wrong before, such as files that can't be read; kept with the graph's own.
    """
    every: dict[str, ModuleSource | None] = {**dict.fromkeys(known), **sources}
    scans: dict[str, Scan] = {}
    failed = {error.path: error for error in errors}
    for module, source in sources.items():
        scan_into(scans, failed, module, source)
    resolver = Resolver(every, scans)
    links = {module: resolver.links(module) for module in sources}
    return ImportGraph(every, scans, links, resolver, failed)


def update(
    graph: ImportGraph, changed: Mapping[str, ModuleSource], removed: Iterable[str] = ()
) -> ImportGraph:
    """The graph after some modules changed: only their texts are read, the rest is taken over.

    Args:
        graph: the graph before; it stays as it is.
        changed: modules that are new or have another text.
        removed: modules that are gone.
    """
    return graph._updated(changed, frozenset(removed))  # noqa: SLF001 - the same room
