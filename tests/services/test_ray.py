"""The door of Ray: tasks and actors of a real cluster run what is committed in the process of the driver."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import signal
import socket
import tempfile
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

import hotmod
from tests.oracle.project import Project
from tests.services.following import call, end_once, fresh_facts, refuse

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install 'hotmod[ray]'", allow_module_level=True)

import ray

import hotmod.ray

PATIENCE = 180.0  # seconds; a worker of Ray takes long to start where others are busy
ROOT = pathlib.Path(__file__).parents[2]
FILES = {
    "mill/__init__.py": "",
    "mill/tax.py": "TAX = 1\n",
    "mill/cart.py": """
        import ray
        from mill.tax import TAX


        def total(net):
            return net + TAX


        def totals(nets):
            for net in nets:
                yield net + TAX


        @ray.remote
        def decorated(net):
            return net + TAX


        class Count:
            def __init__(self, start=0):
                self.count = start

            def add(self):
                self.count += TAX
                return self.count

            def reset(self, refuses=False):
                import builtins
                builtins.hotmod_test_refuses = refuses
                self.count = 0

            def held(self, address):
                import socket
                with socket.create_connection(address, timeout=180) as connection:
                    connection.recv(1)
                return self.add()


        @ray.remote
        class Decorated(Count):
            def add(self):
                return super().add()


        class Waiting:
            async def add(self, net):
                return net + TAX
        """,
}
NAMES = ["mill", "mill.tax", "mill.cart"]
ONLY_HERE = f"import os\nTAX = 7\nif os.getpid() != {os.getpid()}:\n    raise RuntimeError('not here')\n"


class Mill:
    """A package on a disk that the workers do not know, and a cluster that has it all the same."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.project = Project(folder)  # after Ray has begun: the search path of its workers is without it
        self.cart = self.project.write(FILES).load(*NAMES)
        self.reloader = hotmod.Reloader("mill")
        self.hot = hotmod.ray.HotReload(self.reloader)
        self.call = self.hot.remote(call)
        count = self.hot.remote(self.cart.Count).options(num_cpus=0)
        self.count, self.other = count.remote(), count.remote()

    def save(self, files: dict[str, str], **options: Any) -> hotmod.Report:
        """Write files, and apply them, if the cluster can."""
        self.project.write(files)
        return self.hot.reload(**options)

    def total(self) -> tuple[int, int]:
        """What a worker makes of a sum, and which worker it was."""
        return got(self.call.remote("mill.cart:total", 1))


