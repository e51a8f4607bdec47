"""The values that the import graph speaks in.

Touches: nothing.

Guarantees: values are frozen and compare by what they say; none of them holds a tree.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hotmod._source.imports import ImportKind
from hotmod._source.resolve import ancestors

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from hotmod._source.graph import ImportGraph

__all__ = ["DirectImport", "Route", "implicit_imports"]


@dataclasses.dataclass(frozen=True, slots=True)
class DirectImport:
    """One module imports another, on one line.

    Attributes:
        importer: the module that imports.
        imported: the module that is imported.
        line: the line of the import statement in the importer, counted from 1.
        kind: under which circumstances it runs.
        names: the names that it binds in the importer; empty for a star and for what binds nothing.
        at_import: whether it may run while the body of the importer is executed, be it in a function
            that the body visibly calls.
        star: whether it is `from imported import *`.
        implicit: whether the text doesn't name `imported`, which is run only as a package around a
            module that is imported.
        where: the dotted path of the functions and classes around the statement.
    """

    importer: str
    imported: str
    line: int
    kind: ImportKind
    names: tuple[str, ...] = ()
    at_import: bool = True
    star: bool = False
    implicit: bool = False
    where: str = ""
    _graph: ImportGraph | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def called(self) -> bool:
        """Whether it stands in a function that the module body visibly calls."""
        return self.kind is ImportKind.DEFERRED and self.at_import

    @property
    def hard(self) -> bool:
        """Whether the importer reads what it imports here while its body is executed."""
        return self._graph is not None and self._graph.reads(self)

    def as_dict(self) -> dict[str, Any]:
        """The import as JSON-ready values."""
        return {
            "importer": self.importer,
            "imported": self.imported,
            "line": self.line,
            "kind": self.kind.value,
            "names": list(self.names),
            "at_import": self.at_import,
            "star": self.star,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Why one module reaches another: a shortest chain of imports.

    Attributes:
        steps: the imports, from the first importer to the module reached.
    """

    steps: tuple[DirectImport, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules on the way, both ends included."""
        return (self.steps[0].importer, *(step.imported for step in self.steps))

    @property
    def at_import(self) -> bool:
        """Whether every step may run while its importer's body is executed."""
        return all(step.at_import for step in self.steps)

    def __str__(self) -> str:
        lines = (f"{step.importer}:{step.line} imports {step.imported}" for step in self.steps)
        return "\n".join(lines)


def implicit_imports(module: str, edges: Sequence[DirectImport], known: Container[str]) -> list[DirectImport]:
    """The packages around what a module imports: the import runs them first.

    Args:
        module: the module that imports.
        edges: what it imports by name.
        known: the modules in scope.
    """
    named = {(edge.imported, edge.line) for edge in edges}
    found: dict[tuple[str, int], DirectImport] = {}
    for edge in edges:
        for package in ancestors(edge.imported):
            key = (package, edge.line)
            if package in known and package != module and key not in named:
                seen = found.get(key)
                if seen is None or (edge.at_import and not seen.at_import):
                    found[key] = dataclasses.replace(
                        edge, imported=package, names=(), star=False, implicit=True
                    )
    return list(found.values())
