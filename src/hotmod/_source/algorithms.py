"""Order, reach and cycles in a directed graph given as a mapping.

Touches: nothing.

Guarantees: no function recurses, so the size of a graph is no limit; results don't depend on the order
of sets or on the hash seed.

Assumes: every node that occurs as a successor may be missing as a key.
"""

from __future__ import annotations

import collections
import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["components", "ordered", "reach", "shortest_path"]


def reach(start: Iterable[str], successors: Callable[[str], Iterable[str]]) -> set[str]:
    """All nodes that can be reached from `start`, the start included."""
    seen = set(start)
    left = list(seen)
    while left:
        for node in successors(left.pop()):
            if node not in seen:
                seen.add(node)
                left.append(node)
    return seen


def shortest_path(start: str, end: str, successors: Callable[[str], Iterable[str]]) -> list[str] | None:
    """The nodes of a shortest path, both ends included; None if there is none."""
    came_from: dict[str, str] = {}
    left = collections.deque([start])
    while left:
        node = left.popleft()
        for each in sorted(successors(node)):
            if each == end:
                path = [end, node]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if each not in came_from and each != start:
                came_from[each] = node
                left.append(each)
    return None


def components(nodes: Iterable[str], successors: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The strongly connected components, successors first (Tarjan's algorithm with an explicit stack)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: dict[str, None] = {}
    found: list[list[str]] = []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        open_nodes[root] = None
        work = [(root, iter(successors.get(root, ())))]
        while work:
            node, rest = work[-1]
            for each in rest:
                if each not in index:
                    index[each] = low[each] = len(index)
                    open_nodes[each] = None
                    work.append((each, iter(successors.get(each, ()))))
                    break
                if each in open_nodes:
                    low[node] = min(low[node], index[each])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: list[str] = []
                    while not component or component[-1] != node:
                        component.append(open_nodes.popitem()[0])
                    found.append(component)
    return found


def ordered(
    nodes: Iterable[str], successors: Mapping[str, Sequence[str]], rank: Callable[[str], tuple[int, str]]
) -> list[str]:
    """All nodes, successors first; among equals, and inside a component, by `rank`."""
    parts = [sorted(part, key=rank) for part in components(nodes, successors)]
    part_of = {node: number for number, part in enumerate(parts) for node in part}
    waiting = [0] * len(parts)
    needed_by: list[list[int]] = [[] for _ in parts]
    for number, part in enumerate(parts):
        needs = {part_of[each] for node in part for each in successors.get(node, ()) if each in part_of}
        needs.discard(number)
        waiting[number] = len(needs)
        for need in needs:
            needed_by[need].append(number)
    ready = [(rank(parts[number][0]), number) for number, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    result: list[str] = []
    while ready:
        _, number = heapq.heappop(ready)
        result.extend(parts[number])
        for later in needed_by[number]:
            waiting[later] -= 1
            if not waiting[later]:
                heapq.heappush(ready, (rank(parts[later][0]), later))
    return result
