"""Modules that a module uses without importing them: as attributes of a package that it imports.

`import tornado` and then `class Handler(tornado.web.RequestHandler)` depends on `tornado.web`, which some
other module imported.

Touches: texts, by way of a graph.

Guarantees: what running code of the module reads by a dotted name that leads to a module in scope is found;
a text is parsed only if it spells such a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hotmod._source.memory import remembered

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText
    from hotmod._source.graph import ImportGraph

__all__ = ["may_reach", "reached"]

_ATTRIBUTE = re.compile(rb"(?<![\w.])(?!self\b|cls\b)[^\W\d]\w*\s*\.\s*(\w+)")


@remembered
def _attributes(text: SourceText) -> frozenset[str]:
    return frozenset(each.decode("utf-8", "replace") for each in _ATTRIBUTE.findall(text.data))


def may_reach(text: SourceText | None, names: frozenset[str]) -> bool:
    """Whether a text looks up one of some names on another name; costs less than `reached`."""
    return text is not None and not names.isdisjoint(_attributes(text))


def reached(graph: ImportGraph, module: str, packages: frozenset[str]) -> frozenset[str]:
    """The modules that running code of `module` reads as attributes of packages that it imports.

    Args:
        graph: the imports of all modules in scope.
        module: the module that may use others.
        packages: the modules in scope that have submodules.
    """
    edges = [edge for edge in graph.imports(module) if edge.at_import and edge.imported in packages]
    bound = {name: edge.imported for edge in edges for name in edge.names}
    if not bound or not _spells(graph, module, bound):
        return frozenset()
    imported = {edge.imported for edge in graph.imports(module) if edge.at_import}
    found = set()
    for first, *rest in graph.chains(module):
        name = bound.get(first)
        for part in rest if name is not None else ():
            name = f"{name}.{part}"
            if name not in graph:
                break
            if name not in imported and name != module:
                found.add(name)
    return frozenset(found)


def _spells(graph: ImportGraph, module: str, bound: dict[str, str]) -> bool:
    """Whether the text holds a bound name followed by the name of a submodule."""
    text = graph.text(module)
    names = b"|".join(re.escape(name.encode()) for name in sorted(bound))
    for match in re.finditer(rb"\b(%b)\s*\.\s*(\w+)" % names, text.data if text else b""):
        package = bound[match[1].decode()]
        if f"{package}.{match[2].decode('utf-8', 'replace')}" in graph:
            return True
    return False
