"""The docs are run: what a page shows is what happens."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = pathlib.Path(__file__).with_name("page.py")
PAGES = [
    ROOT / "README.md",
    *sorted(set((ROOT / "docs").rglob("*.md")) - set((ROOT / "docs" / "_build").rglob("*"))),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def run(page: pathlib.Path, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Run a page in an empty folder."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(RUNNER), str(page)],
        cwd=folder,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_shows_what_happens(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Every block of the page runs, in order, and prints what the page shows."""
    done = run(page, tmp_path)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_block_that_is_not_run_says_why(page: pathlib.Path) -> None:
    """Whoever takes a block out of the run gives the reason in the page's source."""
    skips = re.findall(
        r"(?:^%|<!--+) *skip: *(.*?)(?:--+>)?$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert all(re.match(r'(next|start) "[^"]+"|end', skip) for skip in skips)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```python\nprint(1)\n```\n\n```output\n2\n```\n", "shown:"),
        ("```python\nprint(1)\n```\n", "does not show"),
        ("```python\nprint(1)\n```\n\n```python\nx = 2\n```\n", "does not show"),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```console\n$ echo a\nb\n```\n", "shown:"),
        ("```{code-block} python\n:caption: a/b.py\n\nx = 1\n```\n\n```python\nimport a.c\n```\n", "a.c"),
    ],
    ids=[
        "other output",
        "output at the end",
        "output not shown",
        "exception",
        "other console",
        "no such file",
    ],
)
def test_a_page_that_tells_lies_is_found(text: str, complaint: str, tmp_path: pathlib.Path) -> None:
    """A page whose blocks do something else than it shows fails, and the complaint names it."""
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    done = run(page, tmp_path)
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_a_page_may_write_files_and_use_them(tmp_path: pathlib.Path) -> None:
    """A captioned block is a file that later blocks import, durations and elided text aside."""
    page = tmp_path / "page.md"
    page.write_text(
        "```{code-block} python\n:caption: pack/one.py\n\nX = 1\n```\n\n"
        "```python\nimport pack.one\nprint('took 3.14 ms', pack.one.X, __name__)\n```\n\n"
        "```output\ntook 99.9 ms 1 ...\n```\n\n"
        '% skip: next "it would take a day"\n\n```python\n1 / 0\n```\n\n'
        "```console\n$ echo a\na\n$ echo b\nb\n```\n",
        encoding="utf-8",
    )
    done = run(page, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "it would take a day" in done.stdout
