"""The answer of `verify()`: where the running program is not what the files on disk would give.

Touches: nothing.

Guarantees: `bool(verification)` is true exactly when at least one module was compared and nothing differs but
what was kept by name and what the program computed by itself.
"""

from __future__ import annotations

import dataclasses
import html
from typing import Any, Literal

__all__ = ["Difference", "Verification", "Why"]

Why = Literal["edited", "unseen-edit", "patched", "kept", "held", "history", "state"]

_WORDS: dict[str, str] = {
    "edited": "edited on disk, and not applied",
    "unseen-edit": "edited before hotmod looked",
    "patched": "set from outside",
    "kept": "kept by name",
    "held": "an earlier version is still held",
    "history": "works here only thanks to history",
    "state": "state of the program",
}
_ON_PURPOSE = ("kept", "state")
SHOWN = 10  # names of what is unknown


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not what the files on disk would give.

    Attributes:
        module: the module.
        name: the qualified name in it, as `Cart.total`; empty when the module as a whole is meant.
        why: `edited` (the file was saved, and this version does not run), `unseen-edit` (the file was saved
            after the import and before hotmod came), `patched` (somebody set it), `kept` (by name, on
            purpose), `held` (an object of an earlier version that somebody still holds); from a cold
            comparison `history` (a fresh process lacks it, or has another) and `state` (values that differ).
        message: what is the case, in one sentence.
        path: the file where the definition is, or should be; empty when there is none.
        line: the line there, counted from 1; 0 when no line can be named.
        holders: who holds the old object, as paths such as `app.CACHE['cfg']`.
    """

    module: str
    name: str
    why: Why
    message: str
    path: str = ""
    line: int = 0
    holders: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.module}:{self.name}" if self.name else self.module
        held = f" (held by {', '.join(self.holders)})" if self.holders else ""
        return f"{where}: {_WORDS[self.why]}; {self.message}{held}"

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON-ready values."""
        return {**dataclasses.asdict(self), "holders": list(self.holders)}


@dataclasses.dataclass(frozen=True, slots=True)
class Verification:
    """What `verify()` found. A value: it never changes and can be pickled.

    Attributes:
        scope: the targets, for people.
        differences: all that differs, by module and name.
        compared: the modules that were compared.
        skipped: those that could not be, each with the reason, as `shop.fast: a compiled module`.
        cold: whether a fresh process was asked.
        seconds: how long it took.
        unknown: functions and classes about which nothing is claimed, as `shop.cart:total`: a decorator, a
            metaclass or a second binding decides what stands there, and it shows no code of the file.
    """

    scope: str = ""
    differences: tuple[Difference, ...] = ()
    compared: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    cold: bool = False
    seconds: float = 0.0
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.compared) and all(each.why in _ON_PURPOSE for each in self.differences)

    def __str__(self) -> str:
        lines = [self.summary()]
        lines += [f"  {each}" for each in self.differences]
        lines += [f"  not compared: {each}" for each in self.skipped]
        if self.unknown:
            more = ", ..." if len(self.unknown) > SHOWN else ""
            lines.append(f"  unknown, not compared: {', '.join(self.unknown[:SHOWN])}{more}")
        return "\n".join(lines)

    def summary(self) -> str:
        """The answer in one line."""
        count = f"{len(self.compared)} module{'' if len(self.compared) == 1 else 's'}"
        what = "a fresh process" if self.cold else "the files on disk"
        if not self.compared:
            return f"not verified {self.scope}: no loaded module could be compared with {what}"
        if not self.differences:
            return f"verified {self.scope}: {count}, the same as {what}"
        found = f"{len(self.differences)} difference{'' if len(self.differences) == 1 else 's'}"
        if self:
            return f"verified {self.scope}: {count}, {found} from {what}, all on purpose"
        return f"drifted {self.scope}: {count}, {found} from {what}"

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready values."""
        return {
            "scope": self.scope,
            "clean": bool(self),
            "differences": [each.as_dict() for each in self.differences],
            "compared": list(self.compared),
            "skipped": list(self.skipped),
            "cold": self.cold,
            "seconds": self.seconds,
            "unknown": list(self.unknown),
        }

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython passes it so
        """The words of `str()` at an IPython prompt."""
        printer.text("..." if cycle else str(self))

    def _repr_html_(self) -> str:
        """A fold-out list for notebooks."""
        rows = "".join(f"<li>{html.escape(str(each))}</li>" for each in self.differences)
        return f"<details><summary>{html.escape(self.summary())}</summary><ul>{rows}</ul></details>"
