"""What is not clean stays visible, is told once, and ends without ceremony."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hotmod
from hotmod._engine import notes
from tests.engine.watching import LONG, fresh, run_program, watching
from tests.oracle.project import Project

CART = """
def total(net):
    return deeper(net)


def deeper(net):
    raise ValueError(net)


def call(function):
    return function()
"""


@pytest.fixture(autouse=True)
def hooks_as_before() -> Iterator[None]:
    """Every test leaves the hooks of the process as they were."""
    before = sys.excepthook, threading.excepthook
    yield
    assert (sys.excepthook, threading.excepthook) == before


@pytest.fixture
def broken(shop: Project) -> Project:
    """A package with a module whose functions raise."""
    shop.write({"shop/till.py": CART})
    shop.load("shop.till")
    return shop


def raised(call: Callable[[], object]) -> BaseException:
    """What a call raises, from the frame of the program on."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it is
        call()
    return caught.value


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# Told once


def test_every_broken_file_is_told_with_its_first_error(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """One attempt over several broken files is one warning that names each file, its line and its error."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/cart.py": "x = 1\ny = (\n", "shop/config.py": "TAX = )\nTAX = ]\n"})
    report = reloader.reload()
    (told,) = warnings_in(caplog)
    assert "shop.cart (cart.py:2): SyntaxError: '(' was never closed" in told
    assert "shop.config (config.py:1): SyntaxError: unmatched ')'" in told
    assert "Fix the files and save" in told
    assert len(report.broken) == len(report.as_dict()["broken"]) == 2


def test_the_same_refusal_is_told_once(shop: Project, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is saved again with the same error is no second warning; another error is one."""
    caplog.set_level(logging.DEBUG, "hotmod")
    reloader = hotmod.Reloader("shop")
    for text in ("TAX = 1\n1 / 0\n", "TAX = 3\n1 / 0\n", "TAX = 2\n1 / 0\n"):
        shop.write({"shop/config.py": text})
        assert reloader.reload().status == "rejected"
    assert len(warnings_in(caplog)) == 1
    shop.write({"shop/config.py": "TAX = 2\nNAME\n"})
    reloader.reload()
    assert len(warnings_in(caplog)) == 2
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    shop.write({"shop/config.py": "TAX = 2\nNAME\n"})
    reloader.reload()
    assert len(warnings_in(caplog)) == 3


def test_a_watcher_warns_once_while_a_file_stays_broken(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """Saves that keep an error, and saves of other files meanwhile, add no warning; the status shows it."""
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "1 / 0\n"})
        watcher.next_report(LONG)
        shop.write({"shop/config.py": "1 / 0  # still\n"})
        watcher.next_report(LONG)
        assert watcher.retry().status == "rejected"
        assert watcher.status == "rejected"
        assert len(warnings_in(caplog)) == 1
        shop.write({"shop/other.py": "STATE = [1]\n"})
        watcher.next_report(LONG)
        shop.write({"shop/config.py": "TAX = 5\n"})
        assert watcher.next_report(LONG).changed == ("shop.config", "shop.other")
        assert watcher.status == "applied"
    assert fresh(shop, "[shop.config.TAX, shop.other.STATE]", "shop.config", "shop.other") == repr(
        [sys.modules["shop.config"].TAX, sys.modules["shop.other"].STATE]
    )


