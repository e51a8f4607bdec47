"""Statements whose effect reaches beyond their module: handlers, threads, exit functions, registrations.

Touches: syntax trees.

Guarantees: only calls that the text spells by the usual names, made while the module body runs, are
found; a module may have other effects.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.memory import remembered
from hotmod._source.parse import parse

__all__ = ["Effect", "effects", "is_main_guard", "running_calls"]

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
# methods by which an object is told of a function: as decorators, and as statements
_DECORATORS = frozenset(
    (
        *("route", "get", "post", "put", "delete", "patch", "websocket", "middleware", "errorhandler"),
        *("exception_handler", "before_request", "after_request", "teardown_request", "context_processor"),
        *("command", "group", "callback", "task", "on", "on_event", "event", "connect", "connect_via"),
        *("subscribe", "receiver", "listens_for", "listen", "listener", "register", "handler", "handle"),
        *("job", "scheduled_job", "periodic_task", "hook"),
    )
)
_TELLING = frozenset(
    (
        *("connect", "subscribe", "register", "on", "listen", "observe", "attach", "schedule", "mount"),
        *("add_listener", "add_event_listener", "add_event_handler", "add_exception_handler", "add_job"),
        *("add_url_rule", "add_route", "add_api_route", "add_websocket_route", "add_middleware", "add_task"),
        *("add_command", "add_typer", "include_router", "register_blueprint", "register_error_handler"),
    )
)
_REGISTERS = "registers something with an object that was there before"


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """One statement with an effect outside.

    Attributes:
        line: where it stands, counted from 1.
        call: the call as the text spells it.
        what: what it does, in words.
        owner: for a registration, the dotted name of the object that is told of something; empty for others.
    """

    line: int
    call: str
    what: str
    owner: tuple[str, ...] = ()


@remembered
def effects(text: SourceText) -> tuple[Effect, ...]:
    """The effects of running a module's text, by line; none for a text that can't be parsed."""
    try:
        tree = parse(text)
    except SourceError:
        return ()
    started = _starters(tree)
    found = [effect for call in running_calls(tree.body) for effect in _of(call, started)]
    found += _registrations(tree.body)
    return tuple(sorted(found, key=lambda effect: effect.line))


def running_calls(body: Iterable[ast.stmt]) -> Iterator[ast.Call]:
    """The calls that run with statements of a module body: those in bodies of functions are left out."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += node.decorator_list
        elif isinstance(node, ast.If) and is_main_guard(node.test):
            todo += node.orelse
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Call):
                yield node
            todo += ast.iter_child_nodes(node)


def _registrations(body: list[ast.stmt]) -> Iterator[Effect]:
    """The calls and decorators of a module body that tell an object of something."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                yield from _registration(decorator, _DECORATORS)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _registration(node.value, _TELLING)
        elif isinstance(node, ast.If) and not is_main_guard(node.test):
            yield from _registrations([*node.body, *node.orelse])
        elif isinstance(node, (ast.For, ast.While, ast.With)):
            yield from _registrations(node.body)
        elif isinstance(node, ast.Try):
            yield from _registrations([*node.body, *node.orelse, *node.finalbody])


def _registration(node: ast.expr, verbs: frozenset[str]) -> Iterator[Effect]:
    function = node.func if isinstance(node, ast.Call) else node
    *owner, last = _dotted(function).split(".")
    if owner and last in verbs and isinstance(_first(function), ast.Name):
        yield Effect(node.lineno, ".".join((*owner, last)), _REGISTERS, tuple(owner))


def _first(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def is_main_guard(test: ast.expr) -> bool:
    """Whether a test is that of `if __name__ == "__main__"`."""
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
