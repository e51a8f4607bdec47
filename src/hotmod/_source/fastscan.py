"""The scan of a text for its imports without parsing it.

Touches: text.

Guarantees: `scan_fast` says what `scan_tree` says of the parsed text, or None. Of a text that is no Python
it tells the import statements that stand there plainly.

How: every import statement holds the keyword, so its occurrences are looked at one by one; a position in a
triple-quoted string doesn't count, and whether a line is code on its own is plain from its beginning. For
indented ones the lines that open blocks are read as well. The top-level statements that hold anything else
of interest (calls that import, `__all__`, several statements on a line) are parsed, each by itself.

Assumes: what `lexer` guarantees.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING

from hotmod._source.dynamic import OPAQUE, Context, roots_of
from hotmod._source.imports import ImportKind, ImportStatement, Scan
from hotmod._source.lexer import balanced, blocks, strings
from hotmod._source.treescan import Guard, guard_of, scan_tree

if TYPE_CHECKING:
    from hotmod._source.lexer import Block

__all__ = ["scan_fast"]

_FROM = re.compile(r"( *)from(?: +| *(?=\.))(\.*) *((?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?) *", re.ASCII)
_IN_FROM = re.compile(r" *from [\w. ]+ import [\w, (]*")
# A method, or a mention of one: no sign of a module-level `__getattr__`.
_GETATTR = re.compile(r"""__getattr__(?=\(self\b)|(?<=[."'`])__getattr__\b""")
_CONTINUED = ("else", "elif", "except", "finally", ")", "]", "}", "#", " ", "\n", "\t", "\f")
_FAR = sys.maxsize

_TEST_WORDS = ("TYPE_CHECKING", "__name__", "False", "0", "None", '"', "'")


class _Unsure(Exception):  # noqa: N818 - no error, but the way out of the fast lane
    """The text has to be parsed."""


@dataclasses.dataclass(slots=True)
class _Candidate:
    line_start: int
    keyword_end: int
    indent: int
    module: str | None  # None: a plain import
    level: int


def scan_fast(decoded: str) -> Scan | None:
    """What a text imports, found without parsing all of it; None if only the tree can tell."""
    text = f"\n{decoded}\n"
    try:
        candidates, positions = _occurrences(text)
        positions += _words(text)
        end = max(candidates[-1].keyword_end if candidates else 0, max(positions, default=0))
        spans = strings(text, end)
        if spans is None:
            return None
        if spans:
            candidates = [each for each in candidates if not _inside(spans, each.line_start)]
        statements, odd = _statements(text, candidates, spans)
        positions += odd
        positions += _words_of_imported(text, statements)
        positions = sorted(each for each in positions if not _inside(spans, each))
        if not positions:
            return Scan(tuple(statements))
        return _with_trees(text, positions, statements)
    except (_Unsure, SyntaxError, RecursionError, MemoryError):
        return None


def _with_trees(text: str, positions: list[int], statements: list[ImportStatement]) -> Scan | None:
    """The scan completed by the trees of the top-level statements around some positions."""
    spans = strings(text, len(text) - 1)
    if spans is None:
        return None
    ranges = _ranges(text, positions, spans)
    starts = _lines(text, [start + 1 for start, _ in ranges])
    ends = _lines(text, [end for _, end in ranges])
    parts: list[str] = []
    last = 1
    for (start, end), first_line, last_line in zip(ranges, starts, ends, strict=True):
        parts += ["\n" * (first_line - last), text[start + 1 : end]]
        last = last_line
    tree = ast.parse("".join(parts))
    parsed = list(zip(starts, ends, strict=True))
    others = [each for each in statements if not _inside(parsed, each.line, closed=True)]
    found = scan_tree(tree, _lines(text, positions), others)
    return None if found.getattr_module else found


def _lines(text: str, positions: list[int]) -> list[int]:
    """The lines of ascending positions."""
    found: list[int] = []
    line, last = 0, 0
    for position in positions:
        line += text.count("\n", last, position)
        last = position
        found.append(line)
    return found


def _occurrences(text: str) -> tuple[list[_Candidate], list[int]]:
    """The lines that begin like an import, and the other places where the word may matter."""
    candidates: list[_Candidate] = []
    others: list[int] = []
    at = text.find("import")
    while at >= 0:
        end = at + 6
        after = text[end]
        if after in " (*\\\t":
            start = text.rfind("\n", 0, at) + 1
            before = text[start:at]
            bare = before.lstrip(" ")
            if text[start - 2] == "\\" and start > 1:
                others.append(at)
            elif not bare:
                candidates.append(_Candidate(start, end, at - start, None, 0))
            elif bare.startswith("from"):
                found = _FROM.fullmatch(before)
                if found:
                    each = _Candidate(start, end, len(found[1]), found[3], len(found[2]))
                    candidates.append(each)
                elif not _WORDY.fullmatch(before):
                    others.append(at)
            elif bare[0] != "#" and (";" in bare or ":" in bare or bare[0] in "\t\f\\"):
                others.append(at)
        elif after == "_" and not _in_from(text, at):
            if text.startswith(("import_module", "import_string"), at) or text[at - 2 : at] == "__":
                others.append(at)
        at = text.find("import", end)
    return candidates, others


_WORDY = re.compile(r" *from(?: [^;:\\]*)? ")  # prose in a string; a statement would have matched


def _in_from(text: str, at: int) -> bool:
    return _IN_FROM.fullmatch(text, text.rfind("\n", 0, at) + 1, at) is not None


def _words(text: str) -> list[int]:
    """Where words stand, other than imports, that the tree has to be asked about."""
    found = _all(text, "__all__")
    for at in _all(text, "exec"):
        if text[at + 4] in "( " and not (text[at - 1].isalnum() or text[at - 1] in "._"):
            found.append(at)
    if "__getattr__" in text:
        plain = {each.start() for each in _GETATTR.finditer(text)}
        found += [at for at in _all(text, "__getattr__") if at not in plain]
    return found


def _words_of_imported(text: str, statements: list[ImportStatement]) -> list[int]:
    """Where words stand that matter only if the module imports a certain package."""
    roots = {root for statement in statements for root in roots_of(statement)}
    words = {word for word, (package, _) in OPAQUE.items() if package in roots}
    if "sys" in roots:
        words.add("sys.modules")
    return [at for word in sorted(words) for at in _all(text, word)]


def _all(text: str, word: str) -> list[int]:
    found: list[int] = []
    at = text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + len(word))
    return found


def _inside(spans: list[tuple[int, int]], position: int, *, closed: bool = False) -> bool:
    """Whether a position lies in one of the ascending spans, which include their end if `closed`."""
    index = bisect_right(spans, (position, _FAR)) - 1
    return index >= 0 and (position < spans[index][1] or (closed and position == spans[index][1]))


def _ranges(text: str, positions: list[int], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The top-level statements around ascending positions, from newline to newline."""
    found: list[tuple[int, int]] = []
    for position in positions:
        if found and position < found[-1][1]:
            continue
        start = text.rfind("\n", 0, position)
        while start > 0 and not _begins(text, start, spans):
            start = text.rfind("\n", 0, start)
        end = text.find("\n", position)
        while end + 1 < len(text) and not _begins(text, end, spans):
            end = text.find("\n", end + 1)
        if found and start < found[-1][1]:
            start = found.pop()[0]
        found.append((start, end))
    return found


def _begins(text: str, newline: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a top-level statement begins after this newline."""
    if text.startswith(_CONTINUED, newline + 1) or _inside(spans, newline):
        return False
    return text[newline - 1] not in "\\([{,=+"


def _statements(
    text: str, candidates: list[_Candidate], spans: list[tuple[int, int]]
) -> tuple[list[ImportStatement], list[int]]:
    """The statements of the candidates, and where those are that have to be parsed."""
    nest = _Nest(text, candidates, spans)
    result: list[ImportStatement] = []
    odd: list[int] = []
    line, counted = 0, 0
    for each in candidates:
        line += text.count("\n", counted, each.line_start)
        counted = each.line_start
        if not _append(result, text, each, line, nest.around(each) if each.indent else _TOP):
            odd.append(each.keyword_end - 1)
    return result, odd


_TOP = Context()
_COMMENTS = re.compile(r"#[^\n]*")
_BRACKETED = re.compile(r"[ \t]*\(((?:[^()#]|#[^\n]*)*)\)([^\n]*)")


def _append(result: list[ImportStatement], text: str, each: _Candidate, line: int, context: Context) -> bool:
    """Read the names of one statement; false if it has to be parsed."""
    listed = text[each.keyword_end : text.find("\n", each.keyword_end)]
    if "(" in listed and each.module is not None:
        found = _BRACKETED.match(text, each.keyword_end)
        if found is None or found[2].partition("#")[0].strip():
            return False
        listed = _COMMENTS.sub("", found[1]) if "#" in found[1] else found[1]
        listed = listed.rstrip().removesuffix(",")
    elif "#" in listed:
        listed = listed.partition("#")[0]
    kind, where, deferred = context.kind, context.where, context.deferred
    if each.module is None:
        names = _pairs(listed, dotted=True)
        for pair in names:
            result.append(ImportStatement(pair[0], 0, (pair,), False, line, kind, where, deferred))  # noqa: FBT003
        return bool(names)
    pairs = [("*", None)] if listed.strip() == "*" else _pairs(listed, dotted=False)
    if not pairs or not (each.module or each.level):
        return False
    result.append(
        ImportStatement(each.module, each.level, tuple(pairs), True, line, kind, where, deferred)  # noqa: FBT003
    )
    return True


def _pairs(listed: str, *, dotted: bool) -> list[tuple[str, str | None]]:
    """The names and aliases of a list; empty if it is not plainly one."""
    pairs: list[tuple[str, str | None]] = []
    if not listed.isascii():
        return []  # the parser normalises identifiers
    for part in listed.split(","):
        words = part.split()
        if len(words) == 1:
            name, alias = words[0], None
        elif len(words) == 3 and words[1] == "as" and words[2].isidentifier():  # noqa: PLR2004 - a as b
            name, alias = words[0], words[2]
        else:
            return []
        if not name.isidentifier() and not (dotted and all(map(str.isidentifier, name.split(".")))):
            return []
        pairs.append((name, alias))
    return pairs


@dataclasses.dataclass(slots=True)
class _Open:
    """A block that is open at some line, with the blocks of the same statement before it."""

    block: Block
    before: _Open | None
    context: Context | None = None


class _Nest:
    """The blocks around the lines of a text, asked for from top to bottom."""

    def __init__(self, text: str, candidates: list[_Candidate], spans: list[tuple[int, int]]) -> None:
        self._text = text
        self._open: list[_Open] = []
        self._next = 0
        self._blocks: list[Block] = []
        last = max((each.line_start for each in candidates if each.indent), default=0)
        if last:
            if "\n\t" in text or "\f" in text or " \t" in text:
                raise _Unsure
            self._blocks = blocks(text, last)
            if spans:
                self._blocks = [block for block in self._blocks if not _inside(spans, block[3])]

    def around(self, candidate: _Candidate) -> Context:
        """Where an indented statement stands."""
        opened, listed = self._open, self._blocks
        while self._next < len(listed) and listed[self._next][3] < candidate.line_start:
            block = listed[self._next]
            before = None
            while opened and opened[-1].block[0] >= block[0]:
                closed = opened.pop()
                before = closed if closed.block[0] == block[0] else None
            opened.append(_Open(block, before))
            self._next += 1
        while opened and opened[-1].block[0] >= candidate.indent:
            opened.pop()
        if not opened or opened[0].block[0]:
            raise _Unsure
        context = _TOP
        for each in opened:
            if each.context is None:
                each.context = self._inside(each, context, candidate)
            context = each.context
        return context

    def _inside(self, each: _Open, outer: Context, candidate: _Candidate) -> Context:
        _, keyword, rest, position = each.block
        if keyword in {"def", "class"}:
            found = _NAME.match(rest)
            if found is None:
                raise _Unsure
            where = f"{outer.where}.{found[1]}" if outer.where else found[1]
            if keyword == "class":
                return dataclasses.replace(outer, where=where)
            never = outer.kind is ImportKind.TYPE_CHECKING
            kind = outer.kind if never else ImportKind.DEFERRED
            return Context(where, deferred=True, kind=kind)
        if keyword in {"if", "for", "match", "case"} and not balanced(
            self._text[position : candidate.line_start]
        ):
            raise _Unsure  # a line inside brackets that only looks like the head of a block
        plain = outer
        if outer.kind is ImportKind.EAGER:
            plain = dataclasses.replace(outer, kind=ImportKind.CONDITIONAL)
        if keyword in {"if", "elif", "else"}:
            return self._branch(each, outer, plain)
        return plain

    def _branch(self, each: _Open, outer: Context, plain: Context) -> Context:
        keyword = each.block[1]
        before, guards = each.before, []
        if keyword != "if":
            if before is None:
                raise _Unsure
            while before is not None and before.block[1] in {"if", "elif"}:
                guards.append(_guard(before.block))
                if before.block[1] == "if":
                    break
                before = before.before
                if before is None:
                    raise _Unsure
        guard = Guard.PLAIN if keyword == "else" else _guard(each.block)
        if Guard.NOT_TYPES in guards or guard is Guard.TYPES:
            return dataclasses.replace(outer, kind=ImportKind.TYPE_CHECKING)
        return dataclasses.replace(plain, deferred=True) if guard is Guard.MAIN else plain


_NAME = re.compile(r" +([A-Za-z_]\w*) *[\[(:]", re.ASCII)


def _guard(block: Block) -> Guard:
    """What the test on the head of an `if` or `elif` says."""
    rest = block[2]
    test = rest.partition("#")[0].strip()
    if test in {"TYPE_CHECKING:", "typing.TYPE_CHECKING:", "t.TYPE_CHECKING:"}:
        return Guard.TYPES
    if not test.endswith(":") or not balanced(test) or "\\" in test:
        raise _Unsure
    if not any(word in test for word in _TEST_WORDS):
        return Guard.PLAIN
    return guard_of(ast.parse(test.removesuffix(":"), mode="eval").body)
