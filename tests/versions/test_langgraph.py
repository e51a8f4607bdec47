"""A real graph of langgraph: runs in flight end on their version while new runs begin on the next one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from langgraph.checkpoint.memory import InMemorySaver

import hotmod
from tests.oracle.project import Project

LONG = 60.0
FILES = {
    "crew/__init__.py": "",
    "crew/prompts.py": 'GREETING = "Hello, {name}"\n',
    "crew/config.py": 'STYLE = "formal"\nSTEPS = ("greet", "check")\n',
    "crew/state.py": """
        from __future__ import annotations

        import operator
        from typing import Annotated, TypedDict


        class State(TypedDict):
            name: str
            said: Annotated[list[str], operator.add]
        """,
    "crew/nodes.py": """
        import hooks

        from crew import config
        from crew.state import State


        def greet(state: State) -> dict[str, object]:
            from crew.prompts import GREETING
            hooks.reached(config.STYLE)
            return {"said": [GREETING.format(name=state["name"])]}


        async def agreet(state: State) -> dict[str, object]:
            await hooks.areached(config.STYLE)
            return greet(state)


        def formal(state: State) -> dict[str, object]:
            from crew.prompts import GREETING
            return {"said": [f"formal after {GREETING}"]}


        def casual(state: State) -> dict[str, object]:
            from crew.prompts import GREETING
            return {"said": [f"casual after {GREETING}"]}
        """,
    "crew/routing.py": """
        import importlib


        def route(state: object) -> str:
            return importlib.import_module("crew.config").STYLE
        """,
    "crew/graph.py": """
        import hooks
        from langgraph.graph import END, START, StateGraph

        from crew import nodes, routing
        from crew.state import State


        def build(greet):
            graph = StateGraph(State)
            graph.add_node("greet", greet)
            graph.add_node("formal", nodes.formal)
            graph.add_node("casual", nodes.casual)
            graph.add_edge(START, "greet")
            graph.add_conditional_edges("greet", routing.route, ["formal", "casual"])
            graph.add_edge("formal", END)
            graph.add_edge("casual", END)
            return graph.compile(checkpointer=hooks.saver)


        app, aapp = build(nodes.greet), build(nodes.agreet)
        """,
    "hooks.py": """
        saver = None


        def reached(style):
            pass


        async def areached(style):
            pass
        """,
}
EDIT = {
    "crew/prompts.py": 'GREETING = "Hi {name}"\n',
    "crew/config.py": 'STYLE = "casual"\n',
}
OLD = ["Hello, Ada", "formal after Hello, {name}"]
NEW = ["Hi Ada", "casual after Hi {name}"]


@pytest.fixture
def service(project: Project) -> hotmod.versions.Service:
    project.write(FILES)
    project.load("hooks").saver = InMemorySaver()
    with hotmod.versions.open("crew") as service:
        service.current["crew.graph"]
        yield service


def conversation(name: str) -> dict[str, object]:
    return {"configurable": {"thread_id": name}}


def test_a_graph_in_flight_ends_on_its_version(
    project: Project, service: hotmod.versions.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes, prompts, routing and configuration are of one version; a conversation goes on in the next.

    The state that a checkpointer outside of the package keeps is untouched.
    """
    hooks = project.load("hooks")
    arrived, go_on = threading.Event(), threading.Event()

    def reached(style: str) -> None:
        if style == "formal":
            arrived.set()
            assert go_on.wait(LONG)

    monkeypatch.setattr(hooks, "reached", reached)
    results: dict[str, list[str]] = {}

    def run(name: str) -> None:
        with service.pin() as version:
            graph = version["crew.graph"].app
            results[name] = graph.invoke({"name": "Ada", "said": []}, conversation(name))["said"]

    first = threading.Thread(target=run, args=("first",))
    first.start()
    assert arrived.wait(LONG)
    project.write(EDIT)
    assert service.next_swap(LONG).version == 2
    run("second")
    assert results == {"second": NEW}
    go_on.set()
    first.join(LONG)
    assert results["first"] == OLD
    run("first")
    assert results["first"] == [*OLD, *NEW]


def test_an_asynchronous_graph_does_so_too(
    project: Project, service: hotmod.versions.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of two versions take turns in one event loop, and each keeps to its own."""
    hooks = project.load("hooks")

    async def run(name: str) -> list[str]:
        async with service.pin() as version:
            graph = version["crew.graph"].aapp
            return (await graph.ainvoke({"name": "Ada", "said": []}, conversation(name)))["said"]

    async def main() -> list[list[str]]:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def reached(style: str) -> None:
            if style == "formal":
                arrived.set()
                await go_on.wait()

        monkeypatch.setattr(hooks, "areached", reached)
        before = [asyncio.create_task(run(f"before {number}")) for number in range(3)]
        await arrived.wait()
        project.write(EDIT)
        assert (await asyncio.to_thread(service.next_swap, LONG)).version == 2
        after = await asyncio.gather(*(run(f"after {number}") for number in range(3)))
        go_on.set()
        return [*await asyncio.gather(*before), *after]

    assert asyncio.run(main()) == [OLD] * 3 + [NEW] * 3


def test_a_graph_that_does_not_compile_changes_nothing(
    project: Project, service: hotmod.versions.Service
) -> None:
    """An edge to a node that does not exist is an edit that is refused, as the graph is built on import."""
    path = project.folder / "crew/graph.py"
    text = path.read_text("utf-8").replace('add_edge("casual", END)', 'add_edge("gone", END)')
    path.write_text(text, "utf-8")
    swap = service.next_swap(LONG)
    assert swap.status == "rejected"
    assert "gone" in str(swap.error)
    with service.pin() as version:
        result = version["crew.graph"].app.invoke({"name": "Ada", "said": []}, conversation("third"))
    assert result["said"] == OLD


def test_a_check_may_run_the_graph(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify=` gets the next version with its graph, before anybody else does."""
    project.write(FILES)
    project.load("hooks").saver = InMemorySaver()

    def check(version: hotmod.versions.Version) -> bool:
        said = version["crew.graph"].app.invoke({"name": "", "said": []}, conversation("check"))["said"]
        return "casual" not in said[-1]

    with hotmod.versions.open("crew", watch=False, verify=check) as service:
        service.current["crew.graph"]
        project.write(EDIT)
        assert service.refresh().status == "rejected"
        project.write({"crew/config.py": FILES["crew/config.py"]})
        assert service.refresh().status == "applied"
