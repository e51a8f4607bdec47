"""What an edit costs with `strategy="minimal"`, beside what it can't cost less than and beside `"modules"`.

    python benchmarks/minimal.py [--edits 1000] [--modules 10,1000,10000] [--importers 100]

Body edits: a function in a module of 300 lines gets another constant, and `Reloader.attempt([path])`, as
the watcher calls it, applies that, from the bytes on disk to the commit. The floor is measured between the
edits, in the same process: read another edit of the same file, compile it, and set the `__code__` of the one
function. How the time grows is measured with packages of dummy modules, and over many edits of one process.

A leaf: a constant that all importers bind by `from leaf import LIMIT` is changed, by each of the two
strategies in turn.

All times are CPU time of the thread. The program fails when a limit does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import logging
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator

import hotmod

TIMES_FLOOR, FLAT, LEAF = 3.0, 1.2, 0.2  # the limits
WARM_UP = 20
SHORT = 200  # edits for each size of a package
LINES = 300
FUNCTION = '''
def function_{index}(items, scale={index}):
    """Add up what is larger than a limit."""
    total = 0
    for item in items:
        # a comment, as there are in real code
        if item.value > scale and item.name not in IGNORED:
            total += item.value * {number}
    return total
'''
CLASS = '''
class Thing{index}(Base):
    """A thing with a name and a value."""

    kind = "thing-{index}"

    def __init__(self, name, value):
        self.name = name
        self.value = value

    def describe(self):
        """In words."""
        return f"{{self.name}} is {{self.value}}"

    def scaled(self, factor=2):
        if factor < 0:
            raise ValueError(factor)
        return type(self)(self.name, self.value * factor + {number})
'''
HEAD = '''"""A module of three hundred lines."""

import collections
import os.path
from typing import Any

IGNORED = frozenset(["nothing"])
CACHE: dict[str, Any] = {}
Pair = collections.namedtuple("Pair", "one two")


class Base:
    pass

'''
DUMMY = '''"""A dummy."""

import os
from shop.base import helper

NAME = "dummy-{index}"


def work(value):
    return helper(value) + {index}


class Worker:
    def run(self):
        return work(NAME)
'''
BASE = "def helper(value):\n    return len(str(value))\n"


def text(number: int) -> str:
    """The module of 300 lines, in whose middle a function holds a number."""
    parts, index = [HEAD], 0
    while sum(part.count("\n") for part in parts) < LINES:
        edited = number if index == LINES // 60 else 0
        parts.append((CLASS if index % 3 == 2 else FUNCTION).format(index=index, number=edited))  # noqa: PLR2004
        index += 1
    return "".join(parts)


@contextlib.contextmanager
def package(modules: int) -> Iterator[pathlib.Path]:
    """A package with a module of 300 lines and many dummy ones, all loaded; gives its folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve() / "shop"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "base.py").write_text(BASE, "utf-8")
        (folder / "body.py").write_text(text(0), "utf-8")
        names = [f"dummy{index}" for index in range(modules - 3)]
        for index, each in enumerate(names):
            (folder / f"{each}.py").write_text(DUMMY.format(index=index), "utf-8")
        sys.path.insert(0, str(folder.parent))
        for each in ("body", "base", *names):
            importlib.import_module(f"shop.{each}")
        yield folder


def floor(path: pathlib.Path, function: object) -> float:
    """The seconds that reading, compiling and swapping one code object take."""
    started = time.thread_time()
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    for const in code.co_consts:
        if getattr(const, "co_name", "") == function.__name__:
            function.__code__ = const
    return time.thread_time() - started


def body_edits(folder: pathlib.Path, count: int) -> tuple[list[float], list[float], list[int]]:
    """Seconds of some edits, of the floor beside each, and bytes in use after each hundred."""
    path, shop = folder / "body.py", sys.modules["shop.body"]
    other = folder.parent / "floor.py"
    swapped = type(shop.function_0)(shop.function_0.__code__, {}, "function_5")
    reloader = hotmod.Reloader("shop")
    times, floors, sizes = [], [], []
    for number in range(1, count + WARM_UP + 1):
        path.write_text(text(number), "utf-8")
        other.write_text(text(-number), "utf-8")
        started = time.thread_time()
        report = reloader.attempt([str(path)])
        taken = time.thread_time() - started
        if report.patched != ("shop.body:Thing5.scaled",) or report.executed:
            sys.exit(f"not a body edit: {report}")
        if number > WARM_UP:
            times.append(taken)
            floors.append(floor(other, swapped))
        if tracemalloc.is_tracing() and number % 100 == 0:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    return times, floors, sizes


