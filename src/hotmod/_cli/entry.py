"""The beginning and the end of every command: which one it is, and what the exit code says.

Touches: `sys.argv`, standard output and standard error.

Guarantees: every command of ours ends with one of the documented codes; a message about what went wrong is on
standard error; a user's interruption is never a traceback. A command's code is loaded when it runs. What a
program does that `run` has started (its exceptions, its exit code, its interruption) is not looked at.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from hotmod._cli.arguments import parser
from hotmod._cli.codes import FAILED, INTERRUPTED, USAGE
from hotmod._model.errors import ConfigError, HotmodError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what was typed after the program's name; default: `sys.argv[1:]`.

    Returns:
        The exit code, as in docs/reference/cli.md.

    Raises:
        SystemExit: the arguments can't be understood, or ask for help or the version; or the program that
            `run` has started ends so. Whatever else that program raises comes out as well.
    """
    options = parser().parse_args(arguments)
    module, _, name = options.command.partition(":")
    try:
        command = getattr(importlib.import_module(f"hotmod._cli.{module}"), name)
        done: int | Callable[[], int] = command(options)
        if isinstance(done, int):
            sys.stdout.flush()
            return done
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_stdout()
        return FAILED
    except HotmodError as error:
        sys.stderr.write(f"hotmod: {error}\n")
        return USAGE if isinstance(error, ConfigError) else FAILED
    return done()  # a program of the user's, out of reach of what is caught above


def _give_up_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at exit, and complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
