"""What can be typed: every command with its options, and where its code is.

Touches: standard output, when help or the version is asked for.

Guarantees: nothing is loaded but argparse and the names of the options; commands are named by their modules.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

from hotmod._cli.codes import OK
from hotmod._config import ON_RUDE, STRATEGIES

__all__ = ["CHECKED", "parser"]

CHECKED = (
    *("import-cycle", "star-import", "dynamic-import"),
    *("heavy-import", "repeated-effect", "unsafe-singleton"),
)
FORMATS = ("text", "mermaid", "dot", "json", "html")
TARGET = "a package, a module, a folder or a file"


def parser() -> argparse.ArgumentParser:
    """The parser; what it gives has the place of the command's function in `command`."""
    # `python -m hotmod` would call itself __main__.py before Python 3.14
    top = argparse.ArgumentParser(
        prog="hotmod",
        description=(
            "Save a file, and the running program is the program on disk, with its state still there."
        ),
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = _Commands(top)
    _add_run(commands)
    _add_plans(commands)
    _add_watch(commands)
    _add_graph(commands)
    _add_check(commands)
    _add_shows(commands)
    return top


class _Commands:
    """The commands of a parser."""

    def __init__(self, top: argparse.ArgumentParser) -> None:
        self._commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(self, name: str, place: str, about: str, more: str = "") -> argparse.ArgumentParser:
        """One more command.

        Args:
            name: what is typed.
            place: the module and the function that do it, as `module:function`.
            about: what it does, in one sentence without capital and full stop.
            more: another sentence or two for its own help.
        """
        description = f"{about[0].upper()}{about[1:]}.{f' {more}' if more else ''}"
        command = self._commands.add_parser(name, help=about, description=description, allow_abbrev=False)
        command.set_defaults(command=place)
        return command


def _add_run(commands: _Commands) -> None:
    run = commands.add(
        "run",
        "run:run",
        "run a program as python does, and apply edits of its files as they are saved",
        "It ends as the program ends.",
    )
    run.usage = "hotmod run [OPTION ...] (SCRIPT | -m MODULE) [ARGUMENT ...]"
    run.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="TARGET",
        help=f"apply edits of this only: {TARGET}; may be given more than once (default: what lies where the "
        "program imports its own modules from, without installed packages)",
    )
    _add_strategy(run)
    run.add_argument("--on-rude", choices=ON_RUDE, help="what follows an edit that needs a restart")
    run.add_argument("--quiet", action="store_true", help="tell nothing about reloads")
    _add_json(run, "tell of each reload as one line of JSON")
    run.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, metavar="...", help="a module to run as a program"
    )
    run.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="...", help="a script and the program's arguments"
    )


def _add_watch(commands: _Commands) -> None:
    watch = commands.add(
        "watch",
        "watch:watch",
        "tell at each save what it would do to a running program, and why; nothing is applied",
        "A program that has loaded all modules as they are now is imagined; none has to run.",
    )
    watch.usage = "hotmod watch [OPTION ...] TARGET [TARGET ...]"
    _add_targets(watch, "*")
    watch.add_argument(
        "--why",
        metavar="PATH",
        help="tell whether a file is watched, and by what, or why it is not, and end; without TARGET, what "
        "lies in the working directory is meant",
    )
    _add_strategy(watch)
    _add_json(watch, "print each plan as one line of JSON, or the answer of --why")


def _add_plans(commands: _Commands) -> None:
    explain = commands.add(
        "explain",
        "plans:explain",
        "tell what the save of a file would do to a running program, statement by statement, and why",
    )
    explain.add_argument("file", metavar="FILE", help="the file of a module, or one that modules read")
    _add_reference(explain, "REV|FILE", "what the program has loaded: a revision of git, or a file")
    plan = commands.add(
        "plan",
        "plans:plan",
        "tell what all edits since a revision would do to a program that runs that revision, and why",
    )
    _add_targets(plan)
    _add_reference(plan, "REV", "what the program has loaded: a revision of git")


def _add_graph(commands: _Commands) -> None:
    graph = commands.add(
        "graph",
        "graph:graph",
        "show which module imports which, in layers by load order, with cycles and hard edges",
        "It reads files and runs none of them.",
    )
    _add_targets(graph)
    graph.add_argument("--format", choices=FORMATS, default="text", help="how to show it (default: text)")
    graph.add_argument("--output", metavar="FILE", help="write it to FILE instead of standard output")
    _add_json(graph, "the same as --format json")


def _add_check(commands: _Commands) -> None:
    check = commands.add(
        "check",
        "check:check",
        "tell what the text of a program shows that reloading it will find hard",
        "It reads files and runs none of them. It ends with 1 where it finds something.",
    )
    _add_targets(check)
    check.add_argument(
        "--ignore",
        action="append",
        default=[],
        choices=CHECKED,
        metavar="CODE",
        help=f"leave out hazards of this code ({', '.join(CHECKED)}); may be given more than once",
    )
    _add_json(check, "print the hazards as JSON")


def _add_shows(commands: _Commands) -> None:
    config = commands.add(
        "config", "shows:config", "print the options that are in force here, and where each value comes from"
    )
    _add_json(config, "print them as JSON")
    demo = commands.add(
        "demo",
        "shows:demo",
        "watch a small shop take edits while it serves, refuse a broken one, and keep its orders",
    )
    demo.add_argument(
        "--keep",
        type=pathlib.Path,
        metavar="DIR",
        help="leave the shop's files in DIR, which must be empty or not exist yet",
    )
    _add_json(demo, "show each thing that happens as one line of JSON")
    diagnose = commands.add(
        "diagnose",
        "shows:diagnose",
        "print versions, options and state as a block to paste into a bug report",
    )
    _add_json(diagnose, "print them as JSON")


def _add_reference(command: argparse.ArgumentParser, metavar: str, help_text: str) -> None:
    command.add_argument("--against", metavar=metavar, default="HEAD", help=f"{help_text} (default: HEAD)")
    _add_strategy(command)
    _add_json(command, "print the plan as JSON")


def _add_targets(command: argparse.ArgumentParser, number: str = "+") -> None:
    command.add_argument("targets", metavar="TARGET", nargs=number, help=TARGET)


def _add_strategy(command: argparse.ArgumentParser) -> None:
    command.add_argument("--strategy", choices=STRATEGIES, help="instead of the one that is configured")


def _add_json(command: argparse.ArgumentParser, help_text: str) -> None:
    command.add_argument("--json", action="store_true", help=help_text)


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
