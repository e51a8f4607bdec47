"""The import graph arranged for people: layers by load order, and what each import takes.

Touches: texts. Modules that import something are parsed, to tell what they read while they run.

Guarantees: a module stands in a later layer than all that it imports while its body runs, but for modules of
its own cycle, which share a layer. Equal graphs give equal pictures.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hotmod._source.imports import ImportKind, ImportStatement
from hotmod._source.scan import scanned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hotmod._source.edges import DirectImport
    from hotmod._source.graph import ImportGraph

__all__ = ["Arrow", "Node", "Picture", "picture_of"]


@dataclasses.dataclass(frozen=True, slots=True)
class Arrow:
    """One import, as it matters for an edit of what is imported.

    Attributes:
        imported: the module that is imported.
        line: the line of the import, counted from 1.
        when: `import` if it runs with the importer's body, `later` if a function runs it, `types` if nothing
            does.
        hard: whether the importer reads what it imports here while its body runs.
        takes: what `from` takes out of the module, as pairs of the name there and the name here; `*` for a
            star. Empty where the module itself is bound.
    """

    imported: str
    line: int
    when: str
    hard: bool
    takes: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """One module.

    Attributes:
        name: its name.
        layer: its layer, counted from 1; what imports nothing is in the first.
        path: its file; empty if it has none.
        cycle: the number of its cycle, counted from 1; 0 if it is in none.
        arrows: what it imports, by line.
    """

    name: str
    layer: int
    path: str = ""
    cycle: int = 0
    arrows: tuple[Arrow, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """The modules of a graph, in load order.

    Attributes:
        nodes: the modules.
        cycles: the groups of modules that import each other while their bodies run.
        unsure: what may import something that the text doesn't tell: module, line, text and reason.
        errors: the files that can't be read, in words.
    """

    nodes: tuple[Node, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    unsure: tuple[tuple[str, int, str, str], ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[tuple[Node, ...], ...]:
        """The modules by layer, each layer by name."""
        found: dict[int, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.layer, []).append(node)
        return tuple(tuple(sorted(found[layer], key=lambda node: node.name)) for layer in sorted(found))

    def as_dict(self) -> dict[str, Any]:
        """The picture as JSON-ready values, with modules by number where they are referred to."""
        number = {node.name: index for index, node in enumerate(self.nodes)}
        return {
            "modules": [
                {
                    "name": node.name,
                    "layer": node.layer,
                    "path": node.path,
                    "cycle": node.cycle,
                    "imports": [
                        [number[arrow.imported], arrow.line, arrow.when, int(arrow.hard), list(arrow.takes)]
                        for arrow in node.arrows
                    ],
                }
                for node in self.nodes
            ],
            "cycles": [list(cycle) for cycle in self.cycles],
            "unsure": [list(note) for note in self.unsure],
            "errors": list(self.errors),
        }


def picture_of(graph: ImportGraph) -> Picture:
    """The picture of a graph."""
    order, cycles = graph.load_order(), graph.cycles()
    cycle_of = {name: number for number, cycle in enumerate(cycles, 1) for name in cycle}
    arrows = {name: tuple(_arrows(graph, name)) for name in order}
    layer: dict[str, int] = {}
    for name in order:
        if name in layer:
            continue
        group = cycles[cycle_of[name] - 1] if name in cycle_of else (name,)
        below = {
            arrow.imported
            for each in group
            for arrow in arrows[each]
            if arrow.when == "import" and arrow.imported not in group
        }
        # a cycle of which a module comes first waits for what its others import, too
        height = 1 + max((layer.get(each, 0) for each in below), default=0)
        layer.update(dict.fromkeys(group, height))
    nodes = []
    for name in order:
        text = graph.text(name)
        path = text.path if text is not None else ""
        nodes.append(Node(name, layer[name], path, cycle_of.get(name, 0), arrows[name]))
    notes = tuple((module, note.line, note.text, note.reason) for module, note in graph.unsure)
    return Picture(tuple(nodes), cycles, notes, tuple(str(error) for error in graph.errors))


def _arrows(graph: ImportGraph, importer: str) -> Iterable[Arrow]:
    """What a module imports."""
    edges = graph.imports(importer)
    text = graph.text(importer)
    statements: dict[int, list[ImportStatement]] = {}
    if edges and text is not None:
        for statement in scanned(text).statements:
            if statement.is_from:
                statements.setdefault(statement.line, []).append(statement)
    package = _package(importer, graph)
    for edge in edges:
        never = edge.kind is ImportKind.TYPE_CHECKING
        when = "import" if edge.at_import else "types" if never else "later"
        takes = tuple(_taken(edge, statements.get(edge.line, ()), package))
        yield Arrow(edge.imported, edge.line, when, edge.hard, takes)


def _package(module: str, graph: ImportGraph) -> list[str]:
    """What a relative import of a module begins from, as parts."""
    parts = module.split(".")
    text = graph.text(module)
    is_package = text is None or text.path.endswith("__init__.py")
    return parts if is_package else parts[:-1]


def _taken(
    edge: DirectImport, statements: Iterable[ImportStatement], package: list[str]
) -> Iterable[tuple[str, str]]:
    """What an edge takes out of its module: the names there and here."""
    if edge.star:
        yield "*", "*"
        return
    for statement in statements:
        above = package[: len(package) - statement.level + 1] if statement.level else []
        base = ".".join([*above, *([statement.module] if statement.module else [])])
        for name, alias in statement.names:
            bound = alias or name
            if bound in edge.names and edge.imported != f"{base}.{name}":
                yield name, bound
