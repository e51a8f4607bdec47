"""One run of tests: which ones, and what came of them, in the process in which they run.

Touches: the session of pytest in this process; two files of a folder that the process of `--hot` made.

Guarantees: loads nothing of hotmod's engine. A test file that is not known is never left out. What has not
come to its end is told as such, whatever ended the run.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import sys
import types
from collections.abc import Callable

import pytest

from hotmod._scope import is_installed

__all__ = ["Outcome", "Request", "join"]

_REQUEST, _OUTCOME = "request.json", "outcome.json"


@dataclasses.dataclass
class Request:
    """What a run is asked for.

    Attributes:
        skipped: files whose tests are left out.
        first: ids of the tests that go first.
    """

    skipped: list[str] = dataclasses.field(default_factory=list)
    first: list[str] = dataclasses.field(default_factory=list)

    def save(self, folder: str) -> None:
        """Write it where the run looks for it."""
        pathlib.Path(folder, _REQUEST).write_text(json.dumps(dataclasses.asdict(self)), "utf-8")


@dataclasses.dataclass
class Outcome:
    """What came of a run.

    Attributes:
        files: the files that were looked at for tests.
        tests: how each test that began ended, by its id: its file, and whether it failed.
        unfinished: files with tests that did not come to their end, or that can't be collected.
        modules: name and file of the modules that collecting imported, in that order, then of those that
            tests imported and that are installed.
        path: `sys.path` after it.
        whole: whether it was told at the end of a session.
    """

    files: list[str] = dataclasses.field(default_factory=list)
    tests: dict[str, tuple[str, bool]] = dataclasses.field(default_factory=dict)
    unfinished: list[str] = dataclasses.field(default_factory=list)
    modules: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    path: list[str] = dataclasses.field(default_factory=list)
    whole: bool = False

    @classmethod
    def load(cls, folder: str) -> Outcome:
        """What a run has told; little if it came to a sudden end."""
        try:
            return cls(**json.loads(pathlib.Path(folder, _OUTCOME).read_text("utf-8")))
        except FileNotFoundError:
            return cls()


def join(config: pytest.Config, folder: str) -> Run:
    """Let a session run what is asked for, and tell what came of it."""
    run = Run(config, folder)
    config.pluginmanager.register(run, "hotmod-run")
    return run


class Run:
    """A plugin for the length of one session."""

    def __init__(self, config: pytest.Config, folder: str) -> None:
        request = Request(**json.loads(pathlib.Path(folder, _REQUEST).read_text("utf-8")))
        self._folder, self._root = folder, config.rootpath
        self._skipped, self._first = frozenset(request.skipped), frozenset(request.first)
        # What these select depends on all tests that there are.
        self._late = any(
            config.getoption(name, default=False) for name in ("lf", "stepwise", "stepwise_skip")
        )
        self._last = next(reversed(sys.modules))
        self._outcome = Outcome()
        self._left: dict[str, str] = {}  # tests that have not come to their end, and their files
        self._session: pytest.Session | None = None
        if self._skipped and not self._late:
            config.args[:] = [arg for arg in config.args if _file_of(arg, config) not in self._skipped]

    @property
    def code(self) -> int:
        """The exit code of the session."""
        return int(self._session.exitstatus) if self._session is not None else pytest.ExitCode.INTERNAL_ERROR

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Note the session, which will know how it ends."""
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: pathlib.Path) -> bool | None:
        """Leave out files whose tests can't be affected."""
        return True if not self._late and str(collection_path) in self._skipped else None

    def pytest_pycollect_makemodule(self, module_path: pathlib.Path) -> None:
        """Note a file that may hold tests."""
        self._outcome.files.append(str(module_path))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what can't be collected."""
        if report.failed:
            self._outcome.unfinished.append(str(self._root / report.nodeid.partition("::")[0]))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Put what failed first."""
        if self._late:
            left_out = [item for item in items if str(item.path) in self._skipped]
            if left_out:
                items[:] = [item for item in items if str(item.path) not in self._skipped]
                config.hook.pytest_deselected(items=left_out)
        if self._first:
            items.sort(key=lambda item: item.nodeid not in self._first)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what there is now."""
        self._left = {item.nodeid: str(item.path) for item in session.items}
        self._outcome.files += dict.fromkeys(self._left.values())
        self._outcome.path = list(sys.path)
        self._note_modules(lambda _: True)
        self._tell()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test ended."""
        path = str(self._root / report.nodeid.partition("::")[0])
        path, failed = self._outcome.tests.get(report.nodeid, (self._left.get(report.nodeid, path), False))
        self._outcome.tests[report.nodeid] = path, failed or report.failed
        if report.when == "teardown":
            self._left.pop(report.nodeid, None)

    def pytest_unconfigure(self) -> None:
        """Tell what came of it."""
        # What is not installed is left to each run, so that tests find it loaded when a fresh process has it
        # loaded. Of what is installed pytest's own plugins load much as late as this.
        self._note_modules(is_installed)
        self._outcome.whole = True
        self._tell()

    def _note_modules(self, wanted: Callable[[str], bool]) -> None:
        """Note modules that have been imported since the last time, or since the run began."""
        for name in _names_after(self._last):
            module = sys.modules.get(name)
            path = vars(module).get("__file__") if isinstance(module, types.ModuleType) else None
            if isinstance(path, str) and wanted(path):
                self._outcome.modules.append((name, path))
        self._last = next(reversed(sys.modules))

    def _tell(self) -> None:
        found = dataclasses.asdict(self._outcome)
        found["unfinished"] = sorted({*self._outcome.unfinished, *self._left.values()})
        new = pathlib.Path(self._folder, f"{_OUTCOME}.new")
        new.write_text(json.dumps(found), "utf-8")
        new.replace(pathlib.Path(self._folder, _OUTCOME))


def _names_after(last: str) -> list[str]:
    """The modules that were imported after one, or all if it is there no more."""
    try:
        # from the end: in a process that was forked, whatever is looked at is copied
        return [*itertools.takewhile(lambda name: name != last, reversed(sys.modules))][::-1]
    except RuntimeError:  # another thread imports at this moment
        return list(sys.modules)


def _file_of(argument: str, config: pytest.Config) -> str:
    """The file that an argument of the command line names."""
    return os.path.join(config.invocation_params.dir, argument.partition("::")[0])
