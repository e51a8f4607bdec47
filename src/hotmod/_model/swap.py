"""What became of one attempt to put another version in charge, as a value.

Touches: nothing.

Guarantees: `bool(swap)` is true exactly when the version in charge is the one on disk.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from hotmod._model.errors import portable, what_helps
from hotmod._model.report import Location

__all__ = ["Swap", "SwapStatus"]

SwapStatus = Literal["applied", "unchanged", "rejected", "canary", "promoted", "dropped", "rolled-back"]
SHOWN = 4  # modules named in one line before "and N more"


@dataclasses.dataclass(frozen=True, slots=True)
class Swap:
    """What an attempt to change the version in charge came to. A value: it never changes and can be pickled.

    Attributes:
        status: `applied` (the version on disk is in charge), `unchanged` (it was already), `rejected` (it
            can't be loaded, or its check said no), `canary` (it gets a share of the pins), `promoted` (it did
            well and is in charge), `dropped` (it did not, or another one took its place), `rolled-back`.
        scope: the packages, for people.
        version: the number of the version in charge from now on.
        tried: the number of the version that this is about: `version` itself, where that one is in charge.
        changed: the modules whose texts, or other files that they read, differ between the version before and
            the one that was tried.
        error: the exception that spoke against the version that was tried, without hotmod's frames.
        location: where it came from.
        seconds: how long the attempt took.
    """

    status: SwapStatus
    scope: str
    version: int
    tried: int
    changed: tuple[str, ...] = ()
    error: BaseException | None = None
    location: Location | None = None
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.status in ("applied", "unchanged", "promoted")

    def __str__(self) -> str:
        names = ", ".join(self.changed[:SHOWN]) + (" and more" if len(self.changed) > SHOWN else "")
        took = f"{self.seconds * 1e3:.1f} ms"
        match self.status:
            case "applied":
                return f"applied {self.scope} in {took}: version {self.version}, {names} changed"
            case "unchanged":
                return f"unchanged {self.scope}: version {self.version} is what is on disk"
            case "canary":
                return (
                    f"canary {self.scope} in {took}: version {self.tried} gets a share, {names} changed; "
                    f"version {self.version} gets the rest"
                )
            case "promoted":
                return f"promoted {self.scope}: version {self.version} did well and gets all"
            case "rolled-back":
                return (
                    f"rolled back {self.scope}: version {self.version} is in charge instead of {self.tried}; "
                    "it is not what is on disk"
                )
        why = f": {type(self.error).__name__}: {self.error}".rstrip(".: ") if self.error is not None else ""
        if self.status == "dropped":
            return (
                f"dropped version {self.tried} of {self.scope}{why}. Version {self.version} gets all again."
            )
        where = str(self.location or ", ".join(self.changed) or self.scope)
        return (
            f"Could not load {where} for version {self.tried} of {self.scope}{why}. Nothing was changed: "
            f"version {self.version} goes on. {what_helps(self.error)}"
        )

    def as_dict(self) -> dict[str, Any]:
        """The attempt as JSON-ready values; the error as its type and words."""
        error, place = self.error, self.location
        return {
            "status": self.status,
            "scope": self.scope,
            "version": self.version,
            "tried": self.tried,
            "changed": list(self.changed),
            "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
            "location": None if place is None else dataclasses.asdict(place),
            "seconds": self.seconds,
        }

    def __getstate__(self) -> list[Any]:
        # An exception of the user's may not pickle; its words always do.
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.error is not None:
            values["error"] = portable(self.error)
        return list(values.values())

    def __setstate__(self, state: list[Any]) -> None:
        for field, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, field.name, value)
