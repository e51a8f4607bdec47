"""Fingerprints: what a function is, and everything that it reaches, as a digest that processes agree on."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

import hotmod
from hotmod.workers import fingerprint
from tests.oracle.project import Project

PATIENCE = 60.0  # seconds
ROOT = pathlib.Path(__file__).parents[2]

MAIN = """
    import functools
    import math

    from mint import rates
    from mint.rates import Kind, Rate, STANDARD
    from mint.wrap import plus


    def pay(net, kind=Kind.FULL, *, more=(1, 2)):
        from mint.late import ROUND
        return round(helper(net) + rates.BASE + len(more), ROUND) + math.pi


    def helper(net):
        return Till(net).total()


    class Till:
        size = 1

        def __init__(self, net):
            self.net = net

        def total(self):
            return self.part() + STANDARD.share

        def part(self):
            return rates.TABLE["a"] + self.size

        def unused(self):
            return 5


    @plus(3)
    def more(net):
        return net


    half = functools.partial(helper, 2)


    def unrelated():
        return 1


    def named():
        import importlib
        return importlib.import_module("mint.late").ROUND


    def nearby():
        from importlib import import_module
        return import_module(".late", __package__).ROUND


    def short(name):
        return __import__("mint." + name)


    RAW = bytearray(b"abc")


    def raw():
        return RAW


    def remembers():
        return CACHE, STATE


    CACHE = {}
    STATE = []
    __hotmod_keep__ = ("CACHE",)
    """
RATES = """
    import dataclasses
    import enum
    import re
    import threading


    class Kind(enum.Enum):
        FULL = 1
        HALF = "h"


    @dataclasses.dataclass(frozen=True)
    class Rate:
        share: int
        names: frozenset = frozenset({"x", "y", "z"})


    STANDARD = Rate(7)
    BASE = 10
    OTHER = 11
    TABLE = {"a": 1, "b": {"c", "d", "e"}}
    WORD = re.compile("a")
    LOCK = threading.Lock()


    def locked():
        with LOCK:
            return WORD.match("a")
    """
WRAP = """
    def plus(number):
        def around(function):
            def wrapped(net):
                return function(net) + number
            return wrapped
        return around
    """
FILES = {
    "mint/__init__.py": "",
    "mint/main.py": MAIN,
    "mint/rates.py": RATES,
    "mint/wrap.py": WRAP,
    "mint/late.py": "ROUND = 1\n",
}
NAMES = ["mint.rates", "mint.wrap", "mint.late", "mint.main"]


@pytest.fixture
def mint(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A package whose functions reach each other in many ways."""
    # the stamp of a `.pyc` fits an edit of the same size in the same second
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    project = Project(tmp_path)
    project.write(FILES).load(*NAMES)
    yield project
    project.forget()


def of(function: str) -> str:
    """The digest of a function of `mint.main`, or of a class of it and a method."""
    value = sys.modules["mint.main"]
    for part in function.split("."):
        value = getattr(value, part)
    return fingerprint(value, "mint").digest


@pytest.mark.parametrize(
    ("function", "file", "old", "new"),
    [
        ("pay", "main", "round(helper", "abs(helper"),
        ("pay", "main", "kind=Kind.FULL", "kind=Kind.HALF"),
        ("pay", "main", "more=(1, 2)", "more=(1, 3)"),
        ("pay", "late", "ROUND = 1", "ROUND = 2"),
        ("pay", "rates", "BASE = 10", "BASE = 12"),
        ("pay", "rates", "Rate(7)", "Rate(8)"),
        ("pay", "rates", '"x", "y", "z"', '"x", "y"'),
        ("pay", "rates", '"d", "e"', '"d", "f"'),
        ("pay", "rates", "FULL = 1", "FULL = 3"),
        ("raw", "main", 'b"abc"', 'b"abd"'),
        ("pay", "main", "self.net = net", "self.net = net + 1"),
        ("pay", "main", "self.part() + STANDARD", "self.part() - STANDARD"),
        ("pay", "main", "size = 1", "size = 2"),
        ("Till.total", "main", '["a"] + self.size', '["a"] - self.size'),
        ("named", "late", "ROUND = 1", "ROUND = 2"),
        ("nearby", "late", "ROUND = 1", "ROUND = 2"),
        ("more", "main", "@plus(3)", "@plus(4)"),
        ("more", "main", "return net\n", "return -net\n"),
        ("more", "wrap", "+ number", "- number"),
        ("half", "main", "(helper, 2)", "(helper, 3)"),
        ("remembers", "main", "STATE = []", "STATE = [1]"),
    ],
)
def test_what_a_function_reaches_changes_its_fingerprint(
    mint: Project, function: str, file: str, old: str, new: str
) -> None:
    """Code, defaults, closures, constants, classes, and whatever those reach."""
    before = of(function)
    edit(mint, file, old, new)
    assert of(function) != before


