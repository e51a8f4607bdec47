"""What statements that run again, or are gone, may have registered: with whom, and what.

Touches: nothing; works on the facts of the texts that are loaded.

Guarantees: a statement that called something and handed it a definition by name, as decorators do, is told;
so is one that had a function do so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from hotmod._plan.handing import through
from hotmod._plan.plan import Part, Tie
from hotmod._plan.program import Program, Unreadable
from hotmod._source.diff import EditKind
from hotmod._source.facts import Facts, Kind, Mode
from hotmod._source.regions import Chain
from hotmod._source.statements import Statement

__all__ = ["ties_of"]


def ties_of(before: Program, parts: Iterable[Part], whole: Collection[str]) -> tuple[Tie, ...]:
    """The ties of a plan.

    Args:
        before: the program with the texts that are loaded.
        parts: the modules of which only parts run.
        whole: the modules that run as a whole or are removed.
    """
    found = []
    for module in whole:
        found += [
            _tie(before, module, *each, each[0].first, gone=False) for each in _statements(before, module)
        ]
    for part in parts:
        going = _going(part)
        for statement, facts in _statements(before, part.module):
            if statement in going:
                found.append(_tie(before, part.module, statement, facts, *going[statement]))
    return tuple(tie for tie in found if tie is not None)


def _statements(before: Program, module: str) -> Iterator[tuple[Statement, Facts]]:
    try:
        yield from zip(before.statements(module), before.facts(module), strict=True)
    except Unreadable:
        return


def _going(part: Part) -> Mapping[Statement, tuple[int, bool]]:
    """The statements of the loaded text that run again or are gone: where they are, whether they differ."""
    runs = {run.first for run in part.runs}
    return {
        edit.old: (
            edit.new.first if edit.new is not None else edit.old.first,
            edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED, EditKind.BODY),
        )
        for edit in part.edits.edits
        if edit.old is not None and (edit.new is None or edit.new.first in runs)
    }


def _handed(facts: Facts) -> set[Chain]:
    """What a statement hands to others by name: arguments, what it puts into objects, and what it defines."""
    names = {handed for _, handed in facts.eager.handed}
    if facts.decorated and facts.kind in (Kind.FUNCTION, Kind.CLASS):
        names.update((name,) for name in facts.binds)
    if facts.eager.changes:
        names.update(chain for chain, mode in facts.eager.reads.items() if mode <= Mode.HANDED)
    return names


def _tie(
    before: Program,
    module: str,
    statement: Statement,
    facts: Facts,
    line: int,
    gone: bool,  # noqa: FBT001 - of `_going`
) -> Tie | None:
    receivers, called = through(before, module, facts)
    callees = tuple(sorted({*facts.eager.unknown, *facts.eager.changes, *receivers}))
    if not callees:
        return None
    inside = tuple((each.module, each.name, each.names) for each in called)
    names = tuple(sorted(_handed(facts)))
    return Tie(module, statement.first, statement.last, callees, names, inside, line, gone)
