"""`pytest --hot-check`: what makes a package hard to reload is told, and the exit code tells it as well."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from tests.doors.hot import BARE
from tests.doors.shell import SECONDS, environment

PACKAGE = {
    "shop/__init__.py": "",
    "shop/tax.py": "RATE = 0.2\n\ndef gross(net):\n    return net * (1 + RATE)\n",
    "shop/__main__.py": "raise SystemExit('a program is not run')\n",
    "test_shop.py": "def test_shop():\n    raise SystemExit('tests are not run')\n",
}


def checked(folder: pathlib.Path, *packages: str) -> subprocess.CompletedProcess[str]:
    """The end of a check of some packages."""
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    variables = environment(folder.parent / "temporary", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *BARE, *(f"--hot-check={package}" for package in packages)],
        cwd=folder,
        env=variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS * 5,
    )


def test_a_package_without_hazards_passes(tmp_path: pathlib.Path) -> None:
    """Nothing but the package's own modules is run, and the exit code is 0."""
    done = checked(tmp_path, "shop")
    assert (done.returncode, done.stdout) == (0, "no hazard in 3 modules of shop\n"), done.stderr


def test_what_shows_only_when_it_is_tried_is_found(tmp_path: pathlib.Path) -> None:
    """A module that can't run twice is told, with what went wrong, though its text shows nothing."""
    (tmp_path / "once.py").write_text(
        "import shop.tax\n\nshop.tax.__dict__.setdefault('COUNT', []).append(1)\n"
        "assert len(shop.tax.COUNT) == 1, 'twice'\n"
    )
    done = checked(tmp_path, "once")
    assert done.returncode == 1
    assert "once: not-reloadable: when its modules run again, unchanged as it is: Could not" in done.stdout
    assert "AssertionError: twice" in done.stdout


def test_a_package_that_does_not_exist_is_an_error_of_usage(tmp_path: pathlib.Path) -> None:
    """The error is told as pytest tells such errors."""
    done = checked(tmp_path, "nowhere")
    assert done.returncode == 4
    assert "ERROR: target 'nowhere'" in done.stderr
