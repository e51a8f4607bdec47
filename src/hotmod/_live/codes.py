"""Old and new code objects of one text: which takes the place of which.

Touches: nothing; reads code objects.

Guarantees: two code objects are paired only if they stand at the same place of corresponding statements;
where it can't be told which of several is meant, there is no pair.

Assumes: both were compiled from the whole texts, and the spans are those of the edit between them.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import inspect
import opcode
import os
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hotmod._live.functions import same_code
from hotmod._live.stale import codes_in, signature

__all__ = ["ClassFacts", "Pairs", "Span", "class_facts", "docstring", "pair"]

Code = types.CodeType
Span = tuple[int, int, int, int]
"""First and last line of a statement in the old text, decorators included, then those in the new text."""


def pair(old: Code, new: Code, spans: Iterable[Span]) -> Pairs:
    """Pair the code objects nested in two module code objects.

    Args:
        old: the compiled old text.
        new: the compiled new text.
        spans: where the top-level statements stand that correspond, unchanged ones included.
    """
    found: dict[int, Code | None] = {}
    groups = _groups(spans)
    mine = _sorted_in(_children(old), [(one[0], one[1]) for one in groups])
    theirs = _sorted_in(_children(new), [(one[2], one[3]) for one in groups])
    todo = [((old, mine[place]), (new, theirs.get(place, []))) for place in mine]
    while todo:
        for left, right in _corresponding(*todo.pop()):
            if right is None or found.setdefault(id(left), right) is not right:
                # nothing, or one object for two places that differ now
                found.update(dict.fromkeys(map(id, codes_in(left))))
            elif inner := _children(left):
                todo.append(((left, inner), (right, _children(right))))
    return Pairs(old, new, found)


class Pairs:
    """The code objects of an old text, each with the one that takes its place.

    Only the two module code objects are kept alive, so that the references to all others can be counted.

    Attributes:
        old: the code of the module before.
        new: its code from now on.
    """

    def __init__(self, old: Code, new: Code, found: Mapping[int, Code | None]) -> None:
        self.old, self.new = old, new
        self._found = {key: None if code is None else weakref.ref(code) for key, code in found.items()}

    @property
    def all_old(self) -> Iterator[Code]:
        """Every code object of the old module, its own first."""
        return codes_in(self.old)

    @functools.cached_property
    def _old_places(self) -> _Places:
        return _Places(self.old)

    @functools.cached_property
    def _new_places(self) -> _Places:
        return _Places(self.new)

    def counterpart(self, code: Code) -> Code | None:
        """The code object of `old` that stands at the place of a live one; None if there is none.

        The live one may be a copy: of the import system, under another path, or changed by an import hook.
        """
        if self.is_old(code):
            return code
        if not self.is_from_here(code):
            return None
        found = self._old_places.at(code)
        if not found:
            found = self._old_places.named(code)  # of an earlier text, made by a call that was under way
        return found[0] if len(found) == 1 else _nearest(code, found)

    def is_old(self, code: Code) -> bool:
        """Whether a live code object is one of the old text itself, no copy."""
        return id(code) in self._found or code is self.old

    def is_from_here(self, code: Code) -> bool:
        """Whether a live code object is from a file of this name; a library may have made it from other text.

        Folders are not compared: a module that was compiled elsewhere may say so.
        """
        mine, its = self.old.co_filename, code.co_filename
        return its == mine or os.path.basename(its) == os.path.basename(mine)

    def is_covered(self, old: Code) -> bool:
        """Whether a code object of `old` stands in one of the spans."""
        return id(old) in self._found

    def successor(self, code: Code) -> Code | None:
        """The new code for a function that runs a code object of the old text, or a copy of it."""
        old = self.counterpart(code)
        found = None if old is None else self._found.get(id(old))
        return None if found is None else found()

    def is_current(self, code: Code) -> bool:
        """Whether a live code object is one of the new text, or a copy, and none of the old one."""
        return (
            id(code) not in self._found
            and code in self._new_places.at(code)
            and code not in self._old_places.at(code)
        )

    @property
    def classes(self) -> Iterator[tuple[Code, Code]]:
        """The bodies of classes, each with its successor."""
        for code in self.all_old:
            found = self._found.get(id(code))
            new = None if found is None else found()
            if new is not None and not code.co_flags & inspect.CO_OPTIMIZED:
                yield code, new


class _Places:
    """The code objects nested in a module's by where they stand, without keeping them alive."""

    def __init__(self, tree: Code) -> None:
        self._exact: dict[tuple[str, int], list[weakref.ref[Code]]] = {}
        self._named: dict[str, list[weakref.ref[Code]]] = {}
        for code in codes_in(tree):
            self._exact.setdefault((code.co_qualname, code.co_firstlineno), []).append(weakref.ref(code))
            self._named.setdefault(code.co_qualname, []).append(weakref.ref(code))

    def at(self, code: Code) -> list[Code]:
        """Those with the name and the line of another code object."""
        refs = self._exact.get((code.co_qualname, code.co_firstlineno), ())
        return [one for ref in refs if (one := ref()) is not None]

    def named(self, code: Code) -> list[Code]:
        """Those with the name of another code object, if it is unique."""
        refs = self._named.get(code.co_qualname, ())
        return [one for ref in refs if (one := ref()) is not None] if len(refs) == 1 else []


