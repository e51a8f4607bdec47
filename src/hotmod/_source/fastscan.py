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
from typing import NamedTuple

from hotmod._source.dynamic import OPAQUE, Context, root_of
from hotmod._source.imports import ImportStatement, Scan
from hotmod._source.lexer import Strings, Undecided
from hotmod._source.nest import TOP, Nest
from hotmod._source.parse import LOOKED_AT
from hotmod._source.shortcuts import Plain, plain_calls, plain_exports
from hotmod._source.treescan import scan_parts

__all__ = ["scan_fast"]

_FROM = re.compile(r"( *)from(?: +| *(?=\.))(\.*) *((?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?) *", re.ASCII)
_WORDY = re.compile(r" *from(?: [^;:\\]*)? ")  # prose in a string; a statement would have matched
_CALLS = ("import_module", "import_string(", "import_string (")
_IN_FROM = re.compile(r" *from [\w. ]+ import [\w, (]*")
_CONTINUED = ("else", "elif", "except", "finally", ")", "]", "}", "#", " ", "\n", "\t", "\f")
_DEEP = 200  # more than what any function is indented by


class _Candidate(NamedTuple):
    """A line that begins like an import."""

    line_start: int
    keyword_end: int
    indent: int
    module: str | None  # None for a plain import
    level: int


def scan_fast(decoded: str) -> Scan | None:
    """What a text imports, found without parsing all of it; None if only the tree can tell."""
    text = f"\n{decoded}\n"
    strings = Strings(text)
    try:
        candidates, positions, others = _occurrences(text)
        candidates = [each for each in candidates if not strings.cover(each.line_start)]
        statements, odd = _statements(text, candidates, strings)
        positions += odd
        positions += _words(text)
        calls = Plain([], [], [])
        if others:
            others = [at for at in sorted(others) if not _commented(text, at) and not strings.cover(at)]
            calls = plain_calls(text, others, strings)
            statements += calls.statements
            positions += calls.left
        positions += _words_of_imported(text, statements)
        exports = None
        if "__all__" in text:
            # An attribute or a key of that name is not the module's own.
            where = [at for at in _all(text, "__all__") if text[at - 1] not in ".\"'"]
            where = [at for at in where if not strings.cover(at)]
            exports = plain_exports(text, where)
            positions += [] if exports is not None else where
        positions = [at for at in sorted(positions) if not _commented(text, at) and not strings.cover(at)]
        if positions:
            lines = _lines(text, sorted([*positions, *others]))
            found = _with_trees(text, positions, lines, Plain(statements, calls.notes, []), strings)
        else:
            if calls.statements:
                statements.sort(key=lambda statement: statement.line)
            found = Scan(tuple(statements), unsure=tuple(calls.notes))
        return found if exports is None or found is None else dataclasses.replace(found, exports=exports)
    except (Undecided, SyntaxError, RecursionError, MemoryError):
        return None


def _commented(text: str, position: int) -> bool:
    """Whether a position is in a line that is a comment, if it is code at all."""
    return text[text.rfind("\n", 0, position) + 1 : position].lstrip().startswith("#")


def _with_trees(
    text: str, positions: list[int], lines: list[int], plain: Plain, strings: Strings
) -> Scan | None:
    """The scan completed by the trees of the definitions or statements around some positions.

    Args:
        text: the whole text.
        positions: what to look at, ascending.
        lines: the lines of all that is not plainly an import, ascending.
        plain: what was found without a tree.
        strings: the strings of the text.
    """
    ranges = _ranges(text, positions, strings)
    starts = _lines(text, [start + 1 for start, _, _ in ranges])
    ends = _lines(text, [end for _, end, _ in ranges])
    parts: list[tuple[list[ast.stmt], Context]] = []
    for (start, end, context), line in zip(ranges, starts, strict=True):
        part = text[start + 1 : end]
        if part[0] == " ":
            (block,) = ast.parse("\n" * (line - 2) + "if 1:\n" + part, LOOKED_AT).body
            parts.append((block.body if isinstance(block, ast.If) else [], context))
        else:
            parts.append((ast.parse("\n" * (line - 1) + part, LOOKED_AT).body, context))
    parsed = {line for first, last in zip(starts, ends, strict=True) for line in range(first, last + 1)}
    others = [each for each in plain.statements if each.line not in parsed]
    notes = [each for each in plain.notes if each.line not in parsed]
    found = scan_parts(parts, lines, others, notes)
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


def _occurrences(text: str) -> tuple[list[_Candidate], list[int], list[int]]:
    """The lines that begin like an import, the other places where one may be, and calls that import."""
    candidates: list[_Candidate] = []
    others: list[int] = []
    calls: list[int] = []
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
        elif after == "_" and _may_call(text, at):
            calls.append(at)
        at = text.find("import", end)
    return candidates, others, calls


def _may_call(text: str, at: int) -> bool:
    """Whether `import_module` or one like it stands here, other than in a list of imported names."""
    if not text.startswith(_CALLS, at) and text[at - 2 : at] != "__":
        return False
    return _IN_FROM.fullmatch(text, text.rfind("\n", 0, at) + 1, at) is None


