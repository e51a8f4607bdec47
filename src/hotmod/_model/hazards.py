"""Hazards: what a reload could not do safely, named so that it can be looked up.

Touches: nothing.

Guarantees: every code in `HAZARDS` has a section of that name in `docs/reference/hazards.md`, and no
hazard is made with another code.
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["HAZARDS", "Hazard"]

HAZARDS: dict[str, str] = {
    "zombie-attribute": "a name that the source no longer binds is still reachable",
    "stale-reference": "an object of an earlier version is still held",
    "class-identity": "a class was replaced; instances or subclasses of the old one remain",
    "instance-shape": "live instances lack what the new constructor sets, or hold what it dropped",
    "slots-layout": "a class could not be changed in place: its slots differ",
    "base-layout": "a class could not be changed in place: its instances have another layout",
    "metaclass": "a class could not be changed in place: its metaclass differs",
    "enum-members": "an enumeration could not be changed in place: members of immutable kinds differ",
    "closure-shape": "a function could not be changed in place: its free variables differ",
    "kind-change": "a function could not be changed in place: plain, generator and async differ",
    "import-cycle": "the modules that ran again import each other",
    "star-import": "a star import of which the text does not tell what it takes",
    "dynamic-import": "an import that the scan of the text could not resolve",
    "repeated-effect": "a statement with an effect outside the module ran again",
    "heavy-import": "running a module's statements again takes long",
    "unsafe-singleton": "an object of which there is to be one is made anew when its statement runs again",
    "effect-not-undone": "the effect of an undone or removed statement remains",
    "extension-module": "a compiled module can't be executed again in this process",
    "replaced-module": "a module that another object stands for can't be executed again in this process",
    "main-module": "an edit of the program's main module can't be applied",
    "lingering-call": "calls that began before the reload still run old code",
    "kept-state": "a kept value no longer fits its initialiser",
    "drift": "the program differs from a fresh process that imports the same texts",
    "foreign-attribute": "an attribute that others set on the module was kept",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Hazard:
    """One thing that a reload could not do safely.

    Attributes:
        code: one of `HAZARDS`.
        module: the module that it is about.
        name: the name in that module, empty when the whole module is meant.
        message: what is the case, in one sentence.
        advice: what to do about it, in one sentence.
        path: the file where the evidence is, empty when there is none.
        line: the line there, counted from 1; 0 when no line can be named.
        holders: who still holds the old object, as paths such as `app.CACHE['cfg']`.
    """

    code: str
    module: str
    name: str = ""
    message: str = ""
    advice: str = ""
    path: str = ""
    line: int = 0
    holders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in HAZARDS:
            msg = f"unknown hazard code {self.code!r}; known: {', '.join(sorted(HAZARDS))}"
            raise ValueError(msg)

    def __str__(self) -> str:
        where = f"{self.module}:{self.name}" if self.name else self.module
        held = f" (held by {', '.join(self.holders)})" if self.holders else ""
        advice = f". {self.advice}" if self.advice else ""
        return f"{self.code} {where}: {self.message}{held}{advice}"

    def as_dict(self) -> dict[str, Any]:
        """The hazard as JSON-ready values."""
        return {**dataclasses.asdict(self), "holders": list(self.holders)}