@pytest.mark.parametrize(
    ("function", "file", "old", "new"),
    [
        ("pay", "main", "import functools\n", "# a comment\n\n\n    import functools\n"),
        ("pay", "main", "def unrelated():\n        return 1", "def unrelated():\n        return 2"),
        ("pay", "rates", "OTHER = 11", "OTHER = 12"),
        ("pay", "main", "@plus(3)", "@plus(4)"),
        ("Till.total", "main", "return 5", "return 6"),
        ("remembers", "main", "CACHE = {}", "CACHE = {1: 2}"),
        ("unrelated", "wrap", "+ number", "- number"),
        ("short", "wrap", "+ number", "- number"),
    ],
)
def test_what_a_function_does_not_reach_leaves_its_fingerprint(
    mint: Project, function: str, file: str, old: str, new: str
) -> None:
    """Lines that move, other names of the same modules, and state."""
    before = of(function)
    edit(mint, file, old, new)
    assert of(function) == before


def edit(mint: Project, file: str, old: str, new: str) -> None:
    """Replace a text once, and import everything anew."""
    text = FILES[f"mint/{file}.py"]
    assert text.count(old) == 1
    mint.write({f"mint/{file}.py": text.replace(old, new)})
    for name in ("mint", *NAMES):
        sys.modules.pop(name)
    mint.load(*NAMES)


def test_processes_agree_whatever_their_seed_and_their_past(mint: Project) -> None:
    """A process that took edits has the fingerprints of fresh ones with other hash seeds."""
    reloader = hotmod.Reloader("mint")
    for base in (20, 30):
        text = FILES["mint/rates.py"].replace("BASE = 10", f"BASE = {base}").replace('"c"', f'"c", "{base}"')
        mint.write({"mint/rates.py": text})
        mint.write({"mint/main.py": FILES["mint/main.py"].replace("return 5", f"return {base}")})
        assert reloader.reload()
    functions = ["pay", "Till", "Till.total", "more", "half"]
    here = [of(each) for each in functions]
    code = (
        "import sys, mint.main; from tests.live.test_fingerprint import of; "
        "print(*map(of, sys.argv[1:]), sep='\\n')"
    )
    search = os.pathsep.join([str(mint.folder), str(ROOT)])
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-B", "-c", code, *functions],
            env={**os.environ, "PYTHONPATH": search, "PYTHONHASHSEED": seed},
            check=True,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
        )
        assert done.stdout.split() == here


def test_what_can_not_be_digested_is_told(mint: Project) -> None:
    """A lock has no contents that another process could have; a module that can't be imported has none."""
    rates = sys.modules["mint.rates"]
    assert fingerprint(rates.locked, "mint").opaque == ("mint.rates:LOCK: a _thread.lock",)
    sys.modules.pop("mint.late")
    mint.write({"mint/late.py": "1 / 0"})
    found = fingerprint(sys.modules["mint.main"].pay, "mint")
    why = "mint.main:pay imports it when it is called: ZeroDivisionError: division by zero"
    assert found.opaque == (f"mint.late: {why}",)
    assert str(found) == found.digest
    assert "mint.main:Till.part" in found.reached


def test_a_named_tuple_has_nothing_that_can_not_be_digested(mint: Project) -> None:
    """Its fields are what the class says, and a function is another one when they are."""
    text = FILES["mint/rates.py"]
    digests = []
    for kind in ("int", "float"):
        mint.write(
            {"mint/rates.py": f"{text}\n    class Pair(__import__('typing').NamedTuple): one: {kind}\n"}
        )
        sys.modules.pop("mint.rates")
        found = fingerprint(mint.load("mint.rates").Pair, "mint")
        assert not found.opaque
        digests.append(found.digest)
    assert len({*digests}) == 2


def test_state_can_be_left_out_by_name(mint: Project) -> None:
    """A name in `ignore` takes part by its name alone."""
    main = sys.modules["mint.main"]
    before = fingerprint(main.remembers, "mint", ignore=["mint.main:STATE"])
    main.STATE.append(1)
    assert fingerprint(main.remembers, "mint", ignore=["mint.main:STATE"]) == before


def test_what_is_no_code_has_no_fingerprint(mint: Project) -> None:
    """The name of a function, say, would be the same whatever the function is."""
    with pytest.raises(hotmod.ConfigError, match="allowed are"):
        fingerprint("mint.main:pay", "mint")
    assert "mint.rates:locked" in fingerprint(sys.modules["mint.rates"], "mint").reached


def test_functions_out_of_scope_take_part_by_name(mint: Project) -> None:
    """Without targets, all that nobody installed is in scope, and the standard library is not."""
    found = fingerprint(sys.modules["mint.main"].pay)
    assert found.digest == of("pay")
    assert not [name for name in found.reached if not name.startswith("mint.")]
