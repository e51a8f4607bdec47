from __future__ import annotations

import types
from typing import Any

import pytest

from hotmod._live import functions
from hotmod._live.journal import Journal


def made(text: str, name: str = "f") -> Any:
    """The function that a text defines."""
    space: dict[str, Any] = {"__name__": "shop"}
    exec(compile(text, "shop.py", "exec", dont_inherit=True), space)
    return space[name]


def test_a_function_takes_over_everything_of_its_successor() -> None:
    """Code, defaults, annotations, docstring and attributes are the successor's; the object stays."""
    old = made("def f(x=1):\n    'old'\n    return x\nf.tag = f.gone = 1\n")
    new = made("def f(x=2, *, y: int = 3) -> int:\n    'new'\n    return x + y\nf.tag = 2\n")
    held = old
    functions.take_over(Journal(), old, new)
    assert (held(), held.__doc__, held.tag) == (5, "new", 2)
    assert held.__annotations__ == {"y": int, "return": int}
    assert not hasattr(held, "gone")


def test_a_function_is_given_back_as_a_whole() -> None:
    """An undo gives the function back its code, defaults, docstring and attributes."""
    old = made("def f(x=1):\n    'old'\n    return x\nf.tag = 1\n")
    parts = (old.__code__, old.__defaults__, old.__doc__, old.__annotations__, dict(old.__dict__))
    journal = Journal()
    functions.take_over(journal, old, made("def f(x: int = 2, *y):\n    return x, y\nf.more = 2\n"))
    journal.undo()
    assert (old.__code__, old.__defaults__, old.__doc__, old.__annotations__, old.__dict__) == parts
    assert old() == 1


FACTORY = "def make(a, b=2):\n    def inner():\n        return {}\n    return inner\nf = make(1)\n"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("def f(): return 1\n", "def f(): yield 1\n", "kind-change"),
        ("def f(): return 1\n", "async def f(): return 1\n", "kind-change"),
        ("async def f(): return 1\n", "async def f(): yield 1\n", "kind-change"),
        (FACTORY.format("a"), FACTORY.format("a + b"), "closure-shape"),
        ("def f(): return 1\n", FACTORY.format("a"), "closure-shape"),
    ],
    ids=["generator", "coroutine", "async generator", "another variable", "a first variable"],
)
def test_what_can_not_be_taken_over_is_told(before: str, after: str, code: str) -> None:
    """A function that changes its kind or its free variables can't take over, and the reason says why."""
    found = functions.obstacle(made(before), made(after))
    assert found is not None
    assert found[0] == code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(): return 1\n", "def f(a, *b, c=1, **d): return 2\n"),
        (FACTORY.format("a"), FACTORY.format("[a, a]")),
        ("def f(): yield 1\n", "def f(): yield from (1, 2)\n"),
        ("f = lambda: 1\n", "f = lambda x: x\n"),
    ],
    ids=["signature", "closure", "generator", "lambda"],
)
def test_all_else_can_be_taken_over(before: str, after: str) -> None:
    """Another signature or body, also of closures and generators, is no obstacle."""
    assert functions.obstacle(made(before), made(after)) is None


class TestSameCode:
    def same(self, one: str, two: str) -> bool:
        return functions.same_code(made(one).__code__, made(two).__code__)

    def test_lines_do_not_count(self) -> None:
        """Two programs that differ in their place only are the same."""
        text = "def f():\n    def g():\n        return [1 for _ in 'ab']\n    return g\n"
        assert self.same(text, f"\n# comment\n\n{text}")

    @pytest.mark.parametrize(
        ("one", "two"),
        [
            ("1", "2"),
            ("1", "True"),
            ("1", "1.0"),
            ("0.0", "-0.0"),
            ("'a'", "b'a'"),
            ("x", "y"),
            ("(1,)", "(1.0,)"),
        ],
    )
    def test_constants_and_names_do(self, one: str, two: str) -> None:
        """Constants that compare equal but are not the same, and other names, are other programs."""
        assert not self.same(f"def f():\n    return {one}\n", f"def f():\n    return {two}\n")

    def test_nested_code_counts(self) -> None:
        """A difference in a nested function is a difference."""
        text = "def f():\n    def g():\n        return {}\n    return g\n"
        assert not self.same(text.format(1), text.format(2))


def test_a_nameless_function_keeps_what_is_its_own() -> None:
    """A closure made earlier gets new code and keeps its cells, defaults and attributes."""
    live = made(FACTORY.format("a * 10"))
    live.tag = "mine"
    journal = Journal()
    functions.replace_code(journal, live, made(FACTORY.format("a * 100")).__code__)
    assert (live(), live.tag) == (100, "mine")
    journal.undo()
    assert live() == 10
    assert isinstance(live, types.FunctionType)
