"""`pytest --hot`: the process that stays, and what it does at each save.

Touches: this process, which pytest has configured: it imports what collecting imports, and applies edits. It
forks one process per run of tests.

Guarantees: no test, and no fixture, ever runs in this process, so none leaves anything behind: a run begins
with what a fresh process has when its tests have been collected. Where that can't be had (an edit that is
refused or that leaves a hazard, another conftest) the run is made by a fresh process.

Assumes: `os.fork`. Only the main thread of this process runs code of the user's.
"""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

from hotmod._config import configure, switched_off
from hotmod._engine.beginning import Beginning
from hotmod._engine.watcher import Watcher
from hotmod._model.errors import HotmodError
from hotmod._scope import Scope
from hotmod.pytest_plugin import plugins
from hotmod.pytest_plugin.keys import Keys
from hotmod.pytest_plugin.reach import Reach
from hotmod.pytest_plugin.rewriting import install
from hotmod.pytest_plugin.runs import SIGNAL, Inside, Runs
from hotmod.pytest_plugin.warm import warm_up

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText
    from hotmod._model.report import Report

__all__ = ["begin"]

# Hazards that leave the program as a fresh process would have it.
_HARMLESS = frozenset(("dynamic-import", "heavy-import", "import-cycle", "lingering-call", "star-import"))
# Options with which pytest shows something and runs no tests.
_SHOWING = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
SHOWN = 3  # names in one line
# Until it has been worked out what edits concern, a plan takes up to several seconds in a program of hundreds
# of modules, and a fresh process is quicker. An edit waits for that for so many seconds.
PATIENCE = 0.5
BIT = 0.05  # seconds of this work at a time, while nobody waits
WAITS = "waits for a save; Enter runs all tests, q quits"
EARLY = "a fresh process, as it is still being worked out what edits concern"


def begin(config: pytest.Config) -> None:
    """Have `--hot` done in place of an ordinary run, unless hotmod is switched off."""
    if switched_off():
        return
    config.pluginmanager.register(Hot(config), "hotmod-hot")


