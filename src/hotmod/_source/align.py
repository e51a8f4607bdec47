"""Which of two sequences of statements correspond.

Touches: syntax trees, and only those of statements whose text is not in both sequences.

Guarantees: every statement of either sequence is in exactly one match; identical statements that kept their
order are matched first, by a longest common subsequence; what else is matched and not marked as reordered
keeps its order too. With few edits the time is nearly linear in the number of statements. Nothing recurses.

Assumes: pieces with equal keys are the same statement.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from bisect import bisect_left
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from hotmod._source.names import STAR, bound_names

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

__all__ = ["Match", "Piece", "align", "common"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Decorators of one line each, without quotes, and the keyword and name below them: `def` and `class` are
# keywords, so that no bracket can be open there.
_DEFINITION = re.compile(r"((?:@[^\n\"'\\]*\n)*)(class|def|async +def) +(\w+)")

# A key that occurs more often than this is matched by its how-manieth occurrence only, so that a thousand
# equal statements don't make a million pairs.
_OFTEN = 64


class Piece:
    """A statement to be matched; what costs time to know is found when asked for.

    Args:
        key: equal for identical statements.
        parse: gives the nodes; positions in them count in `lines`.
        lines: gives the text around the nodes, by lines.
        text: the text of the statement, if a definition may be recognised by it without parsing.
    """

    def __init__(
        self,
        key: Hashable,
        parse: Callable[[], Sequence[ast.stmt]],
        lines: Callable[[], Sequence[str]],
        text: str = "",
    ) -> None:
        self.key = key
        self._parse = parse
        self._lines = lines
        self._text = text

    @cached_property
    def nodes(self) -> Sequence[ast.stmt]:
        """The nodes of the statement."""
        return self._parse()

    @cached_property
    def lines(self) -> Sequence[str]:
        """The lines in which the positions of the nodes count."""
        return self._lines()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that it binds."""
        return bound_names(self.nodes)

    @cached_property
    def content(self) -> tuple[object, ...]:
        """Equal for statements that differ in layout and comments only."""
        return _flat(self.nodes)

    @cached_property
    def exactly(self) -> tuple[object, ...]:
        """What a statement is recognised by that was edited a little."""
        seen = _DEFINITION.match(self._text)
        if seen:
            return (*(self.roughly or ()), seen[1])
        node = self.nodes[0]
        if isinstance(node, _DEFINITIONS):
            return (*(self.roughly or ()), _flat(node.decorator_list))
        if isinstance(node, ast.ImportFrom):
            return (*(self.roughly or ()), self.names)
        return (type(node), self.names) if self.names else self.content

    @cached_property
    def roughly(self) -> tuple[object, ...] | None:
        """What a statement is recognised by that was edited more; None for one that binds nothing."""
        seen = _DEFINITION.match(self._text)
        if seen:
            return ("class" if seen[2] == "class" else "def", seen[3])
        node = self.nodes[0]
        if isinstance(node, _DEFINITIONS):
            return ("class" if isinstance(node, ast.ClassDef) else "def", node.name)
        if isinstance(node, ast.ImportFrom) and len(self.nodes) == 1:
            return ("from", node.level, node.module)
        return ("names", self.names) if self.names else None

    @cached_property
    def place(self) -> str | None:
        """What a statement that binds nothing is recognised by where it stands."""
        return None if self.names else type(self.nodes[0]).__name__


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """A statement of the old sequence and the one of the new sequence that it became.

    Attributes:
        old: its index in the old sequence, None for a new statement.
        new: its index in the new sequence, None for one that is gone.
        reordered: whether it stands elsewhere relative to those that are not reordered.
    """

    old: int | None
    new: int | None
    reordered: bool = False


