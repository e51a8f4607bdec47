"""Transactions of which one step fails, and what differs afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotmod._live.journal import Journal

__all__ = ["Breaking", "BrokenError", "differing"]


class BrokenError(Exception):
    """The step that a test lets fail."""


class Breaking:
    """Lets one step of the next transaction fail: before it is noted, or between note and change."""

    def __init__(self, patch: Callable[[type, str, object], object]) -> None:
        self.count, self.at, self.noted = 0, 0, False
        record = Journal.record

        def counted(journal: Journal, what: str, undo: Callable[[], object], **options: Any) -> None:
            self.count += 1
            if self.count == self.at and not self.noted:
                raise BrokenError(what)
            record(journal, what, undo, **options)
            if self.count == self.at:
                raise BrokenError(what)

        patch(Journal, "record", counted)

    def next_at(self, number: int, *, noted: bool) -> None:
        """Let the step of this number fail; 0 for none."""
        self.count, self.at, self.noted = 0, number, noted


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The places at which two portraits differ, with what is only in the one and only in the other."""
    found = {}
    for name in sorted((before.keys() | after.keys()) - {"keep"}):
        one, two = before.get(name, ("", ())), after.get(name, ("", ()))
        if one != two:
            parts = [part for part in (*one[1], *two[1]) if (part in one[1]) != (part in two[1])]
            found[name] = (one[0], two[0], parts or "another order")
    return found
