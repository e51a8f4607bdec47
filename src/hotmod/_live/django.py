"""What Django remembers of a project's URLs and settings, and how it is told that they changed.

Django asks the modules that the settings name for their URL patterns once, and copies the settings module
once.

Touches: the resolvers that URL patterns of the program hold, Django's caches of resolvers, its settings
object.

Guarantees: Django is not imported; where it is not loaded nothing happens. A setting that Django has used up
when it started is not changed: the reload is refused. Receivers of Django's own signal `setting_changed` are
told of every other one.

Assumes: a setting that Django does not define is read where it is used, or by a receiver of that signal.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from hotmod._live.frameworks import RegistryAdapter, Taken, Undo
from hotmod._live.journal import Journal
from hotmod._live.state import instance_dict
from hotmod._model.errors import HotmodError

__all__ = ["KNOWN", "follow_settings"]

_MISSING = object()
_RESOLVER = frozenset(("urlconf_name", "_reverse_dict", "_namespace_dict", "_app_dict", "_populated"))

# Settings of Django that it reads each time it needs them.
READ_AGAIN = frozenset((
    "ADMINS",
    "ALLOWED_HOSTS",
    "APPEND_SLASH",
    "DISALLOWED_USER_AGENTS",
    "INTERNAL_IPS",
    "LOGIN_REDIRECT_URL",
    "LOGIN_URL",
    "LOGOUT_REDIRECT_URL",
    "MANAGERS",
    "PREPEND_WWW",
    "SESSION_COOKIE_AGE",
    "SESSION_SAVE_EVERY_REQUEST",
))  # fmt: skip


# URLs: a resolver keeps the patterns of its module, the resolvers of all modules are kept by name


def _is_resolver(value: Any) -> bool:
    space = instance_dict(value)
    return space is not None and space.keys() >= _RESOLVER


def _around_resolver(resolver: Any, taken: Taken) -> Iterator[Undo]:
    del taken
    yield lambda: _forget_patterns(resolver)
    _forget_patterns(resolver)


def _forget_patterns(resolver: Any) -> None:
    space = vars(resolver)
    for name in ("url_patterns", "urlconf_module"):
        space.pop(name, None)
    space.update(_reverse_dict={}, _namespace_dict={}, _app_dict={}, _callback_strs=set(), _populated=False)


def _around_urls(_: None, taken: Taken) -> Iterator[Undo]:
    del taken
    yield _forget_resolvers
    _forget_resolvers()


def _forget_resolvers() -> None:
    clear = getattr(sys.modules.get("django.urls"), "clear_url_caches", None)
    if clear is not None:
        clear()


# Settings: an object holds a copy of each value of the module


def follow_settings(journal: Journal, before: Mapping[str, Mapping[str, Any]]) -> None:
    """Let Django's settings follow the module that they come from, if it is among those that ran.

    Args:
        journal: where it is noted how they are put back.
        before: the namespaces of these modules as they were.

    Raises:
        HotmodError: Django has used a setting when it started. No setting was changed.
    """
    lazy: Any = getattr(sys.modules.get("django.conf"), "settings", None)
    copy: Any = (instance_dict(lazy) or {}).get("_wrapped")
    while "default_settings" in (instance_dict(copy) or {}):  # under what a test overrides
        copy = copy.default_settings
    source = (instance_dict(copy) or {}).get("SETTINGS_MODULE", "")
    module = sys.modules.get(source)
    if module is None or source not in before:
        return
    had, has = _settings_of(before[source]), _settings_of(vars(module))
    changed = [name for name in {**had, **has} if _differ(had.get(name, _MISSING), has.get(name, _MISSING))]
    defaults = sys.modules["django.conf.global_settings"]
    for name in changed:
        if name not in READ_AGAIN and hasattr(defaults, name):
            msg = f"Django has used the setting {name} when it started"
            raise HotmodError(msg, advice="Restart the process, or take the edit back.")
    for name in changed:
        undo = functools.partial(_tell, lazy, copy, name, vars(copy).get(name, _MISSING), enter=False)
        journal.record(f"setting {name} of Django", undo)
        _tell(lazy, copy, name, has.get(name, getattr(defaults, name, _MISSING)), enter=True)


def _settings_of(space: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in space.items() if name.isupper()}


def _differ(had: Any, has: Any) -> bool:
    """Whether a setting is another one; what Django has put into it since is no difference."""
    if had is has:
        return False
    if type(had) is type(has) is dict:
        added = [name for name in had if name not in has]
        return not all(_is_default(name, had[name]) for name in added) or any(
            _differ(had.get(name, _MISSING), value) for name, value in has.items()
        )
    return type(had) is not type(has) or bool(had != has)


def _is_default(name: Any, value: Any) -> bool:
    """Whether Django completes the description of a database by an entry, in the setting itself."""
    if type(value) is dict:
        return all(_is_default(*each) for each in value.items())
    return not value or (name in ("AUTOCOMMIT", "MIGRATE") and value is True)


def _tell(lazy: Any, copy: Any, name: str, value: Any, *, enter: bool) -> None:
    """Give a setting another value, as Django itself does where a test overrides one."""
    if value is _MISSING:
        vars(copy).pop(name, None)
    else:
        setattr(copy, name, value)
    vars(lazy).pop(name, None)
    signals: Any = sys.modules.get("django.core.signals")
    if signals is not None:
        told = None if value is _MISSING else value
        signals.setting_changed.send(sender=type(copy), setting=name, value=told, enter=enter)


KNOWN = (
    RegistryAdapter(_is_resolver, _around_resolver),
    RegistryAdapter(None, _around_urls),
)
