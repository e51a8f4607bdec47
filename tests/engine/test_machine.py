"""Random packages, random edits: whatever is saved, the live process is the fresh one or what it was.

A fresh process decides what should happen: if it can import the files, so can the running program;
if it can't, the program must not have changed at all.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.oracle.check import differences
from tests.oracle.processes import Program, server

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "40"))
STEPS = int(os.environ.get("MACHINE_STEPS", "9"))
# To make a failure small takes minutes: only when asked for.
PHASES = (Phase.generate, Phase.shrink) if os.environ.get("MACHINE_SHRINK") else (Phase.generate,)

REGISTRY = """
HANDLERS = {}
SEEN = set()
HEIRS = {}


def handle(function):
    if function.__name__ in HANDLERS:
        raise ValueError(function.__name__ + " is taken")
    HANDLERS[function.__name__] = function
    SEEN.add(function)
    return function


class Base:
    def __init_subclass__(cls):
        HEIRS[cls.__module__] = cls
"""

MODULES = ("m0", "m1", "m2", "m3", "m4")  # imported in this order; top-level imports point to the left
NAMES = ("A", "B", "f", "K", "L")

numbers = st.integers(0, 9)
constants = st.sampled_from(["A", "B"])


def definitions(number: int) -> st.SearchStrategy[str]:
    """One definition of the module with this number; it may well fail."""
    own = f"m{number}"
    return st.one_of(
        st.builds("{} = {}".format, constants, numbers),
        st.builds("{} = {}".format, constants, numbers),
        st.builds("B = A + {}".format, numbers),
        st.builds("L = [A, {}]".format, numbers),
        st.builds(
            "def f(x={}):\n    return x + {}".format,
            st.one_of(numbers, constants),
            st.one_of(numbers, constants),
        ),
        st.builds("def f(x, *, y={}):\n    # a comment\n    return [A, x, y]".format, numbers),
        st.builds(
            "def f():\n    from pkg import {0}\n    return vars({0}).get('A')".format,
            st.sampled_from(MODULES),
        ),
        st.builds(
            "class K:\n    size = {}\n\n    def get(self):\n        return self.size + {}".format,
            numbers,
            numbers,
        ),
        st.builds("class K(Base):\n    size = {}".format, numbers),
        st.builds("class K(enum.Enum):\n    ONE = {}\n    TWO = 10".format, numbers),
        st.builds("@dataclasses.dataclass\nclass K:\n    x: int = {}\n    y: list = None".format, numbers),
        st.builds(
            "@handle\ndef {}_{}():\n    return {}".format, st.just(own), st.sampled_from("ab"), numbers
        ),
        st.builds("if A > {}:\n    B = 1\nelse:\n    L = 2".format, numbers),
        st.builds("try:\n    from pkg.m1 import B\nexcept ImportError:\n    B = {}".format, numbers)
        if number > 1
        else st.just("# nothing"),
        st.builds("# comment {}".format, numbers),
        st.just("__all__ = [name for name in ('A', 'f', 'K') if name in globals()]"),
        st.just("del A"),
    )


def imports(number: int) -> st.SearchStrategy[str]:
    """One import of a module to the left."""
    if number == 0:
        return st.just("import sys")
    left = st.integers(0, number - 1)
    return st.one_of(
        st.builds("from pkg.m{} import {}".format, left, st.sampled_from(NAMES)),
        st.builds("from pkg.m{0} import {1} as {1}".format, left, constants),
        st.builds("from .m{} import *".format, left),
        st.builds("from pkg import m{0}\n\nA = getattr(m{0}, 'A', 0) + 1".format, left),
        st.builds("import pkg.m{0} as other\n\n\ndef g():\n    return vars(other).get('A')".format, left),
    )


def texts(number: int) -> st.SearchStrategy[str]:
    """A module's text: imports to the left on top, definitions, imports to the right at the end."""
    right = st.sampled_from(MODULES[number:]).map("import pkg.{0} as _later_{0}".format)
    parts = st.tuples(
        st.just(["import dataclasses\nimport enum\n\nfrom pkg.registry import Base, handle\n\nA = 5"]),
        st.lists(imports(number), max_size=2),
        st.lists(definitions(number), max_size=4),
        st.lists(right, max_size=1),
    )
    return parts.map(lambda found: "\n\n".join(part for group in found for part in group) + "\n")


BROKEN = (
    "def f(:\n",
    "1 / 0\n",
    "raise SystemExit\n",
    "A = undefined\n",
    "import pkg.nowhere\n",
    "\0",
    "raise KeyboardInterrupt\n",
)


