"""Entries of registries that are objects of a library: what stands in them, and which statement put them there.

A framework does not list functions; it lists routes, rules, commands and tasks that hold the functions. Such
an entry belongs to a statement if the statement called into the object in which the registry is, and handed it
the function that stands in the entry.

Touches: nothing; reads objects. Never calls code of the subject.

Guarantees: an entry is told to belong to a statement only if the text of that statement says so.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.state import instance_dict

__all__ = ["Ties", "line_of", "parts_of", "resolved"]

Chain = tuple[str, ...]
_MISSING = object()
MAX_PARTS = 200  # attributes of an entry; what has more is no entry of a registry
_PLAIN = (str, bytes, int, float, bool, type(None), tuple, frozenset, types.ModuleType)


def parts_of(entry: Any) -> Iterator[Any]:
    """What an entry holds directly: its attributes, or the cells of a function."""
    kind = type(entry)
    if kind in _PLAIN or issubclass(kind, type):
        return
    if kind is types.FunctionType:
        for cell in entry.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # an empty cell
                continue
        return
    space = instance_dict(entry)
    if space is not None and len(space) <= MAX_PARTS:
        yield from list(space.values())
    for base in type.__dict__["__mro__"].__get__(kind):
        for name, value in own_dict(base).items() if "__slots__" in own_dict(base) else ():
            if type(value) is types.MemberDescriptorType:
                try:
                    yield types.MemberDescriptorType.__get__(value, entry)
                except AttributeError:  # a slot that is not filled
                    continue
                del name


def resolved(chain: Chain, space: Mapping[str, Any]) -> list[Any]:
    """The objects on the way of a dotted name, without running a property or `__getattr__`."""
    value = space.get(chain[0], _MISSING) if chain else _MISSING
    found = []
    for part in chain[1:]:
        if value is _MISSING:
            break
        found.append(value)
        if isinstance(value, type):
            value = own_dict(value).get(part, _MISSING)
        else:
            value = (instance_dict(value) or {}).get(part, _MISSING)
    return found if value is _MISSING else [*found, value]


@dataclasses.dataclass(slots=True)
class Ties:
    """Which objects statements that run again, or are gone, had registered with whom.

    Attributes:
        pairs: (id of the object that was called into, id of what it was handed).
        handed: ids of all that was handed to anybody.
        spans: by file, the first and last lines of these statements.
        roots: (id of an object that was called into, file and lines of the statement).
        renewed: ids of the code that stands in other lines already: that of functions which were patched.
    """

    pairs: set[tuple[int, int]] = dataclasses.field(default_factory=set)
    handed: set[int] = dataclasses.field(default_factory=set)
    spans: dict[str, list[tuple[int, int]]] = dataclasses.field(default_factory=dict)
    roots: set[tuple[int, str, tuple[int, int]]] = dataclasses.field(default_factory=set)
    renewed: frozenset[int] = frozenset()
    _keep: list[Any] = dataclasses.field(default_factory=list)

    def add(self, space: Mapping[str, Any], path: str, span: tuple[int, int], callees: Iterable[Chain], names: Iterable[Chain]) -> None:
        """Note a statement of a module.

        Args:
            space: the names of the module as they were.
            path: its file.
            span: the first and last line of the statement.
            callees: the dotted names that it called.
            names: the dotted names of what it handed to them.
        """
        self.spans.setdefault(path, []).append(span)
        roots = [value for chain in callees for value in resolved(chain, space)]
        values = [found[-1] for chain in names if len(found := resolved(chain, space)) == len(chain)]
        values += [part for value in values for part in parts_of(value) if type(part) is types.FunctionType]
        self._keep += [*roots, *values]
        self.handed.update(map(id, values))
        self.pairs.update((id(root), id(value)) for root in roots for value in values)
        self.roots.update((id(root), path, span) for root in roots)

    def span_of(self, value: Any) -> tuple[str, tuple[int, int]] | None:
        """The statement in whose lines a function was made, if it is one of these."""
        if type(value) is not types.FunctionType:
            return None
        code = value.__code__
        if id(code) in self.renewed:
            return None
        for span in self.spans.get(code.co_filename, ()):
            if span[0] <= code.co_firstlineno <= span[1]:
                return code.co_filename, span
        return None

    def holds(self, value: Any) -> bool:
        """Whether one of the statements handed a value to somebody, or made it."""
        return id(value) in self.handed or self.span_of(value) is not None

    def tied(self, root: int, value: Any) -> bool:
        """Whether one of the statements handed a value to the object with this id, or made it and called that."""
        if (root, id(value)) in self.pairs:
            return True
        span = self.span_of(value)
        return span is not None and (root, *span) in self.roots


def line_of(entry: Any, is_ours: Callable[[Any], bool]) -> tuple[str, int] | None:
    """The file and line of the first definition that an entry is, or holds."""
    for part in (entry, *parts_of(entry)):
        if type(part) is types.FunctionType and is_ours(part):
            return part.__code__.co_filename, part.__code__.co_firstlineno
    return None
