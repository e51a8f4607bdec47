"""Versions side by side: what a swap and a pin cost, and what 1,000 swaps leave behind.

python benchmarks/versions.py [swaps]

A package of some modules, with data classes, closures and functions that import when they are called, is
edited again and again; each version is used and replaced while it is pinned; every tenth edit is broken.
Memory is compared after each tenth. It fails when the second half of the swaps leaves more than 2 objects or
5 blocks of memory per swap behind, or when more versions are alive than the one in charge and the one before.
"""

from __future__ import annotations

import argparse
import array
import gc
import importlib
import logging
import pathlib
import sys
import tempfile
import threading
import time
import timeit
import types
import weakref

import hotmod

MODULES = 20
MAX_OBJECTS, MAX_BLOCKS = 2, 5
TEXT = """\
import dataclasses
import functools
import importlib
{imports}

NUMBER = {number}


@dataclasses.dataclass
class Order:
    lines: int = NUMBER

    def total(self):
        return sum(step(self.lines) for step in STEPS)


def make(step):
    def inner(value):
        return value + step
    return inner


@functools.lru_cache
def price(net):
    return net * NUMBER


def late():
    from fleet.m0 import NUMBER
    return NUMBER, importlib.import_module("fleet.m0").NUMBER


STEPS = [make(number) for number in range(5)]
"""


def write(folder: pathlib.Path, number: int, value: object) -> None:
    """Write one module; each imports two to its left."""
    imports = "\n".join(
        f"from fleet import m{each}" for each in sorted({number // 2, number // 3} - {number})
    )
    (folder / "fleet" / f"m{number}.py").write_text(TEXT.format(imports=imports, number=value), "utf-8")


def settled() -> tuple[int, int, int]:
    """Objects that the collector knows, blocks of memory, and functions of the package."""
    for _ in range(3):
        gc.collect()
    objects = gc.get_objects()
    functions = sum(
        type(each) is types.FunctionType and each.__module__.startswith("fleet") for each in objects
    )
    return len(objects), sys.getallocatedblocks(), functions


def fresh_import() -> float:
    """Processor time of importing the package anew in this process, without versions."""
    began = time.process_time()
    for number in range(MODULES):
        importlib.import_module(f"fleet.m{number}")
    took = time.process_time() - began
    for name in [name for name in sys.modules if name.partition(".")[0] == "fleet"]:
        del sys.modules[name]
    return took


def swaps(
    service: hotmod.versions.Service, folder: pathlib.Path, count: int
) -> tuple[float, list[tuple[int, ...]]]:
    """So many edits; gives the processor time of one swap, and what was alive after each tenth."""
    took = array.array("d")  # a list of numbers would be memory that grows
    alive, live = [], weakref.WeakSet[hotmod.versions.Version]()
    for number in range(1, count + 1):
        with service.pin() as version:
            live.add(version)
            write(folder, number % MODULES, number if number % 10 else "1 / 0")
            began = time.process_time()
            swap = service.refresh()
            took.append(time.process_time() - began)
            if (swap.status == "applied") != bool(number % 10):
                raise SystemExit(str(swap))
            first = version[f"fleet.m{MODULES - 1}"]
            if len({*first.late(), version["fleet.m0"].NUMBER}) != 1:
                raise SystemExit(str(version))
        del version, first
        if number % 10 == 0:
            write(folder, number % MODULES, number)
            service.refresh()
        if number % max(count // 10, 1) == 0:
            alive.append((*settled(), len(live)))
            print(
                f"{number:>7}{alive[-1][0]:>10}{alive[-1][1]:>10}{alive[-1][2]:>11}{alive[-1][3]:>10}",
                flush=True,
            )
    return sorted(took)[len(took) // 2], alive


def pins(service: hotmod.versions.Service) -> None:
    """What a pin costs, and a look-up by name, beside a lock."""
    names = {"lock": threading.Lock(), "service": service, "facade": importlib.import_module("fleet.m0")}
    with service.pin() as version:
        names["module"] = version["fleet.m0"]
    rows = {
        "with lock": "with lock: pass",
        "with service.pin()": "with service.pin(): pass",
        "an attribute of a version's module": "module.NUMBER",
        "the same through sys.modules": "facade.NUMBER",
    }
    times = {
        title: min(timeit.repeat(code, globals=names, number=20_000, repeat=5))
        for title, code in rows.items()
    }
    for title, seconds in times.items():
        print(f"{title:<36}{seconds / 20_000 * 1e9:>8.0f} ns{seconds / times['with lock']:>8.1f}")


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", type=int, nargs="?", default=1000, help="swaps (default 1000)")
    count = parser.parse_args().count
    logging.getLogger("hotmod").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "fleet").mkdir()
        (folder / "fleet" / "__init__.py").write_text("", "utf-8")
        for number in range(MODULES):
            write(folder, number, 0)
        sys.path.insert(0, name)
        importing = fresh_import()
        with hotmod.versions.open("fleet", watch=False) as service:
            for number in range(MODULES):
                service.current[f"fleet.m{number}"]
            print(f"{'swaps':>7}{'objects':>10}{'blocks':>10}{'functions':>11}{'versions':>10}")
            swap, alive = swaps(service, folder, count)
            pins(service)
    half = len(alive) // 2
    between = max(count * (len(alive) - half) // len(alive), 1)
    objects, blocks = ((alive[-1][index] - alive[half - 1][index]) / between for index in (0, 1))
    print(f"{objects:.3f} objects and {blocks:.3f} blocks per swap; {alive[-1][3]} versions alive at most")
    print(f"a swap of {MODULES} modules takes {swap / importing:.2f} of the time of importing them anew")
    too_many = any(each[3] > 2 for each in alive)  # noqa: PLR2004 - the one in charge and the one before
    return int(objects > MAX_OBJECTS or blocks > MAX_BLOCKS or too_many)


if __name__ == "__main__":
    sys.exit(main())
