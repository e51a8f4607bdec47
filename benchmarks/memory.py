"""How much memory a reload leaves behind: 1,000 reloads of one edit, in bytes and objects per reload.

Run it as `python benchmarks/memory.py [count]`. It fails when a reload leaves more than 1 kB or one object.
"""

from __future__ import annotations

import gc
import importlib
import logging
import pathlib
import sys
import tempfile
import tracemalloc

import hotmod

TEXT = """
import enum
import functools


class Base:
    registry = []

    def __init_subclass__(cls):
        Base.registry.append(cls)


class Cart(Base):
    def __init__(self):
        self.items = []

    def total(self):
        return {number} + len(self.items)

    @property
    def size(self):
        return super().__sizeof__()


class Color(enum.Enum):
    RED = 1
    GREEN = {number}


@functools.lru_cache
def price(net):
    return net * {number}


def factory(n):
    def inner():
        return n + {number}
    return inner


held = factory(1)
"""
WARM_UP = 50
MAX_BYTES, MAX_OBJECTS = 1024, 1


def main(count: int) -> int:
    """Measure, print one line, and say whether the limits hold."""
    logging.getLogger("hotmod").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "shop.py")
        path.write_text(TEXT.format(number=2), "utf-8")
        sys.path.insert(0, folder)
        shop = importlib.import_module("shop")
        reloader = hotmod.Reloader(shop)
        held = shop.Cart().total, shop.held, shop.Color.RED, shop.price
        edit(path, reloader, WARM_UP)
        tracemalloc.start()
        before = settled()
        edit(path, reloader, count)
        after = settled()
        tracemalloc.stop()
    size, objects = ((a - b) / count for a, b in zip(after, before, strict=True))
    print(f"{count} reloads: {size:.0f} bytes and {objects:.3f} objects per reload; held: {held[0]()}")
    return int(size > MAX_BYTES or objects > MAX_OBJECTS)


def edit(path: pathlib.Path, reloader: hotmod.Reloader, count: int) -> None:
    """Change one number to and fro, and reload each time."""
    for turn in range(count):
        path.write_text(TEXT.format(number=3 + turn % 2), "utf-8")
        reloader.reload(check=True)


def settled() -> tuple[int, int]:
    """Bytes traced, and objects that the collector knows, when all garbage is gone."""
    for _ in range(3):
        gc.collect()
    return tracemalloc.get_traced_memory()[0], len(gc.get_objects())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1_000))
