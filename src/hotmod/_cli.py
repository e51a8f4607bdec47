"""The command line: what the arguments mean, and what the exit code says.

Touches: `sys.argv`, standard output and standard error.

Guarantees: every command ends with one of the codes below; a message about what went wrong is on
standard error; a user's interruption is never a traceback. A command's code is loaded when it runs.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hotmod._config import STRATEGIES, configure
from hotmod._model.errors import ConfigError, HotmodError

if TYPE_CHECKING:
    from hotmod._plan import Plan

__all__ = ["FAILED", "INTERRUPTED", "OK", "USAGE", "main"]

OK = 0
FAILED = 1
USAGE = 2  # argparse's own
INTERRUPTED = 128 + 2  # as a shell says it of a program that SIGINT ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what was typed after the program's name; default: `sys.argv[1:]`.

    Returns:
        The exit code, as in docs/reference/cli.md.

    Raises:
        SystemExit: the arguments can't be understood, or ask for help or the version.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        return FAILED
    except HotmodError as error:
        sys.stderr.write(f"hotmod: {error}\n")
        return USAGE if isinstance(error, ConfigError) else FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    # `python -m hotmod` would call itself __main__.py before Python 3.14
    parser = argparse.ArgumentParser(
        prog="hotmod",
        description=(
            "Save a file, and the running program is the program on disk, with its state still there."
        ),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "watch a small shop take edits while it serves, refuse a broken one, and keep its orders"
    demo = commands.add_parser("demo", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    demo.add_argument(
        "--keep",
        type=pathlib.Path,
        metavar="DIR",
        help="leave the shop's files in DIR, which must be empty or not exist yet",
    )
    demo.set_defaults(command=_demo)
    about = "tell what the save of a file would do to a running program, statement by statement, and why"
    explain = commands.add_parser(
        "explain", help=about, description=f"{about.capitalize()}.", allow_abbrev=False
    )
    explain.add_argument("file", metavar="FILE", help="the file of a module")
    _add_reference(explain, "REV|FILE", "what the program has loaded: a revision of git, or a file")
    explain.set_defaults(command=_explain)
    about = "tell what all edits since a revision would do to a program that runs that revision, and why"
    plan = commands.add_parser("plan", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    plan.add_argument("targets", metavar="TARGET", nargs="+", help="a package, a module, a folder or a file")
    _add_reference(plan, "REV", "what the program has loaded: a revision of git")
    plan.set_defaults(command=_plan)
    about = "print versions, options and state as a block to paste into a bug report"
    diagnose = commands.add_parser(
        "diagnose", help=about, description=f"{about.capitalize()}.", allow_abbrev=False
    )
    diagnose.set_defaults(command=_diagnose)
    return parser


def _add_reference(command: argparse.ArgumentParser, metavar: str, help_text: str) -> None:
    command.add_argument("--against", metavar=metavar, default="HEAD", help=f"{help_text} (default: HEAD)")
    command.add_argument("--strategy", choices=STRATEGIES, help="instead of the one that is configured")
    command.add_argument("--json", action="store_true", help="print the plan as JSON")


class _Version(argparse.Action):
    """Look the version up when somebody asks for it, and not at every start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import importlib.metadata  # noqa: PLC0415 - takes longer than all the rest

        try:
            version = importlib.metadata.version("hotmod")
        except importlib.metadata.PackageNotFoundError:
            version = "(not installed)"
        sys.stdout.write(f"hotmod {version}\n")
        parser.exit(OK)


def _demo(options: argparse.Namespace) -> int:
    from hotmod._demo.driver import run  # noqa: PLC0415 - a command's code is loaded when it runs

    run(options.keep, sys.stdout)
    return OK


def _explain(options: argparse.Namespace) -> int:
    from hotmod._engine.offline import plan_of_file  # noqa: PLC0415 - a command's code is loaded when it runs

    return _tell(plan_of_file(options.file, options.against, configure(strategy=options.strategy)), options)


def _plan(options: argparse.Namespace) -> int:
    from hotmod._engine.offline import plan_of_scope  # noqa: PLC0415 - a command's code is loaded when it runs
    from hotmod._scope import scope_of  # noqa: PLC0415 - the same

    config = configure(strategy=options.strategy)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does; it is looked into only
    scope = scope_of(options.targets, config.include, config.exclude)
    return _tell(plan_of_scope(scope, options.against, config), options)


def _diagnose(_: argparse.Namespace) -> int:
    from hotmod._api import diagnose  # noqa: PLC0415 - a command's code is loaded when it runs

    diagnose()
    return OK


def _tell(plan: Plan, options: argparse.Namespace) -> int:
    if options.json:
        import json  # noqa: PLC0415 - takes longer than the rest

        sys.stdout.write(f"{json.dumps(plan.as_dict(), indent=2)}\n")
    else:
        sys.stdout.write(f"{plan}\n" if plan else f"nothing to do: it is what {options.against} has\n")
    return OK


def _give_up_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at exit, and complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
