"""Adapters: how the classes of libraries that build them their own way are changed in place.

Some libraries keep what they made of a class outside its attributes: a compiled validator that makes
instances of the class that it was built for, a table of defaults in the memory of the class. For them the
live class must be rebuilt after it took over a new body, or must not take it over at all.

Touches: classes that an adapter recognises, within the class's own journal step.

Guarantees: an adapter that fails rejects the whole reload. Those that come with hotmod are in `libraries`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from hotmod._live.journal import Journal
from hotmod._live.libraries import KNOWN, ClassAdapter

__all__ = [
    "ClassAdapter",
    "finish",
    "keeps",
    "kept",
    "lacking",
    "obstacle",
    "partners",
    "rebuild",
    "register_class_adapter",
    "withdraw",
]


_adapters: list[ClassAdapter] = list(KNOWN)


def register_class_adapter(
    detect: Callable[[type], bool],
    *,
    rebuild: Callable[[type, type], object] | None = None,
    finish: Callable[[type], object] | None = None,
    obstacle: Callable[[type, type], str | None] | None = None,
    withdraw: Callable[[type], Callable[[], object] | None] | None = None,
    lacking: Callable[[Any, Iterable[str]], list[str]] | None = None,
    keep: Callable[[type, type], Collection[str]] | None = None,
    partners: Callable[[type], Iterable[type]] | None = None,
) -> None:
    """Tell hotmod how classes of a library are changed in place.

    Args:
        detect: whether a class is one of the library's; called for every class that is built again.
        rebuild: called as `rebuild(live, new)` when the live class has taken over the body of the new one.
            What it sets on the live class is taken back with the transaction; if it raises, the reload is
            rejected.
        finish: called as `finish(live)` when all modules have run.
        obstacle: called as `obstacle(live, new)` before all that; a text says why the live class can't take
            over the new body, and it is replaced instead.
        withdraw: called as `withdraw(live)` before the module of the class runs again, so that the library
            does not meet it as a second class of that name; gives a function that undoes it, or None.
        lacking: called as `lacking(instance, names)` when the constructor sets other attributes than before;
            gives those that the instance does not hold. Without it, attributes and slots are looked at.
        keep: called as `keep(live, new)` when nothing differs but the inside of functions, in this class and
            in all others of the library that are built again; gives the names of what the library made of
            the class and the live one is to keep.
        partners: called as `partners(live)` when a plan is made; gives the classes that have to be built
            again when this one is, because what the library made of them refers to it. With
            `strategy="modules"` they are built again only if their modules run.
    """
    _adapters.append(ClassAdapter(detect, rebuild, finish, obstacle, withdraw, lacking, keep, partners))


def _of(cls: type, what: str) -> list[Any]:
    """What the adapters of a class say of something; the others are not asked whether it is theirs."""
    return [told for each in _adapters if (told := getattr(each, what)) is not None and each.detect(cls)]


def obstacle(live: type, fresh: type) -> tuple[str, str] | None:
    """Why a library does not let `live` take the body of `fresh`: (hazard code, reason)."""
    for ask in _of(fresh, "obstacle"):
        reason = ask(live, fresh)
        if reason:
            return "base-layout", reason
    return None


def keeps(cls: type) -> bool:
    """Whether the library of a class lets it keep members where only functions differ."""
    return bool(_of(cls, "keep"))


def kept(live: type, fresh: type) -> set[str]:
    """The members that a class keeps where only the inside of functions differs."""
    return {name for keep in _of(fresh, "keep") for name in keep(live, fresh)}


def rebuild(live: type, fresh: type) -> None:
    """Let the library of a class forget the class whose body the live one took over."""
    for each in _of(live, "rebuild"):
        each(live, fresh)


def finish(live: type) -> None:
    """Let the library of a class bring it to use, now that all modules have run."""
    for each in _of(live, "finish"):
        each(live)


def withdraw(journal: Journal, live: type) -> None:
    """Let the library of a class forget it until its module has run again."""
    for each in _of(live, "withdraw"):
        undo = each(live)
        if undo is not None:
            journal.record(f"registration of {live.__module__}.{live.__qualname__}", undo)


def partners(cls: type) -> list[type]:
    """The classes that have to be built again when a class is."""
    return [other for of in _of(cls, "partners") for other in of(cls)]


def lacking(instance: Any, names: Iterable[str]) -> list[str] | None:
    """Which of some names an instance does not hold, by the library of its class; None if none knows."""
    for ask in _of(type(instance), "lacking"):
        found: list[str] = ask(instance, names)
        return found
    return None
