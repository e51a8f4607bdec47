"""Small programs as text, for the tests of the import graph."""

from __future__ import annotations

import textwrap

from hotmod._model.changes import SourceText
from hotmod._source.graph import DirectImport, ImportGraph, ModuleSource, build


def source(name: str, text: str, *, is_package: bool = False) -> ModuleSource:
    path = "/" + name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
    return ModuleSource(SourceText.of(path, textwrap.dedent(text).encode()), is_package)


def sources(modules: dict[str, str]) -> dict[str, ModuleSource]:
    """The texts of modules by name; a module that others lie in is a package."""
    packages = {name.rpartition(".")[0] for name in modules}
    return {name: source(name, text, is_package=name in packages) for name, text in modules.items()}


def graph(modules: dict[str, str], known: tuple[str, ...] = ()) -> ImportGraph:
    return build(sources(modules), known)


def shown(edge: DirectImport) -> tuple[str, str, tuple[str, ...]]:
    """An edge as the tables of the tests write it: to where, of which kind, binding what.

    An import in a function that the module body calls is of the kind `called`.
    """
    return edge.imported, "called" if edge.called else edge.kind.value, edge.names
