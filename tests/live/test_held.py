from __future__ import annotations

import collections
import functools
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from hotmod._live.journal import Journal
from tests.live.patching import Program, Searches

TEXT = """
def f():
    return 1

def g():
    return 2

class C:
    def m(self):
        return 3
"""
NEW = TEXT.replace("return ", "# moved\n    return 10 + ").replace(
    "    # moved\n    return 10 + 3", "    return 13"
)


def the_codes(program: Program) -> list[types.CodeType]:
    return [program["f"].__code__, program["g"].__code__, program["C"].m.__code__]


class Owner:
    """Holds code as an attribute."""

    code: Any = None


def cell_of(value: object) -> Any:
    """A closure that holds a value."""
    return (lambda: value).__closure__[0]  # type: ignore[index]


def as_set(codes: list[types.CodeType]) -> Any:
    return set(codes)


def as_instance(codes: list[types.CodeType]) -> Any:
    owner = Owner()
    owner.code = codes[1]
    return owner


def as_class(codes: list[types.CodeType]) -> Any:
    return type("Made", (), {"code": codes[2]})


HOLDERS: dict[str, tuple[Callable[[list[types.CodeType]], Any], Callable[[Any], Any]]] = {
    "a set": (as_set, set),
    "a list": (list, list),
    "a deque": (collections.deque, list),
    "keys": (lambda codes: dict.fromkeys(codes, Owner), list),
    "keys of a set in order": (lambda codes: dict.fromkeys(codes, None), list),
    "keys that flags belong to": (lambda codes: dict.fromkeys(codes, True), list),
    "keys of an ordered dictionary": (collections.OrderedDict.fromkeys, list),
    "keys of handlers": (lambda codes: collections.defaultdict(list, {code: [len] for code in codes}), list),
    "values": (lambda codes: dict(enumerate(codes)), lambda held: list(held.values())),
    "a tuple": (lambda codes: [("x", 1, codes[0])], lambda held: [held[0][2]]),
    "tuples in tuples": (lambda codes: {"x": ((codes[0], 1), [])}, lambda held: [held["x"][0][0]]),
    "a dictionary in a tuple": (
        lambda codes: [("x", Owner, dict(enumerate(codes)))],
        lambda held: list(held[0][2].values()),
    ),
    "a dictionary in tuples of plain values": (
        lambda codes: [(("x", 1), ("y", dict(enumerate(codes))))],
        lambda held: list(held[0][1][1].values()),
    ),
    "a frozen set": (lambda codes: [frozenset(codes)], lambda held: held[0]),
    "an attribute": (as_instance, lambda held: [held.code]),
    "an attribute of a class": (as_class, lambda held: [held.code]),
    "a cell": (lambda codes: cell_of(codes[0]), lambda held: [held.cell_contents]),
}


def ids(values: Any) -> list[int]:
    return sorted(map(id, values))


@pytest.fixture(params=["at the first edit", "later"])
def program(request: pytest.FixtureRequest) -> Program:
    program = Program(TEXT)
    if request.param == "later":
        program.settle()
    return program


@pytest.mark.parametrize("name", HOLDERS)
def test_who_holds_code_holds_the_new_code(name: str, program: Program) -> None:
    """A container that holds the code of a function holds its new code after the patch, in the same place."""
    make, read = HOLDERS[name]
    (holder,) = around = [make(the_codes(program))]  # a local variable alone is not looked into
    before = [the_codes(program).index(code) for code in read(holder)]
    program.edit(NEW)
    after = the_codes(program)
    assert sorted(after.index(code) for code in read(holder)) == sorted(before)
    assert all(any(code is each for each in after) for code in read(holder))
    assert around == [holder]


@pytest.mark.parametrize("name", HOLDERS)
def test_taking_it_back_gives_the_old_code_back(name: str, program: Program) -> None:
    """After an undo a container holds what it held, identities and order included."""
    make, read = HOLDERS[name]
    (holder,) = around = [make(the_codes(program))]  # a local variable alone is not looked into
    before = list(read(around[0]))
    journal = Journal()
    program.edit(NEW, journal)
    journal.undo()
    if isinstance(read(holder), (set, frozenset)):
        assert ids(read(holder)) == ids(before)
    else:
        assert [id(code) for code in read(holder)] == [id(code) for code in before]


def test_an_earlier_version_stays_what_it_is() -> None:
    """Of several versions of the code of a function that somebody holds, the one that runs is exchanged."""
    program = Program(TEXT)
    first = program["f"].__code__
    program.edit(NEW)
    second = program["f"].__code__
    (holder,) = [[first, second]]
    journal = Journal()
    program.edit(NEW.replace("return 1", "return 2"), journal)
    assert ids(holder) == ids([first, program["f"].__code__])
    journal.undo()
    assert ids(holder) == ids([first, second])


