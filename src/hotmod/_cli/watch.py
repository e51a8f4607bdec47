"""The command `watch`: at each save, what it would do to a running program.

Touches: files, read only; standard output and standard error. Nothing is applied, and no code of the user's
is run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys

from hotmod._cli.codes import OK
from hotmod._cli.output import Paint, counted, look_here, painted
from hotmod._config import configure
from hotmod._engine.foresee import foresee
from hotmod._model.errors import SourceError
from hotmod._plan import Plan
from hotmod._scope import scope_for

__all__ = ["watch"]


def watch(options: argparse.Namespace) -> int:
    """Tell of saves until the user interrupts."""
    config = configure(strategy=options.strategy)
    look_here()
    scope = scope_for(options.targets, config)
    paint = Paint(sys.stdout)
    with contextlib.closing(foresee(scope, config)) as saves:
        for found in saves:
            if isinstance(found, int):
                # not among the plans: these may be read by a program
                sys.stderr.write(
                    f"hotmod: watching {counted(found, 'module')} of {scope}; nothing is applied\n"
                )
                sys.stderr.flush()
                continue
            sys.stdout.write(_json(found) if options.json else _text(found, paint))
            sys.stdout.flush()
    return OK


def _json(found: Plan | SourceError) -> str:
    if isinstance(found, SourceError):
        error = {"path": found.path, "line": found.line, "reason": found.reason}
        return f"{json.dumps({'error': error})}\n"
    return f"{json.dumps({**found.as_dict(), 'error': None})}\n"


def _text(found: Plan | SourceError, paint: Paint) -> str:
    if isinstance(found, SourceError):
        place = f"{os.path.relpath(found.path)}:{found.line}"
        said = paint(f"{place}: {found.reason}. A program would go on with the code that it has.", "bad")
        return f"{said}\n\n"
    saved = ", ".join(
        change.why if change.read else f"{os.path.relpath(change.path)} {change.why}"
        for change in found.changes.changes
    )
    return f"{paint(saved, 'bold')}\n{painted(found, paint)}\n\n"
