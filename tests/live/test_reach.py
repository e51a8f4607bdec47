from __future__ import annotations

import functools
import gc
import sys
import threading
import types
import weakref
from typing import Any

import pytest

from hotmod._live import patch
from hotmod._live.journal import Journal
from tests.live.patching import Program, Searches, compiled

TEXT = "def f(): return 1\ndef make():\n    def inner(): return 1\n    return inner\n"


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    """How often the heap was searched."""
    return Searches(monkeypatch)


def steps(program: Program, number: int) -> int:
    """How many functions follow when every 1 of the text becomes another number."""
    return len(program.edit(TEXT.replace("1", str(number))).steps)


def test_the_first_patch_searches_once_for_all_modules(searches: Searches) -> None:
    """Modules of which nothing is known share one pass over the heap; afterwards there is none."""
    programs = [Program(TEXT, name) for name in ("a", "b", "c")]
    held = [each["make"]() for each in programs]
    for number in (2, 3, 4):
        text = TEXT.replace("1", str(number))
        both = [each.edited(text) for each in programs]
        done = patch.prepare(both)
        patch.commit(Journal(), done)
        for program, edited in zip(programs, both, strict=True):
            program.accept(text, edited, done)
        assert [each() for each in held] == [number] * 3
    assert searches.count == 1


def test_a_module_with_all_usual_kinds_needs_no_search(searches: Searches) -> None:
    """Calls, hot code, captured methods, and what was hidden and found once, cause no search."""
    text = (
        "import functools, re\n"
        "def hide(f, REG={}):\n    REG[f.__name__] = f\n"
        "@hide\ndef hidden(): return 1\n"
        "class Button:\n    def __init__(self, call): self.call = {'call': [call]}\n"
        "def decorate(f): return Button(f)\n"
        "@decorate\ndef pressed(): return 1\n"
        "class C:\n    def m(self): return [x for x in range(3)]\n    @property\n    def p(self): return 1\n"
        "    @functools.lru_cache\n    def k(self): return 1\n"
        "    class D:\n        def n(self): return (x for x in 'ab')\n"
        "    q = functools.partialmethod(m)\n"
        "f = functools.partial(lambda x: 1, 2)\nbound = C().m\n"
    )
    program = Program(text)
    program.settle()
    held = [program["bound"], program["C"](), program["C"].D().n()]
    next(held[2])
    for number in (2, 3, 4):
        for _ in range(200):
            program["C"]().m(), program["C"]().p, program["f"]()
        done = program.edit(text.replace("return 1", f"return {number}"))
        assert program["hide"].__defaults__[0]["hidden"]() == number
        assert program["pressed"].call["call"][0]() == number
        assert "shop:hidden" in done.patched
    assert searches.count == 1


def test_functions_that_appear_are_searched_once(searches: Searches) -> None:
    """Closures that names do not lead to cause one search, and are remembered as long as they live."""
    program = Program(TEXT)
    program.settle()
    searches.count = 0
    held = [program["make"](), program["make"]()]
    assert [steps(program, number) for number in (2, 3)] == [4, 4]
    assert [each() for each in held] == [3, 3]
    assert searches.count == 1
    held.pop()
    assert steps(program, 4) == 3
    assert searches.count == 1


def test_what_names_lead_to_is_looked_through_before_the_heap(searches: Searches) -> None:
    """Objects that decorators make, at any usual depth, are found without a search when they appear."""
    program = Program(TEXT)
    program.settle()
    searches.count = 0

    class Command:
        __slots__ = ("call",)

    command = Command()
    command.call = {"call": [functools.partial(program["make"]())]}
    program.space["command"] = types.SimpleNamespace(commands=(command,))
    assert steps(program, 2) == 3
    assert searches.count == 0


def test_data_is_not_looked_through(searches: Searches) -> None:
    """Long containers and other modules are not entered; what they hold is found in the heap."""
    program = Program(TEXT)
    program.settle()
    searches.count = 0
    program.space["data"] = [program["make"](), *range(10_000)]
    program.space["more"] = (program["make"](), *range(10_000))
    program.space["module"] = types.ModuleType("module")
    program.space["module"].held = program["make"]()
    assert steps(program, 2) == 5
    assert searches.count == 1


