"""What statements that run again, or are gone, had registered: the names of a plan looked up in the program.

Touches: module namespaces, read only.

Guarantees: a dotted name leads to what it led to before anything ran.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from hotmod._live.entries import Ties, resolved
from hotmod._live.modules import space_of
from hotmod._model.changes import SourceText
from hotmod._plan import Plan, Tie
from hotmod._source.effects import Effect, effects

__all__ = ["left_of", "tied"]


def tied(plan: Plan, before: Mapping[str, Mapping[str, Any]], paths: Mapping[str, str]) -> Ties:
    """The ties of a plan, as objects.

    Args:
        plan: the plan.
        before: the namespaces as they were.
        paths: the files of the modules of which something runs.
    """
    found = Ties()
    for tie in plan.ties:
        if tie.module in before:
            where = paths.get(tie.module, ""), tie.first, tie.last
            found.add((tie.module, tie.line), before[tie.module], where, tie.callees, tie.names)
    return found


def left_of(
    every: Iterable[Tie],
    texts: Mapping[str, SourceText | None],
    disposed: Collection[str],
    before: Mapping[str, Mapping[str, Any]],
    ties: Ties,
) -> list[tuple[Tie, str, Effect]]:
    """What is left of the effects that statements had which run again or are gone, with their files.

    Args:
        every: the statements.
        texts: the texts that they ran from.
        disposed: the modules whose hook has taken back what they did.
        before: the namespaces as they were.
        ties: which of their registrations were found, and taken out.
    """
    found = []
    for tie in every:
        text = texts.get(tie.module)
        if text is None or tie.module in disposed:
            continue
        found += [
            (tie, text.path, effect)
            for effect in effects(text)
            if tie.first <= effect.line <= tie.last and not _is_settled(tie, effect, before, ties)
        ]
    return found


def _is_settled(tie: Tie, effect: Effect, before: Mapping[str, Mapping[str, Any]], ties: Ties) -> bool:
    """Whether a registration was taken back, or is none: its object is new, or could not remember it."""
    if not effect.owner:
        return False
    owner = resolved(effect.owner, before.get(tie.module, {}))
    now = resolved(effect.owner, space_of(sys.modules.get(tie.module)))
    no_objects = (types.ModuleType, type, types.FunctionType)
    if len(owner) != len(effect.owner) or isinstance(owner[-1], no_objects):
        return True
    return not now or now[-1] is not owner[-1] or ties.settled((tie.module, tie.line))
