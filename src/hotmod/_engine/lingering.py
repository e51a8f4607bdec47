"""Calls that still run old code: which threads, generators, coroutines and tasks, and where they are.

Touches: nothing of the program; looks at frames and, where generators or coroutines were edited, at the heap.
Lets `sys.monitoring` tell when such code goes on.

Guarantees: a call is told only if no function of its module runs the same program any more. Whether old code
goes on is told once for each piece of code; where Python can't tell that, it is said once.

Assumes: modules of which hotmod has not changed anything run no old code.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import inspect
import itertools
import logging
import os
import sys
import threading
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hotmod._engine.grace import calls_elsewhere
from hotmod._engine.hooks import RAN
from hotmod._engine.loaded import Ledger
from hotmod._engine.saying import say
from hotmod._live.functions import is_forwarding, same_code
from hotmod._live.kinds import is_function
from hotmod._live.modules import space_of
from hotmod._live.stale import codes_in
from hotmod._live.survey import definitions_in
from hotmod._model.hazards import Hazard

if TYPE_CHECKING:
    from hotmod._engine.transaction import Transaction

__all__ = ["Call", "Lingering", "lingering"]

SHOWN = 5  # calls that one hazard names
_monitoring: Any = getattr(sys, "monitoring", None)  # from CPython 3.12 on
_FRAMES = {
    types.GeneratorType: ("generator", "gi_frame"),
    types.CoroutineType: ("coroutine", "cr_frame"),
    types.AsyncGeneratorType: ("async generator", "ag_frame"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A call that runs old code.

    Attributes:
        who: the thread, task, generator or coroutine.
        module: the module of the code.
        code: the code.
        line: where it is.
    """

    who: str
    module: str
    code: types.CodeType
    line: int

    def __str__(self) -> str:
        return f"{self.who} at {os.path.basename(self.code.co_filename)}:{self.line}"


class Lingering:
    """The old code of a scope, as it is now.

    Attributes:
        has_suspended: whether a generator or coroutine with old code was found.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.has_suspended = False
        self._ran = {name: ran for name, ran in RAN.items() if ran.trees and ledger.loaded(name) is not None}
        self._names = {id(space_of(sys.modules.get(name))): name for name in self._ran}
        self._current: dict[str, dict[str, list[types.CodeType]]] = {}

    def calls(self, *, suspended: bool) -> list[Call]:
        """Every call that runs old code.

        Args:
            suspended: whether generators and coroutines are looked for, for which the heap is searched.
        """
        if not self._names:
            return []
        found = list(self._running())
        return found + self._suspended() if suspended else found

    def hazards(self, calls: Iterable[Call]) -> list[Hazard]:
        """The calls, by function."""
        groups: dict[tuple[str, str], list[Call]] = {}
        for call in calls:
            groups.setdefault((call.module, call.code.co_qualname), []).append(call)
        return [
            Hazard(
                "lingering-call",
                module,
                name,
                message=f"{len(group)} call{'s' if len(group) > 1 else ''} of it began before and still "
                f"run{'' if len(group) > 1 else 's'} the code of then",
                advice="The next call is new; a loop that does not end stays old: make its body a function.",
                path=group[0].code.co_filename,
                line=group[0].code.co_firstlineno,
                holders=tuple(map(str, group[:SHOWN])),
            )
            for (module, name), group in groups.items()
        ]

    def _running(self) -> Iterator[Call]:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for thread, each in (*_calls_here(), *calls_elsewhere()):
            module = self._module_of_old(each)
            if module:
                yield Call(f"thread {names.get(thread, thread)}", module, each.f_code, each.f_lineno)

    def _suspended(self) -> list[Call]:
        # No generator: it would find itself, and a frame that refers to itself keeps what it knows.
        found = []
        objects = gc.get_objects()  # many: no step of Python's for each
        frames = list(itertools.compress(objects, map(_FRAMES.__contains__, map(type, objects))))
        del objects
        for one in frames:
            kind, attribute = _FRAMES[type(one)]
            frame = getattr(one, attribute)
            if frame is None or frame.f_back is not None:
                continue  # it has ended, or runs: then its thread was asked
            module = self._module_of_old(frame)
            if module:
                found.append((one, kind, module, frame))
        self.has_suspended = bool(found)
        tasks = _tasks(gc.get_objects()) if found else {}
        return [
            Call(tasks.get(id(one), f"a {kind}"), module, frame.f_code, frame.f_lineno)
            for one, kind, module, frame in found
        ]

    def _module_of_old(self, frame: types.FrameType) -> str:
        """The module in scope whose old code a frame runs; empty if it runs none."""
        module, code = self._names.get(id(frame.f_globals)), frame.f_code
        return module if module is not None and self.is_old(module, code) else ""

    def is_old(self, module: str, code: types.CodeType) -> bool:
        """Whether code of a module is not what the module runs now."""
        if not code.co_flags & inspect.CO_OPTIMIZED or is_forwarding(code) or module not in self._ran:
            return False  # the body of a module or class runs once
        if module not in self._current:
            current = self._current[module] = {}
            for tree in self._ran[module].trees:
                for one in codes_in(tree):
                    current.setdefault(one.co_qualname, []).append(one)
        trees = self._ran[module].trees
        if os.path.basename(trees[0].co_filename) != os.path.basename(code.co_filename):
            return False  # a library made it, as the `__init__` of a dataclass
        return not any(same_code(code, one) for one in self._current[module].get(code.co_qualname, ()))


def _calls_here() -> Iterator[tuple[int, types.FrameType]]:
    """The calls under way in this thread, innermost first.

    Not its own: a frame that refers to itself keeps what it knows until the collector comes.
    """
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - this thread's calls are calls as well
    while frame is not None:
        yield threading.get_ident(), frame
        frame = frame.f_back


def _tasks(objects: Iterable[Any]) -> Mapping[int, str]:
    """The coroutines of tasks, and what these wait for, each with its task."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return {}
    found = {}
    for task in [one for one in objects if isinstance(one, asyncio.Task)]:
        coroutine = task.get_coro()
        while type(coroutine) in (types.CoroutineType, types.GeneratorType):
            found[id(coroutine)] = f"task {task.get_name()}"
            is_generator = type(coroutine) is types.GeneratorType
            coroutine = coroutine.gi_yieldfrom if is_generator else coroutine.cr_await
    return found


