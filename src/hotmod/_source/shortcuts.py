"""Plain cases of what otherwise has to be parsed.

Touches: text.

Guarantees: what is found here is what the tree says of the same lines; anything that is not plain is left
to the tree.

Assumes: the positions asked about are no part of a triple-quoted string or of a comment line.
"""

from __future__ import annotations

import dataclasses
import re

from hotmod._source.dynamic import BY_STRING, COMPUTED
from hotmod._source.imports import ImportStatement, Unsure
from hotmod._source.lexer import Strings
from hotmod._source.nest import TOP, Nest

__all__ = ["Plain", "plain_calls", "plain_exports"]

_COMMENT = re.compile(r"#[^\n]*")
_GAP = r"\s*+(?:\#[^\n]*\n\s*+)*+"  # blanks, line ends and comments
_ONE_STRING = rf"""{_GAP}(?:"\w+"|'\w+'){_GAP}"""
_EXPORTS = re.compile(
    rf"\n__all__ = [\[(]((?:{_ONE_STRING},)*+(?:{_ONE_STRING})?+{_GAP})[\])] *(?:\#[^\n]*)?+\n", re.ASCII
)
_STRING = re.compile(r"\w+")
_PATH = r"(?<![\w.)\]}])((?:[A-Za-z_]\w*\.)*(?:import_module|import_string|__import__))"
_COMPUTED_CALL = re.compile(_PATH + r"\(((?!__)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\)", re.ASCII)
_LITERAL_LINE = re.compile(
    r"( *)(?:([A-Za-z_]\w*) = )?(?:[A-Za-z_]\w*\.)*"
    r"import_module\((?:'(\w[\w.]*)'|\"(\w[\w.]*)\")\) *(?:\#[^\n]*)?\n",
    re.ASCII,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """What was read without a tree.

    Attributes:
        statements: imports.
        notes: calls that import what is computed.
        left: the positions that the tree has to be asked about.
    """

    statements: list[ImportStatement]
    notes: list[Unsure]
    left: list[int]


def plain_exports(text: str, positions: list[int]) -> tuple[str, ...] | None:
    """What `__all__` lists if it is named once, for one plain literal; else None."""
    if len(positions) != 1:
        return None
    found = _EXPORTS.match(text, positions[0] - 1)
    return None if found is None else tuple(_STRING.findall(_COMMENT.sub("", found[1])))


def plain_calls(text: str, positions: list[int], strings: Strings) -> Plain:
    """Read the calls that stand alone on a line or import what one name says."""
    plain = Plain([], [], [])
    nest: Nest | None = None
    lines = [text.rfind("\n", 0, position) + 1 for position in positions]
    line, counted = 0, 0
    for position, start in zip(positions, lines, strict=True):
        line += text.count("\n", counted, start)
        counted = start
        end = text.find("\n", position)
        if lines.count(start) > 1:
            plain.left.append(position)
            continue
        call = _COMPUTED_CALL.search(text, start, end)
        if call is not None and not _odd(text[start : call.start()]):
            reason = BY_STRING if call[1].endswith("import_string") else COMPUTED
            plain.notes.append(Unsure(line, f"{call[1]}({call[2]})", reason))
            continue
        alone = _LITERAL_LINE.match(text, start)
        if alone is None or not _stands_alone(text, start, end):
            plain.left.append(position)
            continue
        context = TOP
        if alone[1]:
            nest = nest or Nest(
                text,
                positions[-1],
                max(each - begin for each, begin in zip(positions, lines, strict=True)),
                strings,
            )
            context = nest.around(start, len(alone[1]))
        plain.statements.append(
            ImportStatement(
                module=alone[3] or alone[4],
                level=0,
                names=(),
                is_from=False,
                line=line,
                kind=context.dynamic(),
                where=context.where,
                deferred=context.deferred,
                target=alone[2] or "",
            )
        )
    return plain


def _odd(before: str) -> bool:
    """Whether what stands before a call on its line may make it something else."""
    return '"' in before or "'" in before or "#" in before or before.endswith("def ")


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the lines around a line leave no bracket open there."""
    before = text[:start].rstrip()[-1:] if start < 200 else text[start - 200 : start].rstrip()[-1:]  # noqa: PLR2004
    after = text[end : end + 200].lstrip()[:1]
    return before not in {"\\", "(", "[", "{", ",", "="} and after not in {")", "]", "}", ","}
