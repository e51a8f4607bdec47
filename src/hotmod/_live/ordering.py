"""In which order statements register something, and so in which order a registry has its entries.

Touches: nothing; reads objects and namespaces of modules. Never calls code of the subject.

Guarantees: a list is put in order only if it was in order before, as far as its entries are known.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from hotmod._live.facts import origin_of
from hotmod._live.kinds import is_class
from hotmod._live.modules import space_of
from hotmod._live.parts import PLAIN, all_parts, parts_of, resolved

__all__ = ["Ordering", "Place"]

Thing = tuple[str, str, tuple[str, ...]]
Place = tuple[str, int, int, tuple[Thing, ...]]  # a statement: its file, its lines, what it registers


class Ordering:
    """The statements that register something with some objects, in the order in which they run."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[list[Place], list[Place]]] = {}
        self._keep: list[Any] = []

    def add(self, root: object, before: list[Place], after: list[Place]) -> None:
        """Note who registers something with an object."""
        self._known[id(root)] = before, after
        self._keep.append(root)

    def is_kept(self, root: int, items: list[Any]) -> bool:
        """Whether a registry of an object was in the order of the loaded texts."""
        return root in self._known and _ranked(items, _Ranks(self._known[root][0])) is not None

    def merged(self, root: int, items: list[Any], added: list[Any]) -> list[Any]:
        """Entries in the order of the new texts; as they are if they may be in order, or nothing is known.

        Args:
            root: the id of the object.
            items: all entries.
            added: those that came, in the order in which they did.
        """
        ranks = _Ranks(self._known[root][1])
        if _ranked(items, ranks) is not None:
            return items
        came = set(map(id, added))
        left = [item for item in items if id(item) not in came]
        one = _ranked(left, ranks)
        # a statement has run again with all that it registers, or it has not
        two = _ranked(added, ranks, without=set(one)) if one is not None else None
        if one is None or two is None or -1 in two:
            return items
        pairs = [*zip(one, left, strict=True), *zip(two, added, strict=True)]
        return [item for _, item in sorted(pairs, key=lambda pair: pair[0])]  # stable


class _Ranks:
    """Which statements may have registered an entry."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._by: dict[Any, list[int]] = {}
        self._spans: dict[str, list[tuple[int, int, int]]] = {}
        for rank, (path, first, last, things) in enumerate(places):
            self._spans.setdefault(path, []).append((first, last, rank))
            for key in {key for thing in things for key in _keys_of_thing(*thing)}:
                self._by.setdefault(key, []).append(rank)

    def of(self, entry: Any) -> list[int]:
        """The statements, in order; none if nothing is known."""
        found = [self._by[key] for key in _keys(entry) if key in self._by]
        return min(found, key=len) if found else self._where(entry)

    def _where(self, entry: Any) -> list[int]:
        """The statement in whose lines a function stands that has no name of its own."""
        for part in (entry, *parts_of(entry)):
            if type(part) is types.FunctionType:
                line = part.__code__.co_firstlineno
                spans = self._spans.get(part.__code__.co_filename, ())
                found = [rank for first, last, rank in spans if first <= line <= last]
                if found:
                    return found
        return []


def _ranked(items: Iterable[Any], ranks: _Ranks, without: Collection[int] = ()) -> list[int] | None:
    """Who registered each entry, -1 for those above all that are known; None if they are out of order."""
    found, rank = list[int](), -1
    for item in items:
        known = [each for each in ranks.of(item) if each not in without]
        rank = next((each for each in known if each >= rank), rank if not known and rank < 0 else -2)
        if rank < -1:
            return None
        found.append(rank)
    return found


def _keys_of_thing(module: str, name: str, rest: tuple[str, ...]) -> Iterator[Any]:
    yield module, ".".join((name, *rest))
    value = resolved((name, *rest), space_of(sys.modules.get(module)))
    if value and type(value[-1]) not in PLAIN:
        is_method = len(value) == len(rest) and rest  # which is made anew by each look-up
        yield (id(value[-1]), rest[-1]) if is_method else id(value[-1])


def _keys(entry: Any) -> Iterator[Any]:
    """What an entry is, or holds, as far as statements can name it."""
    for part in all_parts(entry):
        if type(part) is types.FunctionType:
            module, name = origin_of(part)
            yield module, name
            yield module, name.partition(".<locals>.")[0]
            yield from (origin_of(each) for each in part.__dict__.values() if is_class(each))
        elif is_class(part):
            yield origin_of(part)
        elif type(part) is types.MethodType:
            if type(part.__func__) is types.FunctionType:
                yield id(part.__self__), part.__func__.__name__
        elif type(part) not in PLAIN:
            yield id(part)
