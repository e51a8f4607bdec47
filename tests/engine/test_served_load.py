"""A server under load takes edits, broken ones too: no request is lost, and none is of two versions."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import runpy
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hotmod
from tests.engine.watching import LONG, until_up
from tests.oracle.project import Project

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "executor"
CLIENTS = 3
EDITS = 10

# Every answer tells what three modules of the program were, at its beginning and at its end.
FILES = {
    "desk/__init__.py": "",
    "desk/first.py": "VERSION = 0\ndef version():\n    return VERSION\n",
    "desk/second.py": "from desk.first import VERSION\n",
    "desk/executor.py": """
        import importlib
        import threading

        from desk import first


        class Executor:
            def __init__(self):
                self.made_by = first.VERSION

            def answer(self, path, body):
                seen = [first.version()]
                threading.Event().wait(0.002)
                from desk.second import VERSION
                seen += [VERSION, importlib.import_module("desk.first").VERSION, self.made_by]
                return {"seen": seen, "asked": body}
        """,
}


def example_server() -> Callable[..., Any]:
    """The server of the examples."""
    return runpy.run_path(str(EXAMPLE / "server.py"))["Server"]


@contextlib.contextmanager
def clients(executor: object) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Clients that send one request after another to a server of an executor, until the end of the block."""
    answers: list[tuple[int, dict[str, Any]]] = []
    failures: list[BaseException] = []
    over = threading.Event()

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=LONG)
        count = 0
        try:
            while not over.is_set() or not count:
                count += 1
                connection.request("POST", "/", json.dumps([number, count]))
                response = connection.getresponse()
                answers.append((response.status, json.loads(response.read())))
                assert answers[-1][1].get("asked") is not None, answers[-1]
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    with example_server()(executor) as server:
        serving = threading.Thread(target=server.serve_forever)
        running = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
        for thread in [serving, *running]:
            thread.start()
        try:
            yield answers
        finally:
            over.set()
            for thread in running:
                thread.join(LONG)
            server.shutdown()
            serving.join(LONG)
    assert not failures
    assert not any(thread.is_alive() for thread in running)


def drive(project: Project, executor: Any, wait: Callable[[], str]) -> None:
    """Save one edit after another while clients ask, every fifth a broken one."""
    executor.answer("/", 0)  # loads all modules: docs/how-to/serve-an-object.md tells of first imports
    good = [0]
    with clients(executor) as answers:
        for number in range(1, EDITS + 1):
            broken = number % 5 == 0
            text = FILES["desk/first.py"].replace(
                "VERSION = 0", "VERSION = (" if broken else f"VERSION = {number}"
            )
            project.write({"desk/first.py": text})
            assert (wait() == "rejected") is broken
            good += [] if broken else [number]
    assert len(answers) >= CLIENTS
    assert {status for status, _ in answers} == {200}
    seen = [answer["seen"] for _, answer in answers]
    assert [each for each in seen if len(set(each)) != 1] == []
    assert {each[0] for each in seen} <= set(good)


def test_a_served_object_loses_and_mixes_no_request(project: Project) -> None:
    """Every answer is of one version, with an instance of that version, and none is missing."""
    project.write(FILES)
    with hotmod.live("desk.executor:Executor", on_change="recreate") as executor:
        until_up(executor.__hotmod__.watcher)
        drive(project, executor, lambda: executor.__hotmod__.next_report(LONG).status)


def test_versions_lose_and_mix_no_request(project: Project) -> None:
    """The same with a pin for each request."""
    project.write(FILES)

    class Pinned:
        def answer(self, path: str, body: object) -> object:
            with service.pin() as version:
                return version["desk.executor"].Executor().answer(path, body)

    with hotmod.versions.open("desk") as service:
        service.current["desk.executor"]
        drive(project, Pinned(), lambda: service.next_swap(LONG).status)


def test_the_example_server_takes_edits(project: Project) -> None:
    """The example answers, keeps its count over an edit, and has new endpoints after it."""
    project.write({path.name: path.read_text("utf-8") for path in EXAMPLE.glob("*.py")})
    with hotmod.live("my_executor:MyExecutor", "Ada") as executor:
        until_up(executor.__hotmod__.watcher)
        assert executor.answer("/greet", {"who": "Bob"})["text"] == "Hello Bob, this is Ada"
        text = (EXAMPLE / "my_executor.py").read_text("utf-8").replace('"/greet"', '"/welcome"')
        project.write({"my_executor.py": text.replace('"Hello"', '"Welcome"')})
        assert executor.__hotmod__.next_report(LONG).status == "applied"
        answer = executor.answer("/welcome", {"who": "Bob"})
        assert answer == {"text": "Welcome Bob, this is Ada", "greeted": 2}
        with pytest.raises(KeyError):
            executor.answer("/greet", {"who": "Bob"})
