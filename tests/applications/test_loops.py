"""Programs with a loop of their own take edits at a safe point of it: examples/training and examples/game."""

from __future__ import annotations

import pathlib
import re

from tests.applications.session import Session


def step_of(line: str) -> int:
    found = re.match(r"step (\d+):", line)
    assert found, line
    return int(found[1])


def test_a_training_keeps_its_model(tmp_path: pathlib.Path) -> None:
    """The loss, the schedule and the log are edited while the steps are counted on and the weights stay."""
    with Session("training", tmp_path, "train.py") as session:
        session.line("step 1000:")
        session.watching("trainer/__init__.py")
        session.line("step", show=False)
        trained = session.line("step")
        assert "rate 0.05, slope 3.0" in trained
        session.save("trainer/schedule.py", "return 0.05", "return 0.05 if step < 1000 else 0.005")
        session.told("applied trainer", "patched rate")
        session.line("step", show=False)  # may have been computed before
        session.save(
            "trainer/log.py", 'slope {model.slope:.1f}"', 'y = {model.slope:.1f}x + {model.offset:.1f}"'
        )
        session.told("applied trainer", "patched line")
        later = session.line("step")
        assert later.endswith("rate 0.005, y = 3.0x + 1.0")
        assert step_of(later) > step_of(trained)
        session.save("trainer/loss.py", "return 2 * error", "return sign(error)")
        session.told(
            "Could not reload trainer.loss", "NameError: name 'sign' is not defined", "Nothing was changed"
        )
        session.line("step", show=False)
        session.save("trainer/loss.py", "return sign(error)", "return (error > 0) - (error < 0)")
        session.told("applied trainer", "patched slope")
        last = session.line("step")
        assert "y = 3.0x + 1.0" in last
        assert step_of(last) > step_of(later)
        session.is_on("how-to/training.md")


def test_a_game_is_changed_between_two_frames(tmp_path: pathlib.Path) -> None:
    """Rules, drawing and the class of the player change while the player stands where it stood."""
    with Session("game", tmp_path, "game.py") as session:
        assert session.line() == "@........... coins: 0"
        session.watching("world/__init__.py")
        assert session.ask("right") == ".@.......... coins: 1"
        session.save("world/rules.py", "STEP = 1", "STEP = 4")
        session.told("applied world", "re-ran world.rules:2; rebound STEP in world.player")
        assert session.ask("right") == ".....@...... coins: 2"
        session.save("world/screen.py", 'PLAYER = "@"', 'PLAYER = ":" + ")')
        session.told("Could not reload world.screen (screen.py:3): SyntaxError", "Nothing was changed")
        assert session.ask("left") == ".@.......... coins: 2"
        session.save("world/screen.py", 'PLAYER = ":" + ")', 'PLAYER = "&"')
        session.told("applied world", "re-ran world.screen:3")
        assert session.line() == ".&.......... coins: 2"
        session.save(
            "world/player.py", "        self.coins = 0\n", "        self.coins = 0\n        self.lives = 3\n"
        )
        session.told("applied world", "1 hazard")
        session.is_on("how-to/game.md")
