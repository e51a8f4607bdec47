"""What is known of the registries of web frameworks, task queues and the like.

Touches: the objects given to it.

Guarantees: no library is imported; an object is recognised by its attributes.
"""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from hotmod._live.heap import CACHE
from hotmod._live.parts import parts_of
from hotmod._live.state import instance_dict

__all__ = ["KNOWN", "Around", "RegistryAdapter", "Taken", "refuses_repetition"]

_CACHE: Any = CACHE
Undo = Callable[[], object] | None


class Taken:
    """Says whether an object was registered by a statement that runs again or is gone.

    Args:
        holds: the question.
        found: gives an object that the program leads to by its id, None if none is known.
    """

    def __init__(self, holds: Callable[[Any], bool], found: Callable[[int], Any]) -> None:
        self._holds = holds
        self.found = found

    def __call__(self, value: Any) -> bool:
        """Whether it was, or holds what was."""
        if value is None:
            return False
        return self._holds(value) or any(
            type(each) is types.FunctionType and self._holds(each) for each in parts_of(value)
        )


Around = Callable[[Any, Taken], Iterator[Undo]]


@dataclasses.dataclass(frozen=True, slots=True)
class RegistryAdapter:
    """How the registries of one library are brought up to date; see `register_registry_adapter`.

    Attributes:
        detect: whether an object is one of them; None for one that belongs to the library itself.
        around: a generator function around the running of statements.
    """

    detect: Callable[[Any], bool] | None
    around: Around


def _having(*names: str) -> Callable[[Any], bool]:
    wanted = frozenset(names)

    def detect(value: Any) -> bool:
        space = instance_dict(value)
        return space is not None and wanted <= space.keys()

    return detect


# Flask: rules know a view by the name of its endpoint; an application that has answered, and a blueprint that
# was registered, refuse new views; what is added to a blueprint later does not reach its applications


def _around_flask(app: Any, taken: Taken) -> Iterator[Undo]:
    prints = dict(app.blueprints)
    opened = [(app, "_got_first_request"), *((each, "_got_registered_once") for each in prints.values())]
    before = [(each, name, vars(each)[name]) for each, name in opened if name in vars(each)]
    deferred = {id(each): list(each.deferred_functions) for each in prints.values()}
    endpoints = {name for name, view in app.view_functions.items() if taken(view)}
    renewed = {name for name, each in prints.items() if taken(each)}
    endpoints |= {name for name in app.view_functions if name.rpartition(".")[0] in renewed}
    views = {name: app.view_functions[name] for name in endpoints}
    rules, undo = _without_rules(app.url_map, endpoints)
    for each, name, _ in before:
        setattr(each, name, False)
    for name in endpoints:
        del app.view_functions[name]
    for name in renewed:
        del app.blueprints[name]

    def back() -> None:
        app.view_functions.update(
            {name: view for name, view in views.items() if name not in app.view_functions}
        )
        app.blueprints.update({name: prints[name] for name in renewed})
        for each, name, value in before:
            setattr(each, name, value)
        undo()

    yield back
    for name, each in prints.items():
        if name not in renewed:
            had = {id(one) for one in deferred[id(each)]}
            fresh = [one for one in each.deferred_functions if id(one) not in had]
            _replay(app, name, each, fresh, _prefix(name, deferred[id(each)], rules))
    for each, name, value in before:
        setattr(each, name, value)


def _without_rules(table: Any, endpoints: set[str]) -> tuple[list[Any], Callable[[], None]]:
    """Take the rules of some endpoints out of a map; gives all rules, and how it is undone."""
    rules = list(table.iter_rules())
    names = ("_matcher", "_rules_by_endpoint")
    before = [(name, vars(table)[name]) for name in names]
    kept = {name: list(each) for name, each in before[1][1].items() if name not in endpoints}
    matcher = type(before[0][1])(before[0][1].merge_slashes)
    for rule in rules:
        if rule.endpoint not in endpoints and not rule.build_only:
            matcher.add(rule)
    if endpoints:
        table._matcher, table._rules_by_endpoint, table._remap = matcher, kept, True  # noqa: SLF001

    def undo() -> None:
        for name, value in before:
            setattr(table, name, value)
        table._remap = True  # noqa: SLF001

    if not endpoints:  # what is only added goes into copies as well, so that it can be taken back
        table._matcher, table._rules_by_endpoint, table._remap = matcher, kept, True  # noqa: SLF001
    return rules, undo


def _replay(app: Any, name: str, blueprint: Any, fresh: list[Any], prefix: str | None) -> None:
    """Let an application know what was added to a blueprint since it was registered there."""
    if not fresh:
        return
    above, _, own = name.rpartition(".")
    options: dict[str, Any] = {"name": own, "name_prefix": above}
    if prefix is not None:
        options["url_prefix"] = prefix or None
    state = blueprint.make_setup_state(app, options, first_registration=False)
    for one in fresh:
        one(state)