def test_a_reloader_that_went_back_is_not_clean(shop: Project) -> None:
    """After a rollback the status of a reloader says that memory is not what is on disk."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    reloader.rollback()
    assert reloader.status == "rejected"
    reloader.reload(check=True)
    assert reloader.status == "applied"


# Tracebacks


def test_a_traceback_through_an_edited_file_says_so(broken: Project) -> None:
    """An exception from code whose file was saved since, and not applied, carries a note with the file."""
    till = sys.modules["shop.till"]
    reloader = hotmod.Reloader("shop")
    error = raised(lambda: till.total(1))
    assert not hasattr(hotmod.annotate(error), "__notes__")
    broken.write({"shop/till.py": CART + "# more\n"})
    hotmod.annotate(error)
    hotmod.annotate(error)
    (note,) = error.__notes__
    assert note.startswith("hotmod: ")
    assert note.endswith(
        "till.py has been edited since this code was loaded, and that edit is not applied yet"
    )
    assert note in "".join(traceback.format_exception(error))
    assert reloader.reload(check=True)
    assert not hasattr(hotmod.annotate(raised(lambda: till.total(1))), "__notes__")


def test_a_traceback_through_a_refused_file_says_so(broken: Project) -> None:
    """Where the edit was refused, the note says that; files of others get none."""
    till = sys.modules["shop.till"]
    with watching("shop") as watcher:
        broken.write({"shop/till.py": CART + "1 / 0\n"})
        watcher.next_report(LONG)
        (note,) = hotmod.annotate(raised(lambda: till.total(1))).__notes__
    assert "refused or rolled back" in note


def test_a_call_that_began_before_the_reload_is_told(broken: Project) -> None:
    """Where a call under way runs the code of before, the note says that the lines shown are not its own."""
    till = sys.modules["shop.till"]
    reloader = hotmod.Reloader("shop")

    def edit() -> None:
        broken.write({"shop/till.py": f"import os\n\n{CART.replace('function()', 'function(  )')}"})
        reloader.reload(check=True)
        raise LookupError

    error = hotmod.annotate(raised(lambda: till.call(edit)))
    (note,) = error.__notes__
    assert "was reloaded after this code began to run" in note
    assert "lines shown for call" in note


def test_causes_and_groups_are_looked_at(broken: Project) -> None:
    """The exceptions that one was raised from, and those in a group, get their notes too."""
    till = sys.modules["shop.till"]
    reloader = hotmod.Reloader("shop")
    inner = raised(lambda: till.total(1))
    group = BaseExceptionGroup("two", [inner, ValueError()])
    outer = RuntimeError()
    outer.__cause__, outer.__context__ = group, outer
    broken.write({"shop/till.py": CART + "# more\n"})
    hotmod.annotate(outer)
    assert len(inner.__notes__) == 1
    assert reloader.status == "unchanged"
    assert not hasattr(outer, "__notes__")


PROGRAM = """
import pathlib, sys, threading
import hotmod, shop.till

def edit():
    path = pathlib.Path(shop.till.__file__)
    path.write_text(path.read_text() + "1 / 0\\n")

def seen(*args):
    print("hook of the program", len(args))
    before(*args)

before, sys.excepthook = sys.excepthook, seen
watcher = hotmod.watch("shop")
edit()
print(watcher.next_report(timeout=60).status)
thread = threading.Thread(target=shop.till.total, args=(1,))
thread.start()
thread.join()
shop.till.total(2)
"""


def test_uncaught_exceptions_carry_the_note_while_a_watcher_runs(broken: Project) -> None:
    """Tracebacks that the interpreter prints, of the main thread and of others, show it; hooks go on."""
    done = run_program(broken, PROGRAM)
    assert done.stdout == "rejected\nhook of the program 3\n"
    assert done.stderr.count("has been edited since this code was loaded, and that edit was refused") == 2


def test_hooks_come_and_go_with_watchers(broken: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The hooks are there while any watcher runs, whatever others put in front of them meanwhile."""
    before = sys.excepthook, threading.excepthook
    with watching("shop"):
        assert (sys.excepthook, threading.excepthook) != before
        with watching("shop.till"):
            ours = sys.excepthook
        assert sys.excepthook is ours

        def front(*arguments: Any) -> None:
            ours(*arguments)

        sys.excepthook = front
    assert sys.excepthook is front  # it is not ours to take away
    with watching("shop"):
        sys.excepthook(ValueError, ValueError("through both"), None)
    assert capsys.readouterr().err.count("through both") == 1
    assert sys.excepthook is front
    assert broken
    sys.excepthook = before[0]


def test_what_goes_wrong_in_looking_is_logged(
    broken: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of hotmod's own never hides the traceback that it was asked about."""
    assert broken
    monkeypatch.setattr(notes, "annotate", lambda _: 1 / 0)
    told: list[object] = []
    pair = notes._Pair(lambda *args: told.append(args), print)
    pair.mine[0](ValueError, ValueError(), None)
    assert len(told) == 1
    assert "looking whether the code of a traceback is current failed" in caplog.text
