"""A program whose threads call a package while it is edited: `python crowd.py KIND COUNT FOLDER`.

KIND says how the package is edited, and how it is called:

* `body`: the inside of functions of three modules, and nothing else;
* `names`: also names, signatures, imports, methods and attributes of classes, by statements that do
  nothing but bind names;
* `decorated`: also decorated functions, and classes with bases in the package;
* `all`: also the parameters of a constructor that an heir calls; the threads call in stable blocks;
* `whole`: the same, and all modules run as a whole.

Each function answers with the version of its text. A call that starts later never has an older answer: so the
answers of one thread, in the order of its calls, must not fall, whichever modules they are from. What is
wrong is printed as JSON.
"""

from __future__ import annotations

import collections
import contextlib
import json
import pathlib
import sys
import threading
import time
import traceback

import hotmod

KIND, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
THREADS, BURST, PAUSE = 8, 20, 0.002
STABLE = KIND in ("all", "whole")


def texts(version: int, shape: int) -> dict[str, str]:
    """The modules at a version; the shape is what `body` edits leave alone."""
    every = KIND not in ("body", "names")
    more = ", *, more=None" if STABLE and shape % 2 else ""
    low = f"""
import functools

LIMIT_{shape} = {shape}


def counted(function):
    @functools.wraps(function)
    def run(*args, **kwargs):
        return function(*args, **kwargs)
    return run


def extra_{shape}({"x=1" if shape % 2 else "x=1, y=2"}):
    return LIMIT_{shape}


def stamp({"x=1" if shape % 2 else "y=1"}):
    extra_{shape}()
    return {version}


class Base:
    factor_{shape} = 1

    def __init__(self{more}):
        self.made = self.factor_{shape}

    def low(self):
        self.helper_{shape}()
        return {version}

    def helper_{shape}(self):
        return LIMIT_{shape} + self.factor_{shape}
"""
    mid = f"""
from farm import low
from farm.low import Base, counted, extra_{shape}, stamp


{"@counted" if every else ""}
def middle({"x=1" if shape % 3 or not every else "x=1, y=2"}):
    extra_{shape}()
    return {version}, stamp()


class Thing{"(Base)" if every else ""}:
    def __init__(self):
        {f"super().__init__({'more=1' if more else ''})" if every else ""}
        self.own = {version}

    def both(self):
        first = self.mine()
        return first, {"self" if every else "Base()"}.low(), stamp()

    def mine(self):
        return {version}

    @classmethod
    def make(cls):
        return cls()
"""
    top = f"""
from farm import low
from farm.mid import Thing, middle


def chain():
    return {version}, *middle()


def build():
    thing = Thing.make()
    return thing.own, *thing.both()
"""
    return {"__init__.py": "", "low.py": low, "mid.py": mid, "top.py": top}


def write(version: int, shape: int) -> None:
    """Save the package."""
    for name, text in texts(version, shape).items():
        (FOLDER / "farm" / name).write_text(text)


(FOLDER / "farm").mkdir()
write(0, 0)
sys.path.insert(0, str(FOLDER))

from farm import low, mid, top  # noqa: E402 - they are written just before

errors: collections.Counter[str] = collections.Counter()
torn: list[tuple[int, ...]] = []
calls: list[int] = []
stop = threading.Event()


def call() -> None:
    """Call functions, methods and constructors for as long as the program is edited."""
    mine, around = 0, hotmod.stable if STABLE else contextlib.nullcontext
    while not stop.wait(PAUSE):
        for _ in range(BURST):
            try:
                with around():
                    first = top.chain()
                    seen = (*first, *top.build(), low.Base().low(), mid.middle()[0], top.chain()[0])
                if list(seen) != sorted(seen) or (STABLE and len(set(seen)) != 1):
                    torn.append(seen)
            except Exception:
                errors[traceback.format_exc(limit=-2)] += 1
            mine += 1
    calls.append(mine)


def main() -> None:
    """Edit, and tell."""
    strategy = "modules" if KIND == "whole" else "minimal"
    reloader = hotmod.Reloader("farm", strategy=strategy, patience=60)
    threads = [threading.Thread(target=call) for _ in range(THREADS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    statuses: collections.Counter[str] = collections.Counter()
    for number in range(1, COUNT + 1):
        write(number, 0 if KIND == "body" else number // 2)
        report = reloader.reload()
        statuses[report.status] += 1
        if report.status != "applied":
            errors[str(report)] += 1
    stop.set()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begin
    print(
        json.dumps(
            {
                "statuses": statuses,
                "calls": sum(calls),
                "seconds": took,
                "torn": torn[:5],
                "errors": dict(errors.most_common(5)),
            }
        )
    )


sys.setswitchinterval(1e-4)  # so that threads meet the middle of a transaction
main()
