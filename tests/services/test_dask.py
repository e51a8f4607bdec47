"""The door of Dask: a real cluster of processes that follows the process of its client."""

from __future__ import annotations

import builtins
import os
import pathlib
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster

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


class Barn:
    """A package on a disk that the workers do not know, and a cluster that has it all the same."""

    def __init__(self, client: Client, folder: pathlib.Path) -> None:
        self.client = client
        self.project = Project(folder)  # after the workers have begun: their search path is without it
        self.cart = self.project.write(FILES).load("barn", "barn.tax", "barn.cart")
        self.reloader = hotmod.Reloader("barn")
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


def between(barn: Barn, monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Do something when all workers have prepared the next edit, and none has applied it."""
    phase = barn.plugin._phase

    def watched(client: Client, step: Any, *arguments: Any) -> None:
        if step is hotmod.dask._commit:
            action()
        phase(client, step, *arguments)

    monkeypatch.setattr(barn.plugin, "_phase", watched)


def test_no_task_begins_between_the_two_phases(barn: Barn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that comes in the middle of an edit waits for its end, on every worker."""
    futures: list[Any] = []
    workers = list(barn.client.run(os.getpid))

    def submit() -> None:
        futures.extend(barn.client.submit(barn.cart.total, 1, workers=each, pure=False) for each in workers)
        barn.client.run(int)  # the scheduler has passed on what came before

    between(barn, monkeypatch, submit)
    barn.save({"barn/tax.py": "TAX = 3\n"})
    assert barn.client.gather(futures) == [4, 4]


def test_a_worker_that_dies_in_the_middle_is_replaced_by_one_that_catches_up(
    barn: Barn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others come to the edition; no task is lost, and the new worker has it before its first task."""
    pids = list(barn.client.run(os.getpid).values())
    between(barn, monkeypatch, lambda: os.kill(pids[0], signal.SIGTERM))
    barn.save({"barn/tax.py": "TAX = 4\n"})
    futures = barn.client.map(barn.cart.total, range(20), pure=False)
    assert barn.client.gather(futures) == [net + 4 for net in range(20)]
    barn.client.wait_for_workers(2, timeout=PATIENCE)
    assert barn.totals() == [5, 5]
    assert pids[0] not in barn.client.run(os.getpid).values()


def test_a_plugin_pickles_as_an_edition(barn: Barn) -> None:
    """What travels holds neither reloader nor lock."""
    state = barn.plugin.__getstate__()
    assert sorted(state) == ["_shipped", "name"]
