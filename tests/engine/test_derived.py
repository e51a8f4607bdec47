from __future__ import annotations

import sys
from typing import Any

import pytest

import hotmod
from hotmod._live import derived
from tests.oracle.project import Project

# A compiler: it keeps the code that a function had when it was called first.
TOOLS = """
import functools


class Compiled:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function, self.made = function, None

    def __call__(self, *arguments):
        if self.made is None:
            self.made = copied(self.function)
        return self.made(*arguments)

    def __get__(self, instance, owner):
        return self if instance is None else functools.partial(self, instance)

    def forget(self):
        self.made = None


def copied(function):
    space = dict(function.__globals__)
    for name, value in list(space.items()):
        if isinstance(value, Compiled) and name in function.__code__.co_names:
            space[name] = copied(value.function)
    return type(function)(function.__code__, space)


def behind(function):
    inner = Compiled(function)

    @functools.wraps(function)
    def wrapper(*arguments):
        return inner(*arguments)

    return wrapper


def memo(function):
    kept = {}

    @functools.wraps(function)
    def wrapper(*arguments):
        if arguments not in kept:
            kept[arguments] = function(*arguments)
        return kept[arguments]

    return wrapper
"""
HEAD = (
    "import functools\n\nfrom shop.tools import Compiled, behind, memo\n\n"
    "RATE = 1\n\n\ndef inner():\n    return 1\n\n\n"
)
# What is made of `made`; edited is the inside of `made`, of what it calls, or a constant that it reads.
OWN = "{}\ndef made():\n    return 1\n"
CALLER = "def between():\n    return inner()\n\n\n{}\ndef made():\n    return between()\n"
READER = "{}\ndef made():\n    return RATE\n"
DECORATORS = ("@Compiled", "@behind", "@memo", "@functools.cache", "@functools.lru_cache(maxsize=3)")


class Live:
    """A module whose function `made` gives 1, and 2 after the edit."""

    def __init__(self, project: Project, text: str, call: str = "made()") -> None:
        self.project, self.text, self.call = project, text, call
        project.write({"shop/__init__.py": "", "shop/tools.py": TOOLS, "shop/late.py": text})
        project.load("shop.tools", "shop.late")
        self.reloader = hotmod.Reloader("shop")
        assert self.value() == 1

    @property
    def module(self) -> Any:
        return sys.modules["shop.late"]

    def value(self) -> Any:
        return eval(self.call, vars(self.module))

    def edit(self, old: str, new: str) -> hotmod.Report:
        assert old in self.text
        self.text = self.text.replace(old, new)
        self.project.write({"shop/late.py": self.text})
        return self.reloader.reload(check=True)


@pytest.mark.parametrize("decorator", DECORATORS)
def test_the_inside_of_a_function(project: Project, decorator: str) -> None:
    """What was compiled or cached of a function is not used once the inside of the function has changed."""
    live = Live(project, HEAD + OWN.format(decorator))
    live.edit("def made():\n    return 1", "def made():\n    return 2")
    assert live.value() == 2


@pytest.mark.parametrize("decorator", DECORATORS)
def test_what_a_function_calls(project: Project, decorator: str) -> None:
    """What was compiled or cached of a function is not used once what it calls has changed inside."""
    live = Live(project, HEAD + CALLER.format(decorator))
    live.edit("def inner():\n    return 1", "def inner():\n    return 2")
    assert live.value() == 2


@pytest.mark.parametrize("decorator", DECORATORS)
def test_a_constant_that_a_function_reads(project: Project, decorator: str) -> None:
    """What was compiled or cached of a function is not used once a constant that it reads has changed."""
    live = Live(project, HEAD + READER.format(decorator))
    live.edit("RATE = 1", "RATE = 2")
    assert live.value() == 2


@pytest.mark.parametrize("decorator", DECORATORS[:2])
def test_a_method(project: Project, decorator: str) -> None:
    """A method below a compiling decorator is compiled again."""
    text = f"class Shop:\n    {decorator}\n    def made(self):\n        return 1\n"
    live = Live(project, HEAD + text, "Shop().made()")
    live.edit("def made(self):\n        return 1", "def made(self):\n        return 2")
    assert live.value() == 2


