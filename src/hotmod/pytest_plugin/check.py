"""`pytest --hot-check PACKAGE`: whether a package is safe to reload.

Touches: what importing the package touches, twice: its modules are imported in this process, patched and
taken back as they are, and then all run again.

Guarantees: no test runs. Modules named `__main__` are not imported: they are programs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence

import pytest
from _pytest.config import create_terminal_writer
from _pytest.outcomes import OutcomeException

from hotmod._api import graph
from hotmod._config import configure
from hotmod._engine.reloader import Reloader
from hotmod._model.errors import ConfigError
from hotmod._scope import scope_of
from hotmod._source.checking import check as in_text

__all__ = ["check"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that makes reloading hard, or goes wrong.

    Attributes:
        place: where, as people say it.
        code: what kind it is.
        words: what it is, and what can be done.
    """

    place: str
    code: str
    words: str


def check(config: pytest.Config, packages: Sequence[str]) -> int:
    """Print what is found.

    Returns:
        0 if that is nothing, else 1.

    Raises:
        UsageError: there is no such package.
    """
    writer = create_terminal_writer(config, sys.stdout)
    sys.path.append(os.getcwd())  # as for `python -m pytest`, if it is not there
    modules, found = 0, 0
    for package in packages:
        try:
            names = list(graph(package))
            findings = dict.fromkeys([*_in_text(package), *_in_memory(package, names)])
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from None
        modules, found = modules + len(names), found + len(findings)
        for finding in findings:
            writer.write(finding.place, bold=True)
            writer.write(": ")
            writer.write(finding.code, yellow=True)
            writer.line(f": {finding.words}")
    what = f"{found or 'no'} hazard{'' if found <= 1 else 's'}"
    which = "1 module" if modules == 1 else f"{modules} modules"
    writer.line(f"{what} in {which} of {', '.join(packages)}", red=bool(found), green=not found)
    return int(bool(found))


def _in_text(package: str) -> Iterator[Finding]:
    """What the text shows."""
    found = graph(package)
    for hazard in in_text(found):
        yield Finding(
            _place(hazard.path, hazard.line) or hazard.module,
            hazard.code,
            f"{hazard.message}. {hazard.advice}",
        )
    for error in found.errors:
        yield Finding(_place(error.path, error.line), "unreadable", error.reason)


def _in_memory(package: str, names: Sequence[str]) -> Iterator[Finding]:
    """What shows when it is tried."""
    for name in names:
        if name.rpartition(".")[2] != "__main__":
            try:
                importlib.import_module(name)
            except (Exception, SystemExit, OutcomeException) as error:  # noqa: BLE001 - it is told
                yield Finding(name, "not-imported", f"it can't be imported: {type(error).__name__}: {error}")
    with _silent():
        for strategy, does in (
            ("minimal", "its functions are given new code"),
            ("modules", "its modules run again"),
        ):
            options = dataclasses.replace(
                configure(), strategy=strategy, stress=("identity",), on_rude="report", paranoid=False
            )
            reloader = Reloader.made(options, scope_of([package], options.include, options.exclude))
            last = reloader.reload()
            if last.status not in ("applied", "unchanged"):
                yield Finding(package, "not-reloadable", f"when {does}, unchanged as it is: {last.summary()}")
            for report in (*reloader.history, last):
                for hazard in report.hazards:
                    yield Finding(
                        _place(hazard.path, hazard.line) or hazard.module,
                        hazard.code,
                        f"when {does}, unchanged as it is: {hazard.message}. {hazard.advice}",
                    )


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Let the log say nothing: what reports say is told in full."""
    handler = logging.NullHandler()
    logging.getLogger("hotmod").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("hotmod").removeHandler(handler)


def _place(path: str, line: int) -> str:
    """A file and a line, as people say it; empty where there is no file."""
    return f"{os.path.relpath(path)}{f':{line}' if line else ''}" if path else ""
