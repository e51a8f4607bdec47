"""The door of pytest: `pytest --hot` and `pytest --hot-check PACKAGE`.

Touches: options of pytest's command line. What `--hot` does is in `hot`, and is loaded when it is asked for.

Guarantees: pytest loads this at each start, so it loads nothing but pytest, and what pytest
has loaded.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator

import pytest

__all__ = ["pytest_addoption", "pytest_cmdline_main", "pytest_configure", "pytest_load_initial_conftests"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("hotmod", "tests while you edit")
    group.addoption(
        "--hot",
        action="store_true",
        help="stay, and on every save run the tests that it can affect, without starting anew",
    )
    group.addoption(
        "--hot-check",
        action="append",
        metavar="PACKAGE",
        help="run no tests; tell what makes reloading a package hard, and what goes wrong when it is tried",
    )
    # what a run of `--hot` is given: a folder
    group.addoption("--hot-run", help=argparse.SUPPRESS, default="")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Be there before anything of the user's is imported."""
    options: argparse.Namespace = early_config.known_args_namespace
    if options.hot and not (options.hot_run or options.hot_check or options.help):
        if not hasattr(os, "fork"):
            msg = "--hot needs os.fork, which this system does not have. Nothing was run."
            raise pytest.UsageError(msg)
        from hotmod.pytest_plugin.hot import begin  # noqa: PLC0415 - see the guarantees

        begin(early_config)
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Take part in a run of `--hot`, in a fresh process."""
    folder = config.getoption("hot_run")
    if folder:
        from hotmod.pytest_plugin.run import join  # noqa: PLC0415 - see the guarantees

        join(config, folder)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Check packages in place of running tests."""
    packages = config.getoption("hot_check")
    if not packages or config.option.help:
        return None
    from hotmod.pytest_plugin.check import check  # noqa: PLC0415 - see the guarantees

    return check(config, packages)
