"""Dependencies that no import statement names: attributes of packages, and computed imports.

Touches: module namespaces, read only.

Guarantees: a module that imports by a computed name counts as using every module in scope of which it
holds something; values without a home of their own (numbers, texts) can't be traced so.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection

from hotmod._live.kinds import is_class, is_definition, is_module, space_in, text_in
from hotmod._live.modules import space_of
from hotmod._plan import Hidden
from hotmod._source.algorithms import reach
from hotmod._source.graph import ImportGraph
from hotmod._source.reached import may_reach, reached

__all__ = ["hidden_uses"]


def hidden_uses(graph: ImportGraph, loaded: Collection[str], *, computed: bool = False) -> dict[str, Hidden]:
    """By module, what it uses without an import statement that says so.

    Args:
        graph: the imports of the loaded modules.
        loaded: their names.
        computed: whether only computed imports are asked for.
    """
    found = {} if computed else _attributes_of_packages(graph, loaded)
    for name, note in graph.unsure:
        if name in loaded:
            held = _held(name, loaded)
            # what came by way of an import statement is no secret, however many modules passed it on
            held -= reach([name], lambda module: graph.runs_first(module, graph)) if held else set()
            if held:
                modules = held | (found[name].modules if name in found else frozenset())
                found[name] = Hidden(modules, "imports by a computed name", note.line, computed=True)
    return found


def _attributes_of_packages(graph: ImportGraph, loaded: Collection[str]) -> dict[str, Hidden]:
    packages = frozenset(name.rpartition(".")[0] for name in loaded if "." in name)
    below = frozenset(name.rpartition(".")[2] for name in loaded if "." in name)
    found: dict[str, Hidden] = {}
    for name in loaded:
        may = name in graph and may_reach(graph.text(name), below)
        modules = reached(graph, name, packages) if may else frozenset()
        if modules:
            found[name] = Hidden(modules, "reads")
    return found


def _held(name: str, loaded: Collection[str]) -> frozenset[str]:
    """The modules in scope of which a module's namespace holds a definition, or which it holds itself."""
    found = set()
    for attribute, value in list(space_of(sys.modules.get(name)).items()):
        if is_module(value):
            # a submodule is an attribute of its package whoever imported it
            own = text_in(space_in(value).get("__name__"))
            home: object = own if own != f"{name}.{attribute}" else None
        elif is_definition(value):
            home = _home(value)
        else:
            home = _home(type(value))
        if type(home) is str and home != name and home in loaded:
            found.add(home)
    return frozenset(found)


def _home(value: types.FunctionType | type) -> object:
    if is_class(value):
        return type.__getattribute__(value, "__module__")
    return value.__module__
