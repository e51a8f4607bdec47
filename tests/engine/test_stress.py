"""The switches that make reloading hard on purpose."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator

import pytest

import hotmod
from tests.oracle.project import Project


def drifting(report: hotmod.Report) -> list[str]:
    return [f"{each.module}:{each.name}" for each in report.hazards if each.code == "drift"]


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets the switches; afterwards no call is counted any more."""
    tracing = sys.getprofile(), threading.getprofile()
    yield monkeypatch
    sys.setprofile(tracing[0])
    threading.setprofile(tracing[1])


def test_identity_gives_all_functions_other_code_and_runs_nothing(
    shop: Project, switch: pytest.MonkeyPatch
) -> None:
    """With `identity` a reload of nothing gives each function new code twice, and state lives on."""
    other, cart = shop.load("shop.other"), sys.modules["shop.cart"]
    code, state = cart.total.__code__, other.STATE
    switch.setenv("HOTMOD_STRESS", "identity")
    report = hotmod.Reloader("shop").reload(check=True)
    assert (report.status, drifting(report)) == ("unchanged", [])
    assert cart.total.__code__ is not code
    assert cart.total.__code__.co_firstlineno == code.co_firstlineno
    assert cart.total(1) == 2
    assert other.STATE is state


def test_identity_runs_all_modules_where_modules_run(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """With the strategy `modules` all modules run again after each reload, though they are as they were."""
    other = shop.load("shop.other")
    state = other.STATE
    switch.setenv("HOTMOD_STRESS", "identity")
    reloader = hotmod.Reloader("shop", strategy="modules")
    reloader.reload(check=True)
    assert other.STATE is not state
    assert set(reloader.history[1].executed) == {"shop", "shop.config", "shop.cart", "shop.other"}


def test_identity_tells_what_is_not_the_same(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """What a reload of all that is as it was has changed is told in the report of the edit."""
    config = shop.load("shop.config")
    switch.setenv("HOTMOD_STRESS", "identity")
    count = itertools.count()
    reloader = hotmod.Reloader("shop", verify=lambda: setattr(config, "COUNT", next(count)))
    report = reloader.reload()
    assert (bool(report), drifting(report)) == (False, ["shop.config:COUNT"])


def test_identity_tells_a_module_that_can_not_run_twice(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """A module that refuses to be executed again is the report."""
    shop.write({"shop/once.py": "import sys\n\nassert not hasattr(sys, 'once_')\nsys.once_ = 1\n"})
    shop.load("shop.once")
    switch.setenv("HOTMOD_STRESS", "identity")
    try:
        report = hotmod.Reloader("shop", strategy="modules").reload()
    finally:
        del sys.once_
    assert (report.status, type(report.error)) == ("rejected", AssertionError)


def test_what_declares_its_encoding_is_not_moved(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """A declaration of the encoding stays in the first two lines, and other texts may begin with a mark."""
    shop.write({"shop/latin.py": "#!python\n# coding: utf-8\n\n\ndef f():\n    return 'ä'\n"})
    path = shop.folder / "shop/marked.py"
    path.write_bytes("\ufeff'A text.'\n\n\ndef f():\n    return 'ö'\n".encode())
    latin, marked = shop.load("shop.latin"), shop.load("shop.marked")
    codes = latin.f.__code__, marked.f.__code__
    switch.setenv("HOTMOD_STRESS", "identity")
    assert hotmod.Reloader("shop").reload(check=True)
    assert (latin.f(), marked.f(), marked.__doc__) == ("ä", "ö", "A text.")
    assert (latin.f.__code__ is codes[0], marked.f.__code__ is codes[1]) == (True, False)


LATE = "from shop.other import STATE\n\nSTATE.append({0})\nVALUE = {0}\n"


@pytest.mark.parametrize("strategy", ["minimal", "modules"])
def test_an_edit_is_applied_taken_back_and_applied_again(
    shop: Project, switch: pytest.MonkeyPatch, strategy: str
) -> None:
    """With `rollback` statements run twice, and the program is what it would be without the switch."""
    shop.write({"shop/late.py": LATE.format(1)})
    late, other = shop.load("shop.late"), sys.modules["shop.other"]
    seen: list[tuple[int, list[int]]] = []
    switch.setenv("HOTMOD_STRESS", "rollback")
    reloader = hotmod.Reloader(
        "shop", strategy=strategy, verify=lambda: seen.append((late.VALUE, list(other.STATE)))
    )
    shop.write({"shop/late.py": LATE.format(2)})
    report = reloader.reload(check=True)
    assert (report.status, drifting(report), report.generation) == ("applied", [], 1)
    assert seen == [(2, [1, 2])] * 2
    reloader.rollback()
    assert (late.VALUE, other.STATE) == (1, [1])


def test_what_an_edit_leaves_when_it_is_taken_back_is_told(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """With `rollback` a value that is another one when the edit is applied again is told."""
    shop.write({"shop/late.py": "import sys\n\nVALUE = 0\n"})
    shop.load("shop.late")
    switch.setenv("HOTMOD_STRESS", "rollback")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/late.py": "import sys\n\nVALUE = sys.late_ = getattr(sys, 'late_', 0) + 1\n"})
    try:
        report = reloader.reload()
    finally:
        del sys.late_
    assert (report.status, bool(report), drifting(report)) == ("applied", False, ["shop.late:VALUE"])
    assert "it was 1, and is 2" in str(report)


def test_each_third_call_reloads(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """With `every:3` an edit is applied at the third call of a function of the scope, in any thread."""
    cart = shop.load("shop.cart")
    switch.setenv("HOTMOD_STRESS", "every:3")
    reloader = hotmod.Reloader("shop")
    text = (shop.folder / "shop/cart.py").read_text()
    shop.write({"shop/cart.py": text.replace("net + TAX", "net - TAX")})
    assert [cart.total(1) for _ in range(4)] == [2, 2, 2, 0]  # a call that is under way ends as it began
    answers: list[int] = []
    shop.write({"shop/cart.py": text})
    thread = threading.Thread(target=lambda: answers.extend(cart.total(1) for _ in range(5)))
    thread.start()
    thread.join()
    assert (answers[0], answers[-1]) == (0, 2)
    del reloader
    sys.setprofile(None)


def test_a_stable_block_is_left_alone(shop: Project, switch: pytest.MonkeyPatch) -> None:
    """With `every:1` no reload is made in a stable block, and one is made right after it."""
    cart = shop.load("shop.cart")
    switch.setenv("HOTMOD_STRESS", "every:1")
    reloader = hotmod.Reloader("shop")
    text = (shop.folder / "shop/cart.py").read_text()
    with hotmod.stable():
        shop.write({"shop/cart.py": text.replace("net + TAX", "net - TAX")})
        assert [cart.total(1) for _ in range(3)] == [2, 2, 2]
    assert [cart.total(1) for _ in range(2)] == [2, 0]
    assert reloader.generation == 1


@pytest.mark.parametrize("value", ["often", "every", "every:0", "every:x", "identity,no"])
def test_an_unknown_switch_is_an_error(shop: Project, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A switch that does not exist is an error that lists those that do."""
    monkeypatch.setenv("HOTMOD_STRESS", value)
    with pytest.raises(hotmod.ConfigError, match="allowed are identity, rollback, every:N"):
        hotmod.Reloader("shop")
