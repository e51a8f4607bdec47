"""The session that the page about `pytest --hot` shows is one that happens, in a terminal."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys

import pexpect

from tests.docs.page import same
from tests.doors.shell import SECONDS, environment

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "how-to" / "test-while-you-edit.md"
WAITS = "hotmod: waits for a save; Enter runs all tests, q quits"
SECONDS_TAKEN = re.compile(r"=+ (.*) in \d+\.\d+s =+")


def looks(text: str) -> str:
    """What is to be seen in the end, without the rulers around a time, whose length depends on it."""
    lines = [line.rpartition("\r")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return SECONDS_TAKEN.sub(r"== \1 in N s ==", "\n".join(lines))


def test_the_page_shows_what_happens(tmp_path: pathlib.Path) -> None:
    """Started, and after two saves, a terminal of 80 columns shows what the page shows; `q` ends it."""
    page = PAGE.read_text("utf-8")
    for name, text in re.findall(r":caption: (\w+\.py)\n\n(.*?)```", page, re.DOTALL)[:3]:
        (tmp_path / name).write_text(text)
    wanted = [looks(block) for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL)]
    scripts = pathlib.Path(sys.executable).parent
    variables = environment(tmp_path / "temporary", NO_COLOR="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    variables |= {"PYTEST_PLUGINS": "hotmod.pytest_plugin", "PYTHONPATH": str(tmp_path)}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "CI"):
        variables.pop(name, None)
    pytest = shutil.which("pytest", path=f"{scripts}{os.pathsep}{os.environ['PATH']}")
    child = pexpect.spawn(
        pytest,
        ["--hot"],
        cwd=str(tmp_path),
        env=variables,
        encoding="utf-8",
        timeout=SECONDS * 5,
        dimensions=(24, 80),
    )
    try:
        shown = []
        for path, old, new in [("", "", ""), ("shop.py", "0.2", "0.5"), ("test_shop.py", "12", "15")]:
            if path:
                file = tmp_path / path
                file.write_text(file.read_text().replace(old, new))
            child.expect_exact(WAITS)
            shown.append(looks((child.before + WAITS).lstrip()))
        child.send("q")
        child.expect(pexpect.EOF)
        child.close()
    finally:
        child.close(force=True)
    shown[0] = f"$ pytest --hot\n{shown[0]}"
    for want, have in zip(wanted, shown, strict=True):
        assert same(want, have), f"the page shows:\n{want}\nto be seen is:\n{have}"
    assert child.exitstatus == 0
