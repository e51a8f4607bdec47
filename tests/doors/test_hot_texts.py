"""What `pytest --hot` reads and rewrites again and again is what it would be if it were done anew."""

from __future__ import annotations

import ast
import pathlib
import sys
import types

import pytest
from _pytest.assertion import rewrite

from hotmod._model.changes import SourceText
from hotmod.pytest_plugin import reading, run
from hotmod.pytest_plugin.reading import Texts
from hotmod.pytest_plugin.rewriting import Rewriter

BASE = '''\
"""Tests."""
from __future__ import annotations

assert len("a") == 1

@mark(1)
def test_one(x):
    assert x == (y := 2)
    assert not any(x.get(each) == "é" for each in y)

class TestTwo:
    def test_two(self):
        assert self < 2, "two"

def test_two():
    with self: assert self.a.b(1) in [1]

async def test_three(): assert 3
'''
EDITS = (
    ("", ""),
    ("x == (y := 2)", "x == (y := 3)"),
    ("@mark(1)\n", "@mark(1)\n@mark(2)\n\n"),  # what is below moves down
    ("\n\n", "\n"),  # and up
    ("class TestTwo", "def test_four():\n    assert 4\n\nclass TestTwo"),
    ("def test_four():\n    assert 4\n", "def test_one(x):\n    assert 4\n"),
    ('"""Tests."""', '"""Tests. PYTEST_DONT_REWRITE"""'),
    (" PYTEST_DONT_REWRITE", ""),
    ('"""Tests."""\n', ""),
    ("from", "# coding: latin-1\nfrom"),  # now the text of test_one means something else
    ("\n", "\r\n"),
)


def test_asserts_are_rewritten_as_if_it_were_the_first_time(pytestconfig: pytest.Config) -> None:
    """After each edit the tree is that of the whole text, to the last line number."""
    rewriter, text = Rewriter(pytestconfig), BASE + BASE.partition("annotations\n")[2]
    for old, new in EDITS:
        text = text.replace(old, new) if new == "\r\n" else text.replace(old, new, 1)
        source = text.encode()
        anew = ast.parse(source)
        rewrite.rewrite_asserts(anew, source, "t.py", pytestconfig)
        tree = rewriter.tree(source, "t.py")
        assert ast.dump(tree, include_attributes=True) == ast.dump(anew, include_attributes=True)
        assert compile(tree, "t.py", "exec") == compile(anew, "t.py", "exec")


def test_functions_that_were_not_edited_are_not_rewritten_again(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the asserts of what was edited are looked at, and those outside of functions and classes."""
    seen: list[int] = []
    visit = rewrite.AssertionRewriter.visit_Assert

    def and_note(self: rewrite.AssertionRewriter, node: ast.Assert) -> list[ast.stmt]:
        seen.append(node.lineno)
        return visit(self, node)

    monkeypatch.setattr(rewrite.AssertionRewriter, "visit_Assert", and_note)
    rewriter = Rewriter(pytestconfig)
    rewriter.tree(BASE.encode(), "t.py")
    assert len(seen) == 6
    seen.clear()
    rewriter.tree(BASE.replace("self < 2", "self < 3").encode(), "t.py")
    assert sorted(seen) == [4, 13]


def test_a_file_is_read_again_when_it_may_have_been_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done to a file shows; one that was left alone for a while is not opened."""
    opened: list[str] = []
    readable = reading.readable

    def and_note(path: str) -> SourceText | None:
        opened.append(path)
        return readable(path)

    monkeypatch.setattr(reading, "readable", and_note)
    path, texts = tmp_path / "a.py", Texts()
    assert texts.read(str(path)) is None
    for number in range(20):  # within one tick of the clock, and of the same size
        path.write_text(f"A = {number:2}")
        text = texts.read(str(path))
        assert text is not None
        assert text.data == f"A = {number:2}".encode()
    monkeypatch.setattr(reading, "TICK_NS", -(10**18))  # it was written long ago
    found = texts.read(str(path))
    opened.clear()
    assert texts.read(str(path)) is found
    assert not opened
    (tmp_path / "b.py").write_text("A = 20")
    (tmp_path / "b.py").replace(path)
    text = texts.read(str(path))
    assert text is not None
    assert text.data == b"A = 20"
    path.unlink()
    assert texts.read(str(path)) is None


def test_modules_of_a_run_are_those_that_came_during_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that were imported since a moment are known, also where others were taken out."""
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    last = next(reversed(sys.modules))
    sys.modules["new_one"] = sys.modules["new_two"] = types.ModuleType("new")
    assert run._names_after(last) == ["new_one", "new_two"]
    del sys.modules[last]
    assert set(run._names_after(last)) == set(sys.modules)