def test_a_function_that_was_compiled_into_another(project: Project) -> None:
    """A compiled function whose compiled callee changed inside is compiled again, as the callee is."""
    text = "@Compiled\ndef low():\n    return 1\n\n\n@Compiled\ndef made():\n    return low()\n"
    live = Live(project, HEAD + text)
    live.edit("def low():\n    return 1", "def low():\n    return 2")
    assert live.value() == 2


def test_a_function_that_was_compiled_under_another_name(project: Project) -> None:
    """What a call compiled of a function, under a name of its own, is compiled again."""
    live = Live(project, HEAD + "made = Compiled(inner)\n")
    live.edit("def inner():\n    return 1", "def inner():\n    return 2")
    assert live.value() == 2


def test_another_object_that_holds_a_function_stays(project: Project) -> None:
    """An object that a call made of a function, and that does not stand for it, is not made again."""
    text = "class Job:\n    def __init__(self, run):\n        self.run = run\n\n\njob = Job(inner)\n"
    live = Live(project, HEAD + text, "job.run()")
    job = live.module.job
    live.edit("def inner():\n    return 1", "def inner():\n    return 2")
    assert live.module.job is job
    assert live.value() == 2


def test_cleared_caches_are_told(project: Project) -> None:
    """A cache cleared because of what its function calls is named in the report; an empty one is not."""
    live = Live(project, HEAD + CALLER.format("@functools.cache"))
    assert live.edit("    return 1", "    return 2").cleared == ("shop.late:made (cache)",)
    assert live.edit("    return 2", "    return 3").cleared == ()


def test_caches_of_other_functions_stay(project: Project) -> None:
    """A cache whose function leads to nothing that changed keeps what it has."""
    live = Live(project, HEAD + OWN.format("@functools.cache"))
    assert live.edit("def inner():\n    return 1", "def inner():\n    return 2").cleared == ()
    assert live.module.made.cache_info().currsize == 1


def test_a_cached_property_keeps_its_values(project: Project) -> None:
    """Values that a cached property has put into instances are state of these, and stay."""
    text = (
        "class Shop:\n    @functools.cached_property\n    def made(self):\n        return inner()\n\n\n"
        "shop = Shop()\n"
    )
    live = Live(project, HEAD + text, "shop.made")
    live.edit("def inner():\n    return 1", "def inner():\n    return 2")
    assert live.value() == 1
    assert live.module.Shop().made == 2


class TestRegisteredKinds:
    @pytest.fixture(autouse=True)
    def own_kinds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(derived, "_kinds", list(derived._kinds))

    def is_compiled(self, value: object) -> bool:
        return type(value).__name__ == "Compiled"

    def test_one_that_can_forget_stays_the_same_object(self, project: Project) -> None:
        """An object of a kind with a way to forget is told to, and its statement does not run."""
        hotmod.register_wrapper(self.is_compiled, refresh=lambda value: value.forget())
        live = Live(project, HEAD + CALLER.format("@Compiled"))
        made = live.module.made
        report = live.edit("    return 1", "    return 2")
        assert live.module.made is made
        assert live.value() == 2
        assert report.cleared == ("shop.late:made (cache)",)

    def test_one_that_has_nothing_to_forget_is_left_alone(self, project: Project) -> None:
        """Of an object of a kind that is said to call its function each time, nothing is done."""
        hotmod.register_wrapper(self.is_compiled)
        live = Live(project, HEAD + OWN.format("@Compiled"))
        made = live.module.made
        live.edit("def made():\n    return 1", "def made():\n    return 2")
        assert live.module.made is made


NUMBA = {
    "inside": ("@njit\ndef made():\n    return 1\n", "    return 1", "    return 2"),
    "called": (
        "@njit\ndef low():\n    return 1\n\n\n@njit\ndef made():\n    return low()\n",
        "def low():\n    return 1",
        "def low():\n    return 2",
    ),
    "constant": ("RATE = 1\n\n\n@njit\ndef made():\n    return RATE\n", "RATE = 1", "RATE = 2"),
    "assigned": ("def low():\n    return 1\n\n\nmade = njit(low)\n", "    return 1", "    return 2"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", NUMBA)
def test_numba_compiles_again(project: Project, case: str) -> None:
    """A function that numba compiled, alone or into another, is compiled again when it has changed."""
    pytest.importorskip("numba", reason="numba is not part of the test extra: it weighs 150 MB")
    text, old, new = NUMBA[case]
    live = Live(project, f"from numba import njit\n\n{text}")
    live.edit(old, new)
    assert live.value() == 2
