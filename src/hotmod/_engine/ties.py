"""What statements that run again, or are gone, had registered: the names of a plan looked up in the program.

Touches: module namespaces, read only.

Guarantees: a dotted name leads to what it led to before anything ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hotmod._live.entries import Ties
from hotmod._live.ordering import Place
from hotmod._plan import Plan, Standing

__all__ = ["tied"]


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
            mark = tie.module, tie.line
            found.add(mark, before[tie.module], where, tie.callees, tie.names)
            for module, name, names in tie.inside:
                found.add_called(mark, before.get(module, {}), (module, name), names)
    for order in plan.orders:
        root = before.get(order.module, {}).get(order.name)
        if root is not None:
            found.ordering.add(root, _places(order.before), _places(order.after))
    return found


def _places(standings: Iterable[Standing]) -> list[Place]:
    return [(each.path, each.first, each.last, each.things) for each in standings]