def _words(text: str) -> list[int]:
    """Where words stand, other than imports, that the tree has to be asked about."""
    found = [*_all(text, "exec("), *_all(text, "exec (")]
    found = [at for at in found if not (text[at - 1].isalnum() or text[at - 1] in "._")]
    for at in _all(text, "__getattr__"):
        # A method, or a mention of one, is no sign of a `__getattr__` at module level.
        if not text.startswith("(self", at + 11) and text[at - 1] not in ".\"'`":
            found.append(at)
    return found


def _words_of_imported(text: str, statements: list[ImportStatement]) -> list[int]:
    """Where words stand that matter only if the module imports a certain package."""
    roots = {root_of(statement) for statement in statements}
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


def _ranges(text: str, positions: list[int], strings: Strings) -> list[tuple[int, int, Context]]:
    """The innermost functions or else the top-level statements around ascending positions.

    Each goes from newline to newline.
    """
    nest = Nest(text, positions[-1], _DEEP, strings)
    found: list[tuple[int, int, Context]] = []
    for position in positions:
        if found and position < found[-1][1]:
            continue
        each = nest.function(position) or _top_level(text, position, strings)
        while found and each[0] < found[-1][1]:
            found.pop()
        found.append(each)
    return found


def _top_level(text: str, position: int, strings: Strings) -> tuple[int, int, Context]:
    start = text.rfind("\n", 0, position)
    while start > 0 and not _begins(text, start, strings):
        start = text.rfind("\n", 0, start)
    end = text.find("\n", position)
    while end + 1 < len(text) and not _begins(text, end, strings):
        end = text.find("\n", end + 1)
    return start, end, TOP


def _begins(text: str, newline: int, strings: Strings) -> bool:
    """Whether a top-level statement begins after this newline."""
    if text.startswith(_CONTINUED, newline + 1) or strings.cover(newline):
        return False
    return text[newline - 1] not in "\\([{,=+"


def _statements(
    text: str, candidates: list[_Candidate], strings: Strings
) -> tuple[list[ImportStatement], list[int]]:
    """The statements of the candidates, and where those are that have to be parsed."""
    last, indent = 0, 0
    for each in candidates:
        if each.indent:
            last, indent = each.line_start, max(indent, each.indent)
    nest = Nest(text, last, indent, strings)
    result: list[ImportStatement] = []
    odd: list[int] = []
    line, counted = 0, 0
    for each in candidates:
        line += text.count("\n", counted, each.line_start)
        counted = each.line_start
        if not _append(
            result, text, each, line, nest.around(each.line_start, each.indent) if each.indent else TOP
        ):
            odd.append(each.keyword_end - 1)
    return result, odd


_COMMENTS = re.compile(r"#[^\n]*")
_BRACKETED = re.compile(r"[ \t]*\(((?:[^()#]|#[^\n]*)*)\)([^\n]*)")


def _append(result: list[ImportStatement], text: str, each: _Candidate, line: int, context: Context) -> bool:
    """Read the names of one statement; false if it has to be parsed."""
    _, start, _, module, level = each
    kind, where, deferred = context.kind, context.where, context.deferred
    listed = text[start : text.find("\n", start)].strip(" ")
    is_from = module is not None
    if is_from and not (module or level):
        return False
    if listed.isidentifier() and listed.isascii():
        pairs: list[tuple[str, str | None]] = [(listed, None)]
    elif listed == "*" and is_from:
        pairs = [("*", None)]
    else:
        if "(" in listed and is_from:
            found = _BRACKETED.match(text, start)
            if found is None or found[2].partition("#")[0].strip():
                return False
            listed = _COMMENTS.sub("", found[1]) if "#" in found[1] else found[1]
            listed = listed.rstrip().removesuffix(",")
        elif "#" in listed:
            listed = listed.partition("#")[0]
        pairs = _pairs(listed, dotted=not is_from)
    if is_from and pairs:
        result.append(ImportStatement(module or "", level, tuple(pairs), True, line, kind, where, deferred))  # noqa: FBT003
    else:
        result += [
            ImportStatement(pair[0], 0, (pair,), False, line, kind, where, deferred)  # noqa: FBT003
            for pair in pairs
        ]
    return bool(pairs)


def _pairs(listed: str, *, dotted: bool) -> list[tuple[str, str | None]]:
    """The names and aliases of a list; empty if it is not plainly one."""
    pairs: list[tuple[str, str | None]] = []
    if not listed.isascii():
        return []  # the parser normalises identifiers
    for part in listed.split(","):
        words = part.split()
        if words == ["*"]:
            return [("*", None)] if listed.strip() == "*" and not dotted else []
        if len(words) == 1:
            name, alias = words[0], None
        elif len(words) == 3 and words[1] == "as" and words[2].isidentifier():  # noqa: PLR2004 - a as b
            name, alias = words[0], words[2]
            if name == "import_module":
                raise Undecided  # calls of the alias are to be found
        else:
            return []
        if not name.isidentifier() and not (dotted and all(map(str.isidentifier, name.split(".")))):
            return []
        pairs.append((name, alias))
    return pairs
