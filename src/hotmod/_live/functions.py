"""Functions that take over the code of their successors, so that every reference to them is live.

Touches: function objects, through the journal.

Guarantees: a function is either changed as a whole or not at all; what forbids it comes out as a reason,
before anything is changed.

Assumes: both functions belong to the same module object, so they share their globals.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import operator
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.homes import module_given, place_of
from hotmod._live.journal import Journal, SavedCode, at_once
from hotmod._live.kinds import is_class

__all__ = [
    "fits",
    "forward",
    "is_forwarding",
    "is_lent",
    "looked_up",
    "marked_like",
    "obstacle",
    "replace_code",
    "same_code",
    "take_names",
    "take_over",
]

_KINDS = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
)
_NAMES = ("__name__", "__qualname__", "__module__")
_FIELDS = ["__defaults__", "__kwdefaults__", "__doc__", *_NAMES]
if sys.version_info >= (3, 12):
    _FIELDS.append("__type_params__")
# From 3.14 on annotations are computed by a function; a copied result would go stale.
_FIELDS.append("__annotate__" if sys.version_info >= (3, 14) else "__annotations__")


def obstacle(live: types.FunctionType, fresh: types.FunctionType) -> tuple[str, str] | None:
    """Why `live` can't take the code of `fresh`: (hazard code, reason); None when it can."""
    return fits(live.__code__, fresh.__code__)


def fits(old: types.CodeType, new: types.CodeType) -> tuple[str, str] | None:
    """Why a function with the code `old` can't run `new`: (hazard code, reason); None when it can."""
    if old.co_flags & _KINDS != new.co_flags & _KINDS:
        return "kind-change", f"it was {_kind(old)} and is {_kind(new)}"
    if old.co_freevars != new.co_freevars:
        had, has = ", ".join(old.co_freevars) or "none", ", ".join(new.co_freevars) or "none"
        return "closure-shape", f"its free variables were {had} and are {has}"
    return None


def marked_like(live: types.CodeType, new: types.CodeType) -> types.CodeType:
    """New code with the mark that `types.coroutine` has put on the live one, a generator's."""
    mark = inspect.CO_ITERABLE_COROUTINE
    if live.co_flags & mark and new.co_flags & inspect.CO_GENERATOR and not new.co_flags & mark:
        return new.replace(co_flags=new.co_flags | mark)
    return new


def _kind(code: types.CodeType) -> str:
    flags = code.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR:
        return "an async generator"
    if flags & (inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE):
        return "a coroutine function"
    return "a generator" if flags & inspect.CO_GENERATOR else "a plain function"


