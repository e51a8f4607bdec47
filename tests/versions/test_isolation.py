"""Every way to come to a module from inside of a version leads to that version."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import importlib
import importlib.machinery
import importlib.util
import pathlib
import pickle
import shutil
import sys
import threading
import typing
from collections.abc import Callable, Iterator

import pytest

import hotmod
from tests.oracle.project import Project

LONG = 60.0
Opened = Callable[..., hotmod.versions.Service]


def two(agents: Project, opened: Opened) -> tuple[hotmod.versions.Version, hotmod.versions.Version]:
    """A version that is pinned no more but held, and the one in charge."""
    service = opened("agents", keep=1)
    one = service.current
    assert one["agents.graph"].inside() == one["agents.shapes"].VERSION == 1
    agents.write({"agents/config.py": "VERSION = 2\n"})
    swap = service.refresh()
    assert (swap.status, swap.changed, swap.version) == ("applied", ("agents.config",), 2), swap
    return one, service.current


@pytest.mark.parametrize("way", ["inside", "late", "by_name", "relative"])
def test_an_import_in_a_function_stays_in_its_version(way: str, agents: Project, opened: Opened) -> None:
    """What a function imports when it is called, in whatever way, is of the version of the function."""
    for number, version in enumerate(two(agents, opened), 1):
        assert getattr(version["agents.graph"], way)() == number


@pytest.mark.parametrize("way", ["inside", "late", "by_name", "relative"])
def test_it_does_so_in_a_thread_that_knows_nothing_of_it(way: str, agents: Project, opened: Opened) -> None:
    """No pin is needed for that: the code itself tells of which version it is."""
    one, _ = two(agents, opened)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(getattr(one["agents.graph"], way)).result(LONG) == 1


def test_data_classes_types_and_pickles_stay_in_their_version(agents: Project, opened: Opened) -> None:
    """Look-ups by the standard library through `sys.modules` find the module of the version that asks."""
    for number, version in enumerate(two(agents, opened), 1):
        shapes = version["agents.shapes"]
        assert shapes.hints() is shapes.Inner
        assert type(shapes.through_pickle()) is shapes.Inner
        assert shapes.through_pickle().made_by == number
        assert shapes.through_sys() == number


def test_look_ups_from_outside_follow_the_pin(agents: Project, opened: Opened) -> None:
    """What others look up by name is of the pinned version, and of the one in charge without a pin."""
    service = opened("agents")
    service.current["agents.shapes"]
    with service.pin() as one:
        agents.write({"agents/config.py": "VERSION = 2\n"})
        service.refresh()
        for version, call in ((one, here), (service.current, without_pins)):
            call(look_up, version)


def look_up(version: hotmod.versions.Version) -> None:
    """All ways of others to come to something by its name."""
    shapes = version["agents.shapes"]
    assert typing.get_type_hints(shapes.Outer)["inner"] is shapes.Inner
    assert type(pickle.loads(pickle.dumps(shapes.Inner()))) is shapes.Inner
    assert version.number == importlib.import_module("agents.config").VERSION
    assert version.number == sys.modules["agents.config"].VERSION


def here(call: Callable[..., None], *args: object) -> None:
    """Call something under the pin that is in force."""
    call(*args)


def without_pins(call: Callable[..., None], *args: object) -> None:
    """Call something where no pin is in force."""
    contextvars.Context().run(call, *args)


def test_what_is_outside_is_shared(agents: Project, opened: Opened, project: Project) -> None:
    """Modules that are not of the packages are the same objects in all versions."""
    project.write({"outside.py": "SEEN = []\n", "agents/config.py": "import outside\nVERSION = 1\n"})
    service = opened("agents")
    one = service.current["agents.config"]
    project.write({"agents/config.py": "import outside\nVERSION = 2\n"})
    service.refresh()
    two = service.current["agents.config"]
    assert one is not two
    assert one.outside is two.outside is sys.modules["outside"]


def test_modules_of_a_version_are_its_own(agents: Project, opened: Opened) -> None:
    """Two versions share no module object, no class and no namespace."""
    one, other = two(agents, opened)
    assert one["agents"] is not other["agents"]
    assert one["agents.shapes"].Inner is not other["agents.shapes"].Inner
    assert one["agents"].config is one["agents.config"] is one["agents.graph"].config
    one["agents.config"].ADDED = True
    assert not hasattr(other["agents.config"], "ADDED")


def test_a_late_import_reads_the_text_of_its_version(agents: Project, opened: Opened) -> None:
    """A module that a run imports for the first time after a save is the one from before it."""
    service = opened("agents")
    with service.pin() as one:
        one["agents.graph"]
        agents.write({"agents/late.py": "VERSION = 'new'\n"})
        service.refresh()
        assert one["agents.graph"].late() == 1
        assert one["agents.late"].VERSION == 1
    assert service.current["agents.graph"].late() == "new"


def test_a_late_import_finds_what_has_been_deleted(agents: Project, opened: Opened) -> None:
    """A module that is gone from disk is still part of the versions that had it."""
    service = opened("agents")
    with service.pin() as one:
        one["agents.graph"]
        agents.delete("agents/late.py")
        assert service.refresh()
        assert one["agents.graph"].late() == 1
    with pytest.raises(ModuleNotFoundError, match=r"agents\.late"):
        service.current["agents.graph"].late()
    with pytest.raises(KeyError):
        service.current["agents.late"]
    with pytest.raises(ModuleNotFoundError, match=r"agents\.late"):
        importlib.import_module("agents.late")


def test_a_run_stays_on_its_version_across_await(agents: Project, opened: Opened) -> None:
    """A coroutine under a pin, and the tasks that it began, have one version before and after a swap."""
    service = opened("agents")
    service.current["agents.graph"]

    async def run(go_on: asyncio.Event) -> list[object]:
        async with service.pin() as version:
            graph = version["agents.graph"]
            task = asyncio.create_task(later(go_on))
            seen = graph.run()
            await go_on.wait()
            return [
                *seen,
                *graph.run(lambda: None),
                importlib.import_module("agents.config").VERSION,
                await task,
            ]

    async def later(go_on: asyncio.Event) -> list[object]:
        await go_on.wait()
        with service.pin() as version:
            in_thread = await asyncio.to_thread(lambda: sys.modules["agents.config"].VERSION)
            return [version.number, in_thread]

    async def main() -> tuple[list[object], list[object]]:
        first, second = asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(run(first))
        await asyncio.wait([one], timeout=0)
        agents.write({"agents/config.py": "VERSION = 2\n"})
        assert service.refresh()
        two = asyncio.create_task(run(second))
        await asyncio.wait([two], timeout=0)
        second.set()
        await two
        first.set()
        return await one, await two

    one, two = asyncio.run(main())
    assert one == [1, 1, 1, 1, 1, 1, [1, 1]]
    assert two == [2, 2, 2, 2, 2, 2, [2, 2]]


def test_threads_have_the_pin_of_those_who_start_them(agents: Project, opened: Opened) -> None:
    """A thread that begins under a pin is on its version, also when the block has ended meanwhile."""
    service = opened("agents", keep=0)
    go_on, seen = threading.Event(), []

    def work() -> None:
        go_on.wait(LONG)
        with service.pin() as version:
            seen.append((version.number, sys.modules["agents.config"].VERSION))

    with service.pin() as version:
        version["agents.config"]
        thread = threading.Thread(target=work)
        thread.start()
    agents.write({"agents/config.py": "VERSION = 2\n"})
    service.refresh()
    assert service.alive == (1, 2)
    go_on.set()
    thread.join(LONG)
    assert seen == [(1, 1)]
    service.sweep()
    assert service.alive == (2,)


def test_each_call_in_a_pool_has_the_pin_of_who_submitted_it(agents: Project, opened: Opened) -> None:
    """A thread of a pool has no pin of its own, not even that of the call for which it was started."""
    service = opened("agents", keep=0)

    def work() -> object:
        return importlib.import_module("agents.config").VERSION

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with service.pin():
            first = pool.submit(work)
            agents.write({"agents/config.py": "VERSION = 2\n"})
            service.refresh()
            second = pool.submit(work)
            assert (first.result(LONG), second.result(LONG)) == (1, 1)
        assert pool.submit(work).result(LONG) == 2
        assert service.alive == (2,)


def test_generators_that_end_in_another_order_leave_no_pin(agents: Project, opened: Opened) -> None:
    """Blocks in generators may end in the order in which they began; what follows is on no pin of theirs."""
    service = opened("agents", keep=0)

    def steps() -> Iterator[object]:
        with service.pin():
            for _ in range(2):
                yield importlib.import_module("agents.config").VERSION

    first, second = steps(), steps()
    assert (next(first), next(second)) == (1, 1)
    agents.write({"agents/config.py": "VERSION = 2\n"})
    service.refresh()
    assert (list(first), list(second)) == ([1], [1])
    assert importlib.import_module("agents.config").VERSION == 2
    service.sweep()
    assert service.alive == (2,)


def test_code_of_a_version_asks_as_that_version_under_any_pin(agents: Project, opened: Opened) -> None:
    """Functions of an earlier version that somebody has kept stay among themselves under a newer pin."""
    service = opened("agents")
    kept = service.current["agents.graph"]
    agents.write({"agents/config.py": "VERSION = 2\n"})
    service.refresh()
    with service.pin() as version:
        assert version.number == 2
        assert kept.run(lambda: None) == [1, 1, 1, 1]


def test_a_pin_counts_before_code_further_away(agents: Project, opened: Opened) -> None:
    """A loop that runs in code of an earlier version does not decide for the runs that others pin in it."""
    service = opened("agents")
    kept = service.current["agents.graph"]
    agents.write({"agents/config.py": "VERSION = 2\n"})
    service.refresh()
    seen = []

    def serve() -> None:
        with service.pin():
            seen.append(importlib.import_module("agents.config").VERSION)

    kept.run(serve)
    assert seen == [2]


def test_extension_modules_are_shared(agents: Project, opened: Opened) -> None:
    """What can't be loaded twice is one object in all versions, found in the ways of any other module."""
    specs = [importlib.util.find_spec(name) for name in ("_csv", "_json", "_bisect", "_heapq", "_queue")]
    extension = (importlib.machinery.EXTENSION_SUFFIXES[0],)
    found = [spec.origin for spec in specs if spec is not None and str(spec.origin).endswith(extension)]
    if not found:
        pytest.skip("this interpreter has no extension modules in files")
    path = pathlib.Path(str(found[0]))
    shutil.copy(path, agents.folder / "agents" / path.name)
    name = path.name.partition(".")[0]
    agents.write({"agents/uses.py": f"from agents import {name} as extension\n"})
    service = opened("agents")
    one = service.current["agents.uses"].extension
    agents.write({"agents/config.py": "VERSION = 2\n"})
    assert service.refresh()
    assert service.current["agents.uses"].extension is one


