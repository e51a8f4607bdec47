"""The commands that tell plans: `explain` of a file, `plan` of all edits since a revision.

Touches: files and git, read only; standard output. No code of the user's is run.
"""

from __future__ import annotations

import argparse
import sys

from hotmod._cli.codes import OK
from hotmod._cli.output import Paint, look_here, painted, write_json
from hotmod._config import configure
from hotmod._engine.offline import plan_of_file, plan_of_scope
from hotmod._plan import Plan
from hotmod._scope import scope_for

__all__ = ["explain", "plan"]


def explain(options: argparse.Namespace) -> int:
    """Tell what the save of a file would do."""
    look_here()
    return _tell(plan_of_file(options.file, options.against, configure(strategy=options.strategy)), options)


def plan(options: argparse.Namespace) -> int:
    """Tell what all edits since a revision would do."""
    config = configure(strategy=options.strategy)
    look_here()
    scope = scope_for(options.targets, config)
    return _tell(plan_of_scope(scope, options.against, config), options)


def _tell(found: Plan, options: argparse.Namespace) -> int:
    if options.json:
        write_json(found.as_dict())
    elif found:
        sys.stdout.write(f"{painted(found, Paint(sys.stdout))}\n")
    else:
        sys.stdout.write(f"nothing to do: it is what {options.against} has\n")
    return OK
