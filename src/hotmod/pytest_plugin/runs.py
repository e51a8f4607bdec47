"""Runs of tests, each in a process of its own, and what is known from those before.

Touches: forks, starts and replaces processes; a temporary folder; the handling of Ctrl-C while a run lasts.

Guarantees: a run that is forked goes on in pytest's own code, from just after the configuration. Its process
ends by what was registered with `atexit`, and does not tear down what it shares with its parent. Files whose
tests did not come to their end stay pending, whatever ended the run.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable
from typing import NoReturn

import pytest

from hotmod._engine.hooks import FINDER
from hotmod._engine.restart import restart
from hotmod.pytest_plugin.rewriting import forget_cached
from hotmod.pytest_plugin.run import Outcome, Request, Run, join

__all__ = ["SIGNAL", "Inside", "Runs"]

SIGNAL = 128
_CARRIED = "_HOTMOD_PYTEST"  # no option: those begin with HOTMOD_
_REMEMBERING = ("lfplugin", "nfplugin", "stepwiseplugin")
_ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


class Inside(BaseException):
    """This is the process of a run: let pytest go on."""


class Runs:
    """Makes runs, and keeps in mind what came of them.

    Attributes:
        files: the files that were looked at for tests.
        pending: those with tests that have to run, whatever is saved.
        code: the exit code of the last run.
        interrupted: whether the user interrupted it.
        outcome: what it told.
        again: whether this process has taken the place of one that ran tests.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        handed_over = os.environ.pop(_CARRIED, "")
        self._folder = handed_over or tempfile.mkdtemp(prefix="hotmod-pytest-")
        self._owner, self._fork = os.getpid(), 0
        self._run: Run | None = None
        self.files: set[str] = set()
        self.pending: set[str] = set()
        self._failed: dict[str, str] = {}  # tests that failed when they ran last, and their files
        self.code: int = pytest.ExitCode.OK
        self.interrupted = False
        self.outcome = Outcome()
        atexit.register(self._leave)
        self.again = bool(handed_over)
        if self.again:
            carried = json.loads(pathlib.Path(self._folder, "carried.json").read_text("utf-8"))
            self.files, self.pending = set(carried["files"]), set(carried["pending"])
            self._failed, self.code = carried["failed"], carried["code"]

    def failing(self, outside: Collection[str]) -> int:
        """How many tests failed when they ran last that are not in some files."""
        return sum(path not in outside for path in self._failed.values())

    def warm(self, wanted: Collection[str] | None) -> None:
        """Run the tests of some files, or all, in a process that is forked.

        Raises:
            Inside: in that process.
        """
        self._ask(wanted)
        self._flush()
        with _deaf() as heard, warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # other threads are hotmod's, and hold nothing
            pid = os.fork()
            if not pid:
                self._enter()
                raise Inside
            _, status = os.waitpid(pid, 0)
        self._note(wanted, os.waitstatus_to_exitcode(status), heard())

    def cold(self, wanted: Collection[str] | None, changed: Iterable[str]) -> None:
        """Run the tests of some files, or all, in a fresh process that compiles what has changed."""
        self._ask(wanted)
        forget_cached(changed)
        self._flush()
        with _deaf() as heard:
            here = self._config.invocation_params.dir
            command = [*_command(self._config), f"--hot-run={self._folder}"]
            code = subprocess.run(command, check=False, cwd=here).returncode  # noqa: S603 - our own program
        self._note(wanted, code, heard())

    def anew(self, wanted: Iterable[str], sources: Iterable[str]) -> NoReturn:
        """Put a fresh process in the place of this one; it runs the tests of some files first."""
        carried = {"files": [*self.files], "pending": [*wanted], "failed": self._failed, "code": self.code}
        # in a file, as a variable takes no more than 128 kB
        pathlib.Path(self._folder, "carried.json").write_text(json.dumps(carried), "utf-8")
        os.environ[_CARRIED] = self._folder
        self._owner = 0  # the folder is that process's from now on
        self._flush()
        texts = [*sources]
        forget_cached(texts)
        restart(texts)

    def _ask(self, wanted: Collection[str] | None) -> None:
        skipped = [] if wanted is None else sorted(self.files.difference(wanted))
        pathlib.Path(self._folder, "outcome.json").unlink(missing_ok=True)
        Request(skipped, sorted(self._failed)).save(self._folder)

    def _note(self, wanted: Collection[str] | None, code: int, interrupted: bool) -> None:  # noqa: FBT001
        """Take in what came of a run."""
        found = self.outcome = Outcome.load(self._folder)
        self.interrupted = interrupted
        self.code = code if code >= 0 else SIGNAL - code  # as a shell says it of what a signal ended
        ran = self.files if wanted is None else set(wanted)
        self.files |= set(found.files)
        whole = found.whole and code in _ENDED
        self.pending = (self.pending - ran if whole else self.pending | ran) | set(found.unfinished)
        if whole and wanted is None:
            self._failed = {}
        done = {path for path in ran if whole and path not in found.unfinished}
        self._failed = {
            **{name: path for name, path in self._failed.items() if path not in done},
            **{name: path for name, (path, failed) in found.tests.items() if failed},
        }
        for name, (_, failed) in found.tests.items():
            if not failed:
                self._failed.pop(name, None)

    def _enter(self) -> None:
        """What is to be done in a process that was just forked."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._fork = os.getpid()
        config = self._config
        config._do_configure = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it has been done
        while FINDER in sys.meta_path:  # nothing is reloaded here
            sys.meta_path.remove(FINDER)
        for handler in list(logging.getLogger("hotmod").handlers):
            logging.getLogger("hotmod").removeHandler(handler)
        # These have read what the last run left when pytest was configured.
        manager = config.pluginmanager
        for name in _REMEMBERING:
            plugin = manager.get_plugin(name)
            if plugin is not None:
                for other, part in manager.list_name_plugin():
                    if other.partition("-")[0] == name:
                        manager.unregister(part)
                manager.register(type(plugin)(config), name)
        if self.files:
            config.option.no_header = True
        self._run = join(config, self._folder)

    def _leave(self) -> None:
        """At the end of a process: the forked one must not tear down what it shares."""
        if os.getpid() == self._fork:
            self._flush()
            os._exit(self._run.code if self._run is not None else 1)
        if os.getpid() == self._owner:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()


class _deaf:  # noqa: N801 - it is used as a function
    """Leave Ctrl-C to the run that it is meant for; gives a function that tells whether it came."""

    def __enter__(self) -> Callable[[], bool]:
        self._heard = False
        self._before = signal.signal(signal.SIGINT, self._hear)
        return lambda: self._heard

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, *_: object) -> None:
        self._heard = True


def _command(config: pytest.Config) -> list[str]:
    """What starts pytest as it was started."""
    arguments = list(config.invocation_params.args)
    if arguments and sys.orig_argv[-len(arguments) :] == arguments:
        return [sys.executable, *sys.orig_argv[1:]]
    return [sys.executable, "-m", "pytest", *map(str, arguments)]
