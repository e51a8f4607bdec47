"""`hotmod graph`: the import graph in every format."""

from __future__ import annotations

import json
import pathlib
import re
import sys
from collections.abc import Callable

import pytest

import hotmod
from hotmod import _cli
from hotmod._cli.output import Paint

FILES = {
    "store/__init__.py": "",
    "store/config.py": "TAX = 1\n",
    "store/api.py": "from store.config import TAX\nimport store.stock\nLIMIT = TAX * 2\n",
    "store/stock.py": "def f(name):\n    import store.api\n    return __import__(name)\n",
}
TEXT = """\
4 modules, 5 imports, 2 layers, no cycle
layer 1
  store
  store.config
  store.stock
    imports later store (line 2)
    imports later store.api (line 2)
layer 2
  store.api
    reads at import store.config: TAX (line 1)
    imports store (line 2)
    imports store.stock (line 2)
unsure: store.stock:3 __import__(name): imports a module whose name is computed
"""

Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """What the command prints in a folder with a package."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments: str, code: int = 0) -> str:
        assert _cli.main(["graph", *arguments]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return run


def test_the_text_is_for_people(say: Say) -> None:
    """Modules stand in layers with what they import, names and lines, and what the text doesn't tell."""
    assert say("store") == TEXT
    assert "store" not in sys.modules


def test_a_package_is_the_same_by_its_folder(say: Say) -> None:
    """A folder that is a package is named as its importers name it, and so is what lies in one."""
    assert say("store/") == say(str(pathlib.Path("store").absolute())) == TEXT
    assert "  store.api\n    reads at import store.config: TAX (line 1)" in say(
        "store/api.py", "store/config.py"
    )


def test_a_cycle_is_told_at_its_modules(say: Say) -> None:
    """A module in a cycle says with whom."""
    pathlib.Path("store/config.py").write_text("import store.api\nTAX = 1\n")
    assert "  store.config in a cycle with store.api\n" in say("store")


def test_a_file_is_a_module_by_its_own_name(say: Say) -> None:
    """A file that is given by its path has the name by which it is imported."""
    pathlib.Path("alone.py").write_text("import store.config\n")
    assert "\n  alone\n    imports store (line 1)\n" in say("store", "alone.py")


def test_other_programs_get_their_formats(say: Say) -> None:
    """Graphviz, Mermaid and JSON are what the graph itself gives, and `--json` is short for the last."""
    dot = say("store", "--format", "dot")
    graph = hotmod.graph("store")  # found where the command looked
    assert dot == graph.to_dot()
    assert say("store", "--format", "mermaid") == graph.to_mermaid()
    assert (
        json.loads(say("store", "--json")) == json.loads(say("store", "--format", "json")) == graph.as_dict()
    )


def test_the_page_needs_nothing_else(say: Say) -> None:
    """The page holds its data, loads nothing, and forbids the browser to load anything."""
    assert say("store", "--format", "html", "--output", "graph.html") == ""
    page = pathlib.Path("graph.html").read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"\b(?:src|href)=|@import|url\(|fetch\(", page)
    assert "{{" not in page
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(json.loads(data)["modules"]) == len(FILES)


def test_a_name_can_not_break_the_page(say: Say) -> None:
    """What a text holds ends neither the title nor the script."""
    pathlib.Path("store/stock.py").write_text(
        "import importlib\nimportlib.import_module('</script><b>' + x)\n"
    )
    pathlib.Path("a<b").mkdir()
    page = say("store", "a<b", "--format", "html")
    assert "<title>Imports of store, a&lt;b</title>" in page
    assert page.count("</script>") == 2


def test_a_file_that_can_not_be_written_is_told(say: Say) -> None:
    """Without a place for the file the command ends with 1 and says why."""
    assert "no/such.html can't be written" in say("store", "--output", "no/such.html", code=_cli.FAILED)


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours unless they are declined; nothing else does."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal: object = Terminal()
    assert Paint(terminal)("x", "bad") == "\x1b[31mx\x1b[0m"  # type: ignore[arg-type]
    assert Paint(terminal, False)("x", "bad") == "x"  # type: ignore[arg-type]  # noqa: FBT003 - a switch
    assert Paint(sys.stdout)("x", "bad") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint(terminal)("x", "bad") == "x"  # type: ignore[arg-type]
