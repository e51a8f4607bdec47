"""What a committed transaction left behind: old classes with live instances, old objects still held.

Touches: the bases of classes that nobody uses any more, through the transaction's journal. Reads
namespaces, and the heap when something was replaced.

Guarantees: every hazard names the holder; nothing is searched when everything was changed in place.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hotmod._engine.identity import Leftovers
from hotmod._live import survey as heap
from hotmod._live.classes import bases_of, detach, own_dict, set_bases
from hotmod._live.functions import is_forwarding
from hotmod._live.kinds import is_class, is_function
from hotmod._live.modules import space_of
from hotmod._model.hazards import Hazard
from hotmod._source.definitions import line_of

if TYPE_CHECKING:
    from hotmod._engine.transaction import Transaction

__all__ = ["left_behind", "repeated", "survey"]

_MISSING = object()
MAX_TOLD = 20  # hazards of one kind in one report; the rest is counted
_STALE = "Whoever uses it runs old code: take the new one from its module, or restart."


def survey(transaction: Transaction) -> list[Hazard]:
    """The hazards of a committed transaction, at most `MAX_TOLD` of a kind."""
    left, transaction.left = transaction.left, Leftovers()
    old = [
        (module, name, value)
        for module, name, value in heap.definitions_in(transaction.superseded())
        if space_of(sys.modules.get(module)).get(name) is not value
        and not left.is_current(value)  # it lives on under another name, or below a decorator
        and not _is_forwarded(value)
    ]
    old += left.nested
    known = {id(value) for _, _, value in old}
    lost = [each for each in left.lost if id(each) not in known]
    targets = [value for _, _, value in old] + lost + left.members
    targets += [instance for instance, _ in left.kept] + [instance for instance, *_ in left.lacking]
    if not targets:
        return []
    held = heap.holders(targets)
    _retire([value for _, _, value in old if is_class(value)], left, held, transaction)
    found = [
        *_definitions(old, left, held),
        *_lost_functions(lost, held),
        *_members(left, held),
        *_shapes(left, held),
    ]
    counts: dict[str, int] = {}
    told = []
    for hazard in found:
        counts[hazard.code] = counts.get(hazard.code, 0) + 1
        if counts[hazard.code] <= MAX_TOLD:
            told.append(_placed(hazard, transaction))
    return told


def _retire(
    classes: Iterable[type], left: Leftovers, held: Mapping[int, list[str]], transaction: Transaction
) -> None:
    """Let bases forget heirs that are no longer in force and that nobody holds."""
    used = {id(cls) for _, cls in left.kept}
    for cls in classes:
        below: list[type] = type.__subclasses__(cls)
        if id(cls) in held or id(cls) in used or below:
            continue
        transaction.journal.record("bases of a class", functools.partial(set_bases, cls, bases_of(cls)))
        detach(cls)


def _is_forwarded(value: object) -> bool:
    return is_function(value) and is_forwarding(value.__code__)


def _placed(hazard: Hazard, transaction: Transaction) -> Hazard:
    """The hazard with the line that holds the old object, or else with that of the definition."""
    if hazard.code in ("zombie-attribute", "stale-reference"):
        for holder in hazard.holders:
            module, _, attribute = holder.partition(" -> ")[0].partition("[")[0].rpartition(".")
            path = space_of(sys.modules.get(module)).get("__file__")
            if type(path) is str and (line := line_of(path, attribute)):
                return dataclasses.replace(hazard, path=path, line=line)
    text = transaction.texts.get(hazard.module)
    if text is None:
        return hazard
    line = line_of(text, hazard.name.partition(".")[0])
    return dataclasses.replace(hazard, path=text.path, line=line)


def repeated(transaction: Transaction) -> list[Hazard]:
    """What is left of effects outside that statements had which ran again, or are gone."""
    transaction.without_settled()
    told = {
        (each.module, each.line) for each in transaction.outcome.hazards if each.code == "effect-not-undone"
    }
    found = []
    for tie, path, effect in transaction.earlier_effects():
        line = tie.line + effect.line - tie.first
        if (tie.module, line) in told:
            continue  # the plan saw that it changes an object of another module
        left = f"{effect.call} was changed or removed: it {effect.what}, and what it did before still stands"
        again = f"{effect.call} ran again: it {effect.what}, and what it did before still stands"
        gone = tie.gone
        found.append(
            Hazard(
                "effect-not-undone" if gone else "repeated-effect",
                tie.module,
                message=left if gone else again,
                advice="Undo it in __hotmod_dispose__, or restart if it matters."
                if gone
                else "Undo it in __hotmod_dispose__, or move it where it runs once.",
                path=path,
                line=line,
            )
        )
    return found


def left_behind(transaction: Transaction) -> list[Hazard]:
    """What taking back a rejected transaction could not take back."""
    found = [
        Hazard(
            "effect-not-undone",
            name,
            "__hotmod_dispose__",
            message="the module's dispose hook ran before the edit was rejected",
            advice="What the hook closed stays closed; save a working version to open it again.",
        )
        for name in transaction.outcome.disposed
    ]
    return found + [
        Hazard(
            "effect-not-undone",
            name,
            message=f"{effect.call} may have run before the edit was rejected: it {effect.what}",
            advice="Everything else was taken back; undo this by hand if it matters.",
            path=path,
            line=effect.line,
        )
        for name, path, effect in transaction.effects()
    ]


def _definitions(
    old: Sequence[tuple[str, str, Any]], left: Leftovers, held: Mapping[int, list[str]]
) -> Iterator[Hazard]:
    """Functions and classes that were replaced or removed, and what is left of them."""
    alive: dict[int, list[Any]] = {}
    for instance, cls in left.kept:
        if id(instance) in held:
            alive.setdefault(id(cls), []).append(instance)
    for module, name, value in old:
        gone = not _has(space_of(sys.modules.get(module)), name)
        if is_class(value):
            yield from _class(module, name, value, alive.get(id(value), []), held)
        if id(value) in held:
            yield Hazard(
                "zombie-attribute" if gone else "stale-reference",
                module,
                name,
                message="the source no longer defines it, and it is still held"
                if gone
                else "the object of the previous version is still held",
                advice="Whoever uses it runs code that is no longer in the source." if gone else _STALE,
                holders=tuple(f"{path} -> {module}.{name}" for path in held[id(value)]),
            )


def _has(space: Mapping[str, Any], name: str) -> bool:
    """Whether a namespace leads to something by a dotted name, through classes."""
    first, *rest = name.split(".")
    value: object = space.get(first, _MISSING)
    for part in rest:
        value = own_dict(value).get(part, _MISSING) if is_class(value) else _MISSING
    return value is not _MISSING


def _class(
    module: str, name: str, cls: type, instances: list[Any], held: Mapping[int, list[str]]
) -> Iterator[Hazard]:
    """A class that was replaced or removed and of which instances or subclasses are still alive."""
    below: list[type] = type.__subclasses__(cls)
    heirs = [heir for heir in below if _is_in_force(heir)]
    if not instances and not heirs:
        return
    parts = [f"{len(instances)} live instance{'s' if len(instances) != 1 else ''}"] if instances else []
    parts += [f"the subclass {heir.__module__}.{heir.__qualname__}" for heir in heirs[:3]]
    yield Hazard(
        "class-identity",
        module,
        name,
        message=f"the class was replaced; {' and '.join(parts)} of the old one remain",
        advice="They keep their old layout, and isinstance() of the new class is false for them.",
        holders=tuple(path for instance in instances for path in held[id(instance)])[:3],
    )


def _lost_functions(lost: Iterable[types.FunctionType], held: Mapping[int, list[str]]) -> Iterator[Hazard]:
    """Functions that no name leads to and that could not get new code, by the place of their text."""
    places: dict[tuple[str, str], list[types.FunctionType]] = {}
    for function in lost:
        if id(function) in held:
            places.setdefault((function.__module__, function.__code__.co_qualname), []).append(function)
    for (module, name), functions in sorted(places.items()):
        count = len(functions)
        yield Hazard(
            "stale-reference",
            module,
            name,
            message=f"{count} function{'s' if count != 1 else ''} made earlier can't take the new code",
            advice="The text is gone, or its free variables or its kind differ: make them again.",
            holders=tuple(sorted(path for each in functions for path in held[id(each)])[:3]),
        )


def _members(left: Leftovers, held: Mapping[int, list[str]]) -> Iterator[Hazard]:
    """Members that an enumeration no longer has, or has with another value, and that are still held."""
    for member in left.members:
        if id(member) in held:
            cls = type(member)
            gone = member._name_ not in cls.__members__
            yield Hazard(
                "zombie-attribute" if gone else "stale-reference",
                cls.__module__,
                f"{cls.__qualname__}.{member._name_}",
                message="the enumeration no longer has this member, and it is still held"
                if gone
                else "the member of the previous version, with the earlier value, is still held",
                advice="Looking it up by name or value fails; give its holders another member."
                if gone
                else "Fetch it anew from its enumeration.",
                holders=tuple(held[id(member)]),
            )


def _shapes(left: Leftovers, held: Mapping[int, list[str]]) -> Iterator[Hazard]:
    """Classes whose live instances do not fit the new constructor."""
    found: dict[tuple[str, str], list[tuple[Any, tuple[str, ...], tuple[str, ...]]]] = {}
    for instance, shape, *names in left.lacking:
        if id(instance) in held:
            found.setdefault((shape.module, shape.name), []).append((instance, *names))
    for (module, name), entries in sorted(found.items(), key=lambda item: item[0]):
        lacks = sorted({name for _, names, _ in entries for name in names})
        holds = sorted({name for _, _, names in entries for name in names})
        short = sum(1 for _, each, _ in entries if each)
        much = sum(1 for _, _, each in entries if each)
        parts = (
            [f"{short} live instance{'s lack' if short != 1 else ' lacks'} {', '.join(lacks)}"]
            if short
            else []
        )
        parts += [f"{much} still hold{'s' if much == 1 else ''} {', '.join(holds)}"] if much else []
        yield Hazard(
            "instance-shape",
            module,
            name,
            message=f"{' and '.join(parts)}; the constructor has changed",
            advice="Give the class a default, or migrate them in __hotmod_update__(self, change).",
            holders=tuple(sorted(path for instance, *_ in entries for path in held[id(instance)])[:3]),
        )


def _is_in_force(cls: type) -> bool:
    """Whether a class is what its module and name lead to, and not itself a leftover."""
    space = space_of(sys.modules.get(cls.__module__))
    return space.get(cls.__qualname__) is cls
