"""The import graph as text for other programs: Graphviz, Mermaid, JSON.

Touches: nothing.

Guarantees: equal graphs give equal texts; names are quoted as each language wants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotmod._source.imports import ImportKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hotmod._source.graph import ImportGraph
    from hotmod._source.resolve import ModuleSource

__all__ = ["as_dict", "to_dot", "to_mermaid"]


_STYLES = ("hard", "solid", "dashed", "dotted")  # the strongest first
_DOT = {"hard": " [penwidth=2]", "solid": "", "dashed": " [style=dashed]", "dotted": " [style=dotted]"}
_MERMAID = {"hard": "==>", "solid": "-->", "dashed": "-.->", "dotted": "-.->"}
_CYCLE = "#d1242f"


def to_dot(graph: ImportGraph) -> str:
    """The graph in the language of Graphviz.

    Arrows are thick where the importer reads what it imports while its body runs, else solid at import,
    dashed later, dotted for type checking. Modules of a cycle are red.
    """
    cycle, red = _cycles(graph), f' [color="{_CYCLE}"]'
    lines = ["digraph imports {", "    rankdir=LR;", "    node [shape=box];"]
    lines += [f'    "{module}"{red if module in cycle else ""};' for module in graph]
    for importer, imported, style in _arrows(graph):
        lines.append(f'    "{importer}" -> "{imported}"{_DOT[style]};')
    return "\n".join([*lines, "}", ""])


def to_mermaid(graph: ImportGraph) -> str:
    """The graph as a Mermaid flowchart.

    Arrows are thick where the importer reads what it imports while its body runs, else solid at import,
    dotted for what runs later or never. Modules of a cycle are red.
    """
    # Mermaid has reserved words ("end", "graph"), so nodes get numbers for names.
    number = {module: f"m{index}" for index, module in enumerate(graph)}
    lines = ["flowchart LR"]
    lines += [f'    {number[module]}["{module}"]' for module in graph]
    for importer, imported, style in _arrows(graph):
        lines.append(f"    {number[importer]} {_MERMAID[style]} {number[imported]}")
    cycle = _cycles(graph)
    lines += [f"    style {number[module]} stroke:{_CYCLE}" for module in graph if module in cycle]
    return "\n".join([*lines, ""])


def as_dict(graph: ImportGraph, sources: Mapping[str, ModuleSource | None]) -> dict[str, Any]:
    """The graph as JSON-ready values."""
    modules = {}
    for module in graph:
        source = sources[module]
        modules[module] = {
            "path": None if source is None else source.text.path,
            "is_package": source is None or source.is_package,
            "imports": [edge.as_dict() for edge in graph.imports(module)],
        }
    return {
        "modules": modules,
        "cycles": [list(cycle) for cycle in graph.cycles()],
        "errors": [
            {"path": error.path, "line": error.line, "reason": error.reason} for error in graph.errors
        ],
        "unsure": [
            {"module": module, "line": note.line, "text": note.text, "reason": note.reason}
            for module, note in graph.unsure
        ],
    }


def _cycles(graph: ImportGraph) -> frozenset[str]:
    return frozenset(module for cycle in graph.cycles() for module in cycle)


def _arrows(graph: ImportGraph) -> Iterator[tuple[str, str, str]]:
    """One arrow for each pair of modules, in the style of its strongest import."""
    for importer in graph:
        styles: dict[str, str] = {}
        for edge in graph.imports(importer):
            never = "dotted" if edge.kind is ImportKind.TYPE_CHECKING else "dashed"
            style = never if not edge.at_import else "hard" if edge.hard else "solid"
            before = styles.get(edge.imported, "dotted")
            styles[edge.imported] = min(style, before, key=_STYLES.index)
        for imported in sorted(styles):
            yield importer, imported, styles[imported]