def test_calls_under_way_are_no_functions(searches: Searches) -> None:
    """A function that this thread or another one runs is accounted for by its frame."""
    text = "def wait(started, go):\n    started.set()\n    go.wait()\n    return 1\n"
    text += "def f(edit):\n    edit()\n    return 1\n"
    program = Program(text)
    program.settle()
    searches.count = 0
    started, go = threading.Event(), threading.Event()
    threads = [threading.Thread(target=program["wait"], args=(started, go)) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    assert program["f"](lambda: program.edit(text.replace("1", "2"))) == 1
    go.set()
    for thread in threads:
        thread.join()
    assert searches.count == 0


def test_a_running_call_does_not_hide_a_function() -> None:
    """A closure that nobody names is found although a call of the same code is under way."""
    program = Program("def make():\n    def f(edit):\n        edit()\n        return 1\n    return f\n")
    program.settle()
    one, two = program["make"](), program["make"]()
    text = program.text.replace("1", "2")
    assert one(lambda: program.edit(text)) == 1
    assert (one(int), two(int)) == (2, 2)


def test_suspended_calls_lead_to_their_functions() -> None:
    """A closure that only a suspended generator or coroutine refers to does no harm, and is found."""
    program = Program("def make():\n    def g():\n        yield 1\n        yield 1\n    return g\n")
    program.settle()
    generator = program["make"]()()
    next(generator)
    done = program.edit(program.text.replace("1", "2"))
    assert [step.function.__qualname__ for step in done.steps] == ["make", "make.<locals>.g"]
    assert next(generator) == 1


def test_functions_out_of_the_garbage_collectors_sight_are_found_by_name() -> None:
    """After `gc.freeze()` the heap shows nothing, and what the names lead to is found all the same."""
    program = Program(TEXT)
    program.space["held"] = types.SimpleNamespace(inner=program["make"]())
    gc.freeze()
    assert steps(program, 2) == 3
    assert program["held"].inner() == 2


def test_statements_that_were_compiled_apart_are_known(searches: Searches) -> None:
    """A module may run code of several trees, as it does after a single statement ran again."""
    program = Program(TEXT)
    program.settle()
    searches.count = 0
    apart = compiled("def f(): return 1\n" + "\n" * 3)
    exec(apart, program.space)
    assert program.running is not None
    program.running = patch.Running((*program.running.trees, apart), program.running.hidden)
    program.space["more"] = [types.FunctionType(program["f"].__code__, program.space)]
    assert steps(program, 2) == 3
    assert (program["f"](), program["more"][0](), searches.count) == (2, 2, 0)


def test_a_module_that_somebody_ran_again_is_searched(searches: Searches) -> None:
    """When a function runs code that hotmod did not give it, what was known does not count."""
    program = Program(TEXT)
    program.settle()
    exec(compiled(TEXT), program.space)
    held = {"inner": program["make"]()}
    assert steps(program, 2) >= 3
    assert (program["f"](), held["inner"]()) == (2, 2)
    assert searches.count == 2
    assert steps(program, 3) >= 3
    assert searches.count == 2


def test_hidden_caches_are_found_with_their_functions() -> None:
    """A cache that only others hold is cleared, at first and later."""
    text = "import functools\n@functools.cache\ndef f(): return 1\n"
    program = Program(text)
    held = program.space.pop("f")
    for number in (2, 3):
        held()
        assert program.edit(text.replace("1", str(number))).forgotten == ("shop:f (cache)",)
        assert held() == number


def test_neither_patch_nor_undo_keeps_functions_alive() -> None:
    """A closure goes when its holder lets it go, whatever journals remember."""
    program, journal = Program(TEXT), Journal()
    held = program["make"]()
    ref = weakref.ref(held)
    program.edit(TEXT.replace("1", "2"), journal)
    del held
    assert ref() is None
    journal.undo()
    assert program["f"]() == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is of 3.12")
def test_lazy_parts_of_types_follow(searches: Searches) -> None:
    """What computes a type alias or the bound of a type variable gets its new code before it is used."""
    text = "type A = tuple[1]\ndef f[T: (int, 1)](x: T) -> T: return x\n"
    text += "class C[T]:\n    def m(self) -> T: return 1\n"
    program = Program(text)
    program.edit("\n" + text)
    searches.count = 0
    program.edit("\n\n" + text)
    assert searches.count == 0
    assert repr(program["A"].__value__) == "tuple[1]"
    assert program["f"].__type_params__[0].__constraints__ == (int, 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_monitoring_counts_no_reference(searches: Searches) -> None:
    """A tool that watches a function does not look like another function."""
    program = Program(TEXT)
    program.settle()
    searches.count = 0
    tool: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    seen: list[str] = []
    number = next(number for number in range(6) if tool.get_tool(number) is None)
    tool.use_tool_id(number, "test")
    try:
        tool.register_callback(number, tool.events.PY_START, lambda code, _: seen.append(code.co_name))
        tool.set_local_events(number, program["f"].__code__, tool.events.PY_START)
        program["f"]()
        assert steps(program, 2) == 2
    finally:
        tool.free_tool_id(number)
    assert (seen, searches.count) == (["f"], 0)
