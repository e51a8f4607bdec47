"""What other threads find while statements of a module run again."""

from __future__ import annotations

import sys
import textwrap

import pytest

import hotmod
from hotmod._engine import transaction
from hotmod._engine.opening import only_defines
from tests.oracle.project import Project

DECORATED = """
class C:
    def __init__(self): ...

    @property
    def a(self): return 1

    @property
    def b(self) -> int: return 1

    @classmethod
    def c(cls, n=1): return super().mro()

    @staticmethod
    def d(n: int = 1, *, k=2): ...
"""


@pytest.mark.parametrize(
    ("text", "defines"),
    [
        ("import os\nfrom os import path as p\nX = Y = 1\nZ = [X, (1, 2), {1: Y}]", True),
        ("def f(a=1, *, b=2): return a()\nclass C(B):\n    x: int = 1", True),
        (DECORATED, True),
        ("@property\ndef f(self): ...", True),
        ("@cached\ndef f(): ...", False),
        ("class C:\n    @a.setter\n    def f(self): ...", False),
        ("class C:\n    x = f()", False),
        ("X = A + B", False),
        ("X[0] = 1", False),
        ("X = A.b", False),
        ("X, Y = property, repr(A)", False),
        ("X, Y = property, repr(lambda: A)", False),
        ("for x in X: ...", False),
    ],
)
def test_what_only_defines_comes_to_no_function(text: str, *, defines: bool) -> None:
    """Definitions, imports and constants call nothing; a call, an operator or an attribute may."""
    assert only_defines(compile(textwrap.dedent(text), "m.py", "exec", dont_inherit=True)) is defines


OUTSIDE = """
import sys

seen = []


def look(n):
    seen.append(vars(sys.modules["m"]).get("X"))
    return n
"""


@pytest.mark.parametrize("more", ["", "\n\ndef f():\n    global X\n    X = 0\n"])
def test_a_name_holds_its_old_object_until_the_new_one_is_bound(project: Project, more: str) -> None:
    """Who looks while a statement runs finds what its name held, also where a function sets the name."""
    project.write({"outside.py": OUTSIDE})
    project.write({"m.py": f"from outside import look\n\nX = look(1){more}\n"}).load("m", "outside")
    reloader = hotmod.Reloader("m")
    for number in (2, 3):
        project.write({"m.py": f"from outside import look\n\nX = look({number}){more}\n"})
        assert reloader.reload().ran == ("m:3",)
    assert (sys.modules["outside"].seen, sys.modules["m"].X) == ([None, 1, 2], 3)


def test_a_name_that_is_not_bound_again_goes_where_a_function_sets_it(project: Project) -> None:
    """As in a fresh process: a statement that runs and does not bind its name leaves it unbound."""
    text = "import os\n\nif not os.environ.get('NO_X'):\n    X = {}\n\n\ndef f():\n    global X\n    X = 5\n"
    project.write({"m.py": text.format(1)}).load("m")
    reloader = hotmod.Reloader("m")
    project.write({"m.py": text.format(2).replace("NO_X", "PATH")})
    assert reloader.reload()
    assert not hasattr(sys.modules["m"], "X")
    sys.modules["m"].f()
    assert sys.modules["m"].X == 5


def test_what_is_in_hand_runs_new_code_before_names_go(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is about to call a decorated function of before does not need what is gone."""
    text = """
        import functools


        def counted(function):
            return functools.wraps(function)(lambda *args: function(*args))


        def old_{0}():
            return {0}


        @counted
        def f(n={0}):
            return old_{0}(), n
    """
    project.write({"m.py": text.format(1)}).load("m")
    held, seen = sys.modules["m"].f, []
    reloader = hotmod.Reloader("m")

    def look(names: object, _: object) -> None:
        seen.append((names, held(), hasattr(sys.modules["m"], "old_1")))

    monkeypatch.setattr(transaction, "let_calls_end", look)
    project.write({"m.py": text.format(2)})
    assert reloader.reload().ran == ("m:8", "m:12")
    assert seen == [(frozenset({"old_1"}), (2, 2), True)]
    assert not hasattr(sys.modules["m"], "old_1")