def _prefix(name: str, deferred: list[Any], rules: list[Any]) -> str | None:
    """The prefix under which an application has the rules of a blueprint; None if it has none."""
    for one in deferred:
        cells = dict(zip(one.__code__.co_freevars, one.__closure__ or (), strict=True))
        if not {"rule", "endpoint", "view_func"} <= cells.keys():
            continue  # no rule: a hook
        path, endpoint, view = (cells[each].cell_contents for each in ("rule", "endpoint", "view_func"))
        endpoint = endpoint or getattr(view, "__name__", "")
        for rule in rules:
            if rule.endpoint == f"{name}.{endpoint}" and rule.rule.endswith(path):
                return str(rule.rule.removesuffix(path))
    return None


# Starlette and FastAPI: what is computed from the routes is computed anew; middleware may be added


def _around_router(router: Any, taken: Taken) -> Iterator[Undo]:
    del taken
    before = list(router.routes)

    def undo() -> None:
        _tell_router(router)

    yield undo
    if list(map(id, before)) != list(map(id, router.routes)):
        _tell_router(router)


def _tell_router(router: Any) -> None:
    mark = getattr(router, "_mark_routes_changed", None)
    if mark is not None:
        mark()


def _routes_of(app: Any) -> list[int]:
    """The routes of an application, those of included routers as well, by their ids."""
    found, left = [], list(app.router.routes)
    while left:
        route = left.pop()
        found.append(id(route))
        left += getattr((instance_dict(route) or {}).get("original_router"), "routes", ())
    return found


def _around_asgi(app: Any, taken: Taken) -> Iterator[Undo]:
    del taken
    stack = app.middleware_stack
    before = list(app.user_middleware), dict(app.exception_handlers), _routes_of(app)
    app.middleware_stack = None

    def undo() -> None:
        app.middleware_stack = stack
        if "openapi_schema" in vars(app):
            app.openapi_schema = None

    yield undo
    if (list(app.user_middleware), dict(app.exception_handlers)) == before[:2]:
        app.middleware_stack = stack  # else it is built anew, by the next request
    if "openapi_schema" in vars(app) and _routes_of(app) != before[2]:
        app.openapi_schema = None
        for route in app.router.routes:  # what was worked out of the routes of included routers
            for name in ("_effective_candidates", "_effective_low_priority_routes"):
                if name in (instance_dict(route) or {}):
                    setattr(route, name, [])
                    setattr(route, f"{name}_version", None)
        for value in list(vars(sys.modules.get("fastapi.dependencies.models", sys)).values()):
            if type(value) is _CACHE:  # it remembers what it was asked about: functions that are gone
                value.cache_clear()


# Celery: a task stays under its name, whatever is registered under that name later


def _around_celery(app: Any, taken: Taken) -> Iterator[Undo]:
    tasks = vars(app).get("_tasks")
    tasks = app.tasks if tasks is None else tasks
    gone = {name: task for name, task in tasks.items() if _is_taken(task, taken)}
    for name in gone:
        dict.pop(tasks, name)

    def undo() -> None:
        for name, task in gone.items():
            dict.__setitem__(tasks, name, task)

    yield undo


def _is_taken(task: Any, taken: Taken) -> bool:
    function = getattr(type(task), "run", None)
    return taken(task) or taken(function)


def _around_shared(_: None, taken: Taken) -> Iterator[Undo]:
    """Tasks are made for applications that come later, too: each leaves a function that makes it again."""
    makers: set[Any] = getattr(sys.modules.get("celery._state"), "_on_app_finalizers", set())
    gone = {maker for maker in makers if taken(maker)}
    makers -= gone
    yield lambda: makers.update(gone)


# SQLAlchemy: listeners are known to the library by the ids of what they listen to


def _around_events(_: None, taken: Taken) -> Iterator[Undo]:
    registry, event = sys.modules.get("sqlalchemy.event.registry"), sys.modules.get("sqlalchemy.event")
    removed: list[tuple[Any, str, Any]] = []
    if registry is not None and event is not None:
        for listeners in list(registry._collection_to_key.values()):  # noqa: SLF001 - nothing else lists them
            for ref, (target, name, key) in list(listeners.items()):
                listener = ref()
                function = next((one for one in (listener, *parts_of(listener)) if id(one) == key), None)
                where = taken.found(target)
                if (
                    function is not None
                    and where is not None
                    and taken(function)
                    and event.contains(where, name, function)
                ):
                    event.remove(where, name, function)
                    removed.append((where, name, function))

    def undo() -> None:
        for where, name, function in removed:
            if event is not None and not event.contains(where, name, function):
                event.listen(where, name, function)

    yield undo if removed else None


# argparse: a parser holds no state of the program, and nothing that was added to it can be taken out again

_PARSER = frozenset(("_option_string_actions", "_defaults"))
_CHOOSER = frozenset(("_name_parser_map", "_choices_actions"))


def refuses_repetition(value: Any) -> bool:
    """Whether an object has to be made anew when something that was told to it changes."""
    space = instance_dict(value)
    return space is not None and any(names <= space.keys() for names in (_PARSER, _CHOOSER))


KNOWN = (
    RegistryAdapter(_having("url_map", "view_functions", "_got_first_request", "blueprints"), _around_flask),
    RegistryAdapter(_having("middleware_stack", "user_middleware", "router"), _around_asgi),
    RegistryAdapter(_having("routes", "_routes_version"), _around_router),
    RegistryAdapter(_having("_tasks", "_pending", "finalized", "task_cls"), _around_celery),
    RegistryAdapter(None, _around_shared),
    RegistryAdapter(None, _around_events),
)
