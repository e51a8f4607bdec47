"""Who takes part in every transaction of this process, whichever reloader makes it.

Touches: nothing; the participants do.

Guarantees: they are asked last, when the new code has run and was checked, while no stable block is under
way. What they record in the journal is undone with everything else if the transaction fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hotmod._engine.weak import WeakList

if TYPE_CHECKING:
    from hotmod._live.journal import Journal
    from hotmod._plan import Plan

__all__ = ["PARTICIPANTS", "Participant", "take_part"]


class Participant(Protocol):
    """Somebody who follows edits of modules with something of its own."""

    def take_part(self, plan: Plan, journal: Journal) -> None:
        """Follow a plan that was carried out; an exception has everything taken back."""

    def follow(self) -> None:
        """Do at once what can wait until it is used."""


PARTICIPANTS: WeakList[Participant] = WeakList()


def take_part(plan: Plan, journal: Journal) -> None:
    """Ask everybody."""
    for each in PARTICIPANTS:
        each.take_part(plan, journal)
