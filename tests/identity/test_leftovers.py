from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

import hotmod
from hotmod._live import adapters, instances, survey
from tests.identity.table import Live
from tests.live.patching import Searches
from tests.oracle.project import Project

SLOTTED = "class C:\n    __slots__ = ({})\n\n\nCACHE = {{}}\n"


def replaced(project: Project, held: str) -> list[hotmod.Hazard]:
    """The hazards of replacing a class that is held somewhere in a module outside the scope."""
    live = Live(project, SLOTTED.format("'a',"))
    project.write({"outside.py": "CACHE = None\n"}).load("outside")
    live.hold(f"sys.modules['outside'].CACHE = {held}")
    return [each for each in live.edit(SLOTTED.format("'a', 'b'")).hazards if each.code != "slots-layout"]


@pytest.mark.parametrize(
    ("held", "path"),
    [
        ("{'cfg': m.C}", "outside.CACHE['cfg'] -> shop.m.C"),
        ("[0, (m.C,)]", "outside.CACHE[1][0] -> shop.m.C"),
        ("{m.C}", "outside.CACHE{...} -> shop.m.C"),
        ("__import__('types').SimpleNamespace(x=m.C)", "outside.CACHE.x -> shop.m.C"),
        ("(lambda c: lambda: c)(m.C)", "outside.CACHE(c in <lambda>.<locals>.<lambda>) -> shop.m.C"),
    ],
)
def test_who_holds_a_replaced_class_is_told_by_a_path(project: Project, held: str, path: str) -> None:
    """The report says which name leads to an object of the earlier version, and how."""
    (hazard,) = replaced(project, held)
    assert (hazard.code, hazard.name, hazard.holders) == ("stale-reference", "C", (path,))


def test_nobody_is_told_where_nobody_holds_it(project: Project) -> None:
    """A replaced class that only hotmod remembers is no hazard beyond the replacement."""
    assert replaced(project, "None") == []


