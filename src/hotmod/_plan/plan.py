"""The plan: what has to run, in which order and why. A value.

Touches: nothing.

Guarantees: a plan never changes; it holds no object of the program.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Any, Literal

from hotmod._model.changes import Change, ChangeSet, SourceText
from hotmod._model.hazards import Hazard
from hotmod._model.report import FROZEN, Reason
from hotmod._source.diff import Edits

__all__ = ["Hidden", "Keep", "Part", "Plan", "Run", "Step", "Tie", "shown", "told_place"]

SHOWN = 72  # characters of a statement that are shown

Action = Literal["execute", "remove", "run", "patch"]


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One statement that runs again.

    Attributes:
        first: its first line in the new text, decorators included.
        last: its last line.
        binds: the names that it binds.
        where: its file and line, for people.
        text: its first line of text.
        why: the reason, as a chain: `because TAX changed (shop/config.py:1)`.
        fresh: whether nobody can have seen the function that it makes before its name is bound.
        rebinds: whether it is an import.
        acts: whether it may do more than bind names.
        imports: the modules that it imports.
        stars: the modules of which it imports everything, each with the names that its text binds.
    """

    first: int
    last: int
    binds: tuple[str, ...]
    where: str
    text: str
    why: str
    fresh: bool = False
    rebinds: bool = False
    acts: bool = False
    imports: tuple[str, ...] = ()
    stars: tuple[tuple[str, frozenset[str]], ...] = ()

    def __str__(self) -> str:
        return f"{self.where} {self.text}, {self.why}"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A module of which some statements run, or none.

    Attributes:
        module: the module's name.
        text: the text that it has from now on.
        edits: how that differs from the one that it has.
        runs: the statements to run, in order.
        cleared: names that are absent when they begin.
        removed: names that nothing binds any more.
        held: by class, the data of its body that stays as it is when its statement runs again.
        stars: names that come by star imports and have changed, with the modules that may bring them,
            in order.
        annotated: the names that the new text annotates.
        registered: definitions that are withdrawn wherever they are registered before the statements run.
        disposes: whether the module is asked to close what it opened.
    """

    module: str
    text: SourceText
    edits: Edits
    runs: tuple[Run, ...] = ()
    cleared: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    held: tuple[tuple[str, frozenset[str]], ...] = ()
    stars: tuple[tuple[str, tuple[str, ...]], ...] = ()
    annotated: frozenset[str] = frozenset()
    registered: frozenset[str] = frozenset()
    disposes: bool = False

    @property
    def comes(self) -> frozenset[str]:
        """The names that may come or go with the statements though they do not spell them."""
        stars = (names for run in self.runs for _, names in run.stars)
        return self.cleared.union((name for name, _ in self.stars), *stars)

    @property
    def notes(self) -> tuple[str, ...]:
        """What happens to functions and names without running anything, for people."""
        found, running = [], {run.first for run in self.runs}
        for edit in self.edits.edits:
            if edit.bodies and edit.new is not None and edit.new.first not in running:
                place = told_place(self.module, self.text.path, edit.new.first)
                found += [f"{place} {name}: new code, without running it" for name in edit.bodies]
        return (*found, *(f"{name} is cleared: nothing binds it any more" for name in sorted(self.removed)))

    @property
    def acts(self) -> bool:
        """Whether anything of the module is done but giving code to its functions."""
        return bool(self.runs or self.removed or self.stars or self.registered)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What happens to one module.

    Attributes:
        module: the module's name.
        action: `execute` its text again, `run` some of its statements, `patch` its functions without
            running anything, or `remove` it from the process.
        why: the reason in words.
        line: the line of the import that made it follow, 0 for a changed module.
        runs: the statements that run, in order.
        notes: what happens beside, line by line: functions that get new code, names that are cleared.
    """

    module: str
    action: Action
    why: str
    line: int = 0
    runs: tuple[Run, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.action} {self.module}: {self.why}"
        return "\n".join([head, *(f"  {each}" for each in (*self.notes, *self.runs))])

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON-ready values."""
        runs = [
            {
                "where": run.where,
                "line": run.first,
                "text": run.text,
                "why": run.why,
                "binds": list(run.binds),
            }
            for run in self.runs
        ]
        return {
            "module": self.module,
            "action": self.action,
            "why": self.why,
            "line": self.line,
            "runs": runs,
            "notes": list(self.notes),
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Hidden:
    """What a module uses without an import statement that says so.

    Attributes:
        modules: the modules that it uses.
        how: in words: `reads`, `imports by a computed name`.
        computed: whether it is the latter.
        line: where, 0 when no line can be named.
    """

    modules: frozenset[str]
    how: str
    line: int = 0
    computed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Keep:
    """What a module keeps while something of it runs.

    Attributes:
        module: the module's name.
        names: the names that hold on to their objects.
        spared: the statements that only make these: first and last line in the new text, and what is left of
            each when it makes nothing.
        mixed: whether other statements may bind them as well.
        makers: the dotted names that are called to make the values.
        told: the names that would hold something else if they were not kept.
    """

    module: str
    names: frozenset[str]
    spared: tuple[tuple[int, int, str], ...] = ()
    mixed: bool = False
    makers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    told: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Tie:
    """A statement as it was that runs again or is gone, and that may have registered something somewhere.

    Attributes:
        module: its module.
        first: its first line in the text that is loaded.
        last: its last line.
        callees: the dotted names that it called.
        names: the dotted names of what it handed to them, its own definitions included.
        inside: the functions that it called with such objects, as (module, name, dotted names of what that
            handed to them).
        line: the line by which it is told: in the new text, if it is there.
        gone: whether the statement does not run again as it was: it was removed or changed.
    """

    module: str
    first: int
    last: int
    callees: tuple[tuple[str, ...], ...]
    names: tuple[tuple[str, ...], ...]
    inside: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]
    line: int
    gone: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """A statement that tells an object of something.

    Attributes:
        path: its file.
        first: its first line.
        last: its last line.
        things: what the object is told of: module, name, and attributes looked up on what stands there.
    """

    path: str
    first: int
    last: int
    things: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """The statements that tell an object of something, in the order in which they run.

    Attributes:
        module: the module of the object.
        name: its name there.
        before: the statements of the texts that are loaded.
        after: those of the new texts.
    """

    module: str
    name: str
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What a reload would do; false when there is nothing to do.

    Attributes:
        changes: what differs between disk and memory.
        steps: what happens to which module, in order.
        entries: the modules of which something runs, in the order in which to ask for them.
        hazards: what the texts already show can't be done exactly.
        parts: the modules that do not run as a whole.
        pure: whether the statements of the parts can do nothing but bind names.
        kept: values that stay as they are in modules that change, as `module:name`: those that calls have
            made, and those that the module or the options ask to keep.
        keeps: what modules of which something runs are to keep.
        withdrawn: the registries that statements which changed or are gone may have filled, as module, name,
            and the words of the statements that make them and do not run: what these put in stays.
        refused: modules whose edits this process can't take; nothing of them is changed.
        renewed: caches, as `module:name`, that are cleared because of what their functions call.
        ties: the statements whose registrations are to be taken back.
        orders: who registers something with the objects that statements of the plan do, in order.
    """

    changes: ChangeSet
    steps: tuple[Step, ...] = ()
    entries: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    parts: tuple[Part, ...] = ()
    pure: bool = False
    kept: tuple[str, ...] = ()
    keeps: tuple[Keep, ...] = ()
    withdrawn: tuple[tuple[str, str, frozenset[str]], ...] = ()
    refused: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    ties: tuple[Tie, ...] = ()
    orders: tuple[Order, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes or self.hazards)

    def __str__(self) -> str:
        if not self:
            return "nothing to do: memory equals disk"
        lines = [str(step) for step in self.steps] or ["no loaded module has to run"]
        lines += [f"keep {', '.join(self.kept)}"] if self.kept else []
        return "\n".join(lines + [f"  {hazard}" for hazard in self.hazards])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython passes it so
        """The words of `str()` at an IPython prompt."""
        printer.text("..." if cycle else str(self))

    def including(
        self,
        hazards: Iterable[Hazard] = (),
        refused: str = "",
        change: Change | None = None,
        part: Part | None = None,
    ) -> Plan:
        """This plan with the edit of one more module, which nothing depends on.

        Args:
            hazards: what can't be done.
            refused: the module, if its edit can't be taken.
            change: its edit, if it can.
            part: what of it runs.
        """
        found = dataclasses.replace(self, hazards=(*self.hazards, *hazards))
        if refused:
            found = dataclasses.replace(found, refused=(*self.refused, refused))
        if change is None or part is None:
            return found
        count, name = len(part.runs), part.module
        why = f"{count} statement{'s' if count > 1 else ''}" if count else "edited"
        return dataclasses.replace(
            found,
            changes=ChangeSet(tuple(sorted((*self.changes.changes, change), key=lambda each: each.module))),
            steps=(*self.steps, Step(name, "run" if part.acts else "patch", why, 0, part.runs, part.notes)),
            entries=(*self.entries, name) if part.acts else self.entries,
            parts=(*self.parts, part),
            pure=(self.pure or not self.steps) and not any(run.acts for run in part.runs),
        )

    @property
    def is_rude(self) -> bool:
        """Whether there are edits that this process can't take."""
        return any(hazard.code in FROZEN for hazard in self.hazards)

    @property
    def executed(self) -> tuple[str, ...]:
        """The modules to execute, dependencies first."""
        return tuple(step.module for step in self.steps if step.action == "execute")

    @property
    def removed(self) -> tuple[str, ...]:
        """The modules to remove from the process."""
        return tuple(step.module for step in self.steps if step.action == "remove")

    def reasons(self) -> tuple[Reason, ...]:
        """Why each module takes part."""
        found = []
        for step in self.steps:
            if step.runs:
                found += [
                    Reason(step.module, f"{run.where} {run.text}, {run.why}", run.first) for run in step.runs
                ]
            else:
                found.append(Reason(step.module, step.why, step.line))
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-ready values."""
        return {
            "changes": [change.as_dict() for change in self.changes.changes],
            "steps": [step.as_dict() for step in self.steps],
            "hazards": [hazard.as_dict() for hazard in self.hazards],
            "kept": list(self.kept),
        }


def shown(text: str) -> str:
    """A statement in one line, for people."""
    head = text.partition("\n")[0].strip()
    return head if len(head) <= SHOWN else f"{head[: SHOWN - 3]}..."


def told_place(module: str, path: str, line: int) -> str:
    """A place as people write it: `shop/api.py:3`."""
    depth = len(module.split(".")) + (1 if os.path.basename(path).startswith("__init__.") else 0)
    return f"{'/'.join(path.split(os.sep)[-depth:])}:{line}"
