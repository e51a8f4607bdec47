from __future__ import annotations

import random

import pytest

from hotmod._model.changes import SourceText
from hotmod._source import facts, memory
from hotmod._source.diff import diff
from hotmod._source.graph import ModuleSource, build, update
from hotmod._source.layers import layered
from hotmod._source.shapes import edited_shapes, shapes
from hotmod._source.statements import split
from hotmod._source.words import words_of

STATEMENTS = (
    "import os",
    "from a import b as c",
    "X = os.path.join('a', c)",
    "def f(n=X):\n    import shop\n    return g(n)",
    (
        "class A:\n    kind: int = 1\n\n    def __init__(self):\n        self.size = X\n\n"
        "    def m(self):\n        return 1"
    ),
    "class B(A):\n    def __init__(self):\n        self.other = [x for x in c]",
    "for i in range(3):\n    X += i",
    "if X:\n    class C:\n        def __init__(self):\n            self.c = 1\nelse:\n    C = None",
    "# only a comment",
)


def text_of(parts: list[str], path: str = "/src/x.py") -> SourceText:
    return SourceText.of(path, ("\n\n".join(parts) + "\n").encode())


@pytest.mark.parametrize("seed", range(20))
def test_what_is_taken_over_is_what_would_be_found_anew(seed: int) -> None:
    """Facts and words of an edited text are those of the text read by itself, whatever came before."""
    choose = random.Random(seed)  # noqa: S311 - no secret
    parts = list(STATEMENTS)
    for _ in range(10):
        place = choose.randrange(len(parts))
        change = choose.randrange(4)
        if change == 0:
            parts.insert(place, choose.choice(STATEMENTS))
        elif change == 1 and len(parts) > 1:
            del parts[place]
        elif change == 2:
            parts[place] = parts[place].replace("1", "2").replace("size", "width")
        else:
            parts[place] = f"{parts[place]}\n# {choose.random()}"
        text, alone = text_of(parts), text_of(parts, f"/src/{seed}-{choose.random()}.py")
        assert facts.facts_in(text) == facts.facts_in(alone)
        assert words_of(text) == words_of(alone)


def test_a_feature_changes_the_facts_of_every_statement() -> None:
    """`from __future__ import annotations` decides what annotations read: with it nothing is taken over."""
    plain = ["def f(x: T):\n    pass"]
    before = facts.facts_in(text_of(plain, "/src/future.py"))[1][-1]
    after = facts.facts_in(text_of(["from __future__ import annotations", *plain], "/src/future.py"))[1][-1]
    assert ("T",) in before.eager.reads
    assert ("T",) not in after.eager.reads


def test_only_the_last_texts_of_a_file_are_remembered() -> None:
    """However often a file is edited, what belongs to its earlier texts is forgotten."""
    known = memory.Memory[int]()
    texts = [SourceText.of("/src/a.py", str(number).encode()) for number in range(10)]
    for number, text in enumerate(texts):
        known.put(text, number)
    assert [known.get(text) for text in texts] == [None] * 6 + [6, 7, 8, 9]
    assert known.latest("/src/a.py") == 9
    assert known.latest("/src/b.py") is None


def test_layers_are_the_mapping_that_they_stand_for() -> None:
    """A layered mapping has the entries, the order and the size of a copy, and leaves its base alone."""
    base = {str(number): number for number in range(1000)}
    copy, now = dict(base), base
    for number in range(500):
        changes = {str(number * 7 % 1100): -number}
        copy.update(changes)
        now = layered(now, changes)  # type: ignore[assignment]
        assert len(now) == len(copy)
    assert list(now.items()) == list(copy.items())
    assert base == {str(number): number for number in range(1000)}


def test_shapes_of_edited_statements_tell_what_whole_texts_tell() -> None:
    """Which classes get other attributes from their constructors shows in the statements that differ."""
    before = text_of(list(STATEMENTS))
    parts = [
        each.replace("self.c = 1", "self.d = 1").replace("self.size", "self.width") for each in STATEMENTS
    ]
    after = text_of(parts)
    old, new = edited_shapes(diff(split(before), split(after)))
    differing = {name for name in shapes(before) if shapes(before)[name] != shapes(after)[name]}
    assert differing == {"A", "C"}
    assert {name for name in old if old[name] != new[name]} == differing
    assert "B" not in old


@pytest.mark.parametrize("modules", [10, 400])
def test_a_graph_that_was_updated_often_is_the_graph_of_the_texts(modules: int) -> None:
    """Whatever an update takes over: imports, importers, cycles and doubts are those of a new graph."""
    choose = random.Random(modules)  # noqa: S311 - no secret
    names = [f"m{number}" for number in range(modules)]
    lines = ["import {}", "from {} import *", "def f():\n    import {}", "f()", "x = 1", "__import__(x)"]

    def source(name: str) -> ModuleSource:
        body = [choose.choice(lines).format(choose.choice(names)) for _ in range(3)]
        return ModuleSource(text_of(body, f"/src/{name}.py"))

    sources = {name: source(name) for name in names}
    graph = build(sources)
    for _ in range(40):
        changed = {name: source(name) for name in choose.sample(names, 2)}
        sources.update(changed)
        graph = update(graph, changed)
        graph.cycles()
        fresh = build(sources)
        assert graph.as_dict() == fresh.as_dict()
        assert graph.cycles() == fresh.cycles()
        assert graph.unsure == fresh.unsure
        assert [graph.importers(name) for name in names] == [fresh.importers(name) for name in names]
