"""The graph against the truth: what a fresh process really imports."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.source.programs import PACKAGES, folder_of, graph_of_program, standard_library

TRACER = pathlib.Path(__file__).with_name("trace_imports.py")
PROGRAMS = ["standard library", *PACKAGES]

# The import system imports on behalf of others.
MACHINERY = {"importlib", "importlib._bootstrap", "importlib._bootstrap_external", "pkgutil", "runpy"}


def is_importable(module: str) -> bool:
    """Whether importing a module just like that makes sense."""
    parts = module.split(".")
    return parts[-1] != "__main__" and not {"tests", "test", "testing"} & set(parts)


@functools.cache
def really_imported(program: str) -> frozenset[tuple[str, str, str]]:
    """(importer, imported, how) for each import that a fresh process makes within a program."""
    graph = graph_of_program(program)
    roots = list(standard_library()) if program == "standard library" else [program]
    modules = [module for module in graph if is_importable(module)]
    path = [] if program == "standard library" else [str(pathlib.Path(folder_of(program)).parent)]
    run = subprocess.run(
        [sys.executable, str(TRACER)],
        input=json.dumps({"roots": roots, "modules": modules, "path": path}),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        # Where setuptools is installed it answers for distutils with a copy of its own (3.11).
        env={**os.environ, "SETUPTOOLS_USE_DISTUTILS": "stdlib"},
    )
    found = {tuple(each) for each in json.loads(run.stdout)["found"]}
    return frozenset(
        (importer, imported, how)
        for importer, imported, how in found
        if importer in graph and imported in graph and importer not in {imported, *MACHINERY}
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_import_of_a_module_body_is_an_edge_at_import(program: str) -> None:
    """What a module body imports, itself or in a function of its own that it calls, runs at import."""
    graph = graph_of_program(program)
    real = {(importer, imported) for importer, imported, how in really_imported(program) if how != "later"}
    edges = {
        (edge.importer, edge.imported)
        for module in graph
        for edge in graph.imports(module, implicit=True)
        if edge.at_import
    }
    assert len(real) > 20
    assert real - edges == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_import_of_a_function_is_an_edge(program: str) -> None:
    """What functions import when others call them is an edge, or its module is noted as unsure."""
    graph = graph_of_program(program)
    real = {(importer, imported) for importer, imported, how in really_imported(program) if how == "later"}
    edges = {
        (edge.importer, edge.imported) for module in graph for edge in graph.imports(module, implicit=True)
    }
    noted = {module for module, _ in graph.unsure}
    assert {(importer, imported) for importer, imported in real - edges if importer not in noted} == set()
