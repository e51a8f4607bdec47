"""The command line.

`entry` begins and ends a command, `arguments` says what can be typed, and every other module is one command
or a part of it.
"""

from __future__ import annotations

from hotmod._cli.codes import FAILED, INTERRUPTED, OK, USAGE
from hotmod._cli.entry import main

__all__ = ["FAILED", "INTERRUPTED", "OK", "USAGE", "main"]
