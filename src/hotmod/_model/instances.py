"""What an instance is told about the change of its class.

Touches: nothing.

Guarantees: a value; nothing in it changes afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["InstanceChange"]


@dataclasses.dataclass(frozen=True, slots=True)
class InstanceChange:
    """What `__hotmod_update__(self, change)` gets: how the class of an instance made earlier has changed.

    Attributes:
        old_class: the class that the instance was of, as `module:qualname`.
        replaced: whether the class is another object now, to which the instance was moved.
        added: attributes that the new constructor sets and the old one did not, sorted.
        removed: attributes that the old constructor set and the new one does not, sorted.
        before: the attributes of the instance as they are; those in slots, too.
    """

    old_class: str
    replaced: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    before: Mapping[str, Any] = dataclasses.field(default_factory=dict)
