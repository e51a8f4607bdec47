"""The import graph beside grimp's: CPU time to build it, in one run, interleaved.

    python benchmarks/graph.py [package ...]

Needs grimp and the packages. Both read the files anew each time and keep no cache; for each package the
two take turns, and the medians are printed. CPU time is that of the whole process, all threads included
(grimp reads files in several). Prints wall-clock time as well.
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import statistics
import sys
import time
from typing import TYPE_CHECKING

import grimp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "src"))

from hotmod._source.files import graph_of

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("django", "pandas", "networkx", "sympy", "sqlalchemy")
ROUNDS = 7


def folder_of(package: str) -> str:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        message = f"{package} is not installed here"
        raise SystemExit(message)
    return str(pathlib.Path(spec.origin).parent)


def once(build: Callable[[], object]) -> tuple[float, float]:
    """The CPU and wall-clock milliseconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    graph = build()
    times = (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3
    del graph  # not before the clock was read: taking a graph apart is no part of building it
    return times


def main(packages: tuple[str, ...]) -> None:
    """Print one line for each package."""
    print(f"Python {sys.version.split()[0]}, grimp {grimp.__version__}, medians of {ROUNDS} rounds, in ms")
    print(f"{'package':12} {'modules':>7} {'hotmod cpu':>10} {'grimp cpu':>10} {'ratio':>6}", end="")
    print(f" {'hotmod wall':>12} {'grimp wall':>11}")
    for package in packages:
        folder = folder_of(package)
        ours, theirs = [], []
        for number in range(ROUNDS + 1):
            mine = once(functools.partial(graph_of, {package: [folder]}))
            other = once(functools.partial(grimp.build_graph, package, cache_dir=None))
            if number:  # the first round warms the disk's cache
                ours.append(mine)
                theirs.append(other)
        modules = len(graph_of({package: [folder]}))
        (cpu, wall), (grimp_cpu, grimp_wall) = (
            tuple(map(statistics.median, zip(*times, strict=True))) for times in (ours, theirs)
        )
        print(f"{package:12} {modules:7} {cpu:10.0f} {grimp_cpu:10.0f} {cpu / grimp_cpu:6.2f}", end="")
        print(f" {wall:12.0f} {grimp_wall:11.0f}", flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or PACKAGES)