class _Monitor:
    """What `sys.monitoring` is asked to tell, for the whole process.

    Attributes:
        tool: the id of hotmod among the tools; 0 until it has one.
        unavailable: why Python can't tell; empty while it is not known.
        watched: the code, by id, with what leads to it and the name by which it is told.
    """

    TOOLS = (4, 3)  # ids that CPython leaves to whoever comes; debuggers and coverage have others

    def __init__(self) -> None:
        self.tool = 0
        self.unavailable = ""
        self.watched: dict[int, tuple[weakref.ref[types.CodeType], str]] = {}

    def is_available(self) -> bool:
        """Whether Python can tell; the first time that it can't is logged."""
        if self.tool or self.unavailable:
            return bool(self.tool)
        if _monitoring is not None:
            free = [tool for tool in self.TOOLS if _monitoring.get_tool(tool) is None]
            if free:
                self.tool = free[0]
                _monitoring.use_tool_id(self.tool, "hotmod")
                events = _monitoring.events
                _monitoring.register_callback(self.tool, events.PY_START, self.started)
                _monitoring.register_callback(self.tool, events.PY_RESUME, self.resumed)
                return True
            self.unavailable = "all tools of sys.monitoring are in use"
        else:
            self.unavailable = "that takes sys.monitoring, which Python has from 3.12 on"
        say(logging.WARNING, "hotmod: whether old code goes on running can't be told: %s", self.unavailable)
        return False

    def watch(self, code: types.CodeType, name: str) -> None:
        """Let Python tell when code starts or goes on."""
        key = id(code)
        if key in self.watched or _monitoring is None:
            return
        self.watched[key] = weakref.ref(code, lambda _: self.watched.pop(key, None)), name
        events = _monitoring.events
        _monitoring.set_local_events(self.tool, code, events.PY_START | events.PY_RESUME)

    def forget(self, codes: Iterable[weakref.ref[types.CodeType]]) -> None:
        """Code is in force again, after a rollback."""
        for code in (ref() for ref in codes):
            known = code is not None and self.watched.pop(id(code), None) is not None
            if known and _monitoring is not None:
                _monitoring.set_local_events(self.tool, code, 0)

    def started(self, code: types.CodeType, _: int) -> object:
        """Python calls this when old code is called."""
        return self._tell(code, "was called")

    def resumed(self, code: types.CodeType, _: int) -> object:
        """Python calls this when a generator or coroutine with old code goes on."""
        return self._tell(code, "went on")

    def _tell(self, code: types.CodeType, what: str) -> object:
        known = self.watched.pop(id(code), None)
        if known is not None:
            say(
                logging.WARNING,
                "old code of %s %s (%s:%d, in thread %s); this is told once",
                known[1],
                what,
                os.path.basename(code.co_filename),
                code.co_firstlineno,
                threading.current_thread().name,
            )
        return _monitoring.DISABLE if _monitoring is not None else None


_monitor = _Monitor()
_with_suspended: weakref.WeakSet[Ledger] = weakref.WeakSet()  # in which the last search found some


def lingering(transaction: Transaction) -> list[Hazard]:
    """The hazards of a transaction that was just committed; what is found is watched from now on."""
    ledger = transaction.ledger
    now = Lingering(ledger)
    suspended = ledger in _with_suspended or transaction.makes_generators()
    calls = now.calls(suspended=suspended)
    if suspended:  # what was found is told until it has ended
        (_with_suspended.add if now.has_suspended else _with_suspended.discard)(ledger)
    codes = [(call.module, call.code) for call in calls]
    codes += [(str(each.__module__), each.__code__) for each in transaction.left.lost]
    codes += [
        (module, value.__code__)
        for module, _, value in definitions_in(transaction.superseded())
        if is_function(value) and now.is_old(module, value.__code__)
    ]
    if codes and _monitor.is_available():
        for module, code in codes:
            _monitor.watch(code, f"{module}:{code.co_qualname}")
        refs = [weakref.ref(code) for _, code in codes]
        transaction.journal.record("watch of old code", functools.partial(_monitor.forget, refs))
    return now.hazards(calls)