def test_the_heap_is_not_searched_when_all_was_changed_in_place(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of bodies asks neither for holders nor for instances."""
    live = Live(project, "class C:\n    def f(self):\n        return 1\n")
    monkeypatch.setattr(survey, "holders", None)
    monkeypatch.setattr(instances, "of_classes", None)
    assert live.edit("class C:\n    def f(self):\n        return 2\n").status == "applied"


def test_the_passes_over_the_heap_do_not_grow_with_what_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many objects are looked for, the heap is listed at most once per step."""
    passes = 0
    listed = gc.get_objects

    def counted() -> list[Any]:
        nonlocal passes
        passes += 1
        return listed()

    monkeypatch.setattr(gc, "get_objects", counted)
    targets = [[number] for number in range(500)]
    found = survey.holders(targets)
    assert passes <= survey.DEPTH
    assert len(found) == 500
    assert next(iter(found.values()))[0].startswith("targets in test_the_passes")


def test_cleared_caches_are_told(project: Project) -> None:
    """The cached results of a function that ran again are forgotten, and the report says so."""
    text = "from functools import cache\n\n\n@cache\ndef f(x):\n    return x + 1\n"
    live = Live(project, text)
    live.hold("m.f(1)")
    report = live.edit(text.replace("1", "2"))
    assert report.cleared == ("shop.m:f (cache)",)
    assert live.edit(text).cleared == ()


def test_the_shape_hazard_counts_and_names(project: Project) -> None:
    """The hazard says how many instances lack which attributes, and how many hold what was dropped."""
    text = "class C:\n    def __init__(self):\n        self.a = self.b = 1\n"
    live = Live(project, text)
    live.hold("sys.modules['shop'].kept = [m.C(), m.C()]")
    (hazard,) = live.edit(text.replace("self.b", "self.c = self.d")).hazards
    assert (hazard.code, hazard.module, hazard.name) == ("instance-shape", "shop.m", "C")
    assert hazard.message.startswith("2 live instances lack c, d and 2 still hold b")
    assert hazard.holders[0] == "shop.kept[0]"


def test_a_migration_that_fails_rejects_the_edit(project: Project) -> None:
    """An exception in `__hotmod_update__` takes everything back, other instances included."""
    live = Live(project, "class C:\n    def __init__(self, n):\n        self.n = n\n")
    live.hold("one, two = m.C(1), m.C(2)")
    report = live.edit(
        """
        class C:
            def __init__(self, n):
                self.k = n

            def __hotmod_update__(self, change):
                self.k = 1 // (2 - self.n)
                del self.n
        """
    )
    assert (report.status, type(report.error)) == ("rejected", ZeroDivisionError)
    assert [vars(live.space[name]) for name in ("one", "two")] == [{"n": 1}, {"n": 2}]
    assert not hasattr(live.space["one"], "__hotmod_update__")


def test_an_adapter_of_the_user_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`register_class_adapter` rebuilds a recognised class, and can refuse it with a reason."""
    monkeypatch.setattr(adapters, "_adapters", [])
    rebuilt: list[tuple[type, type]] = []
    hotmod.register_class_adapter(
        lambda cls: "special" in vars(cls),
        rebuild=lambda live, new: rebuilt.append((live, new)),
        obstacle=lambda _, new: "it says so" if new.special == 3 else None,
    )
    live = Live(project, "class C:\n    special = 1\n")
    cls = live.space["m"].C
    assert live.edit("class C:\n    special = 2\n").hazards == ()
    assert rebuilt[0][0] is cls is live.space["m"].C
    (hazard, *_) = live.edit("class C:\n    special = 3\n").hazards
    assert hazard.message == "replaced: it says so"
    assert sys.modules["shop.m"].C is not cls


def test_a_rejected_edit_leaves_no_subclass(project: Project) -> None:
    """Classes of an edit that failed are in nobody's `__subclasses__()`."""
    text = "class Base: pass\n\n\nclass A(Base): pass\n"
    live = Live(project, text)
    assert live.edit(f"{text}\n\nclass B(Base): pass\n\n\n1 / 0\n").status == "rejected"
    assert live.space["m"].Base.__subclasses__() == [live.space["m"].A]


def test_objects_do_not_grow_with_reloads(project: Project) -> None:
    """After sixty edits there are as many objects as after forty (bytes: `benchmarks/memory.py`)."""
    text = (
        "class Base:\n    def __init_subclass__(cls): ...\n\n\n"
        "class C(Base):\n    def f(self):\n        return {}, super().__init__()\n\n\n"
        "def make():\n    return lambda: {}\n\n\nmade = make()\n"
    )
    live = Live(project, text.format(0, 0))
    counts = []
    for turn in range(1, 61):
        assert live.edit(text.format(turn % 2, turn % 2))
        gc.collect()
        if turn in {40, 60}:
            counts.append(len(gc.get_objects()))
    assert counts[1] - counts[0] < 20


def test_a_reload_leaves_no_code_to_the_collector(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody collects garbage, code is counted as exactly as ever, so that the heap is not searched."""
    text = "class C:\n    def f(self): return {0}\n\n\ndef g(): return {0}\n\n\nN = [{0}]\n"
    live = Live(project, text.format(1))
    live.hold("f = m.C().f")
    assert live.edit(text.format(2))  # the code that the import made is known from then on
    searches = Searches(monkeypatch)
    gc.disable()
    try:
        for number in (3, 4, 5):
            assert live.edit(text.format(number))
            assert live.failing((f"f() == {number}",)) == []
    finally:
        gc.enable()
    assert searches.count == 0


@pytest.mark.parametrize("held", ["None", "m.C()"])
def test_a_class_that_runs_again_leaves_nothing_that_grows(project: Project, held: str) -> None:
    """Only the empty class of the run is left to the collector: no transaction, no frame and no method.

    So it is when the heap was searched, for instances that lack an attribute and for those who hold them.
    """
    text = (
        "class Base:\n    def f(self): return {0}\n\n\nclass C(Base):\n    n = {0}\n\n"
        "    def __init__(self):\n        super().__init__()\n        self.n_{0} = {0}\n"
    )
    live = Live(project, text.format(1))
    live.hold(f"held = {held}")
    assert live.edit(text.format(2))
    gc.collect()
    gc.disable()
    try:
        for number in range(3, 9):  # more than can be taken back: those before are let go
            assert live.edit(text.format(number))
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = {f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert found <= {"builtins.tuple", "builtins.dict", "builtins.type", "builtins.getset_descriptor"}


def test_methods_that_others_hold_do_not_lose_their_class(project: Project) -> None:
    """A method that a decorator handed on knows its class after the one of the run was emptied."""
    text = (
        "HELD = []\n\n\ndef handed(function):\n    HELD.append(function)\n    return function\n\n\n"
        "class Base:\n    def f(self): return 'base'\n\n\n"
        "class C(Base):\n    n = {0}\n\n    @handed\n    def f(self): return __class__.n, super().f()\n"
    )
    live = Live(project, text.format(1))
    for number in (2, 3):
        live.edit(text.format(number))
        assert live.failing((f"m.HELD[-1](m.C()) == ({number}, 'base')",)) == []


@pytest.mark.parametrize(
    "texts",
    [
        [SLOTTED.format(names) for names in ("'a'", "'a', 'b'", "'b', 'c'", "'c'")],
        [f"class C: ...\n\n\nCACHE = {{}}\n\n\ndef later():\n    yield {number}\n" for number in range(4)],
    ],
    ids=["classes that are replaced", "generators"],
)
def test_no_list_of_the_heap_is_left_to_the_collector(project: Project, texts: list[str]) -> None:
    """Where nobody collects garbage, no search leaves its list of all objects, which holds each."""
    live = Live(project, texts[0])
    live.hold("c = m.C(); m.CACHE['c'] = c")
    gc.collect()
    gc.disable()
    try:
        for text in texts[1:]:
            assert live.edit(text).status == "applied"
            hotmod.verify("shop")
        lists = [each for each in gc.get_objects() if type(each) is list and len(each) > 100]
        assert [len(each) for each in lists if any(one is live for one in each)] == []
    finally:
        gc.enable()


def test_versions_come_back_one_by_one(project: Project) -> None:
    """Of three edits that are taken back one after the other, each gives the code of the version before."""
    text = "def f():\n    return {0}\n\n\ndef make():\n    return lambda: {0}\n\n\n"
    text += "made = make()\nown = lambda: {0}\n"
    live = Live(project, text.format(1))
    live.hold("f, made, own = m.f, m.made, m.own")
    for number in (2, 3, 4):
        assert live.edit(text.format(number))
    for number in (3, 2, 1):
        live.reloader.rollback()
        assert live.failing((f"(f(), made(), own(), m.make()()) == ({number},) * 4",)) == []


def test_a_holder_of_many_is_told_for_each(project: Project) -> None:
    """A container that holds one replaced class itself and another one deeper is told for both."""
    text = "class C:\n    __slots__ = ({0})\n\n\nclass D:\n    __slots__ = ({0})\n"
    live = Live(project, text.format("'a',"))
    project.write({"outside.py": "CACHE = None\n"}).load("outside")
    live.hold("sys.modules['outside'].CACHE = {'c': m.C, 'd': [[m.D]]}")
    found = {each.name: each.holders for each in live.edit(text.format("'b',")).hazards if each.holders}
    assert found == {
        "C": ("outside.CACHE['c'] -> shop.m.C",),
        "D": ("outside.CACHE['d'][0][0] -> shop.m.D",),
    }


@pytest.mark.parametrize("option", ["", ", gc=False"])
def test_instances_that_the_collector_does_not_know_are_found(project: Project, option: str) -> None:
    """Instances of structs, untracked by `msgspec`, are told with a path when their class is replaced."""
    pytest.importorskip("msgspec", reason="part of the test extra only")
    text = f"import msgspec\n\n\nclass C(msgspec.Struct{option}):\n    x: int = 1\n"
    live = Live(project, text)
    live.hold("kept = sys.modules['shop'].kept = m.C()")
    assert not gc.is_tracked(live.space["kept"])
    report = live.edit(f"{text}    y: int = 2\n")
    (hazard,) = [each for each in report.hazards if each.code == "class-identity"]
    assert hazard.message.startswith("the class was replaced; 1 live instance ")
    assert hazard.holders == ("shop.kept",)


def test_what_was_frozen_follows_by_name_only(project: Project) -> None:
    """After `gc.freeze()` named functions and classes follow as ever; closures stay, and nobody is told."""
    text = "def f():\n    return {0}\n\n\ndef factory(n):\n    return lambda: n * {0}\n"
    live = Live(project, text.format(2))
    live.hold("f, made = m.f, m.factory(5)")
    gc.freeze()
    try:
        report = live.edit(text.format(3))
    finally:
        gc.unfreeze()
    assert report.hazards == ()
    assert (live.space["f"](), live.space["made"]()) == (3, 10)


METHODS = """
def of_{0}():
    return {0}


class C:
    def method_{0}(self):
        return of_{0}()


X = C().method_{0}()
"""


def test_what_is_gone_from_the_text_is_forgotten(project: Project) -> None:
    """What is known of functions and modules from one plan to the next is no more than the program has."""
    project.write({"shop/__init__.py": "", "shop/m.py": "", "shop/n.py": "import shop.m\n"}).load("shop.n")
    reloader = hotmod.Reloader("shop", strategy="minimal")
    for number in range(8):
        project.write({"shop/m.py": METHODS.format(number)})
        assert reloader.reload().status == "applied"
    known = reloader.planner.import_time
    names = [*known.index, *(name for _, name in known._meeting)]
    assert {name.rpartition("_")[2] for name in names} == {"7"}
    project.delete("shop/m.py")
    project.write({"shop/n.py": ""})
    assert reloader.reload().status == "applied"
    assert "shop.m" not in {*known._digests, *known._defined}
