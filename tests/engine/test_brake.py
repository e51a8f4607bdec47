"""A watcher whose reloads keep failing, each because of the one before, slows down; a save wakes it."""

from __future__ import annotations

import logging
import types

import pytest

import hotmod
from hotmod._engine.brake import LONGEST, MOMENT, PATIENCE, Brake
from hotmod._model.report import Report
from tests.engine.watching import LONG, until, watching
from tests.oracle.project import Project

BAD, GOOD = Report(status="rejected"), Report(status="applied")
LOOPING = """\
import pathlib
from shop import config

path = pathlib.Path(__file__).with_name("config.py")
path.write_text(f"TAX = {config.TAX + 1}\\n")
raise ValueError("again")
"""


class Clock:
    """A time that tests set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def failing(times: int) -> tuple[Brake, Clock]:
    """A brake after some failures, each begun by what the one before wrote."""
    clock = Clock()
    brake = Brake(clock)
    for _ in range(times):
        clock.now += 1000
        brake.holds(clock.now - 1000 + MOMENT)
        brake.after(BAD)
    return brake, clock


def test_it_takes_hold_after_some_failures(caplog: pytest.LogCaptureFixture) -> None:
    """After a few failures attempts wait, longer each time, up to a bound, which is told once."""
    brake, clock = failing(PATIENCE - 1)
    assert not brake.holds(clock.now)
    for times, pause in ((PATIENCE, 1), (PATIENCE + 2, 4), (PATIENCE + 20, LONGEST)):
        brake, clock = failing(times)
        caplog.clear()
        ended = clock.now
        assert brake.holds(ended + MOMENT)
        clock.now = ended + pause - 0.01
        assert brake.holds(ended)
        clock.now = ended + pause
        assert not brake.holds(ended)
        assert len(caplog.records) == (1 if times == PATIENCE else 0)


@pytest.mark.parametrize("end", ["save", "success", "postponed"])
def test_a_save_or_a_success_ends_it(end: str) -> None:
    """What is saved later is not held back, nor anything after a success, and postponing does not count."""
    brake, clock = failing(PATIENCE)
    if end == "save":
        assert not brake.holds(clock.now + 2 * MOMENT)
        brake.after(BAD)
    elif end == "success":
        brake.after(GOOD)
    else:
        brake.after(Report(status="rejected", error=hotmod.PostponedError("stable")))
        clock.now += LONGEST
    assert not brake.holds(clock.now - (LONGEST if end == "postponed" else 0))


def test_a_save_that_is_noticed_and_over_in_one_turn_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine what the attempt before wrote is noticed and due at once: it counts all the same."""
    watcher, handed = hotmod.Watcher(None), []
    brake, clock = failing(PATIENCE)
    lookout = types.SimpleNamespace(last=0.0)

    def turn(*, held: bool) -> bool:
        lookout.last = clock.now
        return not held

    lookout.turn = turn
    monkeypatch.setattr(watcher, "_brake", brake)
    monkeypatch.setattr(watcher, "_hand_over", lambda: handed.append(clock.now))
    watcher._turn(lookout)
    watcher._turn(lookout)
    assert handed == []
    clock.now += LONGEST
    watcher._turn(lookout)
    assert len(handed) == 1


def test_a_module_that_saves_and_fails_is_slowed_down(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """A module that writes a source file each time it runs does not run without end, and a save mends it."""
    caplog.set_level(logging.WARNING, "hotmod")
    config = shop.load("shop.config")
    shop.write({"shop/loop.py": "from shop import config\n"})
    shop.load("shop.loop")
    with watching("shop") as watcher:
        shop.write({"shop/loop.py": LOOPING})
        until(lambda: "reloads in a row have failed" in caplog.text)
        shop.write({"shop/loop.py": "from shop import config\n", "shop/config.py": "TAX = -1\n"})
        until(lambda: watcher.status == "applied")
    assert config.TAX == -1
    assert caplog.text.count("reloads in a row have failed") == 1
    assert len(watcher.history) < 4 * PATIENCE
    assert watcher.next_report(timeout=LONG).status == "rejected"
