"""Assertion rewriting for modules that are going to be edited.

Touches: `sys.meta_path`, one place of it; the private functions of pytest that rewrite.

Guarantees: the same modules are rewritten, in the same way and with the same cached files as under pytest
alone. A module gets a loader that compiles any text with rewriting (`source_to_code`), so that hotmod can
run single statements of it; pytest's own loader can only execute the whole file. Of a file that is compiled
again, only functions and classes with another text are rewritten again.

Assumes: how pytest rewrites a function or a class depends on its text alone, apart from numbers of lines.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.machinery
import pathlib
import re
import sys
import types
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from _pytest.assertion import rewrite

from hotmod._engine.texts import forget_bytecode

__all__ = ["Rewriter", "forget_cached", "install"]

FILES = 16  # of so many the rewritten statements are kept, which take some hundred times what the text takes
_NEWLINE = re.compile(rb"\r\n|\r|\n")


class Rewriter:
    """Rewrites the asserts of texts, of which many differ little from the one before."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._known: dict[str, dict[bytes, ast.stmt]] = {}  # by path and text, in the order of last use

    def tree(self, source: bytes, path: str) -> ast.Module:
        """The tree of a text, with its asserts rewritten."""
        tree = ast.parse(source, filename=path)
        # with this option numbers of lines are part of what is rewritten
        if self._config.getini("enable_assertion_pass_hook") or b"PYTEST_DONT_REWRITE" in source:
            rewrite.rewrite_asserts(tree, source, path, self._config)
            return tree
        lines = _NEWLINE.split(source)
        known, now = self._known.pop(path, {}), {}
        rewritten: dict[ast.stmt, ast.stmt] = {}
        for place, statement in enumerate(tree.body):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            first = min(node.lineno for node in (statement, *statement.decorator_list))
            # the first two lines may tell the encoding
            key = b"\n".join((*lines[:2], *lines[first - 1 : statement.end_lineno]))
            now[key] = before = known.pop(key, statement)
            if before is not statement:
                _move(before, statement.lineno - before.lineno)
                tree.body[place] = ast.Pass(lineno=first, col_offset=0)
                rewritten[tree.body[place]] = before
        rewrite.rewrite_asserts(tree, source, path, self._config)
        tree.body = [rewritten.get(statement, statement) for statement in tree.body]
        self._known[path] = now
        if len(self._known) > FILES:
            del self._known[next(iter(self._known))]
        return tree


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with its asserts rewritten."""

    def __init__(
        self, name: str, path: str, hook: rewrite.AssertionRewritingHook, rewriter: Rewriter
    ) -> None:
        super().__init__(name, path)
        self._hook, self._rewriter = hook, rewriter

    def source_to_code(self, data: Any, path: Any, **_: object) -> types.CodeType:  # type: ignore[override]
        """Compile a text, or a part of it, with rewriting."""
        source = data if isinstance(data, bytes) else bytes(data)
        tree = self._rewriter.tree(source, str(path))
        return compile(tree, path, "exec", dont_inherit=True)

    def get_code(self, _: str) -> types.CodeType:
        """The code of the file, by way of pytest's cache."""
        hook, path = self._hook, pathlib.Path(self.path)
        state = hook.config.stash[rewrite.assertstate_key]
        cached = _cached(path)
        code = rewrite._read_pyc(path, cached, state.trace)  # noqa: SLF001 - there is no public way
        if code is None:
            stamp, code = rewrite._rewrite_test(path, hook.config)  # noqa: SLF001 - the same
            if not sys.dont_write_bytecode and rewrite.try_makedirs(cached.parent):
                rewrite._write_pyc(state, code, stamp, cached)  # noqa: SLF001 - the same
        return code


def forget_cached(sources: Iterable[str]) -> None:
    """Remove the cached code of some files, Python's and pytest's, so that a fresh process compiles these.

    The stamp of such a cache knows seconds and sizes: it may fit a text that was saved sooner.
    """
    sources = [*sources]
    forget_bytecode(sources)
    for source in map(pathlib.Path, sources):
        with contextlib.suppress(OSError):  # there is none, or it is not ours
            _cached(source).unlink()


def _cached(path: pathlib.Path) -> pathlib.Path:
    return rewrite.get_cache_dir(path) / f"{path.name[:-3]}{rewrite.PYC_TAIL}"


class _Finder:
    """Stands in the place of pytest's finder."""

    def __init__(self, hook: rewrite.AssertionRewritingHook) -> None:
        self._hook, self._rewriter = hook, Rewriter(hook.config)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """What pytest's finder finds, with the loader above."""
        spec = self._hook.find_spec(name, path, target)
        if spec is not None and spec.loader is self._hook and spec.origin is not None:
            self._hook._rewritten_names[name] = pathlib.Path(spec.origin)  # noqa: SLF001 - its loader does so
            spec.loader = _Loader(name, spec.origin, self._hook, self._rewriter)
        return spec


def install(config: pytest.Config) -> None:
    """Let what is imported from now on be rewritten so, where it is rewritten."""
    for place, finder in enumerate(sys.meta_path):
        if isinstance(finder, rewrite.AssertionRewritingHook) and finder.config is config:
            sys.meta_path[place] = _Finder(finder)


def _move(statement: ast.stmt, lines: int) -> None:
    """Have a statement stand some lines further down."""
    if not lines:
        return
    left: list[ast.AST] = [statement]
    seen = set()  # what is rewritten has nodes at several places
    while left:
        node = left.pop()
        if node in seen:
            continue
        seen.add(node)
        left += ast.iter_child_nodes(node)
        for name in ("lineno", "end_lineno"):
            number = getattr(node, name, None)
            if number is not None:
                setattr(node, name, number + lines)
