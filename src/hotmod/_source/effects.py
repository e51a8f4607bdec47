"""Statements whose effect reaches beyond the process's modules: handlers, threads, exit functions.

Touches: syntax trees.

Guarantees: only calls that the text spells by the usual names, made while the module body runs, are
found; a module may have other effects.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.memory import remembered
from hotmod._source.parse import parse

__all__ = ["Effect", "effects"]

# dotted names of calls, by their last two parts, and what they do
_CALLS = {
    "atexit.register": "registers a function to be called at exit",
    "signal.signal": "installs a signal handler",
    "os.register_at_fork": "registers functions to be called at fork",
    "logging.basicConfig": "configures logging",
    "logging.config.dictConfig": "configures logging",
    "subprocess.Popen": "starts a process",
    "subprocess.run": "runs a process",
    "os.system": "runs a process",
    "codecs.register": "registers a codec",
    "copyreg.pickle": "registers a pickle function",
    "locale.setlocale": "sets the locale",
    "multiprocessing.set_start_method": "sets the start method of processes",
    "sys.setrecursionlimit": "sets the recursion limit",
    "threading.setprofile": "installs a profile function",
    "sys.settrace": "installs a trace function",
}
_METHODS = {
    "addHandler": "adds a logging handler",
    "start": "starts a thread, process or server",
    "add_signal_handler": "installs a signal handler",
}
_STARTED = ("Thread", "Timer", "Process")


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One statement with an effect outside.

    Attributes:
        line: where it stands, counted from 1.
        call: the call as the text spells it.
        what: what it does, in words.
    """

    line: int
    call: str
    what: str


@remembered
def effects(text: SourceText) -> tuple[Effect, ...]:
    """The effects of running a module's text, by line; none for a text that can't be parsed."""
    try:
        tree = parse(text)
    except SourceError:
        return ()
    started = _starters(tree)
    found = [effect for call in _running_calls(tree) for effect in _of(call, started)]
    return tuple(sorted(found, key=lambda effect: effect.line))


def _running_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls in the module body, bodies of functions left out."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += node.decorator_list
        elif isinstance(node, ast.If) and _is_main_guard(node.test):
            todo += node.orelse
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Call):
                yield node
            todo += ast.iter_child_nodes(node)


def _is_main_guard(test: ast.expr) -> bool:
    left = test.left if isinstance(test, ast.Compare) else None
    return isinstance(left, ast.Name) and left.id == "__name__"


def _starters(tree: ast.Module) -> frozenset[str]:
    """Names that the module binds to something that can be started."""
    found = set()
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if _dotted(node.value.func).rpartition(".")[2] in _STARTED:
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(found)


def _of(call: ast.Call, started: frozenset[str]) -> Iterator[Effect]:
    name = _dotted(call.func)
    last = name.rpartition(".")[2]
    if name in _CALLS:
        yield Effect(call.lineno, name, _CALLS[name])
    elif last == "start" and isinstance(call.func, ast.Attribute):
        owner = call.func.value
        made = isinstance(owner, ast.Call) and _dotted(owner.func).rpartition(".")[2] in _STARTED
        if made or (isinstance(owner, ast.Name) and owner.id in started):
            yield Effect(call.lineno, f"{name or '....start'}()", _METHODS["start"])
    elif last in ("addHandler", "add_signal_handler"):
        yield Effect(call.lineno, name, _METHODS[last])


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or attribute; for an attribute of something else, from that attribute on."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))
