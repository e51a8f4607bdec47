"""The command `check`: what the text of a program shows that reloading it will find hard.

Touches: files, read only; standard output. No code of the user's is run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from hotmod._api import graph as graph_of
from hotmod._cli.codes import FAILED, OK
from hotmod._cli.output import Paint, counted, look_here, write_json
from hotmod._model.errors import SourceError
from hotmod._model.hazards import Hazard
from hotmod._source.checking import check as hazards_of

__all__ = ["check"]


def check(options: argparse.Namespace) -> int:
    """Print the hazards of some targets.

    Returns:
        0 if there are none, 1 if there are, or a file can't be read.
    """
    look_here()
    graph = graph_of(*options.targets)
    found = [hazard for hazard in hazards_of(graph) if hazard.code not in options.ignore]
    errors = graph.errors
    if options.json:
        write_json(
            {
                "modules": len(graph),
                "hazards": [hazard.as_dict() for hazard in found],
                "errors": [
                    {"path": error.path, "line": error.line, "reason": error.reason} for error in errors
                ],
            }
        )
    else:
        paint = Paint(sys.stdout)
        sys.stdout.writelines(f"{line}\n" for line in _lines(found, errors, paint))
        of = f"in {counted(len(graph), 'module')}"
        broken = f", {counted(len(errors), 'file')} that can't be read" if errors else ""
        summary = f"{counted(len(found), 'hazard') if found else 'no hazard'} {of}{broken}"
        sys.stdout.write(f"{paint(summary, 'bad' if found or errors else 'good')}\n")
    return FAILED if found or errors else OK


def _lines(found: Sequence[Hazard], errors: Sequence[SourceError], paint: Paint) -> Iterator[str]:
    for hazard in found:
        place = f"{os.path.relpath(hazard.path)}:{hazard.line}" if hazard.path else hazard.module
        yield f"{paint(place, 'bold')}: {paint(hazard.code, 'note')}: {hazard.message}. {hazard.advice}"
    for error in errors:
        place = f"{os.path.relpath(error.path)}:{error.line}"
        yield f"{paint(place, 'bold')}: {paint('unreadable', 'bad')}: {error.reason}"
