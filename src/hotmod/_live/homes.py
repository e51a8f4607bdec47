"""Where functions and classes were made, whatever their `__module__` says by now.

Packages give what they export their own name (`Cart.__module__ = "shop"`, of a class of `shop.cart`), so that
people and pickles find it there. It is still the definition that the text of the first module makes.

Touches: a table of its own; reads namespaces and code objects.

Guarantees: a class is noted only where its module's text binds its name by one `class` statement and by
nothing else, so that what was imported is never taken for a definition. Never calls code of the subject.

Assumes: the text handed in is the one that the module was executed from.
"""

from __future__ import annotations

import dis
import functools
import inspect
import re
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hotmod._live.kinds import is_class

__all__ = ["is_counterpart", "learn", "module_given", "name_of", "place_of"]

_HOMES: dict[int, tuple[weakref.ref[type], tuple[str, str]]] = {}  # by the id of the class
# Without callbacks, which the collector would run while other threads are to see nothing of a step.
_cleaned = [1_000]  # of so many it was seen which are gone
_ASKED: dict[
    str, tuple[bytes, frozenset[int]]
] = {}  # by module, for which text and classes there was no answer


def name_of(cls: type) -> tuple[Any, Any]:
    """The module and the qualified name of a class, as it was made with them."""
    ref, known = _HOMES.get(id(cls), (None, None))
    if ref is not None and known is not None and ref() is cls:
        return known
    return type.__getattribute__(cls, "__module__"), type.__dict__["__qualname__"].__get__(cls)


def place_of(function: types.FunctionType) -> tuple[Any, str]:
    """The module and the qualified name of a function: those of its text, if that is a definition.

    What a function makes, as decorators do, is at the place of the name that it goes by; and so is what
    `functools.wraps` has dressed as another one.
    """
    code, space = function.__code__, function.__globals__
    own = code.co_filename == space.get("__file__") and "<locals>" not in code.co_qualname
    if own and "__wrapped__" not in function.__dict__:
        return space.get("__name__"), code.co_qualname
    return function.__module__, function.__qualname__


def is_counterpart(old: types.FunctionType, new: types.FunctionType) -> bool:
    """Whether two functions are made at the same place, or go by the same name."""
    names = [(each.__module__, each.__qualname__) for each in (old, new)]
    return names[0] == names[1] or place_of(old) == place_of(new)


def module_given(definition: type | types.FunctionType) -> str | None:
    """The module that a definition goes by, if that is not the one that made it; else None."""
    if is_class(definition):
        home, given = name_of(definition)[0], type.__getattribute__(definition, "__module__")
    else:
        home, given = place_of(definition)[0], definition.__module__
    return given if given != home and type(given) is str else None


def learn(module: str, space: Mapping[str, Any], data: bytes, code: Callable[[], types.CodeType]) -> None:
    """Note the classes that a module made, also those that go by another module's name.

    Args:
        module: the module.
        space: its namespace.
        data: the text that it was executed from.
        code: compiles that.
    """
    spelled = _spelled(data)
    others = {}
    for name, value in list(space.items()):
        if type(name) is str and name in spelled and issubclass(type(value), type):
            if type.__getattribute__(value, "__module__") == module:
                _note_own(value, module)
            elif name_of(value)[0] != module:
                others[name] = value
    asked = data, frozenset(map(id, others.values()))
    if not others or _ASKED.get(module) == asked:
        return
    _ASKED[module] = asked
    tree = code()
    if ("*",) in tree.co_consts:
        return  # that import may bind any name
    for name, value in others.items():
        body = _body_in(tree, name)
        if body is not None and _is_bound_once(tree, name):
            _note_given(value, module, name, body)


@functools.lru_cache(maxsize=16)
def _spelled(data: bytes) -> frozenset[str]:
    """The names that stand after `class` anywhere in a text."""
    return frozenset(re.findall(r"\bclass[ \t]+(\w+)", data.decode("utf-8", "replace")))


def _body_in(code: types.CodeType, name: str) -> types.CodeType | None:
    """The body of the class of a name that some code makes; None if there is none, or there are several."""
    made = [const for const in code.co_consts if type(const) is types.CodeType]
    made += [
        const
        for each in made
        if each.co_name == f"<generic parameters of {name}>"
        for const in each.co_consts
        if type(const) is types.CodeType
    ]
    found = [each for each in made if each.co_name == name and not each.co_flags & inspect.CO_OPTIMIZED]
    return found[0] if len(found) == 1 else None


def _is_bound_once(code: types.CodeType, name: str) -> bool:
    stores: Iterable[dis.Instruction] = dis.get_instructions(code)
    return [each.argval for each in stores if each.opname in ("STORE_NAME", "STORE_GLOBAL")].count(name) == 1


def _note_own(cls: type, module: str) -> None:
    """Note a class that goes by its own name, before somebody gives it another one."""
    known, (ref, _) = name_of(cls), _HOMES.get(id(cls), (None, None))
    if (ref is not None and ref() is cls) or known[0] != module:
        return
    _note(cls, *known)
    for value in list(type.__dict__["__dict__"].__get__(cls).values()):
        if is_class(value):
            _note_own(value, module)


def _note_given(cls: type, module: str, name: str, body: types.CodeType) -> None:
    _note(cls, module, name)
    for own, value in list(type.__dict__["__dict__"].__get__(cls).items()):
        inner = _body_in(body, own) if is_class(value) else None
        if inner is not None:
            _note_given(value, module, f"{name}.{own}", inner)


def _note(cls: type, module: str, name: str) -> None:
    if len(_HOMES) >= 2 * _cleaned[0]:
        for key in [key for key, (ref, _) in list(_HOMES.items()) if ref() is None]:
            del _HOMES[key]
        _cleaned[0] = max(len(_HOMES), _cleaned[0])
    _HOMES[id(cls)] = weakref.ref(cls), (module, name)