def is_lent(function: types.FunctionType, spaces: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a function that goes by the name of another one stands where its own text defines it.

    `update_wrapper` gives it that name, to put it in the other's place: it is still a definition of its own.

    Args:
        function: the function.
        spaces: the namespaces, as they were, of the modules that run again.
    """
    home, path = function.__globals__, function.__code__.co_qualname
    module = home.get("__name__")
    if place_of(function) == (module, path):
        return False
    first, *rest = path.split(".")
    value: Any = spaces.get(str(module), home).get(first)
    for name in rest:
        value = own_dict(value).get(name) if is_class(value) else None
    return value is function


def take_names(journal: Journal, live: types.FunctionType, fresh: types.FunctionType) -> None:
    """Let `live` go by the names of `fresh`, with its docstring: who gives a name tells so there."""
    steps = [
        functools.partial(setattr, live, name, getattr(each, name))
        for name in (*_NAMES, "__doc__")
        for each in (live, fresh)
    ]
    journal.record(f"names of {live.__module__}.{live.__qualname__}", functools.partial(at_once, steps[::2]))
    at_once(steps[1::2])


def take_over(
    journal: Journal, live: types.FunctionType, fresh: types.FunctionType, *, keeps_name: bool = False
) -> None:
    """Give `live` everything of `fresh` but its closure cells. Assumes that there is no `obstacle`.

    Args:
        journal: where the changes are noted.
        live: the function in use.
        fresh: the function just made.
        keeps_name: whether `live` goes on by the name of another module if that gave it its name.
    """
    code = SavedCode(live.__code__)
    before = {name: getattr(live, name) for name in _FIELDS}
    attributes = dict(live.__dict__)

    def undo() -> None:
        put(code.code, before, attributes)

    def put(code: types.CodeType, fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
        steps: list[Callable[[], object]] = [functools.partial(setattr, live, "__code__", code)]
        steps += [functools.partial(setattr, live, name, value) for name, value in fields.items()]
        gone = live.__dict__.keys() - attributes.keys()
        steps += [functools.partial(live.__dict__.pop, name, None) for name in gone]
        if list(live.__dict__) != list(attributes):  # their order is seen
            steps.append(live.__dict__.clear)
        steps.append(functools.partial(live.__dict__.update, attributes))
        # one call in C: no other thread calls the new code with the old defaults
        at_once(steps)

    journal.record(f"function {live.__module__}.{live.__qualname__}", undo)
    attributes_now = {name: value for name, value in attributes.items() if name in fresh.__dict__}
    fields = {name: getattr(fresh, name) for name in _FIELDS}
    if keeps_name and module_given(live) is not None and module_given(fresh) is None:
        fields.update({name: before[name] for name in _NAMES})
    put(fresh.__code__, fields, {**attributes_now, **fresh.__dict__})


def _forwarding(*args: Any, **kwargs: Any) -> Any:
    target: Any = "hotmod: the function to forward to"
    return target(*args, **kwargs)


_PLACEHOLDER = "hotmod: the function to forward to"


@contextlib.contextmanager
def _of_any_kind() -> Iterator[None]:
    """Let a generator get plain code: CPython 3.13 deprecates it, and forwards nothing by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _set_code(live: types.FunctionType, code: types.CodeType) -> None:
    if live.__code__.co_flags & _KINDS == code.co_flags & _KINDS:
        live.__code__ = code
        return
    with _of_any_kind():
        live.__code__ = code


def forward(journal: Journal, live: types.FunctionType, fresh: Callable[..., Any]) -> None:
    """Let calls of a function that can't take new code go on to its successor.

    The code that does so carries the successor as a constant and needs no free variable, so it fits every
    function; those that the function has are declared, as the interpreter demands, and not used.
    """
    template = _forwarding.__code__
    code = template.replace(
        co_consts=tuple(fresh if const == _PLACEHOLDER else const for const in template.co_consts),
        co_freevars=live.__code__.co_freevars,
        co_name=live.__code__.co_name,
        co_qualname=live.__code__.co_qualname,
        co_filename=live.__code__.co_filename,
        co_firstlineno=getattr(fresh, "__code__", live.__code__).co_firstlineno,
    )
    before, attributes = SavedCode(live.__code__), dict(live.__dict__)
    defaults = live.__defaults__, live.__kwdefaults__

    def undo() -> None:
        _set_code(live, before.code)
        live.__defaults__, live.__kwdefaults__ = defaults
        live.__dict__.clear()
        live.__dict__.update(attributes)

    journal.record(f"function {live.__module__}.{live.__qualname__}", undo)
    _set_code(live, code)
    live.__defaults__ = live.__kwdefaults__ = None  # the successor has its own
    live.__dict__["__wrapped__"] = fresh  # for inspect.signature


def looked_up(old: Any, new: Any) -> Callable[..., Any]:
    """What calls of the function in `old` are to go on to when a method of another kind took its name.

    Args:
        old: a function, static method or class method that stood in a class.
        new: what stands there now.
    """
    name = (old if type(old) is types.FunctionType else old.__func__).__name__
    if type(old) is not staticmethod:

        def bound(owner: Any, /, *args: Any, **kwargs: Any) -> Any:
            return getattr(owner, name)(*args, **kwargs)

        return bound
    if type(new) is not classmethod:
        return new  # type: ignore[no-any-return]  # a plain function, asked of the class
    method: Any = new.__func__

    def of_class(*args: Any, **kwargs: Any) -> Any:
        return getattr(_at(method), name)(*args, **kwargs)

    return of_class


def _at(method: types.FunctionType) -> Any:
    """The class in which a method stands, by its name."""
    found: Any = sys.modules[method.__module__]
    for part in method.__qualname__.split(".")[:-1]:
        found = getattr(found, part)
    return found


def is_forwarding(code: types.CodeType) -> bool:
    """Whether a function with this code leads to the one that replaced it."""
    template = _forwarding.__code__
    return code.co_varnames == template.co_varnames and code.co_code == template.co_code


def replace_code(journal: Journal, live: types.FunctionType, code: types.CodeType) -> None:
    """Give a function that no name leads to (a closure made earlier) new code; it keeps the rest.

    The journal does not keep it alive: else each reload would find again what only the last one remembers.
    """
    before, doc, ref = SavedCode(live.__code__), live.__doc__, weakref.ref(live)

    def undo() -> None:
        function = ref()
        if function is not None:
            function.__code__ = before.code
            function.__doc__ = doc

    journal.record(f"function {live.__module__}.{live.__qualname__}", undo)
    live.__code__ = code
    if doc is not None and doc == (before.code.co_consts or (None,))[0]:
        first = (code.co_consts or (None,))[0]
        live.__doc__ = first if isinstance(first, str) else None


_PROGRAM = operator.attrgetter(
    "co_name",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
    "co_code",
)


def same_code(one: types.CodeType, two: types.CodeType) -> bool:
    """Whether two code objects are the same program: they differ in nothing but positions."""
    if one is two or one == two:
        return True
    mine, other = one.co_consts, two.co_consts
    return (
        len(mine) == len(other)
        and bool(_PROGRAM(one) == _PROGRAM(two))
        and all(
            _same_const(left, right)
            # CPython 3.13 puts the line of a class into its body
            or (not one.co_flags & inspect.CO_OPTIMIZED and _are_lines(left, right, one, two))
            for left, right in zip(mine, other, strict=True)
        )
    )


def _same_const(one: object, two: object) -> bool:
    if isinstance(one, types.CodeType):
        return isinstance(two, types.CodeType) and same_code(one, two)
    return one is two or (type(one) is type(two) and _const_key(one) == _const_key(two))


def _const_key(const: object) -> object:
    """What tells constants apart that are equal, as 1 and 1.0, or 0.0 and -0.0."""
    if isinstance(const, tuple):
        return tuple(map(_const_key, const))
    if isinstance(const, frozenset):
        return frozenset(map(_const_key, const))
    return type(const), repr(const) if isinstance(const, (float, complex)) else const


def _are_lines(left: object, right: object, one: types.CodeType, two: types.CodeType) -> bool:
    return type(left) is type(right) is int and (left, right) == (one.co_firstlineno, two.co_firstlineno)
