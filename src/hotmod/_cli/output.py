"""What the commands print, and where they look for targets.

Touches: standard output; `sys.path`.

Guarantees: colours go to a terminal only, and not to one whose user declines them.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from hotmod._demo.screen import wants_colours

if TYPE_CHECKING:
    from hotmod._plan import Plan  # takes a while to load, and not every command has one

__all__ = ["Paint", "counted", "look_here", "painted", "write_json"]

_STYLES = {"bold": "1", "dim": "2", "bad": "31", "good": "32", "note": "33"}


class Paint:
    """Colours the text that goes to a stream, or leaves it as it is.

    Args:
        stream: where it goes.
        wanted: whether colours are wanted at all.
    """

    def __init__(self, stream: TextIO, wanted: bool = True) -> None:  # noqa: FBT001, FBT002 - a switch
        self._colours = wanted and wants_colours(stream)

    def __call__(self, text: str, style: str) -> str:
        """The text in a style."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colours and text else text


def counted(count: int, noun: str) -> str:
    """`1 module`, `2 modules`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def painted(plan: Plan, paint: Paint) -> str:
    """A plan as text: what happens to a module stands out, and so do hazards."""
    hazards = {f"  {hazard}" for hazard in plan.hazards}
    lines = []
    for line in str(plan).split("\n"):
        if line in hazards:
            lines.append(paint(line, "note"))
        else:
            lines.append(line if line.startswith(" ") else paint(line, "bold"))
    return "\n".join(lines)


def look_here() -> None:
    """Find modules in the working directory, as `python -m` does; it is looked into only."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def write_json(value: Any) -> None:
    """Print a value for programs."""
    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")
