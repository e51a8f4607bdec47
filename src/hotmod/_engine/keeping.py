"""Kept values in a transaction: the code that does not make them, and whether they still fit.

Touches: namespaces, read only.

Guarantees: the code is that of the whole text, line numbers included, without the statements that only make
what is kept.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hotmod._engine.hooks import compile_text
from hotmod._live.kinds import is_class, is_module, space_in, text_in
from hotmod._live.modules import space_of
from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard
from hotmod._plan import Keep
from hotmod._plan.keeping import ADVICE
from hotmod._source.statements import Statements, future_features, split

__all__ = ["code_without", "masked", "misfits", "with_codes_of"]

Spaces = Mapping[str, Mapping[str, Any]]


def masked(statements: Statements, spans: Iterable[tuple[int, int]]) -> list[str]:
    """The lines of a text with nothing but some statements, each in its place, and what `__future__` says."""
    kept = [""] * len(statements.lines)
    beginning = statements.statements[: len(statements.future) + 1]  # nothing but a docstring stands before
    for each in beginning if statements.future else ():
        if features := future_features(each.text):
            kept[each.first - 1] = f"from __future__ import {', '.join(features)}"
    for first, last in spans:
        kept[first - 1 : last] = statements.lines[first - 1 : last]
    return kept


def with_codes_of(whole: types.CodeType, some: types.CodeType) -> types.CodeType:
    """The code of some statements, with functions and classes taken from the code of the whole text.

    What stands at the same place means the same, but CPython compiles `module.function()` in another way if
    it sees the import. And that they are the same objects lets the references to each be counted.
    """
    known, wanted = _by_place(whole), _by_place(some)
    taken = {
        id(code): other
        for place, codes in wanted.items()
        if len(codes) == len(known.get(place, ()))
        for code, other in zip(codes, known[place], strict=True)
    }
    return some.replace(co_consts=tuple(taken.get(id(const), const) for const in some.co_consts))


def _by_place(tree: types.CodeType) -> dict[tuple[str, int], list[types.CodeType]]:
    """The code objects of a module by name and line, those of one place in their order."""
    found: dict[tuple[str, int], list[types.CodeType]] = {}
    for const in tree.co_consts:
        if isinstance(const, types.CodeType):
            found.setdefault((const.co_qualname, const.co_firstlineno), []).append(const)
    return found


def code_without(keep: Keep, text: SourceText, loader: object, whole: types.CodeType) -> types.CodeType:
    """The code of a text without the statements that only make what is kept."""
    statements = split(text)
    gone = {first: (last, rest) for first, last, rest in keep.spared}
    lines = masked(
        statements, [(each.first, each.last) for each in statements.statements if each.first not in gone]
    )
    for first, (_, rest) in gone.items():
        rests = rest.split("\n")
        lines[first - 1 : first - 1 + len(rests)] = rests
    return with_codes_of(whole, compile_text(loader, SourceText.of(text.path, "\n".join(lines).encode())))


def misfits(keeps: Iterable[Keep], before: Spaces) -> Iterator[Hazard]:
    """The kept values that were of the class that their initialiser calls, and are not any more.

    Args:
        keeps: what was kept.
        before: the namespaces as they were.
    """
    for keep in keeps:
        space = space_of(sys.modules.get(keep.module))
        for name, chain in keep.makers:
            value = space.get(name)
            now = _found(space, chain, {})
            was = _found(before.get(keep.module, space), chain, before)
            line: tuple[type, ...] = type.__dict__["__mro__"].__get__(type(value))
            if is_class(now) and is_class(was) and was in line and now not in line:
                yield Hazard(
                    "kept-state",
                    keep.module,
                    name,
                    message=f"its initialiser makes a new {now.__qualname__}; it keeps one of the old class",
                    advice=ADVICE,
                )


def _found(space: Mapping[str, Any], chain: tuple[str, ...], spaces: Spaces) -> object:
    """What a dotted name leads to through modules, without running any code."""
    value = space.get(chain[0])
    for name in chain[1:]:
        if not is_module(value):
            return None
        value = spaces.get(text_in(space_in(value).get("__name__")), space_in(value)).get(name)
    return value
