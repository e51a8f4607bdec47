"""The commands that show something of hotmod itself: `demo` and `diagnose`.

Touches: what the demo touches; standard output.
"""

from __future__ import annotations

import argparse
import sys

from hotmod._cli.codes import OK
from hotmod._cli.output import write_json

__all__ = ["demo", "diagnose"]


def demo(options: argparse.Namespace) -> int:
    """Show the demo."""
    from hotmod._demo.driver import run  # noqa: PLC0415 - the other command has no use for it

    run(options.keep, sys.stdout)
    return OK


def diagnose(options: argparse.Namespace) -> int:
    """Print what a bug report needs."""
    from hotmod._engine.diagnosis import diagnosis, facts  # noqa: PLC0415 - the other command has no use for it

    if options.json:
        write_json(facts())
    else:
        sys.stdout.write(f"{diagnosis()}\n")
    return OK
