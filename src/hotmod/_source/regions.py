"""The values that facts are made of: regions of code that run together, and what they read.

Touches: nothing.

Guarantees: a region never changes once it is done.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

__all__ = ["Builder", "Chain", "ClassFacts", "Mode", "NameImport", "Region"]

Chain = tuple[str, ...]  # a dotted name, split at the dots


class Mode(enum.IntEnum):
    """What is done with an object that a region refers to, the least intrusive first."""

    PLAIN = 1  # bound to another name, put into a list, annotated with
    NOTED = 2  # annotated with in the body of a class, at which a library may look that builds the class
    STORED = 3  # handed to a constructor, which keeps it
    HANDED = 4  # handed to another call whose result is used
    BASE = 5  # a class is built upon it
    USED = 6  # an operand, what an attribute is looked up on
    CALLED = 7
    APPLIED = 8  # called, and what the call gives is called, entered or used as a decorator


@dataclasses.dataclass(frozen=True, slots=True)
class NameImport:
    """One name that an import statement binds, or one module that it imports.

    Attributes:
        local: the name bound; empty when nothing is bound by it (`import a.b` also imports `a.b`).
        module: the dotted name as written, without leading dots.
        level: the number of leading dots.
        name: what is taken from the module: empty for the module itself, `*` for a star import.
        guarded: whether it stands in a `try` or under a condition, so that it may fail or not run.
    """

    local: str
    module: str
    level: int
    name: str
    guarded: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class of a statement.

    Attributes:
        bases: its bases as dotted names; `()` for one that is no dotted name.
        keywords: what its keywords are given, as dotted names: its metaclass.
        plain: whether nothing but its bases can look at it while it is built: no decorator, no keyword.
        functions: the plain functions of its body (also static, class methods and properties).
        data: the other names that its body binds.
    """

    bases: tuple[Chain, ...]
    keywords: tuple[Chain, ...]
    plain: bool
    functions: frozenset[str]
    data: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Region:
    """Code that runs together: what a statement runs, or the inside of a function.

    Attributes:
        reads: dotted names that lead to module level, and the most that is done with each.
        handed: pairs (callee, dotted name handed to it as an argument).
        asked: dotted names whose objects are asked by their special methods, besides what `reads` says.
        attributes: names of attributes looked up on objects that no dotted name leads to.
        own: names of attributes that a method looks up on its first parameter.
        imports: what import statements in a function bind there.
        unknown: dotted names that are called; `()` for a call of something else.
        changes: dotted names whose objects are changed: items, attributes, mutating methods.
        stores: module-level names that a function binds by `global`; `*` if it computes names that it binds.
        dynamic: whether names are looked up that the text does not spell.
        calls_parameters: whether it calls what it is given.
        changes_parameters: whether it changes an object that it is given, such as its own instance.
    """

    reads: Mapping[Chain, Mode]
    handed: frozenset[tuple[Chain, Chain]] = frozenset()
    asked: frozenset[Chain] = frozenset()
    attributes: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    imports: tuple[NameImport, ...] = ()
    unknown: frozenset[Chain] = frozenset()
    changes: frozenset[Chain] = frozenset()
    stores: frozenset[str] = frozenset()
    dynamic: bool = False
    calls_parameters: bool = False
    changes_parameters: bool = False


class Builder:
    """A region in the making."""

    def __init__(self) -> None:
        self.reads: dict[Chain, Mode] = {}
        self.handed: set[tuple[Chain, Chain]] = set()
        self.asked: set[Chain] = set()
        self.attributes: set[str] = set()
        self.own: set[str] = set()
        self.imports: list[NameImport] = []
        self.unknown: set[Chain] = set()
        self.changes: set[Chain] = set()
        self.stores: set[str] = set()
        self.dynamic = False
        self.calls_parameters = False
        self.changes_parameters = False

    def read(self, chain: Chain, mode: Mode) -> None:
        """Note that a dotted name is read."""
        self.reads[chain] = max(mode, self.reads.get(chain, mode))

    def done(self) -> Region:
        """The finished region."""
        return Region(
            dict(self.reads),
            frozenset(self.handed),
            frozenset(self.asked),
            frozenset(self.attributes),
            frozenset(self.own),
            tuple(self.imports),
            frozenset(self.unknown),
            frozenset(self.changes),
            frozenset(self.stores),
            self.dynamic,
            self.calls_parameters,
            self.changes_parameters,
        )
