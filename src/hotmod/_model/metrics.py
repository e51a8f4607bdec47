"""Metrics: what the reloads of a process have come to, as a value.

Touches: nothing.

Guarantees: what is counted never becomes less; `as_dict()` is JSON-ready.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["Metrics", "Sample"]


class Sample(NamedTuple):
    """One number, as systems that collect metrics know it.

    Attributes:
        name: its name, without the suffix that some add to counters.
        kind: `counter` (it only grows) or `gauge`.
        about: what it is, in words.
        labels: what tells it apart from others of its name.
        value: the number.
    """

    name: str
    kind: Literal["counter", "gauge"]
    about: str
    labels: Mapping[str, str]
    value: float


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """What the reloads of this process, or of one watcher, have come to since it began.

    Attributes:
        reloads: how many there were, by status; `rolled-back` counts calls of `rollback()`.
        statements: how many single top-level statements they have run.
        whole: how many modules they have run as a whole.
        patched: how many live functions and classes they have changed in place.
        hazards: how many hazards they have told of, by code.
        seconds: how long they took together, in seconds.
        phases: the same by phase.
        modules: how many modules are looked after now.
        sources: the bytes of source text that are kept for them.
        resident: the bytes of memory that the whole process takes now; 0 where the system does not tell.
    """

    reloads: Mapping[str, int] = dataclasses.field(default_factory=dict)
    statements: int = 0
    whole: int = 0
    patched: int = 0
    hazards: Mapping[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    phases: Mapping[str, float] = dataclasses.field(default_factory=dict)
    modules: int = 0
    sources: int = 0
    resident: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The metrics as JSON-ready values."""
        return dataclasses.asdict(self)

    def samples(self) -> Iterator[Sample]:
        """The metrics number by number, for a hook of Prometheus or OpenTelemetry."""
        for status, count in self.reloads.items():
            yield Sample("hotmod_reloads", "counter", "Reloads by status", {"status": status}, count)
        for phase, seconds in self.phases.items():
            yield Sample("hotmod_phase_seconds", "counter", "Time by phase", {"phase": phase}, seconds)
        for code, count in self.hazards.items():
            yield Sample("hotmod_hazards", "counter", "Hazards by code", {"code": code}, count)
        yield Sample("hotmod_seconds", "counter", "Time that reloads took", {}, self.seconds)
        yield Sample("hotmod_statements", "counter", "Statements that reloads ran", {}, self.statements)
        yield Sample("hotmod_whole_modules", "counter", "Modules run as a whole", {}, self.whole)
        yield Sample("hotmod_patched", "counter", "Objects changed in place", {}, self.patched)
        yield Sample("hotmod_modules", "gauge", "Modules looked after", {}, self.modules)
        yield Sample("hotmod_source_bytes", "gauge", "Source text that is kept", {}, self.sources)
        yield Sample("hotmod_resident_bytes", "gauge", "Memory of the process", {}, self.resident)