def in_process(*arguments: str) -> list[float]:
    """The figures that this program prints when it is called with some arguments."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return [float(each) for each in done.stdout.split()]


def measure_modules(count: int) -> None:
    """Print the medians of an edit and of the floor in a package of some size."""
    with package(count) as folder:
        times, floors, _ = body_edits(folder, SHORT)
    print(statistics.median(times), statistics.median(floors))


def measure_edits(count: int) -> None:
    """Print the medians over the first and the last tenth of many edits, and of the floor beside them."""
    with package(10) as folder:
        times, floors, _ = body_edits(folder, count)
    tenth = max(count // 10, 1)
    for each in (times[:tenth], times[-tenth:], floors[:tenth], floors[-tenth:]):
        print(statistics.median(each))


def measure_memory(count: int) -> None:
    """Print the bytes in use after a tenth of many edits and at their end."""
    with package(10) as folder:
        tracemalloc.start()
        sizes = body_edits(folder, count)[2]
    print(sizes[len(sizes) // 10], sizes[-1])


def leaf_edits(strategy: str, importers: int, count: int) -> None:
    """Print the median of changes of a constant that all importers bind."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve() / "tree"
        folder.mkdir()
        (folder / "__init__.py").touch()
        leaf = folder / "leaf.py"
        leaf.write_text("LIMIT = 0\n", "utf-8")
        for index in range(importers):
            body = text(index).replace("import os.path", "import os.path\nfrom tree.leaf import LIMIT")
            body += "\n\ndef limit():\n    return LIMIT\n"
            (folder / f"user{index}.py").write_text(body, "utf-8")
        sys.path.insert(0, str(folder.parent))
        users = [importlib.import_module(f"tree.user{index}") for index in range(importers)]
        reloader = hotmod.Reloader("tree", strategy=strategy)
        times = []
        for number in range(1, count + 4):
            leaf.write_text(f"LIMIT = {number}\n", "utf-8")
            started = time.thread_time()
            reloader.attempt([str(leaf)])
            times.append(time.thread_time() - started)
            if any(user.limit() != number for user in users):
                sys.exit("an importer has the old value")
    print(statistics.median(times[3:]))


def told(what: str, ratio: float, limit: float, detail: str) -> bool:
    """Print one line; whether the limit holds."""
    holds = ratio <= limit
    print(
        f"{what:<52} {ratio:6.2f}  (at most {limit:.2f}: {'holds' if holds else 'BROKEN'})  {detail}",
        flush=True,
    )
    return holds


def main() -> int:
    """Measure everything, print a table, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--modules", default="10,1000,10000")
    parser.add_argument("--importers", type=int, default=100)
    parser.add_argument("--only", nargs=2, action="append", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.getLogger("hotmod").setLevel(logging.ERROR)
    inner = {"modules": measure_modules, "edits": measure_edits, "memory": measure_memory}
    for what, count in options.only:
        if what in inner:
            inner[what](int(count))
        else:
            leaf_edits(what.removeprefix("leaf-"), int(count), 10)
        return 0
    holds = []
    first = None
    for size in options.modules.split(","):
        edit, least = in_process("--only", "modules", size)
        first = first or edit / least
        detail = f"{edit * 1e3:.3f} ms, floor {least * 1e3:.3f} ms"
        holds.append(told(f"body edit / floor, {size} modules", edit / least, TIMES_FLOOR, detail))
        if edit / least != first:
            holds.append(
                told(
                    f"the same, beside {options.modules.split(',')[0]} modules",
                    edit / least / first,
                    FLAT,
                    "",
                )
            )
    early, late, floor_early, floor_late = in_process("--only", "edits", str(options.edits))
    detail = f"{early * 1e3:.3f} ms, then {late * 1e3:.3f} ms"
    what = f"the last tenth of {options.edits} edits / the first tenth"
    holds.append(told(what, late / floor_late / (early / floor_early), FLAT, detail))
    early, late = in_process("--only", "memory", str(options.edits))
    holds.append(
        told(
            "memory after them / after the first tenth",
            late / early,
            FLAT,
            f"{early / 1e3:.0f} kB, then {late / 1e3:.0f} kB",
        )
    )
    count = str(options.importers)
    minimal, modules = (in_process("--only", f"leaf-{each}", count)[0] for each in ("minimal", "modules"))
    detail = f"{minimal * 1e3:.1f} ms, {modules * 1e3:.1f} ms"
    holds.append(told(f"leaf with {count} importers: minimal / modules", minimal / modules, LEAF, detail))
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
