"""The command `watch`: at each save, what it would do to a running program.

Touches: files, read only; standard output and standard error. Nothing is applied, and no code of the user's
is run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys

from hotmod._cli.codes import FAILED, OK
from hotmod._cli.output import Paint, counted, look_here, painted, write_json
from hotmod._config import configure, settings
from hotmod._engine.foresee import foresee
from hotmod._model.errors import ConfigError, SourceError
from hotmod._plan import Plan
from hotmod._scope import Scope, scope_for

__all__ = ["watch"]


def watch(options: argparse.Namespace) -> int:
    """Tell of saves until the user interrupts, or why a file is watched."""
    if not (options.targets or options.why):
        msg = "no TARGET: name at least one module, package, folder or file. Nothing was started."
        raise ConfigError(msg)
    config = configure(strategy=options.strategy)
    look_here()
    scope = scope_for(options.targets or [os.curdir + os.sep], config)
    if options.why:
        return _why(options, scope)
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


def _why(options: argparse.Namespace, scope: Scope) -> int:
    from hotmod._engine.whether import whether  # noqa: PLC0415 - who watches has no use for it

    verdict = whether(options.why, scope, settings())
    if options.json:
        write_json(dataclasses.asdict(verdict))
    else:
        style = "good" if verdict.state == "watched" else "note"
        sys.stdout.write(f"{Paint(sys.stdout)(str(verdict), style)}\n")
    return OK if verdict.state == "watched" else FAILED


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
