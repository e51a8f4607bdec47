"""The fast scan says what the tree says."""

from __future__ import annotations

import ast
import collections

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotmod._model.errors import SourceError
from hotmod._source.imports import Scan
from hotmod._source.parse import decode, parse_decoded
from hotmod._source.scan import scan_fast, scan_tree
from tests.source.programs import PACKAGES, texts

# Parsing other people's files shows their invalid escapes.
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")


@pytest.mark.parametrize("program", ["standard library", *PACKAGES])
def test_the_fast_scan_equals_the_tree_on_real_files(program: str) -> None:
    """On every file that parses the fast scan says the same, or leaves it to the tree: rarely."""
    counts: collections.Counter[str] = collections.Counter()
    for text in texts(program):
        try:
            decoded = decode(text)
            tree = parse_decoded(decoded, text.path)
        except SourceError:
            continue  # test data of the standard library
        fast = scan_fast(decoded)
        counts["all"] += 1
        if fast is None:
            counts["left to the tree"] += 1
        else:
            assert fast == scan_tree(tree), text.path
    assert counts["all"]
    # A module-level `__getattr__` is always read from the tree, and click has several.
    assert counts["left to the tree"] <= max(0.02 * counts["all"], 5)


# Pieces of programs that a scan without tokens could trip over, put together at random.
NAMES = st.sampled_from(["a", "b", "shop.cart", "import_", "fromage"])
STRINGS = st.sampled_from(
    [
        *(
            '"import a"',
            "'''\nimport a\n'''",
            '"""it\'s\n    from a import b\n"""',
            "'\\'import a'",
            "'a \\\nimport b'",
        ),
        *(
            "f\"{x['y']}\"",
            'f"{{import a}}"',
            'rf"\\{x}"',
            "f'''{x[\"a\"]}\nimport a\n'''",
            'b"\\""',
            'r"\\"',
            '""',
            "''",
        ),
        *('f"{x!r:>{w}}"', "'#'", '"\'"', '\'"""\'', 'u"x"', '"\\N{DASH}"'),
    ]
)
PLAIN = st.sampled_from(
    [
        *("x = 1", "pass", "x = y[1:2]", "x = (1,\n2)", "x = [\n  a\nif b\n  else c]", "raise x from y"),
        *("x = {\n'a': 1,\n}", "print(x); y = 2", "x = lambda: 1", "__all__ = ['a', 'b']", "__all__ += [x]"),
        *(
            "exec(x)",
            "y = import_module('a')",
            "__import__(x)",
            "z = import_module(\n'a'\n)",
            "import_string(x)",
        ),
        *("x = (yield)", "match = 1", "case = match", "x = \\\n  1", "del __all__[0]", "sys.modules[x] = y"),
        *("# import a", '# it\'s """', "x = a  # ; import b", "f(import_module('a'))", "async_ = 1"),
    ]
)
IMPORTS = st.one_of(
    st.builds("import {}".format, NAMES),
    st.builds("import {} as {}".format, NAMES, st.just("c")),
    st.builds("import {}, {}".format, NAMES, NAMES),
    st.builds(
        "from {} import {}".format,
        NAMES,
        st.sampled_from(["x", "x as y", "x, y as z", "(x, y)", "(\n  x,  # )\ny\n)"]),
    ),
    st.builds(
        "from {}{} import {}".format,
        st.sampled_from([".", "..", ". ", "..."]),
        st.sampled_from(["", "a", "a.b"]),
        NAMES.map(lambda name: name.partition(".")[0]),
    ),
    st.sampled_from(
        ["from a import *", "import a;import b", "x = 1; import a", "from a import \\\n  b", "import a  # b"]
    ),
    st.sampled_from(
        ["import sys", "import importlib", "import runpy", "from a import(b)", "from .a import*"]
    ),
    st.sampled_from(["from importlib import import_module", "from importlib import import_module as load"]),
)
HEADS = st.sampled_from(
    [
        *(
            "def f():",
            "def f(a=(1,\n2)):",
            "class A:",
            "class A(B):",
            "async def g(x):",
            "if x:",
            "if TYPE_CHECKING:",
        ),
        *(
            "if not TYPE_CHECKING:",
            "if typing.TYPE_CHECKING and x:",
            "if (\n  a\n  or TYPE_CHECKING\n):",
            "while x:",
        ),
        *(
            'if __name__ == "__main__":',
            "if False:",
            "for x in y:",
            "with x as y:",
            "if x[a:b]:",
            "if 'x:' in y:  # z",
        ),
        *("for x in (\n1,\n2):", "if x == ':':", "with (a as b,\n  c):", "if not (TYPE_CHECKING):"),
    ]
)
TAILS = {
    "if": ["else:", "elif y:", "elif TYPE_CHECKING:", "elif not TYPE_CHECKING:"],
    "for": ["else:"],
    "while": ["else:"],
}


