"""A bot of asyncio takes edits between two steps of its tasks: examples/chat_bot."""

from __future__ import annotations

import pathlib
import sys

import pytest

from tests.applications.session import Session


@pytest.mark.skipif(sys.version_info < (3, 12), reason="what runs old code is told from 3.12 on")
def test_a_bot_goes_on_with_its_tasks(tmp_path: pathlib.Path) -> None:
    """A task in flight ends on its own code and meets new functions, commands are live, and counts stay."""
    with Session("chat_bot", tmp_path, "bot.py") as session:
        assert session.line() == "bot: !greet, !ring, !wait"
        assert session.ask("ada: !greet") == "bot: hello ada, for the 1. time"
        session.watching("chat/__init__.py")
        assert session.ask("ada: !wait") == "bot: hello ada, please ring"
        session.save("chat/words.py", 'f"hello {name}"', 'f"good day {name}"')
        session.told("applied chat", "patched greeting")
        assert session.ask("ada: !greet") == "bot: good day ada, for the 2. time"
        session.save("chat/commands.py", "has become", "is now")
        session.told("applied chat", "patched wait", "1 hazard")
        assert "1 call of it began before" in session.line("  lingering-call chat.commands:wait")
        session.save("chat/commands.py", "    BELL.set()", "    BELL.ring()")
        session.told("applied chat", "patched ring")
        session.line("  lingering-call", show=False)
        assert session.ask("bob: !ring") == "bot: sorry: 'Event' object has no attribute 'ring'"
        session.save("chat/commands.py", "    BELL.ring()", "    BELL.set(")
        session.told("Could not reload chat.commands", "SyntaxError", "Nothing was changed")
        session.save("chat/commands.py", "    BELL.set(", "    BELL.set()")
        session.told("applied chat", "patched ring")
        session.type("bob: !ring")
        said = {session.line("bot: "), session.line("bot: ")}
        assert said == {"bot: bob rings", "bot: hello ada has become good day ada"}
        session.save("chat/commands.py", '@command("!greet")', '@command("!hello")')
        session.told("applied chat", "re-ran chat.commands")
        assert session.ask("bob: !greet") == "bot: I know !hello, !wait, !ring"
        assert session.ask("ada: !hello") == "bot: good day ada, for the 3. time"
        session.is_on("how-to/asyncio.md")
