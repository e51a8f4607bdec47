"""Attributes that others set on a module: monkeypatches and the like, which a new execution would lose.

Touches: nothing; compares namespaces with the names that the modules' texts bind.

Guarantees: a name is called foreign only if the text that ran can't have bound it, and no text about to
run assigns an attribute of that name. Where it is not known which text ran, none is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hotmod._engine.loaded import Ledger
from hotmod._live.definitions import Definitions
from hotmod._live.modules import children, is_submodule
from hotmod._live.namespaces import foreign_names
from hotmod._model.errors import SourceError
from hotmod._source.definitions import bindings
from hotmod._source.scan import scanned

__all__ = ["foreign_attributes", "sets_attribute"]


def foreign_attributes(
    ledger: Ledger, before: Mapping[str, Mapping[str, Any]], definitions: Definitions
) -> dict[str, dict[str, Any]]:
    """By module, the attributes that its own text never bound.

    Args:
        ledger: the texts that the modules were executed from.
        before: the namespaces as they were.
        definitions: what ran again; a kept definition of it is given as it is now.
    """
    texts = [loaded.text for name in before if (loaded := ledger.modules.get(name)) and loaded.text]
    found: dict[str, dict[str, Any]] = {}
    for name, space in before.items():
        loaded = ledger.modules.get(name)
        if loaded is None or loaded.text is None or not loaded.certain:
            continue
        bound = _bound_names(ledger, name)
        if bound is None:
            continue
        for attribute in foreign_names(space, bound, children(name, ledger.modules)):
            if attribute.startswith("__") or is_submodule(name, attribute, space[attribute]):
                continue
            if any(sets_attribute(text.data, attribute.encode()) for text in texts):
                continue
            value = definitions.successor(space[attribute])
            if definitions.key(value) is not None or definitions.key(space[attribute]) is None:
                found.setdefault(name, {})[attribute] = value
    return found


def sets_attribute(data: bytes, attribute: bytes) -> bool:
    """Whether a text looks as if it sets an attribute of that name on something."""
    if attribute not in data:
        return False
    return re.search(rb"\.\s*%b\b\s*[:=,)]|setattr\(.*%b" % (attribute, attribute), data) is not None


def _bound_names(ledger: Ledger, name: str) -> frozenset[str] | None:
    """The names that a module's text binds, star imports included; None when the text can't tell."""
    text = ledger.modules[name].text
    if text is None:
        return None
    try:
        own, imports = bindings(text), scanned(text)
    except SourceError:
        return None
    if own.unsure or any(statement.star for statement in imports.statements):
        return None
    return own.names
