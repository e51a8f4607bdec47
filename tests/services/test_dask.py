"""The door of Dask: a real cluster of processes that follows the process of its client."""

from __future__ import annotations

import builtins
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster, SchedulerPlugin

import hotmod
import hotmod.dask
from tests.oracle.project import Project
from tests.services.following import call, facts, fresh_facts

PATIENCE = 60.0  # seconds
FILES = {
    "barn/__init__.py": "",
    "barn/tax.py": "TAX = 1\n",
    "barn/cart.py": "from barn.tax import TAX\n\n\ndef total(net):\n    return net + TAX\n",
}
NAMES = ["barn", "barn.tax", "barn.cart"]


class Leaving(SchedulerPlugin):  # type: ignore[misc]  # distributed has no types
    """Knows when the scheduler has noticed that a worker is gone."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def remove_worker(self, *_: object, **__: object) -> None:
        """One is gone."""
        self.left.set()

    def after(self, action: Callable[[], object]) -> None:
        """Wait until one is gone after something was done."""
        self.left.clear()
        action()
        assert self.left.wait(PATIENCE)


class Barn:
    """A package on a disk that the workers do not know, and a cluster that has it all the same."""

    def __init__(self, client: Client, folder: pathlib.Path) -> None:
        self.client = client
        self.project = Project(folder)  # after the workers have begun: their search path is without it
        self.cart = self.project.write(FILES).load("barn", "barn.tax", "barn.cart")
        self.reloader = hotmod.Reloader("barn")
        self.leaving = Leaving()
        client.cluster.scheduler.add_plugin(self.leaving)
        self.plugin = hotmod.dask.HotReload(self.reloader)
        client.register_plugin(self.plugin)

    def save(self, files: dict[str, str]) -> hotmod.Report:
        """Write files, and apply them everywhere."""
        self.project.write(files)
        return self.plugin.reload(self.client)

    def totals(self) -> list[int]:
        """What each worker makes of a sum."""
        return [value for value, _ in self.client.run(call, "barn.cart:total", 1).values()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barn]:
    """One cluster for all tests: it takes some seconds to start."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        found = Barn(client, tmp_path_factory.mktemp("barn"))
        yield found
        found.project.forget()


@pytest.fixture
def barn(running: Barn) -> Barn:
    """The package as each test finds it, here and on all workers."""
    running.client.wait_for_workers(2, timeout=PATIENCE)
    for path in (running.project.folder / "barn").glob("*.py"):
        if f"barn/{path.name}" not in FILES:
            path.unlink()
    running.save(FILES)
    assert running.totals() == [2, 2]
    return running


def refuse(pids: list[int]) -> None:
    """Leave something in some processes that an edit can find."""
    builtins.hotmod_test_refuses = os.getpid() in pids


def test_workers_have_the_package_without_its_files(barn: Barn) -> None:
    """Every worker has the modules that a fresh process makes of the files, before and after an edit."""
    for files in ({}, {"barn/tax.py": "TAX = 5\n", "barn/cart.py": "from barn.tax import TAX as NEW\n"}):
        barn.save(files)
        fresh = fresh_facts(barn.project.folder, *NAMES)
        assert list(barn.client.run(facts, *NAMES).values()) == [fresh, fresh]


def test_an_edit_reaches_the_tasks_of_all_workers(barn: Barn) -> None:
    """What is submitted after a reload runs the new code, wherever it runs."""
    assert barn.save({"barn/tax.py": "TAX = 10\n"})
    futures = barn.client.map(barn.cart.total, range(20), pure=False)
    assert barn.client.gather(futures) == [net + 10 for net in range(20)]


REFUSED = """
    import builtins
    TAX = 7
    if getattr(builtins, "hotmod_test_refuses", False):
        raise RuntimeError("not here")
    """


def test_what_one_worker_can_not_take_none_has(barn: Barn) -> None:
    """Those that have applied the edit go back, and so does the process of the client."""
    pids = list(barn.client.run(os.getpid).values())
    barn.client.run(refuse, pids[1:])
    with pytest.raises(hotmod.HotmodError, match="not here"):
        barn.save({"barn/tax.py": REFUSED})
    assert barn.totals() == [2, 2]
    assert barn.cart.total(1) == 2
    barn.client.run(refuse, [])
    assert barn.plugin.reload(barn.client)
    assert barn.totals() == [8, 8]


def test_what_is_rejected_here_reaches_no_worker(barn: Barn) -> None:
    """The workers are not even asked."""
    assert barn.save({"barn/tax.py": "1 / 0\n"}).status == "rejected"
    assert barn.totals() == [2, 2]


