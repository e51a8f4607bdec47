"""What a committed transaction left behind: old classes with live instances, old objects still held.

Touches: nothing; reads namespaces, and the heap once when classes were replaced.

Guarantees: every hazard names the holder; nothing is searched when nothing was replaced.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hotmod._live import survey as heap
from hotmod._live.modules import space_of
from hotmod._model.hazards import Hazard
from hotmod._source.definitions import line_of

if TYPE_CHECKING:
    from hotmod._engine.transaction import Transaction

__all__ = ["left_behind", "repeated", "survey"]

MAX_TRACED = 3  # instances of one class whose holders are looked up, each a walk over the heap
MAX_TOLD = 20  # hazards of one kind in one report; the rest is counted


def survey(transaction: Transaction) -> list[Hazard]:
    """The hazards of a committed transaction, at most `MAX_TOLD` of a kind."""
    before = transaction.superseded()
    old = {
        id(value): (module, name, value)
        for module, name, value in heap.definitions_in(before)
        if space_of(sys.modules.get(module)).get(name) is not value
    }
    if not old:
        return []
    found = [*_held_names(old, before), *_held_classes(old, transaction)]
    counts: dict[str, int] = {}
    told = []
    for hazard in found:
        counts[hazard.code] = counts.get(hazard.code, 0) + 1
        if counts[hazard.code] <= MAX_TOLD:
            told.append(hazard)
    return told


def repeated(transaction: Transaction) -> list[Hazard]:
    """The statements with effects outside that ran again in a committed transaction."""
    before = transaction.superseded()
    return [
        Hazard(
            "repeated-effect",
            name,
            message=f"{effect.call} ran again: it {effect.what}, and what it did before still stands",
            advice="Undo it in __hotmod_dispose__, or move it where it runs once.",
            path=path,
            line=effect.line,
        )
        for name, path, effect in transaction.effects()
        if name in before
    ]


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


def _held_names(
    old: Mapping[int, tuple[str, str, Any]], before: Mapping[str, Mapping[str, Any]]
) -> Iterator[Hazard]:
    """Names of modules that did not run which still hold an old object."""
    running = [name for name in before if name in sys.modules]
    for key, places in sorted(heap.name_holders(old.keys(), running).items(), key=lambda item: item[1]):
        module, name, _ = old[key]
        gone = name not in space_of(sys.modules.get(module))
        holder, attribute = places[0]
        path = space_of(sys.modules.get(holder)).get("__file__")
        yield Hazard(
            "zombie-attribute" if gone else "stale-reference",
            module,
            name,
            message="the source no longer defines it"
            if gone
            else "the object of the previous version is still held",
            advice=f"Import {holder} again, or add it to the targets of the reloader.",
            path=path if isinstance(path, str) else "",
            line=line_of(path, attribute) if isinstance(path, str) else 0,
            holders=tuple(f"{holder}.{attribute}" for holder, attribute in places[:3]),
        )


def _held_classes(old: Mapping[int, tuple[str, str, Any]], transaction: Transaction) -> Iterator[Hazard]:
    """Replaced classes of which instances or subclasses are still alive."""
    classes = {key: value for key, (_, _, value) in old.items() if isinstance(value, type)}
    if not classes:
        return
    ours = transaction.owned_containers()
    alive = heap.instances_of(classes, ours)
    for key, cls in list(classes.items())[:MAX_TOLD]:
        module, name, _ = old[key]
        instances = alive.get(key, [])
        own = {*ours, id(instances), id(alive)}
        holders = next((found for one in instances[:MAX_TRACED] if (found := heap.holders_of(one, own))), [])
        if not holders:
            instances = []  # only hotmod's own journals, or garbage
        below: list[type] = type.__subclasses__(cls)
        heirs = [heir for heir in below if _is_in_force(heir)]
        if not instances and not heirs:
            continue
        parts = [f"{len(instances)} live instance{'s' if len(instances) != 1 else ''}"] if instances else []
        parts += [f"the subclass {heir.__module__}.{heir.__qualname__}" for heir in heirs[:3]]
        text = transaction.texts.get(module)
        yield Hazard(
            "class-identity",
            module,
            name,
            message=f"the class was replaced; {' and '.join(parts)} of the old one remain",
            advice="They keep the old code, and isinstance() of the new class is false for them.",
            path=text.path if text else "",
            line=line_of(text, name) if text else 0,
            holders=tuple(holders),
        )


def _is_in_force(cls: type) -> bool:
    """Whether a class is what its module and name lead to, and not itself a leftover."""
    space = space_of(sys.modules.get(cls.__module__))
    return space.get(cls.__qualname__) is cls
