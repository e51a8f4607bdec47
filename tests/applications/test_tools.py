"""A server of tools takes edits between two calls: examples/tool_server."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tests.applications.session import Session

NEW_TOOL = '''\


@tool
def count(text: str, letter: str = "e"):
    """Count a letter."""
    return text.count(letter)
'''
SHOUT = "    return text.upper() + MARK\n"


def served(temp: pathlib.Path) -> Session:
    session = Session("tool_server", temp, "server.py")
    assert result(session, "initialize")["capabilities"] == {"tools": {"listChanged": True}}
    return session


def result(session: Session, method: str, **params: Any) -> Any:
    """What the server answers; in the transcript in short."""
    session.type(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), show=False)
    return json.loads(session.line('{"jsonrpc": "2.0", "id"', show=False))["result"]


def call(session: Session, name: str, **arguments: str) -> str:
    found = result(session, "tools/call", name=name, arguments=arguments)
    text: str = found["content"][0]["text"]
    words = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    session.transcript += [f"> {name}({words})", f"{'failed: ' if found['isError'] else ''}{text}"]
    return text


def listed(session: Session) -> Any:
    return result(session, "tools/list")["tools"]


def as_afresh(session: Session) -> bool:
    """Whether the tools, their order and schemas are those of a server that is started now."""
    temp = session.folder.parent / f"fresh{session.generation}"
    with Session(str(session.folder), temp, "server.py") as fresh:
        return bool(listed(session) == listed(fresh))


def test_tools_are_edited_added_and_withdrawn_while_the_client_stays(tmp_path: pathlib.Path) -> None:
    """After each save the tools are those of a fresh server, a broken one changes nothing, and notes stay."""
    with served(tmp_path) as session:
        session.watching("tools/registry.py")
        assert call(session, "note", text="milk") == "1 notes"
        assert call(session, "shout", text="hi") == "HI!"
        session.save("tools/text.py", 'MARK = "!"', 'MARK = "!!!"')
        session.told("applied tools", "re-ran tools.text:3")
        assert call(session, "shout", text="hi") == "HI!!!"
        session.save("tools/text.py", SHOUT, SHOUT + NEW_TOOL)
        session.told("applied tools", "re-ran tools.text:12")
        session.line('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}')
        assert call(session, "count", text="letter") == "2"
        assert as_afresh(session)
        session.save("tools/text.py", "def shout(text: str):", "def shout(text: string):")
        session.told("Could not reload tools.text (text.py:7): NameError", "Nothing was changed")
        assert call(session, "shout", text="hi") == "HI!!!"
        session.save("tools/text.py", "def shout(text: string):", "def shout(text: str, times: int):")
        session.told("applied tools")
        session.line('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}')
        assert as_afresh(session)
        session.save("tools/text.py", NEW_TOOL, "")
        session.told("applied tools")
        session.line('{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}')
        assert as_afresh(session)
        assert call(session, "recall") == "milk"
        session.is_on("how-to/tool-server.md")