def before(barn: Barn, monkeypatch: pytest.MonkeyPatch, step: str, action: Callable[[], object]) -> None:
    """Do something in the middle of the next edit, before a step of it: `_prepare`, `_try` or `decide`."""
    phase, decide = barn.plugin._phase, barn.plugin._decide

    def watched_phase(client: Client, workers: list[str], function: Any, *arguments: Any) -> None:
        if function.__name__ == step:
            action()
        phase(client, workers, function, *arguments)

    def watched_decision(*arguments: Any) -> None:
        if step == "decide":
            action()
        decide(*arguments)

    monkeypatch.setattr(barn.plugin, "_phase", watched_phase)
    monkeypatch.setattr(barn.plugin, "_decide", watched_decision)


LAZY = {
    "barn/lazy.py": "from barn.rare import RARE\n\nVALUE = RARE\n\n\ndef value():\n    return VALUE\n",
    "barn/rare.py": "RARE = 1\n",
}


def lazy(barn: Barn) -> Any:
    """Modules that this process has imported, and no worker has."""
    assert barn.save(LAZY)
    found = barn.project.load("barn.rare", "barn.lazy")
    barn.plugin.push(barn.client)
    assert not any(barn.client.run(has, "barn.lazy").values())
    return found


def has(name: str) -> bool:
    """Whether a module is imported."""
    return name in sys.modules


def test_what_only_an_import_on_a_worker_shows_no_worker_has(barn: Barn) -> None:
    """Code that fails where nobody has imported it yet is found in time, also in a new module."""
    module = lazy(barn)
    refused = "import os, barn.tax\nRARE = barn.tax.HERE\n"
    only_here = f"import os\nTAX = 1\nif os.getpid() == {os.getpid()}:\n    HERE = 3\n"
    for files in (
        {"barn/rare.py": refused, "barn/tax.py": only_here},
        {"barn/fresh.py": refused, "barn/tax.py": only_here, "barn/rare.py": "from barn.fresh import RARE\n"},
    ):
        with pytest.raises(hotmod.HotmodError, match="has no attribute 'HERE'"):
            barn.save(files)
        futures = [
            barn.client.submit(module.value, workers=each, pure=False) for each in barn.client.run(int)
        ]
        assert barn.client.gather(futures) == [1, 1]
        assert not any(barn.client.run(has, "barn.fresh").values())
        assert module.value() == 1


def test_what_workers_could_not_import_before_does_not_stop_an_edit(barn: Barn) -> None:
    """It is not the edit that is to blame; and what belongs to the client alone is not even tried."""
    module = lazy(barn)
    here = (
        f"import os, sys\nsys.barn_tried = True\nRARE = {{}}\nif os.getpid() != {os.getpid()}:\n    1 / 0\n"
    )
    barn.plugin._here_only = ("barn.rare", "barn.lazy")
    assert barn.save({"barn/rare.py": here.format(2)})
    assert not any(barn.client.run(hasattr, sys, "barn_tried").values())
    barn.plugin._here_only = ()
    assert barn.save({"barn/rare.py": here.format(3), "barn/tax.py": "TAX = 6\n"})
    assert all(barn.client.run(hasattr, sys, "barn_tried").values())
    assert module.value() == 3
    assert barn.totals() == [7, 7]


