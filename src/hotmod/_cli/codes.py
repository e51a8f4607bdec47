"""The exit codes. docs/reference/cli.md has the table.

Touches: nothing.
"""

from __future__ import annotations

__all__ = ["FAILED", "INTERRUPTED", "OK", "USAGE"]

OK = 0
FAILED = 1
USAGE = 2  # argparse's own
INTERRUPTED = 128 + 2  # as a shell says it of a program that SIGINT ended