class Saves(RuleBasedStateMachine):
    """A program that is edited while it runs."""

    strategy = "modules"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name, "live")
        self.files: dict[str, str] = {}
        self.good: dict[str, str] = {}
        self.past: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.now: dict[str, Any] = {}
        self.count = 0
        self.live: Program = server().program()

    def teardown(self) -> None:
        self.live.__exit__()
        self.folder.cleanup()

    # what the rules are made of

    def fresh(self, names: list[str]) -> tuple[dict[str, Any] | None, str]:
        """What a process that imports these modules from the files of now looks like, or why it can't."""
        self.count += 1
        root = pathlib.Path(self.folder.name, f"fresh{self.count}")
        put(root, self.files)
        with server().program() as program:
            try:
                failed = program.load(str(root), names, ["pkg"], bytecode=False)
            except RuntimeError as error:
                return None, str(error).strip().splitlines()[-1]
            return (None, failed[0]) if failed else (program.look(), "")

    def save(self, changes: dict[str, str | None]) -> None:
        """Write the changes, reload, and compare."""
        self.files = {name: text for name, text in {**self.files, **changes}.items() if text is not None}
        put(self.root, self.files)
        loaded = [f"pkg.{name}" for name in ("registry", *MODULES) if name in self.files]
        names = ["pkg", *(name for name in loaded if name in self.now["modules"])]
        wanted, why = self.fresh(names)
        report = self.live.reload()
        assert report["broken"] == []
        look = self.live.look()
        if wanted is None:
            assert report["status"] == "rejected", f"a fresh process fails with {why}; {report['text']}"
            assert differences(look, self.now) == []
            return
        assert report["status"] in ("applied", "unchanged"), report["text"]
        assert differences(look, wanted) == []
        if report["status"] == "applied":
            self.past = [*self.past[-2:], (self.now, self.good)]
        self.now, self.good = look, dict(self.files)
        assert self.live.reload(watched=False)["status"] == "unchanged"

    # the rules

    @initialize(data=st.data(), size=st.integers(3, len(MODULES)))
    def start(self, data: st.DataObject, size: int) -> None:
        """Write a package that can be imported, and import all of it."""
        self.files = {"__init__": "", "registry": REGISTRY.lstrip()}
        for number in range(size):
            text = data.draw(texts(number), label=f"m{number}")
            self.files[f"m{number}"] = text
            names = ["pkg", *(f"pkg.{name}" for name in self.files if name != "__init__")]
            if self.fresh(names)[0] is None:
                self.files[f"m{number}"] = f"A = {number}\n"
        put(self.root, self.files)
        names = ["pkg", *(f"pkg.{name}" for name in self.files if name != "__init__")]
        assert self.live.load(str(self.root), names, ["pkg"]) == []
        self.live.attach("hotmod", ["pkg"], self.strategy)
        self.now, self.good = self.live.look(), dict(self.files)

    @rule(data=st.data(), number=st.integers(0, len(MODULES) - 1))
    def edit(self, data: st.DataObject, number: int) -> None:
        """Save another text of one module, or add the module."""
        self.save({f"m{number}": data.draw(texts(number))})

    @rule(data=st.data(), numbers=st.sets(st.integers(0, len(MODULES) - 1), min_size=2, max_size=3))
    def edit_several(self, data: st.DataObject, numbers: set[int]) -> None:
        """Save other texts of several modules at once."""
        self.save({f"m{number}": data.draw(texts(number)) for number in sorted(numbers)})

    @rule(
        number=st.integers(0, len(MODULES) - 1),
        line=st.sampled_from(["\n# end\n", "\nA = 7\n", "\n\ndef f():\n    return 'new'\n"]),
    )
    def append(self, number: int, line: str) -> None:
        """Add something at the end of a module."""
        if f"m{number}" in self.files:
            self.save({f"m{number}": self.files[f"m{number}"] + line})

    @rule(number=st.integers(0, len(MODULES) - 1), text=st.sampled_from(BROKEN), whole=st.booleans())
    def break_one(self, number: int, text: str, whole: bool) -> None:
        """Save something that fails, alone or below what was there."""
        self.save({f"m{number}": text if whole else self.files.get(f"m{number}", "") + text})

    @rule(number=st.integers(0, len(MODULES) - 1))
    def delete(self, number: int) -> None:
        """Delete a module, whether it is needed or not."""
        self.save({f"m{number}": None})

    @rule(
        text=st.sampled_from(
            ["", "from pkg.m0 import *\n", "from pkg import m1\n\nX = m1.A\n", "import pkg.m2\n"]
        )
    )
    def edit_package(self, text: str) -> None:
        """Save another text of the package itself."""
        self.save({"__init__": text})

    @rule(line=st.sampled_from(["# comment\n", "EXTRA = 1\n", "HANDLERS['mine'] = len\n"]))
    def edit_registry(self, line: str) -> None:
        """Save another text of the module in which the others register."""
        self.save({"registry": REGISTRY.lstrip() + line})

    @rule()
    def undo(self) -> None:
        """Save the last texts that were good."""
        self.save({**dict.fromkeys(self.files), **self.good})

    @precondition(lambda self: self.past)
    @rule()
    def roll_back(self) -> None:
        """Go back to the version before, and apply what is on disk again."""
        before, good = self.past.pop()
        self.live.rollback()
        assert differences(self.live.look(), before) == []
        self.now, self.good, self.files = before, good, dict(good)
        self.save({})


class MinimalSaves(Saves):
    """The same, where only statements run that have to."""

    strategy = "minimal"


def put(root: pathlib.Path, files: dict[str, str]) -> None:
    """Make the package `pkg` below a folder hold exactly these modules."""
    package = root / "pkg"
    package.mkdir(parents=True, exist_ok=True)
    for path in package.glob("*.py"):
        if path.stem not in files:
            path.unlink()
    for name, text in files.items():
        path = package / f"{name}.py"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("machine", [Saves, MinimalSaves])
def test_any_edits_of_any_package(machine: type[Saves]) -> None:
    """After any sequence of good and bad saves and rollbacks the program is the fresh one, or what it was."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