def test_a_module_may_put_something_else_in_its_place(project: Project, opened: Opened) -> None:
    """What a module puts into `sys.modules` under its name is the module of its version."""
    project.write(
        {
            "odd/__init__.py": "",
            "odd/lazy.py": "import sys\nclass Lazy:\n    VALUE = 1\nsys.modules[__name__] = Lazy()\n",
        }
    )
    service = opened("odd")
    assert service.current["odd.lazy"].VALUE == 1
    with service.pin():
        project.write({"odd/lazy.py": (project.folder / "odd/lazy.py").read_text().replace("1", "2")})
        service.refresh()
        from odd import lazy

        assert lazy.VALUE == 1
    assert lazy.VALUE == 2


def test_modules_that_import_each_other_work(project: Project, opened: Opened) -> None:
    """A cycle of imports, by `from`, `import as` and star, loads as it does in a fresh process."""
    project.write(
        {
            "ring/__init__.py": "from ring.a import *\n",
            "ring/a.py": "from ring import b\nimport ring.b as again\n__all__ = ['NAME']\nNAME = 'a'\n",
            "ring/b.py": "from . import a\nimport ring.a\ndef name():\n    return a.NAME + ring.a.NAME\n",
        }
    )
    version = opened("ring").current
    assert version["ring"].NAME == "a"
    assert version["ring.b"].name() == "aa"
    assert version["ring.a"].again is version["ring.b"]


