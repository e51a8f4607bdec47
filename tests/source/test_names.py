"""The names that statements bind: what every form binds, and what the compiler says to that."""

from __future__ import annotations

import dis
import inspect
import pathlib
import sys
import types
from collections.abc import Iterator

import pytest

from hotmod._source.statements import names_bound, split
from tests.source.edits import library, library_name, library_text

LIBRARY = library()

NAMES = {
    "a = b = 1": "a b",
    "a, (b, *c) = d": "a b c",
    "a.b = c[d] = e": "",
    "a += 1": "a",
    "a: int = 1": "a",
    "a: int": "",
    "a.b: int = 1": "",
    "del a": "",
    "print(a := 1)": "a",
    "[a := b for b in c]": "a",
    "[b for b in (a := c)]": "a",
    "{(a := 1): (b := 2), (c := 3): (d := 4)}": "a b c d",
    "lambda a=(b := 1): (c := 2)": "b",
    "def f(a=(b := 1)): c = 1": "f b",
    "@(a := d)\ndef f(): pass": "a f",
    "def f(a: (b := int)) -> (c := int): pass": "f b c",
    "def f():\n    global a\n    a = 1": "f",
    "async def f(): pass": "f",
    "class A:\n    a = 1\n    def f(self): pass": "A",
    "class A((b := B), metaclass=(c := M)): pass": "A b c",
    "class A:\n    global a, b\n    a = 1\n    import c as b": "A a b",
    "class A:\n    global a\n    def a(self): pass": "A a",
    "class A:\n    global a\n    x = 1": "A",
    "class A:\n    class B:\n        global a\n        a = 1": "A a",
    "class A:\n    if x:\n        global a\n    a = 1": "A a",
    "class _A:\n    global __a, __b__\n    __a = __b__ = 1": "_A _A__a __b__",
    "class A:\n    def f(self):\n        global a\n        a = 1": "A",
    "import a": "a",
    "import a.b, c.d as e": "a e",
    "from . import a, b as c": "a c",
    "from .m import *": "*",
    "from __future__ import annotations": "annotations",
    "for a, b in c:\n    d = 1\nelse:\n    e = 1": "a b d e",
    "while (a := b):\n    c = 1": "a c",
    "with a as b, c as (d, e):\n    f = 1": "b d e f",
    "try:\n    a = 1\nexcept (b := E) as c:\n    d = 1\nelse:\n    e = 1\nfinally:\n    f = 1": "a b c d e f",
    "try:\n    pass\nexcept* E as a:\n    pass": "a",
    "match a:\n    case [b, *c]: d = 1\n    case {'x': e, **f}: pass": "b c d e f",
    "match a:\n    case P(b, x=c) as d: pass": "b c d",
    "match a:\n    case b | _: pass": "b",
    "if a:\n    b = 1\nelif c:\n    d = 1\nelse:\n    e = 1": "b d e",
    "if TYPE_CHECKING:\n    a = 1\nelse:\n    b = 1": "b",
    "if not typing.TYPE_CHECKING:\n    a = 1\nelse:\n    b = 1": "a",
    "if __name__ == '__main__':\n    a = 1": "a",
    "global a\na = 1": "a",
    "a = 1; b = 2; a = 3": "a b",
    "for i in a: [i := b for c in i]": "i",
    "async def f(): pass\nb = 1": "f b",
}
if sys.version_info >= (3, 12):
    NAMES["type a[T] = b"] = "a"
    NAMES["def f[T](a: T): pass"] = "f"
    NAMES["class A[T](B[T]): pass"] = "A"


@pytest.mark.parametrize("text", NAMES)
def test_the_names_that_a_statement_binds(text: str) -> None:
    """Every form of binding counts, in the order of the text; what only later calls bind does not."""
    assert names_bound(text) == tuple(NAMES[text].split())


def stored(code: types.CodeType) -> Iterator[str]:
    """The global names that a module's code stores, in class bodies and comprehensions too."""
    is_module = code.co_name == "<module>"
    for step in dis.get_instructions(code):
        if step.opname == "STORE_GLOBAL" or (is_module and step.opname == "STORE_NAME"):
            yield str(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            is_function = inner.co_flags & inspect.CO_OPTIMIZED
            if not is_function or inner.co_name in {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}:
                yield from stored(inner)


@pytest.mark.parametrize("path", LIBRARY, ids=library_name)
def test_the_names_are_those_that_the_compiler_stores(path: pathlib.Path) -> None:
    """For each statement of real modules the names are those of the instructions that bind globals."""
    text = library_text(path)
    if text is None:
        pytest.skip("no Python of this version")
    for statement in split(text).statements:
        # What the guard says is never run, the compiler compiles; what it never runs, it may leave out.
        if "TYPE_CHECKING" not in statement.text:
            # With a number in front a string is no docstring, which would be stored.
            first = "" if statement.text.startswith("from __future__") else "0\n"
            code = compile(f"{first}{statement.text}\n", "m", "exec", dont_inherit=True)
            assert set(names_bound(statement.text)) - {"*"} == set(stored(code)), statement.text
