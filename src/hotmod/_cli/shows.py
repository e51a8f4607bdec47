"""The commands that show something of hotmod itself: `demo`, `config` and `diagnose`.

Touches: what the demo touches; standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from hotmod._cli.codes import OK
from hotmod._cli.output import Paint, look_here, write_json
from hotmod._scope import locations

__all__ = ["config", "demo", "diagnose"]


def demo(options: argparse.Namespace) -> int:
    """Show the demo."""
    from hotmod._demo.driver import run  # noqa: PLC0415 - the other commands have no use for it

    run(options.keep, sys.stdout, lines=options.json)
    return OK


def config(options: argparse.Namespace) -> int:
    """Print the options in force, and where each value comes from."""
    from hotmod._config import mode, settings  # noqa: PLC0415 - the same

    look_here()
    switch = ("HOTMOD", mode(), "HOTMOD" if os.environ.get("HOTMOD", "").strip() else "the default")
    found = [switch, *((each.key, each.value, each.origin) for each in settings())]
    if options.json:
        write_json({key: {"value": value, "origin": origin} for key, value, origin in found})
        return OK
    paint, width = Paint(sys.stdout), max(len(key) for key, _, _ in found)
    for key, value, origin in found:
        told = f"{key:<{width}}  {_told(key, value)}"
        nowhere = [_near(origin), *_nowhere(key, value)]
        sys.stdout.write(
            f"{told if origin == 'the default' else paint(told, 'bold')}  ({'; '.join(nowhere)})\n"
        )
    return OK


def _nowhere(key: str, value: Any) -> Iterator[str]:
    """What is wrong with an option that names files and modules: those that nobody finds."""
    if key == "paths":
        yield from (f"there is no {_near(path)}" for path in value if not os.path.exists(path))
    elif key in ("keep", "depends"):
        names = [each.partition(":")[0] if key == "keep" else each[0] for each in value]
        yield from (f"there is no module {name}" for name in dict.fromkeys(names) if not locations(name))


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