def test_a_package_inside_of_another_one(project: Project, opened: Opened) -> None:
    """The packages above the target stay as they are, and reach the version that is meant."""
    project.write({"firm/__init__.py": "", "firm/bots/__init__.py": "", "firm/bots/one.py": "V = 1\n"})
    project.write({"firm/bots/two.py": "import firm.bots.one\ndef v():\n    return firm.bots.one.V\n"})
    service = opened("firm.bots")
    import firm.bots.two

    one = service.current
    project.write({"firm/bots/one.py": "V = 2\n"})
    service.refresh()
    assert (one["firm.bots.two"].v(), service.current["firm.bots.two"].v(), firm.bots.two.v()) == (1, 2, 2)


def test_modules_that_outside_code_has_imported_stand_for_all_versions(
    agents: Project, opened: Opened
) -> None:
    """However others import a module, what they have of it follows the pin and the version in charge."""
    service = opened("agents")
    import agents.config as one
    from agents import config as two

    assert one.VERSION == two.VERSION == 1
    with service.pin():
        agents.write({"agents/config.py": "VERSION = 2\n"})
        service.refresh()
        assert one.VERSION == two.VERSION == 1
    assert one.VERSION == two.VERSION == 2


def test_outside_code_may_patch_what_is_meant(agents: Project, opened: Opened) -> None:
    """Setting and deleting attributes by the plain name is done to the version that is meant."""
    service = opened("agents")
    agents_config = importlib.import_module("agents.config")
    agents_config.EXTRA = 1
    assert service.current["agents.config"].EXTRA == 1
    assert "EXTRA" in dir(agents_config)
    del agents_config.EXTRA
    assert not hasattr(service.current["agents.config"], "EXTRA")
    assert repr(agents_config).startswith("<module 'agents.config'")