def _nearest(code: Code, candidates: Sequence[Code]) -> Code | None:
    """Which of several code objects of one line and name a copy was made from."""
    for close in (
        [one for one in candidates if one == code],
        [one for one in candidates if _columns(one) == _columns(code)],
        [one for one in candidates if same_code(one, code)],
    ):
        if len(close) == 1:
            return close[0]
    return None


def _columns(code: Code) -> tuple[object, ...]:
    """Where the text of a function begins: an import hook that changes the program keeps the places."""
    return next((place for place in code.co_positions() if place[2]), ())


def _groups(spans: Iterable[Span]) -> list[Span]:
    """The spans in order; statements that share a line on either side count as one."""
    groups: list[Span] = []
    for span in sorted(spans):
        last = groups[-1] if groups else None
        if last is not None and (span[0] <= last[1] or last[2] <= span[2] <= last[3]):
            ends = max(last[1], span[1]), min(last[2], span[2]), max(last[3], span[3])
            groups[-1] = last[0], *ends
        else:
            groups.append(span)
    return groups


def _sorted_in(codes: Iterable[Code], ranges: Sequence[tuple[int, int]]) -> dict[int, list[Code]]:
    """Code objects by the number of the range of lines that they begin in."""
    order = sorted(range(len(ranges)), key=lambda place: ranges[place])
    starts = [ranges[place][0] for place in order]
    found: dict[int, list[Code]] = {}
    for code in codes:
        at = bisect.bisect_right(starts, code.co_firstlineno) - 1
        if at >= 0 and code.co_firstlineno <= ranges[order[at]][1]:
            found.setdefault(order[at], []).append(code)
    return found


def _children(code: Code) -> list[Code]:
    return [const for const in code.co_consts if type(const) is Code]


def _by_name(codes: Iterable[Code]) -> dict[str, list[Code]]:
    named: dict[str, list[Code]] = {}
    for code in codes:
        named.setdefault(code.co_qualname, []).append(code)
    return named


def _corresponding(
    one: tuple[Code, Sequence[Code]], other: tuple[Code, Sequence[Code]]
) -> list[tuple[Code, Code | None]]:
    """Pair code objects: a parent of each side, and those of its children that are looked at."""
    olds, news = one[1], other[1]
    if len(olds) == len(news) == 1 and olds[0].co_qualname == news[0].co_qualname:
        return [(olds[0], news[0])]
    partners = _by_name(news)
    return [
        each
        for name, named in _by_name(olds).items()
        for each in _partners((one[0], named), (other[0], partners.get(name, [])))
    ]


