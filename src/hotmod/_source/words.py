"""Which words of a text may run when the module is imported, and which when one of its functions is called.

A screen, not an analysis: what has no word of a change in it need not be parsed to know that the change is
nothing to it.

Touches: text.

Guarantees: an identifier in code that runs with the module body is among `Words.eager` or
`Words.imported`; one in the body of a function, under the name of the function or among `eager`. What
`getattr` is asked for by a literal counts as an identifier.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError
from hotmod._source.eager import FUNCTION_BODY
from hotmod._source.facts import statements_known
from hotmod._source.lexer import without_strings
from hotmod._source.memory import Memory, remembered
from hotmod._source.parse import decode

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText

__all__ = ["Words", "words_of"]

_WORD = re.compile(r"[^\W\d]\w*")
_NAMED = re.compile(r"\b(?:def|class) +\w+|^__all__\b(?=[^=\n]*=)", re.MULTILINE)
_ON_STRING = re.compile(r"""(["'])\s*\.\s*\w+""")  # methods of strings are nobody's
_ASKED_FOR = re.compile(
    r"""\b((?:get|has)attr\s*\([^"']*?,\s*)(["'])(\w+)\2"""
)  # an attribute, as if spelled
_CLASS = re.compile(r"\bclass +(\w+)")
_STAR = re.compile(r"\bimport\s*\(?\s*\*|\bimport_module\b|\b__import__\b")
_IMPORT = re.compile(
    r"^[ \t]*(?:from\s+[\w.]+\s+import\s*(?:\([^)]*\)|(?:[^\n\\]|\\\n)*)|import\s(?:[^\n\\]|\\\n)*)",
    re.MULTILINE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """The words of one text.

    Attributes:
        eager: those outside of functions and of imports that give no other name.
        imported: those of import statements outside of functions.
        bodies: those inside of functions, by the name of the function.
        classes: the names of its classes.
        star: whether it may import everything from somewhere.
    """

    eager: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    bodies: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    star: bool = False

    def names(self, word: str) -> bool:
        """Whether a word is anywhere in the code."""
        return (
            word in self.eager
            or word in self.imported
            or word in self.classes
            or any(word in body for body in self.bodies.values())
        )


_PARTS = Memory[Mapping[str, Words]]()  # by the text of the statement


@remembered
def words_of(text: SourceText) -> Words:
    """The words of a text; none for one that can't be decoded."""
    statements = statements_known(text)
    if statements is not None:
        near = _PARTS.latest(text.path) or {}
        parts = {each.text: near.get(each.text) or _words_in(each.text) for each in statements}
        return _together(list(_PARTS.put(text, parts).values()))
    try:
        return _words_in(decode(text))
    except SourceError:
        return Words()


def _together(parts: Sequence[Words]) -> Words:
    """The words of a text by those of its statements."""
    bodies: dict[str, frozenset[str]] = {}
    for each in parts:
        for name, words in each.bodies.items():
            bodies[name] = bodies[name] | words if name in bodies else words
    return Words(
        frozenset[str]().union(*(each.eager for each in parts)),
        frozenset[str]().union(*(each.imported for each in parts)),
        bodies,
        frozenset[str]().union(*(each.classes for each in parts)),
        any(each.star for each in parts),
    )


def _words_in(decoded: str) -> Words:
    spelled = _ASKED_FOR.sub(r"\1\3", _ON_STRING.sub(r"\1", f"\n{decoded}\n"))
    code = without_strings(spelled)
    bodies: dict[str, set[str]] = {}
    imported: set[str] = set()

    def keep_head(found: re.Match[str]) -> str:
        bodies.setdefault(found[3], set()).update(_WORD.findall(found[4]))
        return found[1]

    def keep_renamed(found: re.Match[str]) -> str:
        words = _WORD.findall(found[0])
        imported.update(words)
        return found[0] if "as" in words else ""

    eager = _IMPORT.sub(keep_renamed, FUNCTION_BODY.sub(keep_head, code))
    return Words(
        frozenset(_WORD.findall(_NAMED.sub("", eager))),
        frozenset(imported),
        {name: frozenset(words) for name, words in bodies.items()},
        frozenset(_CLASS.findall(code)),
        _STAR.search(code) is not None,
    )
