"""What a module's text imports: every import statement, where it stands and when it runs.

Touches: text. Names are kept as written; `graph` resolves them against the modules that exist.

Guarantees: `scan` says what `scan_tree` says of the parsed text; the tree is the truth.

Assumes: `TYPE_CHECKING` is false at run time, whatever module it was imported from.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

__all__ = ["ImportKind", "ImportStatement", "LazyEntry", "Scan", "Unsure"]


class ImportKind(enum.Enum):
    """Under which circumstances an import statement runs."""

    EAGER = "eager"  # whenever the module body (or a class body in it) runs
    CONDITIONAL = "conditional"  # in the module body, below if, else, try, with, a loop or match
    DEFERRED = "deferred"  # when a function is called
    TYPE_CHECKING = "type-checking"  # never at run time
    DYNAMIC = "dynamic"  # import_module("..."), __import__("..."), a table of lazy attributes


class ImportStatement(NamedTuple):  # a scan of a large package makes tens of thousands: tuples are cheap
    """One imported module (and what is taken from it), as written.

    `import a, b` makes two of these, `from a import b, c` one.

    Attributes:
        module: the dotted name as written, without leading dots; empty for `from . import x`.
        level: the number of leading dots.
        names: pairs (name, alias or None). For `from` the imported names (`*` for a star), for a plain
            `import` the module itself; for a dynamic import the attributes asked for, mostly none.
        is_from: whether names are taken from the module.
        line: the line on which the statement starts, counted from 1.
        kind: under which circumstances it runs.
        where: the dotted path of the functions and classes around it; empty at module level.
        deferred: whether running the module body alone does not run it: it stands in a function or
            lambda, or under `if __name__ == "__main__"`.
        anchor: what a dynamic relative import is relative to: a package, `__name__`, or empty for the
            package of the module.
        target: for a dynamic import, the name that the module is assigned to, if any.
    """

    module: str
    level: int
    names: tuple[tuple[str, str | None], ...]
    is_from: bool
    line: int
    kind: ImportKind = ImportKind.EAGER
    where: str = ""
    deferred: bool = False
    anchor: str = ""
    target: str = ""

    @property
    def star(self) -> bool:
        """Whether this is `from module import *`."""
        return self.is_from and self.names == (("*", None),)

    @property
    def bound(self) -> tuple[str, ...]:
        """The names that the statement binds where it stands; none for a star, which binds what it finds."""
        if self.kind is ImportKind.DYNAMIC:
            return (self.target,) if self.target else ()
        if self.star:
            return ()
        if self.is_from:
            return tuple(alias or name for name, alias in self.names)
        return tuple(alias or name.partition(".")[0] for name, alias in self.names)


@dataclasses.dataclass(frozen=True, slots=True)
class LazyEntry:
    """One row of a literal table from which a module-level `__getattr__` may import.

    Attributes:
        name: the attribute that asks for it; empty if the table doesn't say.
        module: the module, as written: relative with dots, relative to the package without, or absolute.
        line: where the row stands.
    """

    name: str
    module: str
    line: int


@dataclasses.dataclass(frozen=True, slots=True)
class Unsure:
    """Something that may import what the text alone doesn't tell.

    Attributes:
        line: where it stands.
        text: the code, shortened.
        reason: what it is, in words.
    """

    line: int
    text: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Scan:
    """What one text imports, as written.

    Attributes:
        statements: all imports, by line.
        exports: what `__all__` lists, None without one.
        exports_unsure: whether `__all__` is made by code that the scan can't follow.
        getattr_module: whether the module defines `__getattr__` (PEP 562).
        lazy: the rows of literal tables that such a `__getattr__` may import from.
        unsure: what may import something that the text alone doesn't tell.
    """

    statements: tuple[ImportStatement, ...] = ()
    exports: tuple[str, ...] | None = None
    exports_unsure: bool = False
    getattr_module: bool = False
    lazy: tuple[LazyEntry, ...] = ()
    unsure: tuple[Unsure, ...] = ()
