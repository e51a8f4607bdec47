"""Which attributes statements set, and which names and texts they spell: read from their code.

Touches: nothing.

Guarantees: an attribute that a statement sets by its name, or by a text that it spells, is among the names;
whether it computes some is told.

Assumes: what a function sets that a statement calls is not the statement's doing.
"""

from __future__ import annotations

import dataclasses
import dis
import re
import types
from collections.abc import Iterable

__all__ = ["Stores", "in_code", "in_functions", "in_text"]

_SETTERS = frozenset(("setattr", "__setattr__", "__setitem__", "update", "setdefault", "__dict__", "vars"))
_NAMES_SET = re.compile(rb"\.(__(?:module|qualname|name)__)\s*=[^=]|[\"'](__(?:module|qualname|name)__)[\"']")
_STORES = bytes(dis.opmap[name] for name in ("STORE_ATTR", "STORE_SUBSCR"))


@dataclasses.dataclass(frozen=True, slots=True)
class Stores:
    """What some statements spell.

    Attributes:
        names: the attributes that they may set.
        words: the names that they spell, parts of dotted texts among them.
        texts: their texts.
        computes: whether they may set attributes whose names they do not spell.
    """

    names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    computes: bool = False

    def __or__(self, other: Stores) -> Stores:
        return Stores(
            self.names | other.names,
            self.words | other.words,
            self.texts | other.texts,
            self.computes or other.computes,
        )


def in_text(data: bytes) -> Stores:
    """All that a text spells may be what it sets."""
    texts = {each.decode("utf-8", "replace") for each in re.findall(rb"[\w.\x80-\xff]+", data)}
    words = {word for each in texts for word in each.split(".")}
    named = {name.decode() for found in _NAMES_SET.findall(data) for name in found if name}
    names = {word for word in words if not word.startswith("__")} | named
    return Stores(frozenset(names), frozenset(words), frozenset(texts))


def in_code(code: types.CodeType, lines: Iterable[tuple[int, int]] | None = None) -> Stores:
    """What code sets by itself, not by the functions that it defines.

    Args:
        code: the code.
        lines: first and last lines of the statements that count; None for all.
    """
    if not (set(_STORES).intersection(code.co_code[::2]) or _SETTERS.intersection(code.co_names)):
        return Stores()
    wanted = None if lines is None else {line for first, last in lines for line in range(first, last + 1)}
    names, words, texts = set[str](), set[str](), set[str]()
    by_text = False
    for each in dis.get_instructions(code):
        line = each.positions.lineno if each.positions is not None else None
        if wanted is not None and line not in wanted:
            continue
        if each.opname == "STORE_ATTR":
            names.add(each.argval)
        by_text = by_text or each.opname == "STORE_SUBSCR"
        if type(each.argval) is str:
            by_text = by_text or (each.argval in _SETTERS and each.opname != "LOAD_CONST")
            words.add(each.argval)
            if each.opname == "LOAD_CONST":
                texts.add(each.argval)
        elif type(each.argval) is tuple:
            texts.update(part for part in each.argval if type(part) is str)
    words.update(part for text in texts for part in text.split("."))
    return Stores(frozenset(names | texts if by_text else names), frozenset(words), frozenset(texts), by_text)


def in_functions(tree: types.CodeType) -> Stores:
    """What the functions and classes set that code defines."""
    found, left = Stores(), [const for const in tree.co_consts if type(const) is types.CodeType]
    while left:
        code = left.pop()
        found |= in_code(code)
        left += [const for const in code.co_consts if type(const) is types.CodeType]
    return found