def _partners(
    one: tuple[Code, Sequence[Code]], other: tuple[Code, Sequence[Code]]
) -> list[tuple[Code, Code | None]]:
    """Pair code objects of one name: a parent of each side, and those of its children that have it."""
    if len(one[1]) == len(other[1]) == 1:
        return [(one[1][0], other[1][0])]
    olds, news = _as_loaded(*one), _as_loaded(*other)
    if len(olds) == len(news) and not one[0].co_flags & inspect.CO_OPTIMIZED:
        return list(zip(olds, news, strict=True))  # each made once, and held in its place
    result: list[Code | None] = [None] * len(olds)
    free = list(range(len(news)))
    left = list(range(len(olds)))

    def take(old: int, new: int) -> None:
        result[old] = news[new]
        left.remove(old)
        free.remove(new)

    for old in list(left):
        same = [new for new in free if same_code(olds[old], news[new])]
        if same:
            take(old, same[0])
    if len(left) == len(free):
        for old, new in zip(list(left), list(free), strict=True):
            take(old, new)
    for old in list(left):
        mine = signature(olds[old])
        alike = [new for new in free if signature(news[new]) == mine]
        if len(alike) == 1 and sum(signature(olds[rival]) == mine for rival in left) == 1:
            take(old, alike[0])
    return list(zip(olds, result, strict=True))


def _as_loaded(parent: Code, codes: Sequence[Code]) -> list[Code]:
    """Code objects as often as their parent makes functions of them, in order.

    Equal ones of one line are one object (before CPython 3.13 also where the columns differ).
    """
    wanted, consts = set(map(id, codes)), parent.co_consts
    program, high, found = parent.co_code, 0, []
    for at in range(0, len(program), 2):
        argument = program[at + 1] | high
        high = argument << 8 if program[at] == _EXTENDED else 0
        if program[at] == _LOAD and id(consts[argument]) in wanted:
            found.append(consts[argument])
    return found if {id(code) for code in found} == wanted else list(codes)


_EXTENDED, _LOAD, _STORE = (opcode.opmap[name] for name in ("EXTENDED_ARG", "LOAD_CONST", "STORE_NAME"))


@dataclasses.dataclass(frozen=True, slots=True)
class ClassFacts:
    """What the body of a class says of the class, beside its members.

    Attributes:
        doc: its docstring; None if it has none.
        firstlineno: its line, which CPython 3.13 notes as `__firstlineno__`.
        static_attributes: what CPython 3.13 notes as `__static_attributes__`; None in earlier versions.
    """

    doc: str | None
    firstlineno: int
    static_attributes: tuple[str, ...] | None


def class_facts(code: Code) -> ClassFacts:
    """Read the facts from the code of a class body."""
    doc = _stored(code, "__doc__")
    static = _stored(code, "__static_attributes__")
    return ClassFacts(
        doc if isinstance(doc, str) else None,
        code.co_firstlineno,
        static if isinstance(static, tuple) else None,
    )


def _stored(code: Code, name: str) -> object:
    """The constant that a class body stores last under a name; None if it is no constant."""
    if name not in code.co_names:
        return None
    program, index = code.co_code, code.co_names.index(name)
    unit = bytes((_STORE, index & 0xFF))
    at = program.rfind(unit)
    while at >= 0 and (at % 2 or _argument(program, at)[0] != index):
        at = program.rfind(unit, 0, at + 1)
    if at < 0:
        return None
    before = _argument(program, at)[1] - 2
    return code.co_consts[_argument(program, before)[0]] if program[before] == _LOAD else None


def _argument(program: bytes, at: int) -> tuple[int, int]:
    """The argument of the instruction at some place, and where it begins with what extends it."""
    value, shift = program[at + 1], 8
    while at >= 2 and program[at - 2] == _EXTENDED:  # noqa: PLR2004 - the size of an instruction
        at -= 2
        value |= program[at + 1] << shift
        shift += 8
    return value, at


_HAS_DOCSTRING = 0x4000000  # a flag of CPython 3.14; before, the first constant is the docstring or None


def docstring(code: Code) -> str | None:
    """The docstring of a function, as CPython gives it to the function that it makes."""
    if sys.version_info >= (3, 14) and not code.co_flags & _HAS_DOCSTRING:
        return None
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) else None