def got(answer: Any) -> Any:
    """The value of a reference."""
    return ray.get(answer, timeout=PATIENCE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """One cluster for all tests: it takes some seconds to start."""
    with (
        # sockets are made there, whose paths must be short
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as temporary,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        ray.init(
            num_cpus=2,
            object_store_memory=80 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=temporary,
        )
        try:
            found = Mill(tmp_path_factory.mktemp("mill"))
            yield found
            found.project.forget()
        finally:
            ray.shutdown()


@pytest.fixture
def mill(running: Mill) -> Mill:
    """The package as each test finds it, here and on the cluster."""
    for path in (running.project.folder / "mill").glob("*.py"):
        if f"mill/{path.name}" not in FILES:
            path.unlink()
    running.save(FILES)
    assert running.total()[0] == 2
    got([running.count.reset.remote(), running.other.reset.remote()])
    return running


def test_workers_have_the_package_without_its_files(mill: Mill) -> None:
    """A worker has the modules that a fresh process makes of the files, also one that starts late."""
    changed = {"mill/tax.py": "TAX = 5\n", "mill/cart.py": "from mill.tax import TAX as NEW\n"}
    fresh_before, fresh = (
        fresh_facts(mill.project.write(files).folder, *NAMES) for files in (FILES, changed)
    )
    assert fresh_before != fresh
    mine = "tests.services.following:facts"
    assert got(mill.call.remote(mine, *NAMES))[0] == fresh_before
    assert mill.hot.reload()
    found, pid = got(mill.call.remote(mine, *NAMES))
    assert found == fresh
    mill.project.write({"mill/tax.py": "TAX = 'saved, not applied'\n", "mill/cart.py": "1 / 0\n"})
    assert mill.hot.reload().status == "rejected"
    os.kill(pid, signal.SIGKILL)
    found, late = got(mill.call.remote(mine, *NAMES))
    assert found == fresh
    assert late != pid


def test_an_edit_reaches_tasks_and_actors(mill: Mill) -> None:
    """What is submitted after a reload runs the new code, and an actor keeps its state."""
    total, totals = mill.hot.remote(mill.cart.total), mill.hot.remote(mill.cart.totals)
    waiting = mill.hot.remote(mill.cart.Waiting).remote()
    assert got([total.remote(1), mill.count.add.remote(), waiting.add.remote(1)]) == [2, 1, 2]
    assert mill.save({"mill/tax.py": "TAX = 100\n"})
    assert got([total.remote(1), mill.count.add.remote(), waiting.add.remote(1)]) == [101, 101, 101]
    assert [got(each) for each in totals.remote([1, 2])] == [101, 102]


def test_what_is_decorated_for_ray_follows_too(mill: Mill) -> None:
    """Called as Ray has it, a decorated function stays what it was at its first call; here it does not."""
    function = mill.hot.remote(mill.cart.decorated, num_cpus=1)
    actor = mill.hot.remote(mill.cart.Decorated).options(num_cpus=0).remote()
    assert got([function.remote(1), actor.add.options(name="first").remote()]) == [2, 1]
    text = textwrap.dedent(FILES["mill/cart.py"]).replace("super().add()", "-1")
    assert mill.save({"mill/cart.py": text.replace("return net + TAX", "return net * 10")})
    assert got([function.remote(1), actor.add.remote(), actor.add.remote()]) == [10, -1, -1]


def test_arguments_are_read_in_the_edition_of_the_call(mill: Mill) -> None:
    """A worker that is behind is given objects of a class that it has not, as such and by reference."""
    text = textwrap.dedent(FILES["mill/cart.py"])
    more = "\n\nclass Fresh:\n    tax = TAX\n\n\ndef tax(each):\n    return each.tax\n"
    mill.project.write({"mill/cart.py": text + more})
    assert mill.reloader.reload()
    tax, fresh = mill.hot.remote(mill.cart.tax), mill.cart.Fresh()
    held = ray.put(fresh)
    assert got([tax.remote(fresh), tax.remote(held)]) == [1, 1]


def test_workers_call_what_they_are_sent(mill: Mill) -> None:
    """A function, a class and an actor that a task is given submit calls in the edition of the task."""

    def all_of(total: Any, count: Any, actor: Any) -> Any:
        return ray.get([total.remote(1), count.remote().add.remote(), actor.add.remote()])

    count = mill.hot.remote(mill.cart.Count).options(num_cpus=0)
    task, total = mill.hot.remote(all_of), mill.hot.remote(mill.cart.total)
    mill.project.write({"mill/tax.py": "TAX = 5\n"})
    assert mill.reloader.reload()
    assert got(task.remote(total, count, mill.other)) == [6, 5, 5]


def test_what_the_cluster_can_not_take_nobody_has(mill: Mill) -> None:
    """A worker finds it by importing what the driver has imported; all run what they ran before."""
    with pytest.raises(hotmod.HotmodError, match=r"a worker on node .* RuntimeError: not here"):
        mill.save({"mill/tax.py": ONLY_HERE})
    assert mill.cart.total(1) == 2
    assert mill.total()[0] == 2
    assert got(mill.count.add.remote()) == 1
    assert mill.save({"mill/tax.py": "TAX = 3\n"})
    assert got(mill.count.add.remote()) == 4


REFUSED = """
    import builtins
    TAX = 7
    if getattr(builtins, "hotmod_test_refuses", False):
        raise RuntimeError("not here")
    """


def test_what_one_actor_can_not_take_nobody_has(mill: Mill) -> None:
    """The actors are asked between two calls, and have gone back before the next one, whoever calls."""
    got(mill.count.reset.remote(refuses=True))
    ticket = mill.hot._ticket  # that of a task which runs meanwhile, say
    with pytest.raises(hotmod.HotmodError, match=r"HotActor Count .* not here"):
        mill.save({"mill/tax.py": REFUSED})
    assert got(mill.other.ray_handle.call.remote(ticket, "add")) == 1
    assert mill.cart.total(1) == 2
    assert mill.total()[0] == 2
    assert got([mill.count.add.remote(), mill.other.add.remote()]) == [1, 2]
    got(mill.count.reset.remote())
    assert mill.hot.reload()
    assert got([mill.count.add.remote(), mill.other.add.remote()]) == [7, 9]


def test_an_actor_that_was_not_asked_and_can_not_come_runs_nothing(mill: Mill) -> None:
    """Its state stays, its calls tell why, and the next edit that it can take mends it."""
    got(mill.count.reset.remote(refuses=True))
    mill.project.write({"mill/tax.py": REFUSED})
    assert mill.reloader.reload()
    with pytest.raises(hotmod.HotmodError, match=r"can't come to generation \d+: .*not here"):
        got(mill.count.add.remote())
    mill.project.write({"mill/tax.py": "TAX = 2\n"})
    assert mill.reloader.reload()
    assert got(mill.count.add.remote()) == 2


def test_an_actor_that_is_busy_is_not_waited_for(mill: Mill) -> None:
    """The edit is decided without it; its running call ends as it began, the next one is new."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        busy = mill.count.held.remote(server.getsockname())
        connection, _ = server.accept()
        with connection:
            assert mill.save({"mill/tax.py": "TAX = 4\n"}, patience=0)
            assert mill.total()[0] == 5
            after = mill.count.add.remote()
    assert got([busy, after]) == [1, 5]


def test_a_worker_that_can_not_take_an_edit_is_replaced(mill: Mill) -> None:
    """Ray runs the task in another one; if no worker can, the task tells why."""
    _, poor = mill.total()
    assert got(mill.hot.remote(refuse).remote(poor))
    mill.project.write({"mill/tax.py": REFUSED})
    assert mill.reloader.reload()
    value, pid = mill.total()
    assert value == 8
    assert pid != poor
    mill.project.write({"mill/tax.py": ONLY_HERE})
    assert mill.reloader.reload()
    with pytest.raises(RuntimeError, match="not here"):
        got(mill.call.options(max_retries=10).remote("mill.cart:total", 1))


IN_A_TASK = """
    import os, ray, tests.services.following
    TAX = 4
    context = ray.get_runtime_context()
    if context.worker.mode == ray.WORKER_MODE and context.get_actor_id() is None:
        {}
    """


def test_a_worker_that_dies_is_replaced_by_one_that_catches_up(mill: Mill, tmp_path: pathlib.Path) -> None:
    """A task is run again; and if it was an edit that was tried, another worker tries it."""
    assert mill.save({"mill/tax.py": "TAX = 3\n"})
    assert got(mill.hot.remote(end_once).remote(str(tmp_path / "in-a-task"), 5)) == 5
    assert mill.total()[0] == 4
    ends = f"tests.services.following.end_once({str(tmp_path / 'in-a-trial')!r}, 0)"
    assert mill.save({"mill/tax.py": IN_A_TASK.format(ends)})
    assert (tmp_path / "in-a-trial").exists()
    assert mill.total()[0] == 5


def test_an_edit_that_ends_every_worker_is_refused(mill: Mill) -> None:
    """No task ever gets it."""
    with pytest.raises(hotmod.HotmodError, match=r"a worker on node .* WorkerCrashedError"):
        mill.save({"mill/tax.py": IN_A_TASK.format("os._exit(1)")})
    assert mill.cart.total(1) == 2
    assert mill.total()[0] == 2


def test_with_hotmod_off_ray_does_it(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made are the functions and classes of Ray."""
    monkeypatch.setenv("HOTMOD", "off")
    hot = hotmod.ray.HotReload("mill")
    assert type(hot.remote(mill.cart.total, num_cpus=0).remote(1)) is ray.ObjectRef
    assert hot.remote(mill.cart.decorated) is mill.cart.decorated
    assert hot.reload().status == "unchanged"
    assert repr(hot) == "<hotmod.ray.HotReload of no modules, as HOTMOD=off is set>"
