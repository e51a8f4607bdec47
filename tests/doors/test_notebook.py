"""The magic `%hotmod` in the real things: a kernel of Jupyter, and IPython in a terminal."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import nbclient
import nbformat
import pexpect
import pytest

import hotmod
from tests.doors.shell import SECONDS, environment

SOURCES = str(pathlib.Path(hotmod.__file__).parents[1])  # of the hotmod under test, wherever a program runs
V1 = "TAX = 1\n\n\ndef gross(net):\n    return net + TAX\n"
V2 = "TAX = 2\n\n\ndef gross(net):\n    return net + TAX\n"


class Notebook:
    """A notebook with a kernel of its own; cells run one by one."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._book = nbformat.v4.new_notebook()
        resources = {"metadata": {"path": str(folder)}}
        self.client = nbclient.NotebookClient(
            self._book, timeout=SECONDS, kernel_name="python3", resources=resources
        )

    def __call__(self, cell: str) -> list[dict[str, Any]]:
        """Run a cell; gives its outputs."""
        self._book.cells.append(nbformat.v4.new_code_cell(cell))
        done = self.client.execute_cell(self._book.cells[-1], len(self._book.cells) - 1)
        return list(done.outputs)


@pytest.fixture
def notebook(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook in a folder with a module, whose settings and files are all of the test's own."""
    (tmp_path / "shop.py").write_text(V1, "utf-8")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("PYTHONPATH", SOURCES)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    made = Notebook(tmp_path)
    with made.client.setup_kernel():
        yield made


def test_in_a_notebook(notebook: Notebook, tmp_path: pathlib.Path) -> None:
    """Cells run what is on disk; an edit is a line that unfolds, a refused one the user's own traceback.

    As long as memory differs from disk each cell says so.
    """
    shop = tmp_path / "shop.py"
    notebook("%load_ext hotmod\n%hotmod\nfrom shop import TAX, gross")
    assert notebook("1 + 1")[0]["data"] == {"text/plain": "2"}
    shop.write_text(V2, "utf-8")
    line, value = notebook("gross(10), TAX")
    assert line["output_type"] == "display_data"
    assert line["data"]["text/plain"].startswith("hotmod: applied shop in ")
    assert line["data"]["text/html"].startswith("<details><summary>applied shop in ")
    assert "shop:TAX" not in line["data"]["text/html"]
    assert "__main__:TAX" in line["data"]["text/html"]
    assert value["data"] == {"text/plain": "(12, 2)"}
    shop.write_text(V2 + "\n\ngross(None)\n", "utf-8")
    error, line, value = notebook("gross(10)")
    assert (error["output_type"], error["ename"]) == ("error", "TypeError")
    trace = "\n".join(error["traceback"])
    assert "gross" in trace
    assert "hotmod" not in trace
    assert line["data"]["text/plain"].startswith("hotmod: Could not reload shop (shop.py:5): TypeError")
    assert value["data"] == {"text/plain": "12"}
    line, value = notebook("gross(10)")
    assert line["data"] == {
        "text/plain": "hotmod: memory differs from disk (rejected); %hotmod status tells more"
    }
    shop.write_text(V1, "utf-8")
    assert notebook("gross(10)")[-1]["data"] == {"text/plain": "11"}
    assert len(notebook("gross(10)")) == 1


def test_in_a_terminal(tmp_path: pathlib.Path) -> None:
    """At IPython's prompt an edit is a line, and a refused one changes the prompt until it is mended."""
    (tmp_path / "shop.py").write_text(V1, "utf-8")
    variables = environment(
        tmp_path / "temp",
        IPYTHONDIR=str(tmp_path / "ipython"),
        PROMPT_TOOLKIT_NO_CPR="1",
        PYTHONPATH=os.pathsep.join((str(tmp_path), SOURCES)),
    )
    command = [
        "-m",
        "IPython",
        "--no-banner",
        "--no-confirm-exit",
        "--colors=nocolor",
        "--HistoryManager.enabled=False",
    ]
    terminal = pexpect.spawn(
        sys.executable,
        command,
        env=variables,
        cwd=str(tmp_path),
        timeout=SECONDS,
        encoding="utf-8",
        dimensions=(50, 200),
    )
    number = 0

    def run(cell: str, wanted: str, prompt: str = "") -> None:
        nonlocal number
        number += 1
        terminal.expect(rf"{prompt}In \[{number}\]:")
        terminal.send(f"{cell}\r")
        terminal.expect(wanted)

    run("%load_ext hotmod", "")
    run("%hotmod", "hotmod keeps every module of yours up to date before each cell, 0 modules so far")
    run("from shop import TAX, gross", "")
    run("('before', gross(10), TAX)", r"\('before', 11, 1\)")
    (tmp_path / "shop.py").write_text(V2, "utf-8")
    run("('after', gross(10), TAX)", r"hotmod: applied shop in .*\('after', 12, 2\)")
    (tmp_path / "shop.py").write_text("TAX = (\n", "utf-8")
    run("('broken', gross(10))", r"SyntaxError: .*hotmod: Could not reload shop .*\('broken', 12\)")
    (tmp_path / "shop.py").write_text(V1, "utf-8")
    run("('mended', gross(10))", r"\('mended', 11\)", prompt="disk differs ")
    run("exit", pexpect.EOF)
    assert terminal.wait() == 0
    assert not list((tmp_path / "temp").glob("hotmod-*"))
