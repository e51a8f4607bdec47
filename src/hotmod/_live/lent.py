"""The names of functions that are shared among classes: each class that is built gives them its own.

In a fresh process such a function bears the name that the last class gave it. Where another class is built
again, it gets back the one that it had.

Touches: module, names and docstring of functions that do not go by their own names, or are a library's.

Guarantees: as `State`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator

__all__ = ["Lent"]

Names = tuple[str, str, str, str | None]


class Lent:
    """What functions are called that others than their text may name, as it was when this was made.

    Args:
        functions: the functions that the modules of the scope lead to.
        owned: whether a module is in scope.
    """

    def __init__(self, functions: Iterable[types.FunctionType], owned: Callable[[str], bool]) -> None:
        self._before = [
            (function, _names(function))
            for function in functions
            if type(module := function.__globals__.get("__name__")) is str
            and (
                module != function.__module__
                or function.__qualname__ != function.__code__.co_qualname
                or not owned(module)
            )
        ]

    def _changed(self) -> Iterator[tuple[types.FunctionType, Names]]:
        for function, names in self._before:
            if (names[0], names[2]) != (function.__module__, function.__qualname__):
                yield function, names

    def undos(self) -> Iterator[Callable[[], None]]:
        """What takes back, one by one, the changes since this was made."""
        for function, names in self._changed():
            yield functools.partial(_give, function, names)

    def settle(
        self,
        runs: Callable[[str, str], bool],
        is_later: Callable[[tuple[str, str], tuple[str, str]], bool],
    ) -> None:
        """Give functions back the names that they would have in a fresh process.

        Args:
            runs: whether the statement runs again that makes a definition of a module and qualified name.
            is_later: whether of two classes, by module and qualified name, the first is built after the
                second one; the first has given a name before, and the second has now.
        """
        for function, names in list(self._changed()):
            if runs(function.__globals__["__name__"], function.__code__.co_qualname):
                continue
            owners = [
                (module, qualname.rpartition(".")[0]) for module, _, qualname, _ in (names, _names(function))
            ]
            if all(name and type(module) is str for module, name in owners) and is_later(*owners):
                _give(function, names)


def _names(function: types.FunctionType) -> Names:
    return function.__module__, function.__name__, function.__qualname__, function.__doc__


def _give(function: types.FunctionType, names: Names) -> None:
    function.__module__, function.__name__, function.__qualname__, function.__doc__ = names
