"""From bytes to text and tree: what the compiler accepts, and what is wrong with the rest."""

from __future__ import annotations

import ast
import pickle

import pytest

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.parse import check, decode, parse

GOOD = {
    "empty": (b"", ""),
    "utf-8": ("x = 'é'\n".encode(), "x = 'é'\n"),
    "bom": (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
    "bom-and-cookie": (b"\xef\xbb\xbf# coding: utf-8\nx = 1\n", "# coding: utf-8\nx = 1\n"),
    "crlf": (b"x = 1\r\ny = '''a\r\nb'''\r\n", "x = 1\ny = '''a\nb'''\n"),
    "cr": (b"x = 1\ry = 2\r", "x = 1\ny = 2\n"),
    "latin-1": (b"# coding: latin-1\nx = '\xe9'\n", "# coding: latin-1\nx = 'é'\n"),
    "cookie-on-line-2": (
        b"#!x\n# -*- coding: cp1252 -*-\nx = '\x80'\n",
        "#!x\n# -*- coding: cp1252 -*-\nx = '€'\n",
    ),
    "cookie-after-cr": (b"#!x\r# coding: latin-1\rx = '\xe9'\r", "#!x\n# coding: latin-1\nx = 'é'\n"),
    "cookie-too-late": ("\n\n# coding: latin-1\nx = 'é'\n".encode(), "\n\n# coding: latin-1\nx = 'é'\n"),
}


def text(data: bytes) -> SourceText:
    return SourceText.of("/shop/cart.py", data)


@pytest.mark.parametrize("form", GOOD)
def test_bytes_decode_to_what_the_compiler_sees(form: str) -> None:
    """The decoded text runs to the same values as the bytes themselves."""
    data, expected = GOOD[form]
    assert decode(text(data)) == expected
    from_bytes: dict[str, object] = {}
    from_text: dict[str, object] = {}
    exec(compile(data, "x", "exec"), from_bytes)
    exec(
        compile(expected.encode(), "x", "exec")
        if "coding" not in expected
        else compile(expected, "x", "exec"),
        from_text,
    )
    del from_bytes["__builtins__"], from_text["__builtins__"]
    assert from_bytes == from_text


UNDECODABLE = {
    "nul": (b"x = 1\ny = '\0'\n", 2),
    "not-utf-8": (b"x = 1\n\n# \xff\n", 3),
    "not-utf-8-crlf": (b"x = 1\r\n\r# \xff\n", 3),
    "unknown-cookie": (b"# coding: klingon\nx = 1\n", 1),
    "bom-against-cookie": (b"\xef\xbb\xbf# coding: latin-1\n", 1),
    "not-what-the-cookie-says": (b"# coding: ascii\nx = '\xe9'\n", 2),
    "no-text-encoding": (b"# coding: hex\nx = 1\n", 1),
}


@pytest.mark.parametrize("form", UNDECODABLE)
def test_what_can_not_be_decoded_is_told_with_its_line(form: str) -> None:
    """Every failure to decode is a `SourceError` that names file and line."""
    data, line = UNDECODABLE[form]
    with pytest.raises(SourceError) as caught:
        decode(text(data))
    assert (caught.value.path, caught.value.line) == ("/shop/cart.py", line)
    assert check(text(data)) is not None


UNPARSABLE = {
    "syntax": (b"x = 1\ny = = 2\n", 2),
    "unclosed": (b"x = (\n", 1),
    "indentation": (b"if x:\npass\n", 2),
    "tabs": (b"if x:\n\ty\n        z\n", 3),
    "half-a-string": (b'x = 1\ny = """\n', 2),
}


@pytest.mark.parametrize("form", UNPARSABLE)
def test_what_can_not_be_parsed_is_told_with_its_line(form: str) -> None:
    """Parsing and the cheaper check agree on file, line and reason."""
    data, line = UNPARSABLE[form]
    with pytest.raises(SourceError) as caught:
        parse(text(data))
    error = caught.value
    assert (error.path, error.line) == ("/shop/cart.py", line)
    checked = check(text(data))
    assert checked is not None
    assert (checked.path, checked.line, checked.reason) == (error.path, error.line, error.reason)
    assert pickle.loads(pickle.dumps(error)).line == line


@pytest.mark.parametrize("data", [b"(" * 5_000 + b")" * 5_000, b"x = " + b"-" * 200_000 + b"1"])
def test_a_text_that_nests_too_deeply_is_an_error_like_any_other(data: bytes) -> None:
    """The parser's limits come out as `SourceError`, not as the end of the program."""
    with pytest.raises(SourceError):
        parse(text(data))
    assert check(text(data)) is not None


def test_a_good_text_parses_and_checks() -> None:
    """Parsing gives the tree, checking nothing to complain of, future statements included."""
    good = text(b'"""Doc."""\nfrom __future__ import annotations\nx = 1\n')
    assert ast.dump(parse(good)) == ast.dump(ast.parse(good.data))
    assert check(good) is None
