"""Served objects: one instance, behind a proxy, that follows the edits of its class."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import pickle
import threading
from collections.abc import Callable

import pytest

import hotmod
from tests.engine.watching import LONG
from tests.oracle.project import Project

EXECUTOR = """
    import tally
    from marks import requests


    class MyExecutor:
        def __init__(self, name, *, size=1):
            self.name, self.size, self.calls = name, size, 0
            self.log = tally.LOG
            self.log.append(f"made {VERSION}")

        @requests(on="/hello")
        def hello(self):
            self.calls += 1
            return f"{self.name} {VERSION}"

        async def ahello(self):
            return f"async {VERSION}"

        def hold(self, began, go_on):
            first = VERSION
            began.set()
            go_on.wait(60)
            return first, self.hello(), self.closed()

        def stream(self, go_on):
            yield VERSION
            go_on.wait(60)
            yield self.closed()

        def closed(self):
            return "closed" in self.log

        def __call__(self):
            return VERSION

        def close(self):
            self.log.append("closed")


    VERSION = 1
    """
MARKS = """
    def requests(on):
        def mark(function):
            function.on = on
            return function
        return mark


    class Table:
        endpoints = {}

        def __init_subclass__(cls):
            cls.endpoints = {each.on: name for name, each in vars(cls).items() if hasattr(each, "on")}
    """
Serve = Callable[..., hotmod.Served]


@pytest.fixture(autouse=True)
def executor(project: Project) -> Project:
    """A folder with a class to serve."""
    return project.write({"my_executor.py": EXECUTOR, "marks.py": MARKS, "tally.py": "LOG = []\n"})


def save(
    project: Project, proxy: object, *changes: tuple[str, str], file: str = "my_executor.py"
) -> hotmod.Report:
    """Save some changes of a file, and wait for what becomes of them."""
    path = project.folder / file
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    return proxy.__hotmod__.next_report(LONG)


def test_a_proxy_is_used_like_the_instance(serve: Serve) -> None:
    """Attributes are read, set and deleted, methods and the instance itself are called."""
    proxy = serve("my_executor:MyExecutor", "Ada", size=3)
    assert (proxy.name, proxy.size, proxy.hello(), proxy.calls, proxy()) == ("Ada", 3, "Ada 1", 1, 1)
    proxy.extra = 5
    assert proxy.__hotmod__.instance.extra == 5
    del proxy.extra
    assert not hasattr(proxy, "extra")
    assert "hello" in dir(proxy)
    assert "MyExecutor" in repr(proxy)
    assert asyncio.run(proxy.ahello()) == "async 1"
    assert inspect.iscoroutinefunction(proxy.ahello)
    assert proxy.hello.__name__ == "hello"


def test_migrate_keeps_the_instance_and_its_state(executor: Project, serve: Serve) -> None:
    """After an edit the same instance has the new code, also through a method that somebody took before."""
    proxy = serve("my_executor:MyExecutor", "Ada")
    instance, hello = proxy.__hotmod__.instance, proxy.hello
    hello()
    assert (
        save(executor, proxy, ('{self.name} {VERSION}"', '{self.name}, {VERSION}, {self.calls}"')).status
        == "applied"
    )
    assert hello() == "Ada, 1, 2"
    assert proxy.__hotmod__.instance is instance
    assert proxy.log == ["made 1"]


def test_recreate_makes_an_instance_with_the_same_arguments(executor: Project, serve: Serve) -> None:
    """After an edit a new instance is there, its state fresh, and the old one is closed once."""
    proxy = serve("my_executor:MyExecutor", "Ada", size=3, on_change="recreate")
    instance, hello = proxy.__hotmod__.instance, proxy.hello
    hello()
    assert save(executor, proxy, ("VERSION = 1", "VERSION = 2")).status == "applied"
    assert hello() == "Ada 2"
    assert (proxy.calls, proxy.size) == (1, 3)
    assert proxy.__hotmod__.instance is not instance
    assert proxy.log == ["made 1", "made 2", "closed"]


@pytest.mark.parametrize("mode", ["migrate", "recreate"])
def test_a_call_under_way_ends_on_its_version(mode: str, executor: Project, serve: Serve) -> None:
    """An edit waits for the calls under way, and those after it are new."""
    proxy = serve("my_executor:MyExecutor", "Ada", on_change=mode)
    began, go_on, found = threading.Event(), threading.Event(), []
    caller = threading.Thread(target=lambda: found.append(proxy.hold(began, go_on)))
    caller.start()
    assert began.wait(LONG)
    path = executor.folder / "my_executor.py"
    path.write_text(path.read_text("utf-8").replace("VERSION = 1", "VERSION = 2"), "utf-8")
    go_on.set()
    caller.join(LONG)
    assert proxy.__hotmod__.next_report(LONG).status == "applied"
    assert found == [(1, "Ada 1", False)]
    assert proxy() == 2


def test_an_instance_is_closed_when_the_last_of_its_calls_is_over(executor: Project, serve: Serve) -> None:
    """A stream that goes on over an edit keeps its instance open to its end."""
    proxy = serve("my_executor:MyExecutor", "Ada", on_change="recreate")
    go_on = threading.Event()
    stream = proxy.stream(go_on)
    assert next(stream) == 1
    assert save(executor, proxy, ("VERSION = 1", "VERSION = 2")).status == "applied"
    assert proxy() == 2
    assert proxy.log == ["made 1", "made 2"]
    go_on.set()
    assert list(stream) == [False]
    assert proxy.log == ["made 1", "made 2", "closed"]


@pytest.mark.parametrize("mode", ["migrate", "recreate"])
def test_a_broken_edit_changes_nothing(mode: str, executor: Project, serve: Serve) -> None:
    """The instance goes on with the code that it had, and the next good edit is applied."""
    proxy = serve("my_executor:MyExecutor", "Ada", on_change=mode)
    instance = proxy.__hotmod__.instance
    assert save(executor, proxy, ("VERSION = 1", "VERSION = (")).status == "rejected"
    assert proxy.__hotmod__.instance is instance
    assert proxy.hello() == "Ada 1"
    assert save(executor, proxy, ("VERSION = (", "VERSION = 2")).status == "applied"
    assert proxy.hello() == "Ada 2"


def test_an_edit_whose_instance_can_not_be_made_is_refused(executor: Project, serve: Serve) -> None:
    """With `recreate` an exception of the constructor takes the whole edit back."""
    proxy = serve("my_executor:MyExecutor", "Ada", on_change="recreate")
    instance = proxy.__hotmod__.instance
    report = save(
        executor, proxy, ("self.log = tally.LOG", "self.log = tally.GONE"), ("VERSION = 1", "VERSION = 2")
    )
    assert (report.status, type(report.error)) == ("rejected", AttributeError)
    assert proxy.__hotmod__.instance is instance
    assert proxy.hello() == "Ada 1"


@pytest.mark.parametrize(
    ("mode", "change", "why"),
    [
        ("migrate", ("class MyExecutor", "class Other"), "my_executor has no class 'MyExecutor'"),
        ("recreate", ("class MyExecutor", "class Other"), "my_executor has no class 'MyExecutor'"),
        ("recreate", ("name, *, size=1", "name, more, *, size=1"), "missing 1 required positional argument"),
    ],
    ids=["gone, migrate", "gone, recreate", "arguments"],
)
def test_an_edit_after_which_nothing_could_be_served_is_refused(
    mode: str, change: tuple[str, str], why: str, executor: Project, serve: Serve
) -> None:
    """Where the class is gone, or takes other arguments, the edit is at fault, and changes nothing."""
    proxy = serve("my_executor:MyExecutor", "Ada", on_change=mode)
    report = save(executor, proxy, change)
    assert (report.status, report.internal) == ("rejected", False)
    assert why in str(report)
    assert proxy.hello() == "Ada 1"
    assert save(executor, proxy, change[::-1], ("VERSION = 1", "VERSION = 2"))
    assert proxy.hello() == "Ada 2"


def test_the_folder_and_further_modules_are_watched(
    executor: Project,
    serve: Serve,
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An edit of a neighbour, and of what `py_modules` names, is followed, and the log says what changed."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.syspath_prepend(elsewhere)
    (elsewhere / "far.py").write_text("def answer():\n    return 1\n", "utf-8")
    executor.write({"near.py": "import far\ndef answer():\n    return far.answer(), 1\n"})
    executor.write(
        {"asks.py": "import near\nclass Asks:\n    def ask(self):\n        return near.answer()\n"}
    )
    try:
        proxy = serve("asks:Asks", py_modules=["far"])
        assert proxy.ask() == (1, 1)
        with caplog.at_level(logging.INFO, "hotmod"):
            save(executor, proxy, ("far.answer(), 1", "far.answer(), 2"), file="near.py")
            (elsewhere / "far.py").write_text("def answer():\n    return 2\n", "utf-8")
            proxy.__hotmod__.next_report(LONG)
        assert proxy.ask() == (2, 2)
        told = [record.getMessage() for record in caplog.records if "detected" in record.getMessage()]
        assert f"detected changes in: {[str(executor.folder / 'near.py')]}" in told
    finally:
        import sys

        sys.modules.pop("far", None)


TABLES = {
    "marks on functions": ("", "{each.on: name for name, each in vars(cls).items() if hasattr(each, 'on')}"),
    "a table of the class": ("marks.Table", "cls.endpoints"),
}


@pytest.mark.parametrize("mode", ["migrate", "recreate"])
@pytest.mark.parametrize("style", TABLES)
def test_tables_of_methods_follow(mode: str, style: str, executor: Project, serve: Serve) -> None:
    """Endpoints that decorators declare come, go, and lead to the new methods."""
    base, table = TABLES[style]
    executor.write(
        {
            "tables.py": f"""
                import marks


                class Serves({base}):
                    @marks.requests(on="/one")
                    def one(self):
                        return "one"

                    @marks.requests(on="/two")
                    def two(self):
                        return "two"

                    def call(self, path):
                        cls = type(self)
                        return getattr(self, {table}[path])()

                    def paths(self):
                        cls = type(self)
                        return sorted({table})
                """
        }
    )
    proxy = serve("tables:Serves", on_change=mode)
    assert proxy.paths() == ["/one", "/two"]
    save(executor, proxy, ('return "two"', 'return "new"'), file="tables.py")
    assert proxy.call("/two") == "new"
    save(executor, proxy, ('on="/two"', 'on="/three"'), file="tables.py")
    assert proxy.paths() == ["/one", "/three"]
    assert proxy.call("/three") == "new"
    save(executor, proxy, ('    @marks.requests(on="/one")\n', ""), file="tables.py")
    assert proxy.paths() == ["/three"]


@pytest.mark.parametrize(
    ("methods", "log"),
    [
        ("def close(self): LOG.append('close')\n    async def aclose(self): LOG.append('aclose')", ["close"]),
        ("async def aclose(self): LOG.append('aclose')", ["aclose"]),
        (
            "def __enter__(self): LOG.append('in')\n    def __exit__(self, *_): LOG.append('out')",
            ["in", "out"],
        ),
        ("async def __aexit__(self, *_): LOG.append('aout')", []),
        ("def close(self): raise ValueError", []),
        ("pass", []),
    ],
    ids=["close", "aclose", "context manager", "asynchronous context manager", "close that fails", "none"],
)
def test_ways_to_close(methods: str, log: list[str], executor: Project, serve: Serve) -> None:
    """The end of a `with` block over the proxy closes the instance in the way that it has."""
    executor.write({"ends.py": f"from tally import LOG\nclass Ends:\n    {methods}\n"})
    with serve("ends:Ends") as proxy:
        assert proxy.__hotmod__.instance is not None
    assert log == executor.load("tally").LOG
    with pytest.raises(hotmod.HotmodError, match="no call can begin"):
        proxy.anything  # noqa: B018
    proxy.__hotmod__.close()
    assert log == executor.load("tally").LOG


def test_an_instance_is_closed_in_the_loop_that_called_it(executor: Project, serve: Serve) -> None:
    """`aclose` can await what the instance began in the loop of the server, whoever finds that it is time."""
    executor.write(
        {
            "begins.py": """
                import asyncio

                class Begins:
                    async def begin(self, closed):
                        self.closed = closed
                        self.task = asyncio.create_task(asyncio.Event().wait())

                    async def aclose(self):
                        self.task.cancel()
                        await asyncio.gather(self.task, return_exceptions=True)
                        self.closed.set()
                """
        }
    )
    proxy = serve("begins:Begins", on_change="recreate")

    async def main() -> None:
        closed = asyncio.Event()
        await proxy.begin(closed)
        edit = ("self.closed = closed", "self.closed = closed  # and told")
        assert await asyncio.to_thread(save, executor, proxy, edit, file="begins.py")
        await asyncio.wait_for(closed.wait(), LONG)
        await proxy.begin(asyncio.Event())

    asyncio.run(main())


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_proxy_is_not_copied(way: Callable[[object], object], executor: Project, serve: Serve) -> None:
    """A copy would follow nothing: it is refused, in words."""
    with pytest.raises(TypeError, match=r"use its `__hotmod__\.instance`"):
        way(serve("my_executor:MyExecutor", "Ada"))


def test_an_asynchronous_server_takes_edits(executor: Project, serve: Serve) -> None:
    """Calls of coroutine methods go on while an edit is applied; each is of one version."""
    executor.write(
        {
            "slow.py": """
                import asyncio


                class Slow:
                    async def work(self, turns):
                        seen = {one()}
                        for _ in range(turns):
                            await asyncio.sleep(0)
                            seen.add(one())
                        return seen

                    async def aclose(self):
                        pass


                def one():
                    return 1
                """
        }
    )
    proxy = serve("slow:Slow", on_change="recreate")

    async def main() -> list[set[int]]:
        seen: list[set[int]] = []
        done = asyncio.Event()

        async def client() -> None:
            while not done.is_set():
                seen.append(await proxy.work(20))

        clients = [asyncio.create_task(client()) for _ in range(4)]
        report = await asyncio.to_thread(save, executor, proxy, ("return 1", "return 2"), file="slow.py")
        assert report.status == "applied", report
        done.set()
        await asyncio.gather(*clients)
        return [*seen, await proxy.work(1)]

    seen = asyncio.run(main())
    assert all(each in ({1}, {2}) for each in seen)
    assert seen[-1] == {2}


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("nowhere:X", {}),
        ("my_executor:Nothing", {}),
        ("my_executor", {}),
        ("my_executor:MyExecutor", {"on_change": "restart"}),
        ("my executor:MyExecutor", {}),
    ],
    ids=["module", "class", "no class", "mode", "no name"],
)
def test_what_can_not_be_served_is_refused(target: str, options: dict[str, object], serve: Serve) -> None:
    """A target that does not exist, and a mode that does not, start nothing."""
    with pytest.raises(hotmod.ConfigError):
        serve(target, "Ada", **options)


def test_off_means_the_plain_instance(executor: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `HOTMOD=off` a proxy serves, and follows nothing."""
    monkeypatch.setenv("HOTMOD", "off")
    with hotmod.live("my_executor:MyExecutor", "Ada") as proxy:
        assert proxy.hello() == "Ada 1"
        assert proxy.__hotmod__.watcher.stopped