def test_what_is_imported_already_is_refused(agents: Project, opened: Opened) -> None:
    """A package that somebody has imported can't have versions, and stays as it is."""
    module = agents.load("agents.config")
    with pytest.raises(hotmod.ConfigError, match="before the first import"):
        opened("agents")
    assert sys.modules["agents.config"] is module


def test_a_package_has_one_service(agents: Project, opened: Opened) -> None:
    """What has versions is not opened again before its service is closed, and the error says so."""
    first = opened("agents")
    with pytest.raises(hotmod.ConfigError, match=r"^agents can.* has a service already"):
        opened("agents")
    first.close()
    assert opened("agents").current.number == 1


def test_a_closed_service_leaves_plain_modules_behind(agents: Project, opened: Opened) -> None:
    """After `close()` the names stand for the modules that were in charge, which go on working."""
    service = opened("agents")
    graph = service.current["agents.graph"]
    service.close()
    assert sys.modules["agents.graph"] is graph
    assert graph.run(lambda: None) == [1, 1, 1, 1]
    with pytest.raises(hotmod.HotmodError, match="closed"), service.pin():
        pass


def test_a_closed_service_can_be_opened_again(agents: Project, opened: Opened) -> None:
    """Another service begins anew, and what the first one left behind stays among itself."""
    service = opened("agents")
    kept = service.current["agents.graph"]
    with pytest.raises(hotmod.ConfigError):
        opened("agents")
    service.close()
    agents.write({"agents/config.py": "VERSION = 2\n"})
    again = opened("agents")
    assert again.current["agents.graph"].run(lambda: None) == [2, 2, 2, 2]
    assert kept.inside() == 1


def test_a_package_that_fails_is_not_opened(agents: Project, opened: Opened) -> None:
    """The exception is the package's own, and nothing of it is left."""
    agents.write({"agents/__init__.py": "1 / 0\n"})
    with pytest.raises(ZeroDivisionError):
        opened("agents")
    assert not [name for name in sys.modules if name.partition(".")[0] == "agents"]
    agents.write({"agents/__init__.py": ""})
    assert opened("agents").current.number == 1


def test_nobody_reloads_in_place_what_has_versions(agents: Project, opened: Opened) -> None:
    """A reloader of everything leaves the modules of versions alone."""
    from hotmod._engine.reloader import Reloader

    reloader = Reloader("agents", str(agents.folder))
    service = opened("agents")
    assert service.current["agents.config"].VERSION == 1
    agents.write({"agents/config.py": "VERSION = 2\n"})
    assert reloader.reload().executed == ()
    assert service.current["agents.config"].VERSION == 1
    assert service.refresh().status == "applied"


def test_a_package_with_versions_is_no_target(agents: Project, opened: Opened) -> None:
    """Whoever wants such a package followed in place is told that it is not, until the service is closed."""
    service = opened("agents")
    for name in ("agents", "agents.config"):
        with pytest.raises(hotmod.ConfigError, match="has a service already"):
            hotmod.watch(name)
    service.close()
    with hotmod.watch("agents") as watcher:
        assert not watcher.stopped
