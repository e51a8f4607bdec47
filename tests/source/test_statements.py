"""Statements: a module's text in pieces, found anew at the cost of an edit."""

from __future__ import annotations

import ast
import itertools
import pathlib
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source import part, statements
from hotmod._source.parse import LOOKED_AT
from hotmod._source.statements import Statements, parsed, resplit, split
from tests.source.edits import library, library_name, library_text, source
from tests.source.random_lines import OPERATIONS, Operation, operate

# Edited texts have escapes where no string was before; that is the parser's business, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LIBRARY = library()


def extents(text: str) -> list[tuple[int, int]]:
    return [(each.first, each.last) for each in split(source(text)).statements]


EXTENTS = {
    "empty": ("", []),
    "blank": ("\n\n  \n", []),
    "comments": ("# a\n  # b\n", []),
    "one": ("x = 1", [(1, 1)]),
    "two": ("x = 1\ny = 1\n", [(1, 1), (2, 2)]),
    "blank-between": ("\nx = 1\n\n# c\n\ny = 1\n\n", [(2, 2), (6, 6)]),
    "decorated": ("# c\n@a\n@b(\n    1)\ndef f():\n    pass\n", [(2, 6)]),
    "decorator-in-brackets": ("x = 1\n\n@(\n  a\n)\ndef f(): pass\n", [(1, 1), (3, 6)]),
    "decorator-continued": ("@\\\na\ndef f(): pass\n", [(1, 3)]),
    "comment-below-block": ("def f():\n    pass\n    # c\n\nx = 1\n", [(1, 2), (5, 5)]),
    "string": ('x = """\n\n# no comment\n"""\n', [(1, 4)]),
    "brackets": ("(\n# c\nx\n)\n", [(1, 4)]),
    "one-line": ("a = 1; b = 2; c = 3\nd = 4\n", [(1, 1), (2, 2)]),
    "string-then-more": ('a = """\n"""; b = """\n"""\nc = 1\n', [(1, 3), (4, 4)]),
    "continued": ("a = 1 + \\\n  2\nb = 1\n", [(1, 2), (3, 3)]),
    "semicolon-continued": ("a = 1; \\\nb = 2\nc = 3\n", [(1, 2), (3, 3)]),
    "semicolon-on-next": ("a = 1 \\\n; \\\nb = 2\nc = 3\n", [(1, 3), (4, 4)]),
    "continued-onto-blank": ("a = 1 \\\n\nb = 1\n", [(1, 2), (3, 3)]),
    "continued-onto-comment": ("a = 1 \\\n# c \\\nb = 1\n", [(1, 2), (3, 3)]),
    "backslash-in-comment": ("a = 1  # c \\\nb = 1\n", [(1, 1), (2, 2)]),
    "backslash-above": ("a = 1\n\\\nb = 1\n", [(1, 1), (2, 3)]),
    "backslash-above-blank": ("a = 1\n  \\\n\nb = 1\n", [(1, 1), (2, 4)]),
    "class-ends-continued": ("class A: a = 1; \\\n  b = 2\nc = 3\n", [(1, 2), (3, 3)]),
    "form-feed": ("a = 1\n\x0c\n\x0cb = 1\n  \x0cc = 1\n", [(1, 1), (3, 3), (4, 4)]),
    "not-ascii": ("é = 'é'; \\\nb = 1\n", [(1, 2)]),
    "if-else": ("if a: b\nelse: c\nd\n", [(1, 2), (3, 3)]),
}


@pytest.mark.parametrize("form", EXTENTS)
def test_lines_belong_to_the_statement_that_they_are_part_of(form: str) -> None:
    """Decorators, brackets and continued lines belong to a statement, comments and blank lines to none."""
    text, expected = EXTENTS[form]
    assert extents(text) == expected


