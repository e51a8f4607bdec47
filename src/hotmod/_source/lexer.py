r"""Just enough of Python's lexical rules to tell code from strings, without making tokens.

Touches: text.

Guarantees: a position that `Strings` doesn't cover is code, a comment or part of a string on one logical
line. It gives up (`Undecided`) rather than guess: on a string that nothing closes, and on an f-string in
whose fields quotes or braces nest beyond what a regular expression follows.

Assumes: the text begins and ends with a newline and has no others than `\n`.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right

__all__ = ["Block", "Strings", "Undecided", "balanced", "blocks", "without_strings"]


class Undecided(Exception):  # noqa: N818 - no error, but the way out of the fast lane
    """Only the parser can tell."""


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
      | (?<=[rR])(?<![fFtT][rR])
        (?: "(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' )
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
_TOKEN = re.compile(
    r"""
    \#[^\n]*
    | \"{3}[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+\"{3} | '{3}[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+'{3}
    | "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*'
    """,
    re.DOTALL | re.VERBOSE,
)

_AHEAD = 2_000

# The lines that may open a block, for blocks that are indented by less than so many spaces. All of it is
# possessive or has a bound: giving back spaces one by one before each keyword would make this the slowest
# part of a scan.
_BLOCK = r"""
    \n(\ {0,%d}+)(?=[acdefitwm])(?:async\ +)?
    (def(?=\ )|class(?=\ )|if\b|elif\b|else(?=\ *:)|try(?=\ *:)|except\b|finally(?=\ *:)
    |for\b|while\b|with\b|match\b|case\b)
"""


Block = tuple[int, str, int, int]  # indentation, keyword, its end, the newline before the line


class Strings:
    """The triple-quoted strings of a text, found from its start as far as someone asks.

    Args:
        text: a text that begins and ends with a newline.
    """

    __slots__ = ("_ends", "_known", "_starts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._known = 0  # everything before is known, and this itself is no part of a string

    def cover(self, position: int) -> bool:
        """Whether a position lies in a string.

        Raises:
            Undecided: the text can't be followed up to there.
        """
        if position >= self._known:
            self._extend(position)
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position < self._ends[index]

    def _extend(self, position: int) -> None:
        text, known = self._text, self._known
        while known <= position:
            limit = text.find("\n", position + _AHEAD)
            limit = len(text) if limit < 0 else limit
            known = _end_of_run(text, known, limit)
            if known == limit:
                break
            rest_of = _REST_OF.get(text[known : known + 3])
            if rest_of is None:
                # Not the end of what is understood, perhaps, but of what was looked at.
                further = _end_of_run(text, known, len(text))
                if further == known:
                    raise Undecided
                known = further
                continue
            rest = rest_of.match(text, known + 3)
            if rest is None or not _plain(text, known, rest.end()):
                raise Undecided
            self._starts.append(known)
            known = rest.end()
            self._ends.append(known)
        self._known = known


def _end_of_run(text: str, start: int, limit: int) -> int:
    run = _RUN.match(text, start, limit)
    return start if run is None else run.end()


def _plain(text: str, start: int, end: int) -> bool:
    """Whether a triple-quoted string, quotes included, is no f-string or a simple one."""
    prefix = text[max(start - 2, 0) : start].lower()
    if prefix[-1:] in {"f", "t"} or (prefix[-1:] == "r" and prefix[0] in "ft"):
        return _FORMATTED.fullmatch(text, start + 3, end - 3) is not None
    return True


def blocks(text: str, end: int, indent: int) -> list[Block]:
    """The lines before `end`, indented by less than `indent`, that look as if they opened a block.

    Strings are not considered.
    """
    return [
        (found.end(1) - found.start(1), found[2], found.end(), found.start())
        for found in _blocks_within(indent).finditer(text, 0, end)
    ]


@functools.cache
def _blocks_within(indent: int) -> re.Pattern[str]:
    return re.compile(_BLOCK % (indent - 1), re.VERBOSE)


def balanced(text: str) -> bool:
    """Whether as many brackets open as close, outside of strings and comments.

    Args:
        text: where it begins and ends is code.
    """
    bare = _TOKEN.sub("", text)
    return all(bare.count(left) == bare.count(right) for left, right in ("()", "[]", "{}"))


def without_strings(text: str) -> str:
    """A text without its comments and strings, except for f-strings, which hold code."""
    return _TOKEN.sub(lambda found: _kept(text, found), text)


def _kept(text: str, found: re.Match[str]) -> str:
    prefix = text[max(found.start() - 2, 0) : found.start()].lower()
    return found[0] if prefix[-1:] in {"f", "t"} or (prefix[-1:] == "r" and prefix[0] in "ft") else '""'
