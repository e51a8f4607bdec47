"""Assertion rewriting for modules that are going to be edited.

Touches: `sys.meta_path`, one place of it; the private functions of pytest that rewrite.

Guarantees: the same modules are rewritten, in the same way and with the same cached files as under pytest
alone. A module gets a loader that compiles any text with rewriting (`source_to_code`), so that hotmod can
run single statements of it; pytest's own loader can only execute the whole file.
"""

from __future__ import annotations

import ast
import importlib.machinery
import pathlib
import sys
import types
from collections.abc import Sequence
from typing import Any

import pytest
from _pytest.assertion import rewrite

__all__ = ["install"]


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with its asserts rewritten."""

    def __init__(self, name: str, path: str, hook: rewrite.AssertionRewritingHook) -> None:
        super().__init__(name, path)
        self._hook = hook

    def source_to_code(self, data: Any, path: Any, **_: object) -> types.CodeType:  # type: ignore[override]
        """Compile a text, or a part of it, with rewriting."""
        source = data if isinstance(data, bytes) else bytes(data)
        tree = ast.parse(source, filename=path)
        rewrite.rewrite_asserts(tree, source, str(path), self._hook.config)
        return compile(tree, path, "exec", dont_inherit=True)

    def get_code(self, _: str) -> types.CodeType:
        """The code of the file, by way of pytest's cache."""
        hook, path = self._hook, pathlib.Path(self.path)
        state = hook.config.stash[rewrite.assertstate_key]
        cached = rewrite.get_cache_dir(path) / f"{path.name[:-3]}{rewrite.PYC_TAIL}"
        code = rewrite._read_pyc(path, cached, state.trace)  # noqa: SLF001 - there is no public way
        if code is None:
            stamp, code = rewrite._rewrite_test(path, hook.config)  # noqa: SLF001 - the same
            if not sys.dont_write_bytecode and rewrite.try_makedirs(cached.parent):
                rewrite._write_pyc(state, code, stamp, cached)  # noqa: SLF001 - the same
        return code


class _Finder:
    """Stands in the place of pytest's finder."""

    def __init__(self, hook: rewrite.AssertionRewritingHook) -> None:
        self._hook = hook

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """What pytest's finder finds, with the loader above."""
        spec = self._hook.find_spec(name, path, target)
        if spec is not None and spec.loader is self._hook and spec.origin is not None:
            self._hook._rewritten_names[name] = pathlib.Path(spec.origin)  # noqa: SLF001 - its loader does so
            spec.loader = _Loader(name, spec.origin, self._hook)
        return spec


def install(config: pytest.Config) -> None:
    """Let what is imported from now on be rewritten so, where it is rewritten."""
    for place, finder in enumerate(sys.meta_path):
        if isinstance(finder, rewrite.AssertionRewritingHook) and finder.config is config:
            sys.meta_path[place] = _Finder(finder)
