"""From the bytes of a file to its text and its tree, as the compiler reads them.

Touches: bytes only. Warnings that the parser emits (an invalid escape, say) are about a file of the name
`LOOKED_AT`, which the engine has passed over: the compiler tells them again, about the real file.

Guarantees: whatever is wrong with a text comes out as `SourceError` with its path and, where one can
be named, its line; a text that decodes here decodes to what the compiler sees.

Assumes: CPython's rules for cookies (PEP 263), byte order marks and line ends.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText

__all__ = ["LOOKED_AT", "check", "decode", "parse", "parse_decoded"]

LOOKED_AT = "<looked at by hotmod>"
_BOM = b"\xef\xbb\xbf"
_NO_FEATURE = "hotmod_stop_here"


def decode(text: SourceText) -> str:
    r"""The characters of a source text, line ends as `\n`.

    Args:
        text: the bytes of a file.

    Returns:
        What the compiler sees: decoded by cookie or byte order mark (UTF-8 without either), the mark
        removed, `\r\n` and `\r` turned into `\n`.

    Raises:
        SourceError: the bytes hold a NUL, name an unknown encoding or don't fit theirs.
    """
    data = text.data
    nul = data.find(b"\0")
    if nul >= 0:
        raise SourceError(text.path, _line_at(data, nul), "the file contains a NUL byte")
    encoding = "utf-8" if _is_plain(data) else _declared_encoding(text)
    try:
        decoded = data.decode(encoding)
    except UnicodeDecodeError as error:
        reason = f"the bytes are not valid {encoding}: {error.reason}"
        raise SourceError(text.path, _line_at(data, error.start), reason) from error
    except (UnicodeError, LookupError) as error:
        raise SourceError(text.path, 1, f"can't be decoded as {encoding}: {error}") from error
    if "\r" in decoded:
        decoded = decoded.replace("\r\n", "\n").replace("\r", "\n")
    return decoded


def parse(text: SourceText) -> ast.Module:
    """The syntax tree of a source text.

    Raises:
        SourceError: the text can't be decoded, is no Python, or nests deeper than the parser goes.
    """
    return parse_decoded(decode(text), text.path)


def parse_decoded(decoded: str, path: str) -> ast.Module:
    """The syntax tree of a text that `decode` returned for the file `path`.

    Raises:
        SourceError: the text is no Python, or nests deeper than the parser goes.
    """
    try:
        return ast.parse(decoded, LOOKED_AT)
    except SyntaxError as error:
        raise SourceError(path, error.lineno or 0, f"{type(error).__name__}: {error.msg}") from error
    except ValueError as error:
        raise SourceError(path, 0, f"can't be parsed: {error}") from error
    except (RecursionError, MemoryError) as error:
        # CPython's parser reports nesting beyond its stack as one of these, depending on the version.
        raise SourceError(path, 0, f"is nested too deeply to be parsed ({type(error).__name__})") from error


def _is_plain(data: bytes) -> bool:
    """Whether the text has neither a mark nor anything like a cookie in its first two lines."""
    if data.startswith(_BOM):
        return False
    end = data.find(b"\n", data.find(b"\n") + 1)
    head = data[: end if end > 0 else None]
    return b"coding" not in head


def _declared_encoding(text: SourceText) -> str:
    data = text.data
    if b"\r" in data[:1000]:
        # detect_encoding splits at \n only, the compiler at \r as well.
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise SourceError(text.path, 1, str(error)) from error
    return encoding


def _line_at(data: bytes, offset: int) -> int:
    before = data[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1


def check(text: SourceText) -> SourceError | None:
    """What keeps a text from being decoded or parsed; None if nothing does.

    Costs a fraction of `parse`: no tree is built.
    """
    try:
        decoded = decode(text)
    except SourceError as error:
        return error
    # The compiler looks at future statements right after it has parsed. An unknown one ends it there,
    # before any tree is turned into Python objects. It shifts all lines by one, so what is
    # wrong is asked of the parser.
    try:
        compile(f"from __future__ import {_NO_FEATURE}\n{decoded}", LOOKED_AT, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SyntaxError) and error.msg == f"future feature {_NO_FEATURE} is not defined":
            return None
    try:
        parse_decoded(decoded, text.path)
    except SourceError as error:
        return error
    return None
