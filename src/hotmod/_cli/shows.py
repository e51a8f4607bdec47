"""The commands that show something of hotmod itself: `demo`, `config` and `diagnose`.

Touches: what the demo touches; standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hotmod._cli.codes import OK
from hotmod._cli.output import Paint, write_json

__all__ = ["config", "demo", "diagnose"]


def demo(options: argparse.Namespace) -> int:
    """Show the demo."""
    from hotmod._demo.driver import run  # noqa: PLC0415 - the other commands have no use for it

    run(options.keep, sys.stdout, lines=options.json)
    return OK


def config(options: argparse.Namespace) -> int:
    """Print the options in force, and where each value comes from."""
    from hotmod._config import mode, settings  # noqa: PLC0415 - the same

    switch = ("HOTMOD", mode(), "HOTMOD" if os.environ.get("HOTMOD", "").strip() else "the default")
    found = [switch, *((each.key, each.value, each.origin) for each in settings())]
    if options.json:
        write_json({key: {"value": value, "origin": origin} for key, value, origin in found})
        return OK
    paint, width = Paint(sys.stdout), max(len(key) for key, _, _ in found)
    for key, value, origin in found:
        told = f"{key:<{width}}  {_told(key, value)}"
        sys.stdout.write(f"{told if origin == 'the default' else paint(told, 'bold')}  ({_near(origin)})\n")
    return OK


def _told(key: str, value: object) -> str:
    """A value as it would be written in the file."""
    if key == "depends" and isinstance(value, tuple):
        value = {name: [_near(each) for each in patterns] for name, patterns in value}
    elif isinstance(value, tuple):
        value = [_near(each) for each in value]
    return json.dumps(value).replace('": [', '" = [') if isinstance(value, dict) else json.dumps(value)


def _near(path: str) -> str:
    """A path as seen from the working directory, if it is below it."""
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)


def diagnose(options: argparse.Namespace) -> int:
    """Print what a bug report needs."""
    from hotmod._engine.diagnosis import diagnosis, facts  # noqa: PLC0415 - the other commands have no use for it

    if options.json:
        write_json(facts())
    else:
        sys.stdout.write(f"{diagnosis()}\n")
    return OK
