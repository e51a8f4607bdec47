"""What plans need to know of the loaded modules, worked out before there is anything to plan.

Touches: caches only: facts of texts, compiled texts, and what imports call. Executes nothing of the user's.

Guarantees: the program is not changed, and nothing is decided; work that was not done is done by the plan
that needs it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator

from hotmod._engine.hooks import compile_text
from hotmod._engine.loaded import Ledger
from hotmod._model.errors import SourceError
from hotmod._plan import CallTime, ImportTime, learn
from hotmod._plan.program import Program
from hotmod._source.facts import facts_in
from hotmod._source.graph import ImportGraph
from hotmod._source.resolve import ModuleSource
from hotmod._source.words import words_of

__all__ = ["Ahead"]


class Ahead:
    """The work on the modules of one ledger, done in slices."""

    def __init__(
        self,
        ledger: Ledger,
        graph: Callable[[], ImportGraph],
        import_time: ImportTime,
        call_time: CallTime,
    ) -> None:
        self._ledger, self._graph, self._import_time, self._call_time = ledger, graph, import_time, call_time
        self._steps: Iterator[None] | None = None
        self._count = -1

    def run(self, until: float) -> bool:
        """Work until a moment of `time.perf_counter`; gives whether all is done."""
        if self._steps is None:
            if self._count == len(self._ledger.modules):
                return True
            self._count = len(self._ledger.modules)
            self._steps = self._work()
        for _ in self._steps:
            if time.perf_counter() > until:
                return False
        self._steps = None
        return True

    def _work(self) -> Iterator[None]:
        sources = {
            name: ModuleSource(loaded.text, loaded.is_package)
            for name, loaded in self._ledger.modules.items()
            if loaded.text is not None
        }
        graph = self._graph()
        yield
        graph.cycles()
        yield
        for source in sources.values():
            try:
                words_of(source.text)
                facts_in(source.text)
            except (SourceError, RecursionError, MemoryError):
                continue  # whoever needs it will say what is wrong with it
            yield
        program = Program(sources, set(graph) - sources.keys())
        for each in (self._import_time, self._call_time):
            each.begin(program, (), rewired=False)
        dependents = functools.cache(graph.dependents)
        yield from self._import_time.learn(program, list(sources), dependents)
        yield from learn(program, list(sources), self._call_time, dependents)
        for name, source in sources.items():  # last: a reload needs few of these
            loader = getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
            try:
                compile_text(loader, source.text)
            except (SourceError, SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            yield