HEADS = {
    "nothing": ("", False, ()),
    "docstring": ('"a"\n', True, ()),
    "docstring-below-comments": ('# c\n\n"a"\n', True, ()),
    "raw": ('r"a"\n', True, ()),
    "in-brackets": ('(\n# c\n"a")\n', True, ()),
    "continued": ('\\\n"a"\n', True, ()),
    "form-feed": ('\x0c"a"\n', True, ()),
    "with-more": ('"a"; x = 1\n', True, ()),
    "second": ('x = 1\n"a"\n', False, ()),
    "bytes": ('b"a"\n', False, ()),
    "formatted": ('f"a"\n', False, ()),
    "part-of-expression": ('"a" + b\n', False, ()),
    "assigned": ("r = 1\n", False, ()),
    "future": ("from __future__ import annotations\n", False, ("annotations",)),
    "future-several": (
        '"a"\nfrom __future__ import annotations, division\nfrom __future__ import (generators)\nx = 1\n',
        True,
        ("annotations", "division", "generators"),
    ),
    "future-on-one-line": ('"a"; from __future__ import annotations; x = 1\n', True, ("annotations",)),
    "future-as": ("from __future__ import annotations as a\n", False, ("annotations",)),
    "future-mentioned": ("x = '__future__'\nfrom __future__ import annotations\n", False, ()),
    "future-as-module": ("import __future__\n", False, ()),
}


@pytest.mark.parametrize("form", HEADS)
def test_docstring_and_features_are_told(form: str) -> None:
    """A string that comes first is the docstring; features count where the compiler allows them."""
    text, docstring, future = HEADS[form]
    found = split(source(text))
    assert (found.docstring, found.future) == (docstring, future)
    assert bool(ast.get_docstring(ast.parse(text), clean=False)) == docstring


def outcome(old: Statements | None, text: SourceText) -> Statements | tuple[int, str]:
    try:
        return split(text) if old is None else resplit(old, text)
    except SourceError as error:
        return error.line, error.reason