def align(old: Sequence[Piece], new: Sequence[Piece]) -> list[Match]:
    """Match two sequences of statements.

    Returns:
        The matches in the order of the new sequence, each old piece that is gone where it stood.
    """
    anchors = common([piece.key for piece in old], [piece.key for piece in new])
    if len(anchors) == len(old) == len(new):
        return [Match(*pair) for pair in anchors]
    pairing = _Pairing(old, new, anchors)
    pairing.by(lambda piece: piece.exactly, inside_gap=True)
    pairing.by(lambda piece: piece.key, inside_gap=False)
    pairing.by(lambda piece: piece.roughly, inside_gap=True)
    pairing.by_shared_name(inside_gap=True)
    pairing.by(lambda piece: piece.exactly, inside_gap=False)
    pairing.by(lambda piece: piece.roughly, inside_gap=False)
    pairing.by_shared_name(inside_gap=False)
    pairing.by(lambda piece: piece.place, inside_gap=True)
    return _in_order(pairing.pairs, pairing.kept(), len(old), len(new))


def common(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The pairs of indices of a longest common subsequence, ascending (Hunt and Szymanski's algorithm).

    Where a key occurs very often in between, the subsequence may be shorter than the longest.
    """
    shortest = min(len(old), len(new))
    head = 0
    while head < shortest and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shortest - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    pairs = [(index, index) for index in range(head)]
    pairs += _common_between(old, new, head, tail)
    pairs += [(len(old) - back, len(new) - back) for back in range(tail, 0, -1)]
    return pairs


_Link = tuple[int, int, "_Link | None"]


def _common_between(
    old: Sequence[Hashable], new: Sequence[Hashable], head: int, tail: int
) -> list[tuple[int, int]]:
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in range(len(old) - tail - 1, head - 1, -1):
        places[old[index]].append(index)
    seen: defaultdict[Hashable, int] = defaultdict(int)
    # ends[n] is the smallest old index at which a common subsequence of n + 1 elements can end.
    ends: list[int] = []
    links: list[_Link] = []
    for index in range(head, len(new) - tail):
        candidates = places.get(new[index], [])
        if len(candidates) > _OFTEN:
            seen[new[index]] += 1
            candidates = candidates[-seen[new[index]] :][:1] if seen[new[index]] <= len(candidates) else []
        for candidate in candidates:
            length = bisect_left(ends, candidate)
            link = (candidate, index, links[length - 1] if length else None)
            if length == len(ends):
                ends.append(candidate)
                links.append(link)
            elif candidate < ends[length]:
                ends[length] = candidate
                links[length] = link
    pairs = []
    rest = links[-1] if links else None
    while rest is not None:
        pairs.append(rest[:2])
        rest = rest[2]
    return pairs[::-1]


class _Pairing:
    """Pairs of indices, and what is not paired yet.

    A gap is what lies between two neighbouring anchors, in both sequences.
    """

    def __init__(self, old: Sequence[Piece], new: Sequence[Piece], anchors: list[tuple[int, int]]) -> None:
        self._old, self._new = old, new
        self.pairs = dict(anchors)
        self._anchors = anchors
        self._gap_of_old = _gaps([index for index, _ in anchors], len(old))
        self._gap_of_new = _gaps([index for _, index in anchors], len(new))
        # Dictionaries as ordered sets.
        self._free_old = dict.fromkeys(self._gap_of_old)
        self._free_new = dict.fromkeys(self._gap_of_new)

    def by(self, key_of: Callable[[Piece], Hashable], *, inside_gap: bool) -> None:
        """Pair pieces that have an equal key, other than None, in order."""
        groups: defaultdict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        sides = (self._old, self._free_old, self._gap_of_old), (self._new, self._free_new, self._gap_of_new)
        # Nothing to pair with: then nothing needs to be parsed either.
        if not self._free_old or not self._free_new:
            return
        for side, (pieces, free, gap_of) in enumerate(sides):
            for index in free:
                key = key_of(pieces[index])
                if key is not None:
                    groups[key, gap_of[index] if inside_gap else None][side].append(index)
        for olds, news in groups.values():
            if olds and news:
                self._pair_in_order(olds, news)

    def by_shared_name(self, *, inside_gap: bool) -> None:
        """Pair pieces that bind a name in common."""
        if not self._free_old or not self._free_new:
            return
        binders: defaultdict[Hashable, list[int]] = defaultdict(list)
        for index in self._free_old:
            for name in self._old[index].names:
                binders[name, self._gap_of_old[index] if inside_gap else None].append(index)
        for index in list(self._free_new):
            keys = [
                (name, self._gap_of_new[index] if inside_gap else None)
                for name in self._new[index].names
                if name != STAR
            ]
            found = (each for key in keys for each in binders.get(key, ()) if each in self._free_old)
            partner = next(found, None)
            if partner is not None:
                self._pair(partner, index)

    def kept(self) -> set[int]:
        """The old indices of pairs that keep their order: all anchors, and as many others as possible."""
        in_gaps: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for old, new in self.pairs.items():
            if old in self._gap_of_old and self._gap_of_old[old] == self._gap_of_new[new]:
                in_gaps[self._gap_of_old[old]].append((new, old))
        kept = {old for old, _ in self._anchors}
        for pairs in in_gaps.values():
            olds = [old for _, old in sorted(pairs)]
            kept.update(olds[place] for _, place in common(sorted(olds), olds))
        return kept

    def _pair_in_order(self, olds: list[int], news: list[int]) -> None:
        """Pair as many as there are: first those that say the same, then what is left between them."""
        if len(olds) > 1 or len(news) > 1:
            same = common(
                [self._old[index].content for index in olds], [self._new[index].content for index in news]
            )
        else:
            same = []
        after_old = after_new = 0
        for old, new in [*same, (len(olds), len(news))]:
            for pair in zip(olds[after_old:old], news[after_new:new], strict=False):
                self._pair(*pair)
            if old < len(olds):
                self._pair(olds[old], news[new])
            after_old, after_new = old + 1, new + 1

    def _pair(self, old: int, new: int) -> None:
        self.pairs[old] = new
        del self._free_old[old], self._free_new[new]


def _gaps(anchors: list[int], length: int) -> dict[int, int]:
    """The number of the gap in which each index lies that is no anchor."""
    gaps = {}
    begin = 0
    for number, anchor in enumerate([*anchors, length]):
        gaps.update(dict.fromkeys(range(begin, anchor), number))
        begin = anchor + 1
    return gaps


def _in_order(pairs: dict[int, int], kept: set[int], olds: int, news: int) -> list[Match]:
    """All matches in the order of the new sequence; what is gone comes right after what it came after."""
    old_of = {new: old for old, new in pairs.items()}
    gone = [index for index in range(olds) if index not in pairs]
    ends = [*sorted(kept), olds]
    passed = 0

    def removed_before(end: int) -> Iterable[Match]:
        nonlocal passed
        begin, passed = passed, bisect_left(gone, end)
        return (Match(index, None) for index in gone[begin:passed])

    place = 0
    found = list(removed_before(ends[place]))
    for new in range(news):
        old = old_of.get(new)
        found.append(Match(old, new, reordered=old is not None and old not in kept))
        if old is not None and old in kept:
            place += 1
            found += removed_before(ends[place])
    return found


def _flat(nodes: Sequence[ast.AST]) -> tuple[object, ...]:
    """Types and values of trees in a fixed order; equal exactly when the trees are."""
    found: list[object] = []
    left: list[object] = [list(nodes)]
    while left:
        value = left.pop()
        if isinstance(value, ast.Constant):
            # Not its `kind`: the u of u"..." changes nothing.
            found += (type(value.value), value.value)
        elif isinstance(value, ast.AST):
            found.append(type(value))
            left += [getattr(value, field, None) for field in value._fields]
        elif isinstance(value, list):
            found.append(len(value))
            left += value
        else:
            found += (type(value), value)
    return tuple(found)
