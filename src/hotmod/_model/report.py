"""The report: what one attempt to reload did, and why, as a value.

Touches: nothing. Wording for people is here, because a report is read far from where it was made.

Guarantees: `bool(report)` is true exactly when memory equalled disk at the end of the attempt.
"""

from __future__ import annotations

import dataclasses
import html
import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hotmod._model.errors import PostponedError, portable, what_helps
from hotmod._model.hazards import Hazard

__all__ = ["FROZEN", "Location", "Reason", "Report", "Status", "named"]

Status = Literal["applied", "unchanged", "rejected", "restart-required"]

FROZEN = ("main-module", "extension-module", "replaced-module")  # edits that this process can't take
SHOWN = 4  # names listed in a one-line summary before "and N more"


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """A place in a module's source.

    Attributes:
        module: the module's dotted name.
        path: its file.
        line: counted from 1; 0 when no line can be named.
    """

    module: str
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        if not self.path:
            return self.module
        file = os.path.basename(self.path)
        return f"{self.module} ({file}:{self.line})" if self.line else f"{self.module} ({file})"


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """Why a module took part in a reload.

    Attributes:
        module: the module.
        why: in words: `edited`, or the import that made it follow.
        line: the line of that import, 0 when the module was itself changed.
    """

    module: str
    why: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.module}: {self.why}"


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one attempt to reload did. A value: it never changes and can be pickled.

    Attributes:
        status: `applied`, `unchanged`, `rejected` (nothing was changed) or `restart-required`
            (nothing was changed, and this process can't take the edit at all).
        scope: the targets of the reloader, for people.
        generation: how many transactions the process has committed when the report was made.
        changed: the modules whose files differed.
        executed: the modules of which anything ran, in the order in which that was done.
        ran: the same more closely: modules that ran as a whole, and `module:line` of single statements;
            imports that bound names anew are under `rebound`.
        patched: live objects that were changed in place, as `module:qualname`.
        rebound: names that imports bound, and that now hold the new object, as `module:name`.
        cleared: names, and modules, that the source no longer has, and the process no longer either.
        kept: names that would hold something else by now: those that the module or the options ask to keep,
            and attributes that others had set on an executed module.
        hazards: what could not be done safely.
        error: the exception that rejected the attempt; the user's own, without hotmod's frames.
        location: where that exception came from.
        broken: the files that can't be compiled, each with its first error.
        affected: how many modules the attempt was about.
        took_back: for a rollback, the generation that it took back; else 0.
        internal: whether `error` is hotmod's own fault and not that of the edit.
        reasons: why each module took part.
        phases: seconds spent per phase.
        seconds: seconds spent altogether.
    """

    status: Status
    scope: str = ""
    generation: int = 0
    changed: tuple[str, ...] = ()
    executed: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    patched: tuple[str, ...] = ()
    rebound: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    error: BaseException | None = None
    location: Location | None = None
    broken: tuple[str, ...] = ()
    affected: int = 0
    took_back: int = 0
    internal: bool = False
    reasons: tuple[Reason, ...] = ()
    phases: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0

    def __bool__(self) -> bool:
        differs = self.took_back or self.is_rude or any(hazard.code == "drift" for hazard in self.hazards)
        return self.status in ("applied", "unchanged") and not differs

    @property
    def is_rude(self) -> bool:
        """Whether there are edits that this process can't take, whatever became of the others."""
        return any(hazard.code in FROZEN for hazard in self.hazards)

    @property
    def postponed(self) -> bool:
        """Whether nothing is wrong with the edit: stable blocks did not end in time, and it stays pending."""
        return isinstance(self.error, PostponedError)

    def __str__(self) -> str:
        lines = [self.summary()]
        lines += [f"  {hazard}" for hazard in self.hazards]
        return "\n".join(lines)

    def __getstate__(self) -> list[Any]:
        # An exception of the user's may not pickle; its words always do.
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        names = [field.name for field in dataclasses.fields(self)]
        if self.error is not None:
            values[names.index("error")] = portable(self.error)
        return values

    def __setstate__(self, state: list[Any]) -> None:
        for field, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, field.name, value)

    def summary(self) -> str:
        """The report in one line (a rejection: in one paragraph)."""
        match self.status:
            case "unchanged":
                return f"unchanged {self.scope}: memory equals disk (generation {self.generation})"
            case "applied":
                took = f"{self.seconds * 1e3:.1f} ms"
                if self.took_back:
                    return (
                        f"rolled back {self.scope} in {took}: {', '.join(self.changed)} as before generation "
                        f"{self.took_back}; memory differs from disk (generation {self.generation})"
                    )
                return f"applied {self.scope} in {took}: {self._done()} (generation {self.generation})"
            case _:
                return self._refused()

    def _done(self) -> str:
        parts = [
            _listed("patched", (name.partition(":")[2] or name for name in self.patched)),
            _listed("re-ran", self.ran),
            _listed("rebound", (_in(name) for name in self.rebound)),
            _listed("cleared", self.cleared),
            _listed("kept", self.kept),
        ]
        if self.hazards:
            parts.append(f"{len(self.hazards)} hazard{'s' if len(self.hazards) > 1 else ''}")
        return "; ".join(part for part in parts if part) or "no code to run"

    def _refused(self) -> str:
        frozen = ", ".join(hazard.module for hazard in self.hazards if hazard.code in FROZEN)
        where = str(self.location) if self.location else ", ".join(self.changed) or frozen or self.scope
        why = f"{type(self.error).__name__}: {self.error}" if self.error else ""
        if self.error is not None and not str(self.error):
            why = type(self.error).__name__
        count = self.affected or len(self.changed)
        running = {
            0: "the program still runs the previous code",
            1: "the affected module still runs the previous code",
        }.get(count, f"all {count} affected modules still run the previous code")
        if self.status == "restart-required":
            listed = "; ".join(hazard.message for hazard in self.hazards)
            return (
                f"Could not reload {where}: {listed or why}. Nothing was changed: {running}. "
                "Restart the process."
            )
        if self.postponed:
            return (
                f"Could not reload {where} yet: {self.error}. Nothing was changed: {running}. The edit is "
                "pending: a watcher applies it when they have ended, without one the next reload() does."
            )
        if self.internal:
            return (
                f"Could not reload {where}: hotmod itself failed with {why.rstrip('.')}. "
                f"Nothing was changed: {running}. The edit is not at fault: please report this with the "
                "traceback in `error`."
            )
        others = f". {_listed('Also broken:', self.broken[1:])}" if self.broken[1:] else ""
        return (
            f"Could not reload {where}: {why.rstrip('.')}{others}. Nothing was changed: {running}. "
            f"{what_helps(self.error, several=bool(others))}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values; the error as its type and words."""
        error = self.error
        return {
            "status": self.status,
            "scope": self.scope,
            "generation": self.generation,
            "changed": list(self.changed),
            "executed": list(self.executed),
            "ran": list(self.ran),
            "patched": list(self.patched),
            "rebound": list(self.rebound),
            "cleared": list(self.cleared),
            "kept": list(self.kept),
            "hazards": [hazard.as_dict() for hazard in self.hazards],
            "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
            "location": None if self.location is None else dataclasses.asdict(self.location),
            "broken": list(self.broken),
            "affected": self.affected,
            "took_back": self.took_back,
            "internal": self.internal,
            "reasons": [dataclasses.asdict(reason) for reason in self.reasons],
            "phases": dict(self.phases),
            "seconds": self.seconds,
        }

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython passes it so
        """The words of `str()` at an IPython prompt."""
        printer.text("..." if cycle else str(self))

    def _repr_html_(self) -> str:
        """A fold-out summary for notebooks."""
        phases = (f"{name} {seconds * 1e3:.1f} ms" for name, seconds in self.phases.items())
        rows: dict[str, Iterable[object]] = {
            "why": self.reasons,
            "patched": self.patched,
            "re-ran": self.ran,
            "rebound": self.rebound,
            "cleared": self.cleared,
            "kept": self.kept,
            "broken": self.broken,
            "hazards": self.hazards,
            "time": phases,
        }
        told = {name: [html.escape(str(each)) for each in values] for name, values in rows.items()}
        body = "".join(
            f'<tr><th style="text-align: left; vertical-align: top">{name}</th>'
            f'<td style="text-align: left">{"<br>".join(lines)}</td></tr>'
            for name, lines in told.items()
            if lines
        )
        head = f"<summary>{html.escape(self.summary())}</summary>"
        return f"<details>{head}<table>{body}</table></details>"


def named(report: Report) -> Report:
    """The report, told of the modules whose files differed, where its targets say little: a whole folder."""
    return dataclasses.replace(report, scope=_listed("", report.changed)) if report.changed else report


def _in(place: str) -> str:
    module, _, name = place.partition(":")
    return f"{name} in {module}" if name else module


def _listed(verb: str, names: Iterable[str]) -> str:
    found = list(names)
    if not found:
        return ""
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{verb} {', '.join(found[:SHOWN])}{more}".lstrip()
