"""What the demo prints, with colours where somebody looks at a terminal.

Touches: the stream that it is given; reads `NO_COLOR` and `TERM`.

Guarantees: a stream that is no terminal gets plain ASCII text, one line per fact, as it happens.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from hotmod._model.report import Report  # takes a while to load, and who asks for colours has none

__all__ = ["Lines", "Screen", "wants_colours"]

_STYLES = {"bold": "1", "dim": "2", "bad": "31", "good": "32"}
_MARGIN = "   "


def wants_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal whose user has not opted out (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """One place to write to.

    Args:
        stream: where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colours = wants_colours(stream)
        # What is piped is read by programs: a report stays on its line.
        self._width = shutil.get_terminal_size().columns - 1 if stream.isatty() else 0

    def say(self, text: str, style: str = "", margin: str = "") -> None:
        """Write a line; a terminal gets it wrapped."""
        lines = [f"{margin}{text}"]
        if self._width > len(margin) + 20:
            lines = textwrap.wrap(
                text,
                self._width,
                initial_indent=margin,
                subsequent_indent=margin,
                break_long_words=False,
                break_on_hyphens=False,
            )
        for line in lines or [""]:
            self._write(line, style)

    def _write(self, line: str, style: str) -> None:
        if style and self._colours:
            line = f"\x1b[{_STYLES[style]}m{line}\x1b[0m"
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def title(self, text: str) -> None:
        """Begin a new part."""
        self._write("", "")
        self.say(text, "bold")

    def fact(self, text: str, style: str = "") -> None:
        """Write a line that belongs to the part."""
        self.say(text, style, _MARGIN)

    def report(self, report: Report) -> None:
        """Write a report as it prints itself."""
        for line in str(report).splitlines():
            self.fact(line, "good" if report else "bad")

    def diff(self, name: str, before: str, after: str) -> None:
        """Write which lines of a file differ."""
        self.fact(name, "dim")
        for line in changed_lines(before, after):
            # Never wrapped: this is code.
            self._write(f"{_MARGIN}{line}", "bad" if line.startswith("-") else "good")


class Lines(Screen):
    """The same for programs: each thing that happens is one line of JSON, an object with one name."""

    def _event(self, kind: str, value: object) -> None:
        self._stream.write(f"{json.dumps({kind: value})}\n")
        self._stream.flush()

    def say(self, text: str, style: str = "", margin: str = "") -> None:  # noqa: ARG002 - no looks
        """Write a sentence."""
        self._event("text", text)

    def title(self, text: str) -> None:
        """Begin a new part."""
        self._event("title", text)

    def report(self, report: Report) -> None:
        """Write a report as its values."""
        self._event("report", report.as_dict())

    def diff(self, name: str, before: str, after: str) -> None:
        """Write which lines of a file differ."""
        self._event("edit", {"file": name, "lines": list(changed_lines(before, after))})


def changed_lines(before: str, after: str) -> Iterator[str]:
    """The lines of a difference without context, each after `- ` or `+ `."""
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith(("- ", "+ ")):
            yield line
