"""Importing in the process that stays what collecting tests has imported in the one that ran them.

Touches: `sys.path` and `sys.modules`. Runs the top-level code of the user's modules.

Guarantees: no test, fixture or hook runs here. A module that can't be imported here is left out, and told in
the log: each run then imports it by itself. What modules print meanwhile has been seen before, and is not
shown.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Collection, Iterator

import pytest
from _pytest.outcomes import OutcomeException
from _pytest.pathlib import import_path

from hotmod._engine.saying import say
from hotmod.pytest_plugin.run import Outcome

__all__ = ["warm_up"]


def warm_up(config: pytest.Config, outcome: Outcome, tests: Collection[str]) -> None:
    """Import what a run has imported.

    Args:
        config: pytest's.
        outcome: what the run has told.
        tests: the files that pytest imports in its own way, by their place.
    """
    modules = [(name, file) for name, file in outcome.modules if name not in sys.modules]
    if not modules:
        return
    sys.path[:] = outcome.path or sys.path  # it came to its end before anything was collected
    importlib.invalidate_caches()
    with _quietly(config):
        for name, file in modules:
            if name in sys.modules:
                continue
            try:
                if file in tests or os.path.basename(file) == "conftest.py":
                    import_path(
                        pathlib.Path(file),
                        mode=config.getoption("importmode"),
                        root=config.rootpath,
                        consider_namespace_packages=config.getini("consider_namespace_packages"),
                    )
                elif _would_be(name, file):
                    importlib.import_module(name)
            except (Exception, SystemExit, OutcomeException):  # noqa: BLE001 - it is logged
                say(logging.DEBUG, "hotmod: each run imports %s by itself", name, with_error=True)


def _would_be(name: str, file: str) -> bool:
    """Whether a name leads to a file here as well."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin == file


@contextlib.contextmanager
def _quietly(config: pytest.Config) -> Iterator[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if capture is not None:
            capture.resume_global_capture()
        try:
            yield
        finally:
            if capture is not None:
                capture.suspend_global_capture(in_=True)
                capture.read_global_capture()