@pytest.mark.parametrize("name", HOLDERS)
def test_a_holder_is_searched_for_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder that was found is remembered: the edits that follow need no pass over the heap."""
    program = Program(TEXT)
    make, read = HOLDERS[name]
    (holder,) = around = [make(the_codes(program))]  # a local variable alone is not looked into
    program.edit(NEW)
    searches = Searches(monkeypatch)
    assert around == [holder]
    for number in range(3):
        program.edit(NEW.replace("10", str(20 + number)))
        assert all(any(code is each for each in the_codes(program)) for code in read(holder))
    assert searches.count == 0


@pytest.mark.parametrize("name", HOLDERS)
def test_a_holder_is_found_beside_others(name: str, program: Program) -> None:
    """The search ends when all references are accounted for, and not before: each counts once."""
    make, read = HOLDERS[name]
    around = [make(the_codes(program)) for _ in range(5)]
    around[3:4] = [[held] for held in around[3:4]]
    program.edit(NEW)
    after = the_codes(program)
    for holder in (*around[:3], around[3][0], around[4]):
        assert all(any(code is each for each in after) for code in read(holder))


def test_what_two_containers_share_counts_once(program: Program) -> None:
    """Two containers of one tuple, an object and its attributes: a third holder is found all the same."""
    f, *_ = the_codes(program)
    shared = (f, Owner)
    owner = Owner()
    attributes = vars(owner)  # which the collector knows besides the object
    attributes["code"] = f
    around: list[Any] = [[shared], [shared], [owner, attributes], {"last": f}]
    del f
    program.edit(NEW)
    new = program["f"].__code__
    assert around[0][0][0] is new
    assert around[1][0][0] is new
    assert owner.code is new
    assert around[3]["last"] is new


def test_what_was_measured_stays_with_the_code_that_was_measured() -> None:
    """Numbers under a code object, as a profiler collects them, are about that code, not the function."""
    program = Program(TEXT)
    old = tuple(the_codes(program))  # of which the test itself is no holder
    calls = collections.Counter(dict.fromkeys(old, 3))
    times = {code: [1, (0.5, 0.25)] for code in old}
    lines = {code: {1: 20, 2: 30} for code in old}
    program.edit(NEW)
    for statistics in (calls, times, lines):
        assert [id(code) for code in statistics] == [id(code) for code in old]


def test_a_holder_that_is_let_go_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that nobody else refers to any more is forgotten at the next edit."""
    program = Program(TEXT)
    holder = [Owner(), the_codes(program)]
    program.edit(NEW)
    assert program.running is not None
    assert [ref() for ref in program.running.holders] == [holder[1]]
    del holder[:]
    assert [ref() for ref in program.running.holders] == [None]
    searches = Searches(monkeypatch)
    program.edit(TEXT)
    assert program.running.holders == ()
    assert searches.count == 0


def test_a_holder_that_is_let_go_goes_with_any_edit() -> None:
    """A list that nobody else refers to any more does not wait for an edit of its own module."""
    program, other = Program(TEXT), Program(TEXT, "other")
    kept = Owner()
    holder = [*the_codes(program), kept]
    program.edit(NEW)
    gone = weakref.ref(kept)
    del holder, kept
    assert gone() is not None
    other.edit(NEW)
    assert gone() is None


def test_calls_under_way_are_no_containers() -> None:
    """Suspended generators, frames and tracebacks keep the code that they began with."""
    program = Program("def f():\n    yield 1\n    yield 2\n\ndef fails():\n    raise ValueError('no')\n")
    program.settle()
    generator = program["f"]()
    next(generator)
    with pytest.raises(ValueError, match="no") as caught:
        program["fails"]()
    old = program["f"].__code__, program["fails"].__code__
    program.edit("\ndef f():\n    yield 1\n    yield 3\n\ndef fails():\n    raise TypeError\n")
    assert program.running is not None
    assert program.running.holders == ()
    assert generator.gi_code is old[0]
    assert caught.traceback[-1].frame.code.raw is old[1]
    assert next(generator) == 2


def test_code_of_a_function_that_can_not_follow_stays() -> None:
    """Where a function goes on running its old code, whoever holds that code goes on holding it."""
    program = Program("def f():\n    return 1\n")
    registry = {program["f"].__code__}
    done = program.edit("def f():\n    yield 1\n")
    assert [each.code for each in done.unfit] == ["kind-change"]
    assert registry == {program["f"].__code__}


COROUTINES = """
import types

@types.coroutine
def wait():
    def inner():
        return 1
    yield inner()

def plain():
    return 1
"""


def test_coroutines_made_of_generators_get_new_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """`types.coroutine` marks the code of a generator; new code gets the mark as well, at every edit."""
    program = Program(COROUTINES)
    wait = program["wait"]
    program.edit(COROUTINES)
    searches = Searches(monkeypatch)
    for number in range(2, 5):
        done = program.edit(COROUTINES.replace("return 1\n    yield", f"return {number}\n    yield"))
        assert done.unfit == ()
        assert done.patched == ("shop:wait",) if number > 1 else True

        async def ask() -> Any:
            return await wait()

        assert ask().send(None) == number
    assert searches.count == 0


def test_a_partial_is_looked_through() -> None:
    """Nothing is exchanged where nothing holds code: a wrapper is no registry."""
    program = Program(TEXT)
    partial = functools.partial(program["f"])
    program.edit(NEW)
    assert partial() == 11
    assert program.running is not None
    assert program.running.holders == ()
