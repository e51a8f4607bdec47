"""What statements that run again, or are gone, may have registered: with whom, and what.

Touches: nothing; works on the facts of the texts that are loaded.

Guarantees: a statement that called something and handed it a definition by name, as decorators do, is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from hotmod._plan.plan import Part, Tie
from hotmod._plan.program import Program, Unreadable
from hotmod._source.diff import EditKind
from hotmod._source.facts import Facts, Kind
from hotmod._source.statements import Statement

__all__ = ["registering", "ties_of"]


def ties_of(before: Program, parts: Iterable[Part], whole: Collection[str]) -> tuple[Tie, ...]:
    """The ties of a plan.

    Args:
        before: the program with the texts that are loaded.
        parts: the modules of which only parts run.
        whole: the modules that run as a whole or are removed.
    """
    found = []
    for module in whole:
        found += [_tie(module, *each, gone=True) for each in _statements(before, module)]
    for part in parts:
        going = _going(part)
        for statement, facts in _statements(before, part.module):
            if statement in going:
                found.append(_tie(part.module, statement, facts, gone=going[statement]))
    return tuple(tie for tie in found if tie is not None)


def _statements(before: Program, module: str) -> Iterator[tuple[Statement, Facts]]:
    try:
        yield from zip(before.statements(module), before.facts(module), strict=True)
    except Unreadable:
        return


def _going(part: Part) -> Mapping[Statement, bool]:
    """The statements of the text that is loaded that run again or are gone, and whether they are as they were."""
    runs = {run.first for run in part.runs}
    return {
        edit.old: edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED, EditKind.BODY)
        for edit in part.edits.edits
        if edit.old is not None and (edit.new is None or edit.new.first in runs)
    }


def registering(facts: Facts) -> set[tuple[str, ...]]:
    """What a statement hands to others by name: arguments, and what it defines below decorators."""
    names = {handed for _, handed in facts.eager.handed}
    if facts.decorated and facts.kind in (Kind.FUNCTION, Kind.CLASS):
        names.update((name,) for name in facts.binds)
    return names


def _tie(module: str, statement: Statement, facts: Facts, *, gone: bool) -> Tie | None:
    callees = tuple(sorted(facts.eager.unknown))
    if not callees:
        return None
    return Tie(module, statement.first, statement.last, callees, tuple(sorted(registering(facts))), gone)
