from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotmod._live import patch
from hotmod._live.journal import Journal, Together
from tests.live.patching import Program, Searches, fresh, of_space

HEAD = (
    "import functools\n"
    "def wrapped(f):\n    @functools.wraps(f)\n    def inner(*args): return f(*args)\n    return inner\n"
    "def bare(f):\n    def inner(*args): return f(*args)\n    return inner\n"
    "held = []\n"
    "def hold(f):\n    held.append(f)\n    return len(held)\n"
)
# Definitions in which BODY and DOC differ from one version to the next.
KINDS = {
    "function": "def NAME(x, y=2):\n    DOC\n    BODY\n    return x\n",
    "lambdas": "NAME = [lambda x: (x, EXPR), lambda x: (x, EXPR), lambda x: (EXPR, x)]\n",
    "closures": "def NAME(x):\n    def add(y):\n        DOC\n        BODY\n        return x, y\n"
    "    return add\n"
    "NAME_held = [NAME(1), NAME(2)]\n",
    "wrapped": "@wrapped\n@wrapped\ndef NAME(x):\n    DOC\n    BODY\n    return x\n",
    "bare": "@bare\ndef NAME(x):\n    DOC\n    BODY\n    return x\n",
    "hidden": "@hold\ndef NAME(x):\n    DOC\n    BODY\n    return x\n",
    "cached": "@functools.lru_cache\ndef NAME(x):\n    DOC\n    BODY\n    return x\n",
    "generator": "async def NAME(x):\n    DOC\n    BODY\n    yield x\n",
    "conditional": "if held:\n    def NAME(x): return EXPR\nelse:\n    def NAME(x): return EXPR\n",
    "comprehensions": "def NAME(x):\n"
    "    return [EXPR for _ in x], {y: EXPR for y in x}, sum(EXPR for _ in x)\n",
    "class": "class NAME:\n    DOC\n    def a(self):\n        DOC\n        BODY\n        return __class__\n"
    "    @property\n    def p(self):\n        DOC\n        return EXPR\n"
    "    @p.setter\n    def p(self, value):\n        BODY\n"
    "    @staticmethod\n    def s(x):\n        DOC\n        return EXPR\n"
    "    class Inner:\n        def b(self): return lambda: EXPR\n        c = lambda self: EXPR\n",
}
BODIES = [
    "pass",
    "v = [NUMBER]",
    "z = lambda: NUMBER",
    "def z(): return NUMBER\nw = z()",
    "for z in range(NUMBER):\n    w = (z, NUMBER)",
    "class Z:\n    n = NUMBER",
]
DOCS = ["", '"""Doc NUMBER."""', '"""Doc.\n\n    More: NUMBER.\n    """']
GAPS = ["", "\n", "# a comment\n\n"]


def filled(template: str, name: str, draw: Iterator[int]) -> str:
    """One definition, with what differs drawn line by line."""
    lines = [GAPS[next(draw) % len(GAPS)]]
    for line in template.replace("NAME", name).splitlines(keepends=True):
        text, indent = line, " " * (len(line) - len(line.lstrip()))
        if text.strip() == "DOC":
            text = textwrap.indent(DOCS[next(draw) % len(DOCS)] + "\n", indent)
        elif text.strip() == "BODY":
            text = textwrap.indent(BODIES[next(draw) % len(BODIES)] + "\n", indent)
        while "EXPR" in text or "NUMBER" in text:
            text = text.replace("EXPR", "NUMBER", 1).replace("NUMBER", str(next(draw)), 1)
        lines.append(text)
    return "".join(lines)


@st.composite
def histories(draw: Any) -> list[str]:
    """The texts of one module, which differ in the bodies of functions and in docstrings."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
    texts = []
    for _ in range(draw(st.integers(2, 4))):
        numbers = iter(lambda: draw(st.integers(0, 5)), None)
        texts.append(HEAD + "".join(filled(KINDS[kind], f"n{at}", numbers) for at, kind in enumerate(kinds)))
    return texts


@given(histories())
def test_any_series_of_edits_is_as_if_imported_anew(texts: list[str]) -> None:
    """Whatever bodies and docstrings differ, each version is a fresh import's, without a second search."""
    program = Program(texts[0])
    journals, before = [], [of_space(program.space)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        searches = Searches(monkeypatch)
        for text in texts[1:]:
            journals.append(Journal())
            done = program.edit(text, journals[-1])
            assert not any((done.unfit, done.lost, done.unfit_docs))
            assert of_space(program.space) == of_space(fresh(text))
            before.append(of_space(program.space))
    assert searches.count == 1
    while journals:
        assert of_space(program.space) == before.pop()
        journals.pop().undo()
    assert of_space(program.space) == before.pop()


def stamped(version: int) -> str:
    return f"def make():\n    return lambda: {version}\nmade = [make() for _ in range(1000)]\n"


class Reader:
    """A thread that compares what functions return, as long as it is told to."""

    def __init__(self, *functions: Any) -> None:
        first, *others = functions
        self.orders = [(first, each, first) for each in others] + [(each, first, each) for each in others]
        self.torn: list[tuple[int, int, int]] = []
        self.reading, self.go, self.rested = threading.Event(), threading.Event(), threading.Event()
        self.over = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.go.wait() and not self.over:
            while self.go.is_set():
                for one, other, again in self.orders:
                    seen = one(), other(), again()
                    # versions only grow: between two readings that are the same there was no commit
                    if seen[0] == seen[2] != seen[1]:
                        self.torn.append(seen)
                self.reading.set()
            self.rested.set()

    def during(self, action: Any, *args: Any) -> None:
        self.reading.clear()
        self.rested.clear()
        self.go.set()
        self.reading.wait()
        action(*args)
        self.go.clear()
        self.rested.wait()

    def close(self) -> None:
        self.over = True
        self.go.set()
        self.thread.join()


def torn_by(commits: int, together: Together = contextlib.nullcontext) -> list[tuple[int, int, int]]:
    """What a thread saw of old functions beside new ones while two modules were patched again and again."""
    one, two = Program(stamped(0), "one"), Program(stamped(0), "two")
    reader = Reader(*(program["made"][at] for program in (one, two) for at in (0, 500, 999)))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for version in range(1, commits + 1):
            both = [each.edited(stamped(version)) for each in (one, two)]
            done = patch.prepare(both)
            assert len(done.steps) == 2002
            reader.during(patch.commit, Journal(), done, together)
            for program, edited in zip((one, two), both, strict=True):
                program.accept(stamped(version), edited, done)
    finally:
        sys.setswitchinterval(interval)
        reader.close()
    assert {each() for each in one["made"] + two["made"]} == {commits}
    return reader.torn


def test_other_threads_see_no_mixture() -> None:
    """While two modules are patched, no thread sees a new function of one beside an old one of the other."""
    assert torn_by(200) == []