def test_no_task_begins_while_an_edit_is_tried(barn: Barn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that comes in the middle of an edit waits for its end, on every worker."""
    futures: list[Any] = []
    workers = list(barn.client.run(os.getpid))

    def submit() -> None:
        futures.extend(barn.client.submit(barn.cart.total, 1, workers=each, pure=False) for each in workers)
        barn.client.run(int)  # the scheduler has passed on what came before

    before(barn, monkeypatch, "decide", submit)
    barn.save({"barn/tax.py": "TAX = 3\n"})
    assert barn.client.gather(futures) == [4, 4]


ENDS = """
    import builtins, os
    TAX = 4
    if getattr(builtins, "hotmod_test_refuses", False):
        os._exit(1)
    """


@pytest.mark.parametrize("step", ["_prepare", "_try", "import", "decide"])
def test_a_worker_that_dies_in_the_middle_is_replaced_by_one_that_catches_up(
    barn: Barn, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The others come to the edition; no task is lost, and the new worker has it before its first."""
    pids = list(barn.client.run(os.getpid).values())
    if step == "import":
        barn.client.run(refuse, pids[:1])
    before(barn, monkeypatch, step, lambda: barn.leaving.after(lambda: os.kill(pids[0], signal.SIGKILL)))
    barn.save({"barn/tax.py": ENDS})
    futures = barn.client.map(barn.cart.total, range(20), pure=False)
    assert barn.client.gather(futures) == [net + 4 for net in range(20)]
    barn.client.wait_for_workers(2, timeout=PATIENCE)
    assert barn.totals() == [5, 5]
    assert pids[0] not in barn.client.run(os.getpid).values()


def test_an_edit_that_the_scheduler_has_reaches_those_whom_it_did_not_tell(
    barn: Barn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler stops telling when a worker is gone; then the client tells the others."""

    def register(plugin: object) -> None:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(barn.client, "register_plugin", register)
        barn.save({"barn/tax.py": "TAX = 8\n"})
    assert barn.totals() == [9, 9]


def test_workers_that_no_decision_reaches_go_on_as_they_were(barn: Barn) -> None:
    """A client that is gone in the middle of an edit leaves every worker with what is decided."""
    barn.project.write({"barn/tax.py": "TAX = 9\n"})
    assert barn.reloader.reload()
    edition, texts = barn.plugin._publisher.current(), barn.plugin._publisher.texts
    workers = list(barn.client.run(os.getpid))
    barn.plugin._phase(barn.client, workers, hotmod.dask._prepare, edition, texts)
    futures = [barn.client.submit(call, "barn.cart:total", 1, workers=each, pure=False) for each in workers]
    barn.plugin._phase(barn.client, workers, hotmod.dask._try, edition, [])
    assert barn.totals() == [10, 10]
    barn.client.run(wait_no_longer)
    assert [value for value, _ in barn.client.gather(futures)] == [2, 2]
    with pytest.raises(
        hotmod.HotmodError, match="no decision came"
    ):  # it comes too late to those who went on
        barn.plugin._phase(barn.client, workers, hotmod.dask._try, edition, [])
    assert barn.totals() == [2, 2]
    barn.plugin.push(barn.client)
    assert barn.totals() == [10, 10]


def wait_no_longer() -> None:
    """Let a worker do what it does when no decision has come for long."""
    for hold in list(hotmod.dask._HELD.values()):
        hold.ended.set()


class TestLateWorkers:
    """A worker that joins has what is decided, and nothing else."""

    @pytest.fixture
    def join(self, barn: Barn) -> Iterator[Callable[[], None]]:
        """Lets one more worker join."""

        def scale(number: int) -> None:
            barn.client.cluster.scale(number)
            barn.client.wait_for_workers(number, timeout=PATIENCE)

        yield lambda: scale(3)
        barn.leaving.after(lambda: barn.client.cluster.scale(2))

    def test_in_the_middle_of_an_edit(
        self, barn: Barn, join: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It begins with the code of before, takes no part in the vote, and comes to what is decided."""
        before(barn, monkeypatch, "_try", join)
        barn.save({"barn/tax.py": "TAX = 3\n"})
        assert barn.totals() == [4, 4, 4]

    def test_while_an_edit_is_refused(
        self, barn: Barn, join: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It never hears of the edit."""
        barn.client.run(refuse, list(barn.client.run(os.getpid).values())[:1])
        before(barn, monkeypatch, "_try", join)
        with pytest.raises(hotmod.HotmodError, match="not here"):
            barn.save({"barn/tax.py": REFUSED})
        assert barn.totals() == [2, 2, 2]
        barn.client.run(refuse, [])

    def test_after_several_edits(self, barn: Barn, join: Callable[[], None]) -> None:
        """Whatever was rejected or waits on the disk, it is what a fresh process was at the last edit."""
        for tax in (3, 4):
            assert barn.save(
                {"barn/tax.py": f"TAX = {tax}\n", "barn/more.py": f"from barn.tax import TAX\n# {tax}\n"}
            )
        fresh = fresh_facts(barn.project.folder, *NAMES, "barn.more")
        assert barn.save({"barn/tax.py": "1 / 0\n"}).status == "rejected"
        barn.project.write({"barn/more.py": "1 / 0\n"})
        join()
        assert list(barn.client.run(facts, *NAMES, "barn.more").values()) == [fresh, fresh, fresh]


def test_a_plugin_pickles_as_an_edition(barn: Barn) -> None:
    """What travels holds neither reloader nor lock."""
    state = barn.plugin.__getstate__()
    assert sorted(state) == ["_shipped", "name"]
