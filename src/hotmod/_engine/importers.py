"""Importers outside the scope that are rebound all the same: the main module and notebooks.

Touches: `sys.modules["__main__"]` and the cell history of IPython, read only.

Guarantees: a name is given as imported only if an import statement that ran binds it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Any

from hotmod._engine.loaded import readable, source_of
from hotmod._live.bindings import ImportedName
from hotmod._live.kinds import is_module
from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.imports import ImportKind
from hotmod._source.scan import scanned

__all__ = ["outside_imports"]


def outside_imports() -> Iterator[tuple[str, dict[str, Any], list[ImportedName]]]:
    """(name, namespace, what its imports bind) of every importer outside the scope to be rebound."""
    main = sys.modules.get("__main__")
    if not is_module(main):
        return
    space = vars(main)
    cells = space.get("In")
    if isinstance(cells, list):
        texts = [SourceText.of("<cell>", _plain(cell).encode()) for cell in cells if isinstance(cell, str)]
    else:
        path = source_of(main)
        text = readable(path) if path else None  # a frozen or deleted program has none
        texts = [text] if text is not None else []
    imported = [name for text in texts for name in _imported(text, space)]
    yield "__main__", space, imported


# What IPython makes of a cell that begins with `%%time`, say, and keeps in the history.
_MAGIC_CELL = re.compile(r"get_ipython\(\)\.run_cell_magic(\(.*\))\s*", re.DOTALL)
_MAGIC_LINE = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)


def _plain(cell: str) -> str:
    """The Python of a cell, where a magic is applied to the whole of it."""
    found = _MAGIC_CELL.fullmatch(cell)
    if found is None:
        return cell
    try:
        *_, body = ast.literal_eval(found[1])
    except (SyntaxError, ValueError):
        return cell
    return _MAGIC_LINE.sub("", str(body))


def _imported(text: SourceText, space: dict[str, Any]) -> list[ImportedName]:
    try:
        statements = scanned(text).statements
    except SourceError:  # a cell with a magic or a typing error in it
        return []
    package = space.get("__package__") or ""
    found = []
    for statement in statements:
        if statement.kind in (ImportKind.DEFERRED, ImportKind.TYPE_CHECKING, ImportKind.DYNAMIC):
            continue
        if not statement.is_from:
            continue
        base = package.rsplit(".", statement.level - 1)[0] if statement.level else ""
        module = ".".join(part for part in (base, statement.module) if part)
        for name, alias in statement.names:
            found.append(
                ImportedName("" if name == "*" else alias or name, module, "" if name == "*" else name)
            )
    return found