def indented(text: str, spaces: int) -> str:
    """A statement moved to the right; continuation lines stay, as strings and brackets allow."""
    return " " * spaces + text


@st.composite
def bodies(draw: st.DrawFn, depth: int = 0, width: int = 0) -> str:
    """Some statements at one indentation, some of them with blocks."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        what = draw(st.integers(0, 7 if depth < 3 else 4))
        if what <= 1:
            lines.append(indented(draw(IMPORTS), width))
        elif what == 2:
            lines.append(indented("s = " + draw(STRINGS), width))
        elif what <= 4:
            lines.append(indented(draw(PLAIN), width))
        elif what == 5:
            lines += [indented("try:", width), draw(bodies(depth + 1, width + draw(st.integers(1, 4))))]
            lines += [indented("except E:", width), draw(bodies(depth + 1, width + 4))]
        else:
            head = draw(HEADS)
            lines += [indented(head, width), draw(bodies(depth + 1, width + draw(st.integers(1, 4))))]
            tails = TAILS.get(head.split()[0].rstrip(":"), ())
            if tails and draw(st.booleans()):
                lines += [indented(draw(st.sampled_from(tails)), width)]
                lines += [draw(bodies(depth + 1, width + 4))]
    if not any(line.strip() and not line.strip().startswith("#") for line in lines):
        lines.append(indented("pass", width))
    return "\n".join([*lines, indented("pass", width)])


@settings(max_examples=300)
@given(bodies())
@example("x = (1\nif y\n  else 2)\nif a:\n    import b")
@example("def f():\n    x = {\n  y\nfor y in z}\n    import a")
@example("def f(\n  x=1,\n):\n    import a")
@example("if x:\n    def f(): pass\nelse:\n    import a")
@example('x = f"{y["a"]}"\nimport b')
@example("def __getattr__(name):\n    import a\n")
@example("class A:\n    def f(self):\n        y = (\n  import_module('a'))\n        import b")
def test_the_fast_scan_equals_the_tree_on_made_up_files(text: str) -> None:
    """Whatever pieces a program is made of, the fast scan says what the tree says, or nothing."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # `from __future__` of the pieces, nested quotes before Python 3.12
        return
    fast = scan_fast(text)
    assert fast is None or fast == scan_tree(tree)


@given(st.text(alphabet="import from.x\n ()'\"#\\:;,*{}f", max_size=60))
def test_the_fast_scan_survives_anything(text: str) -> None:
    """On a text that is no Python the fast scan gives a result or none, never an error."""
    fast = scan_fast(text)
    assert fast is None or isinstance(fast, Scan)


def test_a_broken_text_keeps_the_imports_that_stand_there_plainly() -> None:
    """Half-written code after the imports doesn't hide them."""
    found = scan_fast("import a\nfrom b import c\n\ndef f(:\n    x = (\n")
    assert found is not None
    assert [statement.module for statement in found.statements] == ["a", "b"]
