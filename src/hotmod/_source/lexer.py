"""Just enough of Python's lexical rules to tell code from strings, without making tokens.

Touches: text.

Guarantees: if `strings` answers at all, every position outside of the spans is code, a comment or a string
on one logical line. It gives up (None) rather than guess: on text that no string closes, and on an
f-string in whose fields quotes or braces nest beyond what a regular expression follows.

Assumes: the text begins and ends with a newline and has no others than `\\n`.
"""

from __future__ import annotations

import re

__all__ = ["Block", "balanced", "blocks", "strings"]

# All possessive: a run of code, comments and one-line strings is one step of the regex engine, without
# backtracking. A quote at which it stops opens a triple-quoted string, or can't be understood.
#
# The prefix of a string is looked at from its quote: plain strings, raw ones that are no f-strings, and
# f-strings, whose replacement fields may hold quotes of the other kind only (before 3.12 the language
# demands it; from 3.12 on such a string is the reason to give up).
_RUN = re.compile(
    r"""
    [^"'\#\\]*+
    (?:
      (?:
        \\.
      | \#[^\n]*+
      | (?<![fFtTrR]) (?: "(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' )
      | (?<=[rR])(?<![fFtT][rR]) (?: "(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' )
      | "(?!"")
        (?: [^"\\\n{}]++ | \\. | \{\{ | \}\}
          | \{ (?: [^"'\\\n{}]++ | '[^'\\\n{}]*+' | \{ (?: [^"'\\\n{}]++ | '[^'\\\n{}]*+' )*+ \} )*+ \} )*+ "
      | '(?!'')
        (?: [^'\\\n{}]++ | \\. | \{\{ | \}\}
          | \{ (?: [^"'\\\n{}]++ | "[^"\\\n{}]*+" | \{ (?: [^"'\\\n{}]++ | "[^"\\\n{}]*+" )*+ \} )*+ \} )*+ '
      )
      [^"'\#\\]*+
    )*+
    """,
    re.VERBOSE | re.DOTALL,
)
_REST_OF = {
    '"""': re.compile(r'[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+"""', re.DOTALL),
    "'''": re.compile(r"[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+'''", re.DOTALL),
}
_FORMATTED = re.compile(
    r"""
    (?: [^{}\\]++ | \\. | \{\{ | \}\}
      | \{ (?: [^"'\\{}]++ | "[^"\\\n{}]*+" | '[^'\\\n{}]*+'
             | \{ (?: [^"'\\{}]++ | "[^"\\\n{}]*+" | '[^'\\\n{}]*+' )*+ \} )*+ \}
    )*+
    """,
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(r"""\#[^\n]*|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'""", re.DOTALL)

# The lines that may open a block. The indentation is possessive: giving back spaces one by one before
# each keyword would make this the slowest part of a scan.
_BLOCK = re.compile(
    r"\n( *+)(?:async +)?"
    r"(def(?= )|class(?= )|if\b|elif\b|else(?= *:)|try(?= *:)|except\b|finally(?= *:)"
    r"|for\b|while\b|with\b|match\b|case\b)([^\n]*)"
)

Block = tuple[int, str, str, int]  # indentation, keyword, rest of the line, position of its newline


def strings(text: str, end: int) -> list[tuple[int, int]] | None:
    """The spans of the triple-quoted strings that begin before `end`; None if not sure."""
    spans: list[tuple[int, int]] = []
    position = 0
    while position < end:
        run = _RUN.match(text, position)
        position = len(text) if run is None else run.end()
        if position >= end:
            break
        quotes = text[position : position + 3]
        rest_of = _REST_OF.get(quotes)
        rest = None if rest_of is None else rest_of.match(text, position + 3)
        if rest is None:
            return None
        prefix = text[max(position - 2, 0) : position].lower()
        if prefix and ("f" in prefix or "t" in prefix) and prefix[-1] in "frt":
            body = text[position + 3 : rest.end() - 3]
            if _FORMATTED.fullmatch(body) is None:
                return None
        spans.append((position, rest.end()))
        position = rest.end()
    return spans


def blocks(text: str, end: int) -> list[Block]:
    """The lines before `end` that look as if they opened a block, strings not considered."""
    return [
        (len(found[1]), found[2], found[3], found.start()) for found in _BLOCK.finditer(text, 0, end)
    ]


def balanced(text: str) -> bool:
    """Whether as many brackets open as close, outside of strings and comments on one line."""
    if '"""' in text or "'''" in text:
        return False
    bare = _TOKEN.sub("", text)
    return all(bare.count(left) == bare.count(right) for left, right in ("()", "[]", "{}"))
