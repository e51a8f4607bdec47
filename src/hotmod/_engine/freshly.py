"""A fresh process that imports modules from texts that it is given, and tells what they are.

Touches: everything that the imported modules touch; standard output.

Guarantees: a module whose text was given is executed from that text, not from its file or a `.pyc`. The
answer is the last line of standard output; what the modules print goes to standard error.

Assumes: runs alone, as the main program of a process that ends with it.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hotmod._live.facts import facts_of

__all__ = ["answer"]


def answer(job: Mapping[str, Any]) -> None:
    """Import what is asked for and print the facts.

    Args:
        job: `texts`, by module its path, whether it is a package, and its bytes in hexadecimal; `modules`,
            the names to import in order; `all`, whether to go on when one can't be imported.
    """
    out = os.dup(1)
    os.dup2(2, 1)  # what the program prints is no answer
    sys.meta_path.insert(0, _Given(job["texts"]))
    failed: dict[str, str] = {}
    for name in job["modules"]:
        try:
            importlib.import_module(name)
        except Exception as error:
            if not job["all"]:
                raise
            failed[name] = f"{type(error).__name__}: {error}"
    facts = facts_of({name: sys.modules[name] for name in job["modules"] if name in sys.modules})
    sys.stdout.flush()
    with os.fdopen(out, "w", encoding="utf-8") as stream:
        stream.write(json.dumps({"facts": facts, "failed": failed}))
    os._exit(0)  # threads that the program has started are of no interest


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a text that it was given."""

    def __init__(self, name: str, path: str, data: bytes) -> None:
        super().__init__(name, path)
        self._data = data

    def get_code(self, fullname: str) -> Any:
        """Compile the text; a `.pyc` may be of another one."""
        return self.source_to_code(self._data, self.get_filename(fullname))


class _Given:
    """Finds the modules whose texts were given."""

    def __init__(self, texts: Mapping[str, Sequence[Any]]) -> None:
        self._texts = texts

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module whose text was given; None for all others."""
        if name not in self._texts:
            return None
        path, is_package, data = self._texts[name]
        places = [os.path.dirname(path)] if is_package else None
        loader = _Loader(name, path, bytes.fromhex(data))
        return importlib.util.spec_from_file_location(
            name, path, loader=loader, submodule_search_locations=places
        )
