"""The command `run`: a program under hot reload.

Touches: what the program touches, and what `hotmod.watch` does; standard error.

Guarantees: the program runs in this process, in its main thread, so signals and exit codes are its own. What
is told goes to the standard error with which the process began, whatever the program does to `sys.stderr` and
to the logging module. With `HOTMOD=off` the program runs all the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable

from hotmod._api import watch
from hotmod._cli.output import Paint
from hotmod._cli.program import Program, module_program, script_program
from hotmod._config import configure, mode, switched_off
from hotmod._model.errors import ConfigError
from hotmod._model.report import Report, named
from hotmod._scope import is_installed, near

__all__ = ["run"]

_INSTALLED = frozenset(("site-packages", "dist-packages"))  # of other environments on `sys.path`


def run(options: argparse.Namespace) -> Callable[[], int]:
    """Set a program up, and begin to watch it.

    Returns:
        What runs it.

    Raises:
        ConfigError: there is no such program or target. Nothing was started.
    """
    program = _program(options)
    teller = _Teller(options)
    if switched_off():
        teller.note("HOTMOD=off: edits are not applied")
        return program.start
    # by the other strategy all modules run as a whole
    teller.reasons = configure(strategy=options.strategy).strategy == "minimal"
    targets = options.target or _targets(program)
    watch(*targets, strategy=options.strategy, on_rude=options.on_rude, on_reload=teller.tell)
    logging.getLogger("hotmod").addHandler(teller)
    when = "waits for watcher.apply(), as HOTMOD=manual is set" if mode() == "manual" else "is applied"
    teller.note(f"{program.name} runs; what is saved in {', '.join(map(near, targets))} {when}")
    return program.start


def _program(options: argparse.Namespace) -> Program:
    # what stands before a `--` is ours already
    words = options.program[1:] if options.program[:1] == ["--"] else options.program
    if options.module is None:
        if not words:
            msg = "no program: name a script, or a module with -m. Nothing was started."
            raise ConfigError(msg)
        return script_program(words[0], words[1:])
    if not options.module:
        msg = "-m needs the name of a module. Nothing was started."
        raise ConfigError(msg)
    return module_program(options.module[0], [*options.module[1:], *words])


def _targets(program: Program) -> list[str]:
    """Where the program's own modules come from, and its package where that lies elsewhere."""
    targets = [program.folder]
    spec, path = program.spec, vars(program.main).get("__file__")
    if spec is not None and isinstance(path, str) and spec.name != "__main__":
        inside = os.path.realpath(path).startswith(os.path.join(os.path.realpath(program.folder), ""))
        if not inside and not is_installed(path) and not _INSTALLED.intersection(path.split(os.sep)):
            targets.append(spec.name.partition(".")[0])
    return targets


class _Teller(logging.Handler):
    """Tells of reloads, and of what hotmod has to say beside them.

    Attributes:
        reasons: whether to say why a module ran as a whole.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(logging.WARNING)
        self._stream = sys.stderr
        self.reasons = False
        self._quiet, self._json = options.quiet or sys.stderr is None, options.json
        self._paint = Paint(self._stream) if not self._quiet else None

    def note(self, text: str) -> None:
        """Say something that is no report."""
        if not self._json:
            self._write(f"hotmod: {text}", "dim")

    def tell(self, report: Report) -> None:
        """Say what came of a save."""
        if self._json:
            self._write(json.dumps(report.as_dict()), "")
            return
        why = {each.module: each.why for each in report.reasons if self.reasons}
        lines = [f"  {name} ran as a whole: {why[name]}" for name in report.ran if name in why]
        lines += [f"  {hazard}" for hazard in report.hazards]
        style = "note" if report and report.hazards else "good" if report else "bad"
        self._write("\n".join([f"hotmod: {named(report).summary()}", *lines]), style)

    def emit(self, record: logging.LogRecord) -> None:
        """Say what hotmod logs, but for reports: these have been told, and a log may be switched off."""
        if record.module != "chronicle" and not self._json:
            self._write(f"hotmod: {self.format(record).removeprefix('hotmod: ')}", "note")

    def _write(self, text: str, style: str) -> None:
        if self._quiet or self._paint is None or self._stream.closed:
            return
        coloured = "\n".join(self._paint(line, style) for line in text.split("\n")) if style else text
        self._stream.write(f"{coloured}\n")
        self._stream.flush()
