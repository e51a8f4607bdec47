"""Hazards that the text shows: each kind where it is, and not where it isn't."""

from __future__ import annotations

import pytest

from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard
from hotmod._source.checking import check
from hotmod._source.graph import ModuleSource, build

FOUND = {
    "slow call": ("import time\n\ntime.sleep(1)", "heavy-import", 3, "time.sleep waits"),
    "alias": (
        "from urllib.request import urlopen as u\nX = u('y').read()",
        "heavy-import",
        2,
        "urlopen asks",
    ),
    "client": ("import requests as r\nr.get('x')", "heavy-import", 2, "requests.get asks the network"),
    "table": ("import pandas as pd\nX = pd.read_csv('x')", "heavy-import", 2, "pandas.read_csv reads data"),
    "model": ("from x import M\nMODEL = M.from_pretrained('x')", "heavy-import", 2, "loads a model"),
    "in a class": ("import time\nclass C:\n    time.sleep(1)", "heavy-import", 3, "waits"),
    "decorator": ("import time\n@d(time.sleep(1))\ndef f(): pass", "heavy-import", 2, "waits"),
    "loop": ("for i in range(10 ** 6):\n    pass", "heavy-import", 1, "1,000,000 turns"),
    "comprehension": ("X = [\n    i for i in range(0, 400 * 1000, 2)]", "heavy-import", 1, "200,000 turns"),
    "endless": ("while True:\n    go()", "heavy-import", 1, "until it is left"),
    "exit": ("import atexit\natexit.register(print)", "repeated-effect", 2, "called at exit"),
    "connection": ("import sqlite3\nDB = sqlite3.connect('x')", "unsafe-singleton", 2, '("DB",)'),
    "file": ("LOG: object = open('x', 'w')", "unsafe-singleton", 1, "open opens a file anew"),
    "decorated": ("from x import singleton\n@singleton\nclass C: pass", "unsafe-singleton", 2, "forgets"),
    "computed": ("import importlib as i\ni.import_module(x)", "dynamic-import", 2, "can't be told"),
}
CLEAN = {
    "function": "import time, sqlite3\ndef f():\n    time.sleep(1)\n    return sqlite3.connect('x')",
    "lambda": "import time\nwait = lambda: time.sleep(1)",
    "main": "import time\nif __name__ == '__main__':\n    time.sleep(1)\n    while True: pass",
    "another sleep": "from mine import time\ntime.sleep(1)\nclock.sleep(1)",
    "short loop": "for i in range(10):\n    pass\nfor i in range(n): pass\nwhile x: pass",
    "kept": "import sqlite3\n__hotmod_keep__ = ('DB', 'X')\nDB = sqlite3.connect('x')\nX = open('y')",
    "disposed": "import atexit\nX = open('y')\natexit.register(print)\ndef __hotmod_dispose__(): X.close()",
    "registered": "app = App()\n@app.route('/')\ndef f(): pass",
    "read and closed": "with open('x') as file:\n    X = file.read()",
    "own open": "from gzip import open\nX = open('x')",
    "broken": "x = = 1",
}


def found_in(**texts: str) -> tuple[Hazard, ...]:
    """The hazards of some modules."""
    sources = {
        name: ModuleSource(SourceText.of(f"/{name}.py", text.encode())) for name, text in texts.items()
    }
    return check(build(sources))


@pytest.mark.parametrize("case", FOUND)
def test_a_hazard_is_found(case: str) -> None:
    """Each kind of hazard is told once, with its code, its line, and what is the case."""
    text, code, line, words = FOUND[case]
    [hazard] = found_in(a=text)
    assert (hazard.code, hazard.path, hazard.line) == (code, "/a.py", line)
    assert words in f"{hazard.message} {hazard.advice}"


@pytest.mark.parametrize("case", CLEAN)
def test_what_is_no_hazard_is_not_told(case: str) -> None:
    """What runs when it is called, ends by itself, or is kept and disposed of, is no hazard."""
    assert found_in(a=CLEAN[case]) == ()


def test_a_cycle_is_told_once() -> None:
    """A cycle is one hazard, at an import in it, with the modules by way of which it goes round."""
    [hazard] = found_in(a="\nimport b", b="import c", c="import a", d="def f():\n    import e", e="import d")
    assert (hazard.code, hazard.module, hazard.line) == ("import-cycle", "a", 2)
    assert hazard.message.startswith("it imports b, which imports it again by way of c,")


def test_a_star_is_told_where_the_names_are_not_known() -> None:
    """A star import is a hazard if the module that it takes from binds names by `exec`, `globals()`..."""
    assert found_in(a="from b import *", b="X = 1\n__all__ = ['X']") == ()
    [hazard] = found_in(a="\nfrom b import *", b="exec('X = 1')", c="from b import X")
    assert (hazard.code, hazard.module, hazard.line) == ("star-import", "a", 2)
    assert hazard.message == "it takes all names of b, which binds some that its text does not spell"
