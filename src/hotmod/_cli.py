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

from hotmod._model.errors import ConfigError, HotmodError

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
    return parser


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


def _give_up_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at exit, and complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
