"""What is not as it was, and why: the values that a plan is worked out with.

Touches: nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

__all__ = ["Cause", "Changed", "is_special"]


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """Why something runs.

    Attributes:
        module: where it happened.
        line: the line there, in the new text if there is one; 0 when none can be named.
        what: what happened, in words.
        because: what made that happen; None for an edit.
    """

    module: str
    line: int
    what: str
    because: Cause | None = None


@dataclasses.dataclass(slots=True)
class Changed:
    """What is not as it was; grows while a plan is made.

    Attributes:
        values: names that may hold another object.
        functions: names of functions with another signature, defaults or decorators; they stay the objects.
        classes: names of classes whose body changed; they stay the same objects.
        bodies: functions, by module and qualified name, that do something else when they are called.
        modules: modules that came or went.
    """

    values: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    functions: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    classes: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    bodies: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    modules: dict[str, Cause] = dataclasses.field(default_factory=dict)

    def names(self) -> set[str]:
        """The names by which code can refer to values and definitions that changed."""
        found = set[str]()
        for module, name in (*self.values, *self.functions, *self.classes):
            found.update((name, module.rpartition(".")[2]))  # the module as a whole may be handed on
        found.update(part for name in self.modules for part in name.rpartition(".")[2:])
        return found

    def methods(self) -> set[str]:
        """The names by which code can call what changed, on objects of any kind."""
        found = {name for _, name in self.functions}
        for _, qualname in self.bodies:
            parts = qualname.split(".")
            found.update(parts[-1:] if parts[-1].isidentifier() else parts)
            if len(parts) > 1 and is_special(parts[-1]):
                found.update(parts)
        return found

    def _tables(self) -> tuple[dict[Any, Cause], ...]:
        return self.values, self.functions, self.classes, self.bodies, self.modules

    def is_inside_only(self) -> bool:
        """Whether nothing but the inside of functions has changed."""
        return not (self.values or self.functions or self.classes or self.modules)

    def size(self) -> int:
        """How much has changed."""
        return sum(map(len, self._tables()))

    def copy(self) -> Changed:
        """The same, apart."""
        return Changed(*(dict(table) for table in self._tables()))

    def since(self, earlier: Changed) -> Changed:
        """What has come since an earlier state."""
        pairs = zip(self._tables(), earlier._tables(), strict=True)
        return Changed(*({key: table[key] for key in table if key not in had} for table, had in pairs))

    def of_module(self, module: str) -> Iterator[Cause]:
        """The causes that have to do with the names of one module."""
        for table in (self.values, self.functions, self.classes):
            for (owner, _), cause in table.items():
                if owner == module:
                    yield cause


def is_special(name: str) -> bool:
    """Whether the interpreter calls a method of that name by itself."""
    return name.startswith("__") and name.endswith("__")
