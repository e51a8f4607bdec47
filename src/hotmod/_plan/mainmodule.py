"""The plan for the program's main module: new code for its functions, and definitions that are added.

Touches: nothing; a pure function of the old and the new text.

Guarantees: what runs of the main module is definitions and imports only; if an edit asks for anything else,
every statement that does is told, and nothing of the module is changed.

Assumes: the rest of the module's text is the program that is running: it can't be run a second time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotmod._model.changes import Change, SourceText
from hotmod._model.hazards import Hazard
from hotmod._plan.plan import Part, Plan, Run, shown, told_place
from hotmod._plan.program import Program
from hotmod._plan.purity import is_pure
from hotmod._source.diff import Edit, EditKind, Edits, diff
from hotmod._source.facts import Facts, Kind, facts_in
from hotmod._source.resolve import ModuleSource
from hotmod._source.statements import Statement

__all__ = ["with_main_module"]

_SAME = (EditKind.UNCHANGED, EditKind.MOVED, EditKind.BODY)
_DEFINING = (Kind.FUNCTION, Kind.CLASS, Kind.IMPORT)
WORKER = "__mp_main__"  # the main module as `multiprocessing` executes it in a process that it spawns
ADVICE = "Restart the process to run it."


def with_main_module(plan: Plan, change: Change, old: SourceText) -> Plan:
    """A plan that takes care of an edit of the main module as well.

    Args:
        plan: the plan for all other modules.
        change: the edit.
        old: the text that the main module runs.

    Returns:
        The plan with a part for the main module, or with the reasons for which it is left alone.

    Raises:
        SourceError: a text can't be read.
    """
    text = change.text
    assert text is not None, "a main module without a file is no change"  # noqa: S101
    return _Draft(change.module, old, text).added_to(plan, change)


class _Draft:
    """The plan for one edit of the main module."""

    def __init__(self, name: str, old: SourceText, new: SourceText) -> None:
        self._name, self._text = name, new
        self._old, self._new = facts_in(old), facts_in(new)
        self._edits: Edits = diff(self._old[0], self._new[0])
        self._program = Program({name: ModuleSource(new)})
        self._binders = (_binders(self._old[1]), _binders(self._new[1]))

    def added_to(self, plan: Plan, change: Change) -> Plan:
        """A plan that has this one in it."""
        refused = list(self._refused())
        if self._name == WORKER and not refused:
            return plan  # other line numbers, and nothing else
        if refused:
            return plan.including(hazards=refused, refused=change.module)
        runs = tuple(self._runs())
        binds = {name for run in runs for name in run.binds}
        removed = {
            name
            for edit in self._edits.edits
            for name in self._names(edit.old, self._old)
            if name not in self._binders[1] and name not in binds
        }
        part = Part(
            self._name,
            self._text,
            self._edits,
            runs,
            removed=frozenset(removed),
            annotated=frozenset(name for facts in self._new[1] for name in facts.annotates),
        )
        return plan.including(change=change, part=part)

    def _facts(self, statement: Statement, texts: tuple[object, tuple[Facts, ...]]) -> Facts:
        statements = self._old[0] if texts is self._old else self._new[0]
        return texts[1][statements.statements.index(statement)]

    def _names(self, statement: Statement | None, texts: tuple[object, tuple[Facts, ...]]) -> tuple[str, ...]:
        return self._facts(statement, texts).binds if statement is not None else ()

    def _refused(self) -> Iterator[Hazard]:
        """What the edit asks for and can't be done, statement by statement."""
        if self._name == WORKER and any(edit.kind not in _SAME[:2] for edit in self._edits.edits):
            # its functions live in a namespace of their own, of which the module has a copy
            yield self._hazard("", 0, "a worker process has executed the main module in a way of its own")
            return
        if self._edits.whole:
            yield self._hazard("", 1, self._edits.whole)
        for edit in self._edits.edits:
            why = self._objection(edit)
            if why:
                statement = edit.new or edit.old
                assert statement is not None, "an edit has a statement"  # noqa: S101
                line = edit.new.first if edit.new is not None else 0
                place = told_place(self._name, self._text.path, line) if line else ""
                what = " ".join(part for part in (place, shown(statement.text)) if part)
                yield self._hazard(next(iter(edit.names), ""), line, f"{what}: {why}")

    def _hazard(self, name: str, line: int, message: str) -> Hazard:
        path = self._text.path
        return Hazard("main-module", self._name, name, message=message, advice=ADVICE, path=path, line=line)

    def _objection(self, edit: Edit) -> str:
        """Why an edit can't be applied; empty if it can."""
        both = [(edit.old, self._old), (edit.new, self._new)]
        facts = [self._facts(each, texts) for each, texts in both if each is not None]
        defines = all(each.kind in _DEFINING or (each.kind is Kind.INERT) for each in facts)
        if edit.kind in _SAME:
            return "" if defines or not edit.reordered else "it moved, and it is not run a second time"
        if not defines:
            verb = {EditKind.ADDED: "was added", EditKind.REMOVED: "was removed"}.get(edit.kind, "was edited")
            return f"it {verb}, and only definitions and imports of the main module can be run"
        names = {name for each in facts for name in each.binds}
        if any(len(binders.get(name, ())) > 1 for name in names for binders in self._binders):
            return f"{', '.join(sorted(names))} is bound by more than one statement"
        return ""

    def _runs(self) -> Iterator[Run]:
        for edit in self._edits.edits:
            if edit.new is None or edit.kind in _SAME:
                continue
            facts = self._facts(edit.new, self._new)
            if facts.kind is Kind.INERT and not edit.docstring:
                continue
            yield Run(
                edit.new.first,
                edit.new.last,
                ("__doc__",) if edit.docstring else facts.binds,
                told_place(self._name, self._text.path, edit.new.first),
                shown(edit.new.text),
                "added" if edit.kind is EditKind.ADDED else "edited",
                fresh=facts.kind is Kind.FUNCTION and not facts.decorated,
                rebinds=facts.kind is Kind.IMPORT,
                acts=not is_pure(self._program, self._name, facts)
                or any(each.level for each in facts.imports),
                imports=tuple(each.module for each in facts.imports if not each.level),
            )


def _binders(every: tuple[Facts, ...]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, facts in enumerate(every):
        for name in facts.binds:
            found.setdefault(name, []).append(index)
    return found
