"""Edits of conftests and of other plugins: what pytest has taken from them, and what a session takes anew.

Touches: the plugin manager of a configuration.

Guarantees: fixtures are read by each session. Hooks of a session are what the text says after `adopt`.
Where what ran when pytest was configured may run differently now, `outdated` says so: only a new process has
the right outcome then.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Collection, Iterator, Mapping

import pytest

from hotmod._model.changes import SourceText

__all__ = ["adopt", "files_of", "outdated"]

# Hooks that ran before the first session, and the name that loads more plugins.
_EARLY = frozenset(
    (
        *("pytest_addhooks", "pytest_addoption", "pytest_cmdline_main", "pytest_cmdline_parse"),
        *("pytest_configure", "pytest_load_initial_conftests", "pytest_plugin_registered"),
        *("pytest_plugins", "pytest_unconfigure"),
    )
)
_ANY = "*"


def files_of(config: pytest.Config) -> dict[str, types.ModuleType]:
    """The plugins that are modules, by their files, in the order in which they were registered."""
    return {
        path: plugin
        for _, plugin in config.pluginmanager.list_name_plugin()
        if isinstance(plugin, types.ModuleType) and isinstance(path := vars(plugin).get("__file__"), str)
    }


def outdated(
    path: str,
    before: SourceText | None,
    now: SourceText | None,
    is_changed: Callable[[str, Collection[str]], bool],
    *,
    alone: bool,
) -> str:
    """Why only a new process has the right outcome after an edit; empty if this one has it too.

    Args:
        path: the file of a plugin.
        before: its text when pytest was configured.
        now: its text now.
        is_changed: whether what imports of a file bind to some names may have changed.
        alone: whether there is no other plugin of the user's, before or after which hooks are called.
    """
    if before is None or now is None:
        return "it came or went" if before != now else ""
    try:
        old, new = _Outline(before), _Outline(now)
    except SyntaxError:
        return ""
    changed = old.changed(new)
    if _ANY in changed:
        return "what it does while it is imported has changed"
    if "pytest_plugins" in changed:
        return "it names other plugins"
    for outline in (old, new):
        for hook in sorted(_EARLY & outline.names()):
            used = outline.used_by(hook)
            if not changed.isdisjoint(used) or is_changed(path, used):
                return f"what its {hook} does has changed"
    if old.hooks() != new.hooks() and not (alone and _EARLY.isdisjoint(new.names())):
        return "it has other hooks"
    return ""


def adopt(config: pytest.Config, path: str, before: SourceText, now: SourceText) -> bool:
    """Let the hooks of a plugin be those that its text has now; gives whether that was to be done."""
    try:
        if _Outline(before).hooks() == _Outline(now).hooks():
            return False
    except SyntaxError:
        return False
    plugin = files_of(config)[path]
    manager = config.pluginmanager
    name = manager.get_name(plugin)
    manager.unregister(plugin)
    manager.register(plugin, name)
    return True


class _Outline:
    """The statements of a module."""

    def __init__(self, text: SourceText) -> None:
        self.body = ast.parse(text.data).body

    def names(self) -> set[str]:
        """What the module binds."""
        return {name for statement in self.body for name in _bound(statement)}

    def hooks(self) -> Mapping[str, object]:
        """The hooks, each with what tells pytest how to call it."""
        return {
            statement.name: (ast.dump(statement.args), [ast.dump(each) for each in statement.decorator_list])
            for statement in self.body
            if isinstance(statement, ast.FunctionDef) and statement.name.startswith("pytest_")
        }

    def changed(self, other: _Outline) -> set[str]:
        """The names that another text binds by other statements; `*` where one binds none."""
        mine, others = ({ast.dump(each): each for each in body} for body in (self.body, other.body))
        differing = [mine.get(key) or others[key] for key in mine.keys() ^ others.keys()]
        return {name for statement in differing for name in _bound(statement) or (_ANY,)}

    def used_by(self, name: str) -> set[str]:
        """The names that a definition uses, directly or through others of the module, and its own."""
        found, left = {name}, {name}
        while left:
            current = left.pop()
            for statement in self.body:
                if current in _bound(statement):
                    new = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - found
                    found |= new
                    left |= new
        return found


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement binds; none where it may do something else as well."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return ["__doc__"]
    targets: Iterator[ast.expr] | list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(list(targets)) else []
