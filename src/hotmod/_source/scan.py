"""The scan of a text for its imports.

Touches: text.

Guarantees: `scan` says what `scan_tree` says of the parsed text, by a cheaper way where that is sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotmod._model.errors import SourceError
from hotmod._source.fastscan import scan_fast
from hotmod._source.memory import remembered
from hotmod._source.parse import decode, parse_decoded
from hotmod._source.treescan import scan_tree

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText
    from hotmod._source.imports import Scan
    from hotmod._source.resolve import ModuleSource

__all__ = ["scan", "scan_fast", "scan_into", "scan_tree", "scanned"]


def scan(text: SourceText) -> Scan:
    """What a source text imports.

    A text that is no Python may go unnoticed here; `parse.check` finds it.

    Raises:
        SourceError: the text can't be decoded or, where it has to be parsed, parsed.
    """
    decoded = decode(text)
    found = scan_fast(decoded)
    return found if found is not None else scan_tree(parse_decoded(decoded, text.path))


@remembered
def scanned(text: SourceText) -> Scan:
    """What `scan` says, remembered: for texts that are asked about at every reload."""
    return scan(text)


def scan_into(
    scans: dict[str, Scan], errors: dict[str, SourceError], module: str, source: ModuleSource
) -> None:
    """Scan the text of a module; a text that can't be read is noted, by its path."""
    try:
        scans[module] = scanned(source.text)
    except SourceError as error:
        errors[error.path] = error
