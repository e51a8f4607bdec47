"""Where the texts of programs that we did not write lie: the standard library and packages from PyPI."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys
import sysconfig

from hotmod._model.changes import SourceText
from hotmod._source.files import discover, graph_of, read
from hotmod._source.graph import ImportGraph

# Light, pure Python, of different styles; what the `test` extra installs.
PACKAGES = ("click", "flask", "jinja2", "marshmallow", "networkx")

# Of the standard library: what shows windows, prints poems or is no part of the library.
LEFT_OUT = {"antigravity", "idlelib", "lib2to3", "test", "this", "turtledemo"}


def folder_of(package: str) -> str:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(pathlib.Path(spec.origin).parent)


def standard_library() -> dict[str, list[str]]:
    """The folders and files of the standard library's modules, by name."""
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    found = {}
    for name in sorted(sys.stdlib_module_names - LEFT_OUT):
        for path in (library / name, library / f"{name}.py"):
            if path.exists():
                found[name] = [str(path)]
                break
    return found


@functools.cache
def graph_of_program(program: str) -> ImportGraph:
    """The graph of a package, or of the `standard library`."""
    if program == "standard library":
        return graph_of(standard_library())
    return graph_of({program: [folder_of(program)]})


def texts(program: str) -> list[SourceText]:
    """Every source text of a program; of the standard library, its tests as well."""
    if program == "standard library":
        library = pathlib.Path(sysconfig.get_path("stdlib"))
        return [
            read(str(path)) for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts
        ]
    return [read(file.path) for file in discover([folder_of(program)], program).modules.values()]
