"""The commands that show something of hotmod itself: `demo` and `diagnose`.

Touches: what `hotmod._demo` and `hotmod.diagnose` touch; standard output.
"""

from __future__ import annotations

import argparse
import sys

from hotmod._cli.codes import OK

__all__ = ["demo", "diagnose"]


def demo(options: argparse.Namespace) -> int:
    """Show the demo."""
    from hotmod._demo.driver import run  # noqa: PLC0415 - the other command has no use for it

    run(options.keep, sys.stdout)
    return OK


def diagnose(_: argparse.Namespace) -> int:
    """Print what a bug report needs."""
    from hotmod._api import diagnose as block  # noqa: PLC0415 - the other command has no use for it

    block()
    return OK
