"""What a stable block costs while nobody reloads, beside a lock and an empty `contextlib.contextmanager`.

python benchmarks/stable.py
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import threading
import timeit
from collections.abc import Iterator

import hotmod


@contextlib.contextmanager
def empty() -> Iterator[None]:
    """Do nothing."""
    yield


async def blocks(count: int) -> float:
    """Seconds for so many `async with` blocks."""
    begin = timeit.default_timer()
    for _ in range(count):
        async with hotmod.stable():
            pass
    return timeit.default_timer() - begin


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    names = {"lock": threading.Lock(), "empty": empty, "hotmod": hotmod}
    rows = {
        title: min(timeit.repeat(code, globals=names, number=options.count, repeat=5))
        for title, code in {
            "with lock": "with lock: pass",
            "with an empty contextmanager": "with empty(): pass",
            "with hotmod.stable()": "with hotmod.stable(): pass",
        }.items()
    }
    rows["async with hotmod.stable()"] = min(asyncio.run(blocks(options.count)) for _ in range(5))
    base = rows["with an empty contextmanager"]
    print(f"{'block':<30} {'ns':>7} {'ratio':>6}")
    for title, seconds in rows.items():
        print(f"{title:<30} {seconds / options.count * 1e9:>7.0f} {seconds / base:>6.2f}")


if __name__ == "__main__":
    main()