EDITED = [
    ("x = 1\n", ""),
    ("x = 1\n", "x = 1"),
    ("x = 1\ny = 2\n", "x = 1\n    y = 2\n"),
    ("if a:\n    b\nc\n", "if a:\n    b\n    c\n"),
    ("if a:\n    b\nc\n", "if a:\n    b\nelse:\n    d\nc\n"),
    ("try:\n    b\nexcept E: pass\nc\n", "try:\n    b\nexcept E: pass\nfinally: pass\nc\n"),
    ("match a:\n    case 1: b\nc\n", "match a:\n    case 1: b\n    case 2: b\nc\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = (\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 2)\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", 'a = 1\nb = """\nc = 3\n'),
    ('a = 1\nb = 2\nc = """\n"""\n', 'a = 1\nb = """\nc = """\n"""\n'),
    ('a = """\nb = 1\n"""\nc = 1\n', 'a = """\nb = 2\n"""\nc = 1\n'),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 2 + \\\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 2; \\\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\nclass b: x = 2; \\\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\n\\\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\n  \\\nc = 3\n"),
    ("a = 1\nb = 2\nc = 3\n", "a = 1\n@d\nc = 3\n"),
    ("a = 1\nb = 2\ndef c(): pass\n", "a = 1\n@d\ndef c(): pass\n"),
    ("a = 1\nb = 2\nasync def c(): pass\n", "a = 1\n@(\nasync def c(): pass\n"),
    ("a = 1 \\\n\n", "a = 1 \\\n"),
    ("a = 1 \\\n\nb = 1\n", "a = 1 \\\n"),
    ("a = 1\nb = 1\n", "a = 1\nb; \\\n"),
    ("a = 1\nb = 1\n", "a = 1\n\\\n"),
    ("if a:\n  b\n\\\n\nc\n", "if a:\n  b\n  \\\n\nc\n"),
    ("if a:\n  b\n\\\nc\n", "if a:\n  b\n  \\\nc\n"),
    ("if a:\n  b\nc\n", "if a:\n  b\n\\\n  c\n"),
    ("a; b\nc\n", "a; b; c\n"),
    ("a\nb\n", "a;b\n"),
    ('"doc"\na = 1\n', "a = 1\n"),
    ("a = 1\n", '"doc"\na = 1\n'),
    ('"doc"\na = 1\n', '"doc" + "a"\na = 1\n'),
    ('a = 1\n"doc"\n', '"doc"\n'),
    ("a = 1\n", "from __future__ import annotations\na = 1\n"),
    ("from __future__ import annotations\na = 1\n", "a = 0\nfrom __future__ import annotations\na = 1\n"),
    ("a\na\nb\n", "a\nb\n"),
    ("a\nb\na\nb\n", "a\nb\n"),
    ("def f():\n\treturn 1\na\n", "def f():\n        return 1\n\treturn 2\na\n"),
    ("a = 1\n\x0cb = 1\n", "a = 1\n\x0c  b = 1\n"),
    ("a = 1\n\x0cb = 1\n", "a = 1\n  \x0cb = 1\n"),
    ("a = 1\n", "\ufeffa = 1\n"),
    ("a = 1\nb = 1\n", "a = 1\n\ufeffb = 1\n"),
    ("a = 1\n", "a = 1\n\0"),
    ("a = 1\nb = 1\n", "a = 1\rb = 2\r"),
    ("a = 1\nb = '''\n'''\n", "a = 1\nb = '''\r\n'''\n"),
    ("a = 1\nb = 1\n", "# coding: latin-1\na = 1\nb = 1\n"),
    ("# coding: utf-8\na = 'é'\n", "# coding: latin-1\na = 'é'\n"),
    ("class A:\n    def f(self): pass\n    def g(self): pass\n", "class A:\n    def f(self): pass\n"),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n",
        "class A:\n    def f(self): a\n    def g(self):\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\n",
        "class A:\n    def f(self): a\n    def g(self): '''\n    def h(self): c\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\n",
        "class A:\n    def f(self): a\n    @b\n    def h(self): c\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\nd\n",
        "class A:\n    def f(self): a\nclass B:\n    def h(self): c\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    x = '''\n    y'''\nd\n",
        "class A:\n    def f(self): a\n    def g(self): '''\n    x = '''\n    y\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): '''\n    b # '''\nd\n",
        "class A:\n    def f(self): a\n    def g(self): c\n    b # '''\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): '''\n    # '''\nd\n",
        "class A:\n    def f(self): a\n    def g(self): c\n    # '''\nd\n",
    ),
    (
        "class A:\n    if a:\n        def f(): a\n        def g(): a\n    def h(): a\n",
        "class A:\n    if a:\n        def f(): a\n    else:\n        def g(): a\n    def h(): a\n",
    ),
    (
        "class A:\n    def f(self): a\n    x = 'b\\\n    def g(self): b'\n    def h(self): c\n",
        "class A:\n    def f(self): a\n    x = 'c\\\n    def g(self): c'\n    def h(self): c\n",
    ),
    (
        "class A:\n    def f(self): a\n    @b\n    def g(self): b\n    def h(self): c\n",
        "class A:\n    def f(self): a\n    @b\n    x = 1\n    def h(self): c\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\nd\n",
        "class A:\n    def f(self): a\n    b; \\\n    def h(self): c\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\nd\n",
        "class A:\n    def f(self): a\n    \\\n    def h(self): c\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self): b\n    def h(self): c\nd\n",
        "class A:\n    def f(self): a\n    @b\\\n    def h(self): c\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\nd\n",
        "class A:\n    def f(self): a\nelse:\n        b\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\nd\n",
        "class A:\n    def f(self): a\nelse:\n    def g(self):\n        b\nd\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\n        c",
        "class A:\n    def f(self): a\n    def g(self):\n        b \\\n        c",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\n        c",
        "class A:\n    def f(self): a\n    def g(self):\n        b \\\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\n        c \\\n\n",
        "class A:\n    def f(self): a\n    def g(self):\n        d\n        c \\\n",
    ),
    (
        "class A:\n    def f(self): a\n    def g(self):\n        b\n        c \\\n\nd\n",
        "class A:\n    def f(self): a\n    def g(self):\n        e\n        c \\\n\nd\n",
    ),
]


@pytest.mark.parametrize("number", range(len(EDITED)))
def test_an_edit_gives_what_the_whole_text_gives(number: int) -> None:
    """What a text is split into, or refused for, does not depend on the text that was there before."""
    texts = [source(text) for text in EDITED[number]]
    for before, after in itertools.permutations(texts):
        old = outcome(None, before)
        if isinstance(old, Statements):
            assert outcome(old, after) == outcome(None, after)


