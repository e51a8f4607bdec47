"""What it costs to find who holds replaced objects: by the size of the heap and by their number.

Run it as `python benchmarks/holders.py [objects ...]`. For each heap it makes the search for 1, 10 and 1,000
replaced classes of which every tenth is held somewhere, and that for instances of a class, in turns, and
prints the medians, the growth of the time per object of the heap from the smallest heap to the largest, and
the ratio to one class on the largest. It fails when the growth is over 1.5 or the ratio over 20.
"""

from __future__ import annotations

import functools
import gc
import pathlib
import statistics
import sys
import time
import types
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "src"))

from hotmod._live.heap import Heap
from hotmod._live.survey import holders

HEAPS = (100_000, 300_000, 1_000_000, 3_000_000)
COUNTS = (1, 10, 1_000)
ROUNDS = 3
MAX_GROWTH, MAX_RATIO = 1.5, 20


class Item:
    """What a heap consists of, with a list and a dictionary each."""

    def __init__(self, number: int) -> None:
        self.numbers = [number, [number]]
        self.names = {"name": self.numbers}


def heap_of(count: int) -> list[Any]:
    """About so many objects that the collector knows."""
    return [Item(number) for number in range(count // 4)]


def replaced(count: int, app: types.ModuleType) -> list[type]:
    """Classes of which every tenth is held, one or two steps below a module."""
    classes = [type(f"C{number}", (), {"f": lambda self: self}) for number in range(count)]
    app.CACHE = {cls.__name__: [cls] if number % 20 else cls for number, cls in enumerate(classes[::10])}
    return classes


def search(count: int, app: types.ModuleType) -> int:
    """How many of so many replaced classes are found to be held."""
    return len(holders(iter(replaced(count, app))))


def measured(count: int) -> dict[str, float]:
    """Seconds by what is asked, on a heap of this size."""
    kept = heap_of(count)
    app = sys.modules["app"] = types.ModuleType("app")
    gc.collect()
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for number in COUNTS:
            found = timed(times, f"holders of {number:,}", functools.partial(search, number, app))
            if found != len(range(0, number, 10)):
                message = f"{found} classes of {number} were found"
                raise SystemExit(message)
        timed(times, "instances", lambda: Heap().instances({id(Item)}))
        timed(times, "functions", lambda: Heap().functions(None))
    del kept
    return {name: statistics.median(each) for name, each in times.items()}


def timed(times: dict[str, list[float]], name: str, call: Any) -> Any:
    """Call something and note how long it took."""
    started = time.perf_counter()
    result = call()
    times.setdefault(name, []).append(time.perf_counter() - started)
    return result


def main(heaps: tuple[int, ...]) -> int:
    """Measure, print a table, and say whether the limits hold."""
    rows = {count: measured(count) for count in heaps}
    first, last = rows[heaps[0]], rows[heaps[-1]]
    print(f"{'ms':16}" + "".join(f"{count:>12,}" for count in heaps) + f"{'per object':>14}{'to one':>10}")
    failed = 0
    for name in first:
        growth = (last[name] / heaps[-1]) / (first[name] / heaps[0])
        ratio = last[name] / last["holders of 1"]
        failed |= growth > MAX_GROWTH or (name.startswith("holders") and ratio > MAX_RATIO)
        numbers = "".join(f"{rows[count][name] * 1000:12.1f}" for count in heaps)
        print(f"{name:16}{numbers}{growth:14.2f}{ratio:10.2f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(tuple(map(int, sys.argv[1:])) or HEAPS))
