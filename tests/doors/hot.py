"""`pytest --hot` in a process of its own, and what a fresh pytest says of the same files."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.doors.shell import SECONDS, environment

WAITS = "waits for a save"
# A plugin that writes down how each test ended, and which files were looked at.
TELLS = """\
import json, os, pathlib, pytest, sys

seen = {"files": [], "tests": {}}

def pytest_configure():
    hot = sys.modules.get("hotmod.pytest_plugin.hot")
    if hot and "IMPATIENT" not in os.environ:
        hot.PATIENCE = 1000.0  # however busy the machine is, edits are applied and not run by a fresh process

def pytest_sessionstart(session):
    seen["root"] = str(session.config.rootpath)

def pytest_pycollect_makemodule(module_path):
    seen["files"].append(os.path.relpath(module_path, seen["root"]))

def pytest_collectreport(report):
    if report.failed or report.skipped:
        seen["tests"][report.nodeid] = f"collect-{report.outcome}"

def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        kind = "xfail-" if hasattr(report, "wasxfail") else ""
        said = seen["tests"].get(report.nodeid, "")
        seen["tests"][report.nodeid] = f"{said} {kind}{report.when}-{report.outcome}".strip()

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    seen["code"] = int(session.exitstatus)
    pathlib.Path(os.environ["TELLS"]).write_text(json.dumps(seen))
"""
OPTIONS = ("-p", "tells", "--continue-on-collection-errors")
# Plugins of others are left out where they are not what is tested: they take longer than all the rest.
BARE = ("-p", "hotmod.pytest_plugin")
MOMENT = re.compile(r"\d\d:\d\d:\d\d")  # a test of the time of day has another id in each process


class Hot:
    """A process of `pytest --hot`, and the last known end of each test.

    Attributes:
        tests: how each test ended when it ran last, by its id.
        ran: the tests of the last run.
        code: the exit code of the last run.
    """

    def __init__(
        self, folder: pathlib.Path, process: subprocess.Popen[str], variables: dict[str, str]
    ) -> None:
        self.folder, self.process, self._variables = folder, process, variables
        self._told = pathlib.Path(variables["TELLS"])
        self.tests: dict[str, str] = {}
        self.ran: dict[str, str] = {}
        self.code = -1

    def wait(self) -> str:
        """Wait until it waits for a save; gives all that it printed since the last time."""
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("hotmod: ") and (WAITS in line or "; 0 of " in line):
                break
        else:
            raise AssertionError("".join(lines))
        self.ran = {}
        if self._told.exists():
            found = json.loads(self._told.read_text())
            self._told.unlink()
            self.ran, self.code = _plain(found["tests"]), found["code"]
            stale = {*found["files"], *(name.partition("::")[0] for name in self.ran)}
            self.tests = {
                **{name: end for name, end in self.tests.items() if name.partition("::")[0] not in stale},
                **self.ran,
            }
        self.tests = {
            name: end for name, end in self.tests.items() if (self.folder / name.partition("::")[0]).exists()
        }
        return "".join(lines)

    def save(self, path: str, old: str, new: str) -> str:
        """Save an edit, and wait for what comes of it; gives what was printed."""
        file = self.folder / path
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), "utf-8")
        return self.wait()

    def type(self, keys: str) -> None:
        """Type some keys."""
        assert self.process.stdin
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def fresh(self, *arguments: str) -> dict[str, str] | None:
        """How each test ends in a fresh process; None if it does not come to tests."""
        told = self._told.with_name("fresh.json")
        told.unlink(missing_ok=True)
        subprocess.run(
            [*command(self._variables), "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env={**self._variables, "TELLS": str(told), "PYTHONPYCACHEPREFIX": str(told.with_name("none"))},
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS * 10,
        )
        if not told.exists():
            return None
        return _plain(json.loads(told.read_text())["tests"])

    def differences(self, *arguments: str) -> dict[str, tuple[str | None, str | None]]:
        """The tests that end otherwise in a fresh process."""
        fresh = self.fresh(*arguments)
        found = self.ran if fresh is None else self.tests
        fresh = fresh or {}
        names = sorted(name for name in found.keys() | fresh.keys() if found.get(name) != fresh.get(name))
        return {name: (found.get(name), fresh.get(name)) for name in names}


def _plain(tests: dict[str, str]) -> dict[str, str]:
    return {MOMENT.sub("HH:MM:SS", name): end for name, end in tests.items()}


def command(variables: dict[str, str]) -> list[str]:
    """What starts pytest."""
    bare = BARE if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in variables else ("-p", "no:randomly", "-p", "no:xdist")
    return [sys.executable, "-m", "pytest", *bare, *OPTIONS]


def variables(folder: pathlib.Path, told: pathlib.Path, path: str, *, bare: bool) -> dict[str, str]:
    """The variables of a process with the plugin that tells."""
    plugin = told.parent / "plugin"
    plugin.mkdir(exist_ok=True)
    (plugin / "tells.py").write_text(TELLS)
    places = os.pathsep.join([str(plugin), *([str(folder / path)] if path else [])])
    found = environment(folder.parent / "temporary", TELLS=str(told), PYTHONPATH=places, PYTHONHASHSEED="0")
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTEST_PLUGINS"):
        found.pop(name, None)
    return {**found, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if bare else found


@contextlib.contextmanager
def running(
    folder: pathlib.Path, *arguments: str, seconds: float = SECONDS * 5, path: str = "", bare: bool = True
) -> Iterator[Hot]:
    """`pytest --hot` of a folder, after its first run.

    Args:
        folder: where it is started.
        *arguments: more of them.
        seconds: after how long it is killed.
        path: a folder in it from which its modules are imported.
        bare: whether plugins that are installed are left out.
    """
    told = folder.parent / "told" / "hot.json"
    told.parent.mkdir(exist_ok=True)
    found = variables(folder, told, path, bare=bare)
    with subprocess.Popen(
        [*command(found), "--hot", *arguments],
        cwd=folder,
        env=found,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        hung = threading.Timer(seconds, process.kill)
        hung.start()
        try:
            hot = Hot(folder, process, found)
            hot.wait()
            yield hot
        finally:
            hung.cancel()
            process.kill()