class Hot:
    """The plugin that stays."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        options = dataclasses.replace(configure(), on_rude="report")
        patterns = options.include, options.exclude, options.log_only
        scope = Scope((), _folders(config), *patterns, everywhere=True)
        self._beginning, self._delay = Beginning(options, scope), options.delay
        self._reloader = self._beginning.reloader()
        install(config)
        self._runs, self._keys = Runs(config), Keys()
        self._reach = Reach(self._reloader.ledger, str(config.rootpath), self._import_folders)
        self._todo: collections.deque[Callable[[], object]] = collections.deque()
        self._reports: list[Report] = []
        self._last: Report | None = None
        self._taken: dict[str, SourceText] = {}  # texts of plugins as pytest has taken them in
        self._since: dict[str, SourceText | None] = {}  # what changed since all was applied
        self._seen: dict[str, SourceText | None] = {}  # what was seen to have changed, and is to be answered

    def pytest_cmdline_main(self, config: pytest.Config) -> int | None:
        """Run tests until the user has enough; in the process of one run, go on with it."""
        if any(config.getoption(name, default=False) for name in _SHOWING):
            return None
        _refuse_others(config)
        logging.getLogger("hotmod").addHandler(logging.NullHandler())  # what it says is told below
        config._do_configure()  # noqa: SLF001 - each run goes on from here
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            capture.suspend_global_capture(in_=True)
        self._reach.look()
        self._taken = {
            path: text for path in plugins.files_of(config) if (text := self._reach.texts.get(path))
        }
        try:
            if self._runs.pending or not self._runs.again:
                self._run(self._runs.pending if self._runs.again else None)
            else:
                self._say(WAITS, dim=True)
            with Watcher(self._beginning, self._reports.append, self._hand_over, self._delay) as watcher:
                while not self._runs.interrupted and self._go_on(watcher):
                    pass
        except Inside:
            return None
        except KeyboardInterrupt:
            self._say("")  # behind the ^C
        return self._runs.code

    def _go_on(self, watcher: Watcher) -> bool:
        """Wait for a save or a key, and do what it asks for; gives whether to stay."""
        wish = self._keys.wait(self._work if self._todo else None)
        if wish == "all":
            self._say("all tests")
            self._run(None, cold=bool(self._todo) or self._is_behind())
        elif wish != "quit":
            ready = self._reloader.prepare(PATIENCE)
            if not ready:
                self._look()
            if not ready and (self._since or self._is_used(self._seen)):
                self._answer(early=True)
            else:
                self._apply(watcher)
                self._answer()
        return wish != "quit"

    def _work(self) -> bool:
        """Work out a bit of what plans need; gives whether there is something to apply or to run."""
        done = self._reloader.prepare(BIT)
        self._look()
        return done or bool(self._seen)

    def _look(self) -> dict[str, SourceText | None]:
        """Take in which files are not as they were; gives those that are not as they were a moment ago."""
        new = self._reach.look()
        self._seen = {**new, **self._seen}
        return new

    def _is_used(self, changed: Collection[str]) -> bool:
        """Whether other files use some of these."""
        return self._reach.users(changed, self._runs.files) != set(changed)

    def _apply(self, watcher: Watcher) -> None:
        """Apply what was saved."""
        self._reports.clear()
        while self._todo:
            self._todo.popleft()()
        while self._is_late(self._look()):
            watcher.retry()
        self._last = self._reports[-1] if self._reports else self._last

    def _is_late(self, new: Mapping[str, SourceText | None]) -> bool:
        """Whether files may have changed since it was looked what there is to apply."""
        if self._reports and not self._reports[-1]:
            return False  # what can't be applied is run by a fresh process
        texts, ledger = self._reach.texts, self._reloader.ledger
        return any(
            before is None or path not in texts or any(each.text != texts[path] for each in ledger.at(path))
            for path, before in new.items()
        )

    def _answer(self, *, early: bool = False) -> None:
        """Run what an edit can affect.

        Args:
            early: whether the edit has not been applied yet.
        """
        changed, self._seen = self._seen, {}
        self._since = {**changed, **self._since}
        if not self._since:
            return
        runs = self._runs
        told = [report for report in self._reports if report.status != "unchanged" and not early]
        new = {path for path in changed if self._may_hold_tests(path)}
        tests = {path for path in runs.files | new if os.path.exists(path)}
        wanted = self._reach.affected(changed, tests, plugins.files_of(self.config)) | (runs.pending & tests)
        behind = early or self._is_behind()
        why = "" if behind else self._why_anew(self._since)
        if changed or why:  # else a fresh process has run all that can be affected
            done = _told(told[-1]) if told else f"saved {_names(changed)}"
            files = f"{len(wanted)} of {_counted(len(tests), 'test file')} can be affected"
            how = f"; {why}: a new process" if why else f"; {EARLY}" if early else ""
            self._say(f"{done}; {files}{how}", bad=behind and not early)
        if why:
            runs.anew(wanted, self._reach.texts)
        if not behind:
            self._since.clear()
            self._take_in()
        if changed and wanted:
            self._run(wanted, cold=behind)

    def _run(self, wanted: Collection[str] | None, *, cold: bool = False) -> None:
        """Run the tests of some files, or all, and tell what can be done next."""
        if cold:
            self._look()
            self._runs.cold(wanted, {**self._since, **self._seen})
        else:
            self._runs.warm(wanted)
            warm_up(self.config, self._runs.outcome, self._runs.files)
        if self._runs.code > SIGNAL:
            self._say(f"the run was ended by {signal.Signals(self._runs.code - SIGNAL).name}", bad=True)
        elsewhere = self._runs.failing(wanted) if wanted is not None else 0
        failing = f"{_counted(elsewhere, 'test')} of other files failed before; " if elsewhere else ""
        if not self._runs.interrupted:
            self._say(f"{failing}{WAITS}", dim=True)

    def _is_behind(self) -> bool:
        """Whether something on disk could not be applied."""
        if self._last is None or self._last:
            return False
        try:
            return bool(self._reloader.plan().changes)
        except HotmodError:
            return True

    def _why_anew(self, changed: Mapping[str, SourceText | None]) -> str:
        """Why an edit that was applied takes a new process all the same; empty if it does not."""
        for hazard in (hazard for report in self._reports for hazard in report.hazards):
            if hazard.code not in _HARMLESS:
                return f"{hazard.code} in {hazard.module}"
        texts = self._reach.texts
        for path in changed:
            if os.path.basename(path) == "conftest.py" and not (changed[path] and path in texts):
                return f"{os.path.relpath(path)} came or went"
        touched = self._reach.users(changed, self._runs.files)

        def is_changed(path: str, names: Collection[str]) -> bool:
            return not touched.isdisjoint(self._reach.used_by(path, names))

        for path, before in self._taken.items():
            if path in touched:
                module, now = plugins.files_of(self.config).get(path), texts.get(path)
                if path in changed and sys.modules.get(getattr(module, "__name__", "")) is not module:
                    return f"another module has the name of {os.path.relpath(path)}"
                why = plugins.outdated(path, before, now, is_changed, alone=len(self._taken) == 1)
                if why:
                    return f"{os.path.relpath(path)}: {why}"
        return ""

    def _take_in(self) -> None:
        """Let the hooks of plugins be those of the texts that have been applied."""
        for path, before in self._taken.items():
            now = self._reach.texts.get(path)
            if now is not None and now != before:
                plugins.adopt(self.config, path, before, now)
                self._taken[path] = now

    def _may_hold_tests(self, path: str) -> bool:
        """Whether pytest looks for tests in a file of this name."""
        patterns = self.config.getini("python_files")
        return any(fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in patterns)

    def _import_folders(self) -> list[str]:
        """Where modules of the project are imported from by their plain names."""
        inside = os.path.join(str(self.config.rootpath), "")
        folders = [os.path.realpath(entry or os.curdir) for entry in sys.path]
        return [each for each in folders if f"{each}{os.sep}".startswith(inside) and os.path.isdir(each)]

    def _hand_over(self, attempt: Callable[[], None]) -> None:
        """The watcher has something to apply: that is for the main thread."""
        self._todo.append(attempt)
        self._keys.saved()

    def _say(self, text: str, *, bad: bool = False, dim: bool = False) -> None:
        writer = self.config.get_terminal_writer()
        writer.line(f"hotmod: {text}" if text else "", red=bad, light=dim, bold=not (bad or dim))
        writer.flush()


def _refuse_others(config: pytest.Config) -> None:
    """Refuse options of pytest-xdist that give the running of tests to somebody else.

    Raises:
        pytest.UsageError: there is one.
    """
    if config.getoption("numprocesses", default=None) or config.getoption("tx", default=None):
        msg = (
            "--hot runs tests in a process that has imported already what they need, and the processes of -n "
            "import all of it anew at each save. Nothing was run. Leave -n out, or add -n 0 to the command "
            "line where addopts has it."
        )
        raise pytest.UsageError(msg)
    if config.getoption("looponfail", default=False):
        msg = "--hot and --looponfail (-f) both wait for saves. Nothing was run. Leave out one of them."
        raise pytest.UsageError(msg)


def _folders(config: pytest.Config) -> tuple[str, ...]:
    """The folders whose modules are in scope though nobody has imported them yet."""
    if config.inipath is not None:
        return (os.path.realpath(config.rootpath),)
    here = config.invocation_params.dir
    places = [here / each.partition("::")[0] for each in config.known_args_namespace.file_or_dir] or [here]
    folders = [place if place.is_dir() else place.parent for place in places]
    return tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders))


def _told(report: Report) -> str:
    """A report in one line, with what it was about in place of the whole scope."""
    return dataclasses.replace(report, scope=_names(report.changed)).summary()


def _names(names: Iterable[str]) -> str:
    listed = [os.path.relpath(each) if os.sep in each else each for each in names]
    return f"{', '.join(listed[:SHOWN])}{f' and {len(listed) - SHOWN} more' if len(listed) > SHOWN else ''}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