def test_bytes_are_decoded_anew() -> None:
    """Marks, cookies and line ends are read as `split` reads them, whatever the old text had."""
    forms = [
        b"a = 1\nb = '\xc3\xa9'\n",
        b"\xef\xbb\xbfa = 1\nb = '\xc3\xa9'\n",
        b"# coding: latin-1\na = 1\nb = '\xe9'\n",
        b"# coding: latin-1\na = 1\nb = '\xc3\xa9'\n",
        b"a = 1\r\nb = '\xc3\xa9'\r\n",
        b"a = 1\rb = '\xc3\xa9'\r",
        b"a = 1\nb = '\xe9'\n",
    ]
    for before, after in itertools.product([SourceText.of("x.py", data) for data in forms], repeat=2):
        old = outcome(None, before)
        if isinstance(old, Statements):
            assert outcome(old, after) == outcome(None, after)


SMALL = [path for path in LIBRARY if path.stat().st_size < 30_000]


@given(st.sampled_from(SMALL), st.lists(st.lists(OPERATIONS, min_size=1, max_size=3), min_size=1, max_size=4))
@settings(max_examples=250)
@example(SMALL[0], [[("insert", 3, 0, 12)]])
def test_random_edits_give_what_the_whole_text_gives(
    path: pathlib.Path, edits: list[list[Operation]]
) -> None:
    """Whatever lines of a module come, go or change places, the result is that of splitting it anew."""
    text = library_text(path)
    if text is None:
        return
    old = split(text)
    for operations in edits:
        lines = list(old.lines)
        for operation in operations:
            operate(lines, operation)
        edited = source("\n".join(lines))
        expected = outcome(None, edited)
        assert outcome(old, edited) == expected
        if isinstance(expected, Statements):
            old = expected


def test_only_the_edited_part_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of one line in a long text costs the parsing of its statement, or of its method."""
    functions = "".join(f"def f{n}():\n    return {n}\n\n" for n in range(300))
    methods = "".join(f"    def m{n}(self):\n        return {n}\n\n" for n in range(300))
    text = f"{functions}class A:\n    x = 1\n\n{methods}y = 1\n"
    old = split(source(text))
    lengths: list[int] = []
    parse = statements.parse_decoded

    def parse_measured(decoded: str, path: str) -> ast.Module:
        lengths.append(len(decoded.strip()))
        return parse(decoded, path)

    monkeypatch.setattr(statements, "parse_decoded", parse_measured)
    monkeypatch.setattr(part, "parse_decoded", parse_measured)
    for number in (7, 150, 299):
        line = f"return {number}\n"
        in_function = text.replace(line, "return 0\n", 1)
        in_method = functions + text.removeprefix(functions).replace(line, "return 0\n", 1)
        for edited in (in_function, in_method):
            assert edited != text
            lengths.clear()
            resplit(old, source(edited))
            assert 0 < sum(lengths) < 200


def test_warnings_are_about_no_file() -> None:
    """What the parser warns of names no file of the program, so that only the compiler is heard."""
    before = (
        "x = 1\n" * 20 + "class A:\n    def f(self): pass\n    def g(self): pass\n    def h(self): pass\n"
    )
    for line, text in ((11, 'y = "\\d"'), (23, '    def g(self): return "\\d"')):
        lines = before.split("\n")
        lines[line - 1] = text
        old = split(source(before))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            resplit(old, source("\n".join(lines)))
        assert {each.filename for each in caught} == {LOOKED_AT}


@pytest.mark.parametrize("path", LIBRARY, ids=library_name)
def test_statements_are_the_module(path: pathlib.Path) -> None:
    """Put together, statements parse to the tree of the text; what is left are blank lines and comments."""
    text = library_text(path)
    if text is None:
        pytest.skip("no Python of this version")
    found = split(text)
    whole = ast.Module([node for each in found.statements for node in parsed(each.text)], [])
    assert ast.dump(whole) == ast.dump(ast.parse(text.data))
    rest = list(found.lines)
    for each in found.statements:
        assert found.lines[each.first - 1 : each.last] == tuple(each.text.split("\n"))
        rest[each.first - 1 : each.last] = [""] * (each.last - each.first + 1)
    assert all(not line.strip() or line.lstrip().startswith("#") for line in rest)
