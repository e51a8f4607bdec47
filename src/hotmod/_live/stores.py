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
from collections.abc import Mapping
from typing import Any

__all__ = ["NOTHING", "Stores", "gives_names", "in_calls", "in_code", "in_functions", "in_text"]

_SETTERS = frozenset(("setattr", "__setattr__", "__setitem__", "update", "setdefault", "__dict__", "vars"))
_NAMES_SET = re.compile(rb"\.(__(?:module|qualname|name)__)\s*=[^=]|[\"'](__(?:module|qualname|name)__)[\"']")
_STORES = frozenset(dis.opmap[name] for name in ("STORE_ATTR", "STORE_SUBSCR"))


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


NOTHING = Stores()


def gives_names(data: bytes) -> bool:
    """Whether a text may give definitions other names than those with which they were made."""
    return _NAMES_SET.search(data) is not None


def in_text(data: bytes) -> Stores:
    """All that a text spells may be what it sets."""
    texts = {each.decode("utf-8", "replace") for each in re.findall(rb"[\w.\x80-\xff]+", data)}
    words = {word for each in texts for word in each.split(".")}
    named = {name.decode() for found in _NAMES_SET.findall(data) for name in found if name}
    names = {word for word in words if not word.startswith("__")} | named
    return Stores(frozenset(names), frozenset(words), frozenset(texts))


def in_code(code: types.CodeType) -> Stores:
    """What code sets by itself, not by the functions that it defines or calls."""
    if not (_STORES.intersection(code.co_code[::2]) or _SETTERS.intersection(code.co_names)):
        return NOTHING
    names, words, texts, by_text = set[str](), set(code.co_names), set[str](), False
    for each in dis.get_instructions(code):
        if each.opname == "STORE_ATTR":
            names.add(each.argval)
        elif each.opname == "STORE_SUBSCR" or (each.argval in code.co_names and each.argval in _SETTERS):
            by_text = True
    for const in code.co_consts:
        parts = const if type(const) is tuple else (const,)
        texts.update(part for part in parts if type(part) is str)
    words.update(part for text in texts for part in text.split("."))
    if by_text:
        names |= texts
    return Stores(frozenset(names), frozenset(words), frozenset(texts), by_text)


def in_functions(tree: types.CodeType) -> Stores:
    """What the functions and classes set that code defines."""
    found, left = NOTHING, [const for const in tree.co_consts if type(const) is types.CodeType]
    while left:
        code = left.pop()
        found |= in_code(code)
        left += [const for const in code.co_consts if type(const) is types.CodeType]
    return found


def in_calls(code: types.CodeType, space: Mapping[str, Any]) -> Stores:
    """What functions of a module set whose names some of its code spells, and those that these spell.

    Args:
        code: the code.
        space: the namespace of the module.
    """
    found, seen, left = NOTHING, set[str](), list(code.co_names)
    while left:
        name = left.pop()
        value = space.get(name)
        if name in seen or type(value) is not types.FunctionType or value.__globals__ is not space:
            continue
        seen.add(name)
        found |= in_code(value.__code__)
        left += value.__code__.co_names
    return found
