"""Faults of every kind, at every place: nothing is changed, or it is said what the state is."""

from __future__ import annotations

import gc
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hotmod
from hotmod._live.journal import Journal
from tests.engine.watching import LONG, watching
from tests.identity.breaking import differing
from tests.identity.portrait import portrait
from tests.oracle.project import Project

PROGRAM = pathlib.Path(__file__).with_name("faulty.py")
STRIDE = os.environ.get("STRIDE", "250")  # 1 lets every step fail, which takes some minutes a package
LIMIT = 3600  # seconds that a package may take


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step fails in a copy of the process")
@pytest.mark.parametrize("strategy", ["minimal", "modules"])
@pytest.mark.parametrize("package", ["click", "jinja2", "marshmallow"])
def test_a_real_package_is_as_it_was_after_any_step(
    package: str, strategy: str, tmp_path: pathlib.Path
) -> None:
    """Whichever step of a reload of a real package fails, every object of it is the one of before."""
    command = [sys.executable, str(PROGRAM), package, strategy, STRIDE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert {name: each["wrong"] for name, each in found.items()} == {name: {} for name in found}
    assert {each["status"] for each in found.values()} == {"applied"}
    assert sum(each["steps"] for each in found.values()) > 10


# What the user's code raises, and where

PLACES = {
    "at the top": "{fault}\n",
    "when it is disposed of": "def __hotmod_dispose__():\n    VALUE\n    {fault}\n",
    "when it was reloaded": "def __hotmod_reloaded__(report):\n    {fault}\n",
}
FAULTS = {
    "an exception": "raise ValueError('no')",
    "an exit": "raise SystemExit(1)",
    "an interrupt": "raise KeyboardInterrupt",
    "no memory": "raise MemoryError",
    "a signal": "import signal; signal.raise_signal(signal.SIGINT)",
    "a recursion": "f = lambda: f(); f()",
}


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Lets SIGINT interrupt, which it does not in what a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def differs_from(before: dict[str, Any]) -> dict[str, Any]:
    """What differs from a portrait."""
    gc.collect()
    return differing(before, portrait("shop"))


def attempted(reloader: Any) -> hotmod.Report:
    """The report of an attempt, also where it is raised that somebody interrupted."""
    try:
        return reloader.reload()
    except KeyboardInterrupt:
        return reloader.history[-1]


@pytest.mark.parametrize("strategy", ["minimal", "modules"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_fault_of_the_users_code_changes_nothing(
    shop: Project, place: str, fault: str, strategy: str
) -> None:
    """Whatever an edited module or its hooks raise rejects the edit, and every object is the old one."""
    hook = place.format(fault=fault)
    first = hook if "dispose" in place else ""
    shop.write({"shop/hooked.py": f"VALUE = [1]\n{first}"})
    shop.load("shop.hooked")
    reloader = hotmod.Reloader("shop", strategy=strategy)
    before = portrait("shop")
    shop.write({"shop/hooked.py": f"VALUE = [2]\n{hook}", "shop/config.py": "TAX = 2\n"})
    assert attempted(reloader).status == "rejected"
    reloader.chronicle.history.clear()
    assert differs_from(before) == {}


@pytest.mark.parametrize("fault", [ValueError, SystemExit, KeyboardInterrupt, MemoryError, RecursionError])
def test_a_fault_of_verify_changes_nothing(shop: Project, fault: type[BaseException]) -> None:
    """Whatever a check raises takes the edit back."""

    def check() -> None:
        raise fault

    reloader = hotmod.Reloader("shop", verify=check)
    before = portrait("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert attempted(reloader).status == "rejected"
    reloader.chronicle.history.clear()
    assert differs_from(before) == {}


@pytest.mark.parametrize("fault", [ValueError, SystemExit, MemoryError, RecursionError])
def test_a_fault_of_a_listener_ends_nothing(shop: Project, fault: type[BaseException]) -> None:
    """An `on_reload` or a handler of the log that raises keeps neither this edit nor the next one out."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno < logging.ERROR:
                raise fault

    def on_reload(_: hotmod.Report) -> None:
        seen.release()
        raise fault

    seen = threading.Semaphore(0)
    config, log = shop.load("shop.config"), logging.getLogger("hotmod")
    handler = Handler()
    with watching("shop", on_reload=on_reload) as watcher:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            for number in (2, 3):
                shop.write({"shop/config.py": f"TAX = {number}\n"})
                assert seen.acquire(timeout=LONG)
                now = config.TAX
                assert now == number
        finally:
            log.removeHandler(handler)
            log.setLevel(logging.NOTSET)
        assert not watcher.stopped


# Signals

EDITS = {
    "bodies": {
        "shop/cart.py": """
            from shop.config import TAX


            class Cart:
                size = 1


            def total(net):
                return 0
            """
    },
    "statements": {"shop/config.py": "TAX = 2\n"},
}


class AlarmError(BaseException):
    """What the handler of the signal raises."""


@pytest.fixture
def alarm() -> Iterator[Callable[[float], object]]:
    """Lets a signal raise an exception in the main thread, after some seconds; 0 for never."""

    def raise_alarm(*_: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGALRM, raise_alarm)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


# A signal in the middle of `os.scandir`, or in a finalizer, is told by Python itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("strategy", ["minimal", "modules"])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_signal_in_the_middle(
    shop: Project, alarm: Callable[[float], object], edit: dict[str, str], strategy: str
) -> None:
    """When a signal raises in the middle of a reload, all of the edit is there, or nothing."""
    reloader = hotmod.Reloader("shop", strategy=strategy)
    texts = {name: (shop.folder / name).read_text() for name in edit}
    old = state(shop)
    shop.write(edit)
    reloader.reload(check=True)
    new = state(shop)
    for number in range(100):
        shop.write(texts)
        reloader.reload(check=True)
        assert state(shop) == old
        shop.write(edit)
        try:
            alarm(1e-5 + number * 5e-5)
            reloader.reload()
            alarm(0)
        except AlarmError:
            pass
        alarm(0)
        assert state(shop) in (old, new), f"after {number * 50} microseconds"
        reloader.reload(check=True)
        assert state(shop) == new


def state(shop: Project) -> tuple[object, ...]:
    """What the program does."""
    cart, config = shop.load("shop.cart"), shop.load("shop.config")
    return cart.total(10), config.TAX, cart.TAX, cart.total.__code__.co_code


# Faults of taking back


def test_a_fault_while_it_is_taken_back_is_told(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one step can't be undone, all others are, and a RollbackError says what the process holds."""
    record = Journal.record
    config = shop.load("shop.config")
    count = at = 0
    messages: list[str] = []

    def failing(journal: Journal, what: str, undo: Callable[[], object], **options: Any) -> None:
        nonlocal count
        count += 1

        def fail() -> None:
            raise OSError("no way back")

        record(journal, what, fail if count == at else undo, **options)

    monkeypatch.setattr(Journal, "record", failing)
    allowed: list[bool] = []
    reloader = hotmod.Reloader("shop", verify=lambda: bool(allowed))
    for number in range(1, 40):
        count, at = 0, number
        shop.write({"shop/config.py": f"TAX = {number + 1}\n"})
        try:
            reloader.reload()
        except hotmod.RollbackError as error:
            messages.append(str(error))
        else:
            break
        config.TAX = 1
    assert len(messages) == at - 1 > 1
    for message in messages:
        assert "Could not undo 1 step" in message
        assert "OSError: no way back" in message
        assert "the process now holds a mixture of two versions. Restart it." in message
    assert config.TAX == 1
    allowed.append(True)
    assert reloader.reload().status == "applied"
    now = config.TAX
    assert now == at + 1
