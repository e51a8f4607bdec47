"""Worker pools: what is committed in this process is what runs in its workers, and nothing else."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pathlib
import pickle
import signal
import sys
import types
from collections.abc import Iterator

import cloudpickle
import pytest

import hotmod
from hotmod._engine.workers import errand
from hotmod._engine.workers.editions import Publisher, Store, Ticket
from hotmod._engine.workers.follower import BehindError
from hotmod._model.errors import HotmodError
from hotmod.workers import HotExecutor
from tests.oracle.project import Project
from tests.services.following import PATIENCE, call, end_once, everywhere, facts, forget, fresh_facts, refuse

FILES = {
    "depot/__init__.py": "",
    "depot/tax.py": "TAX = 1\n",
    "depot/cart.py": """
        from depot.tax import TAX


        class Cart:
            def total(self, net):
                return net + TAX


        def total(net):
            return net + TAX


        def fail():
            raise ValueError(TAX)


        def late():
            import depot.lazy
            return depot.lazy.VALUE
        """,
    "depot/lazy.py": "VALUE = 'as it was'\n",
}


class Depot:
    """A package, its reloader, and a pool that follows it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.write(FILES)
        self.cart = project.load("depot", "depot.tax", "depot.cart")
        self.reloader = hotmod.Reloader("depot")
        self.pool = HotExecutor(self.reloader, max_workers=2, dumps=cloudpickle.dumps)

    def save(self, files: dict[str, str]) -> hotmod.Report:
        """Write files, and apply them here."""
        self.project.write(files)
        return self.reloader.reload()

    def total(self, net: int) -> object:
        """What a worker makes of a sum."""
        return self.pool.submit(self.cart.total, net).result(PATIENCE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    """One pool for all tests: its processes take a second to start."""
    found = Depot(Project(tmp_path_factory.mktemp("depot")))
    yield found
    found.pool.shutdown()
    found.project.forget()


@pytest.fixture
def depot(running: Depot) -> Depot:
    """The package as each test finds it, here and in all workers."""
    for path in (running.project.folder / "depot").glob("*.py"):
        if f"depot/{path.name}" not in FILES:
            path.unlink()
    running.save(FILES)
    assert all(value == 2 for (value, _), _ in everywhere(running.pool, call, "depot.cart:total", 1))
    return running


def test_a_task_runs_in_the_generation_of_its_submitter(depot: Depot) -> None:
    """The next task after an edit runs the new code, and its future tells the generation."""
    before = depot.pool.submit(depot.cart.total, 1)
    assert before.result(PATIENCE) == 2
    assert depot.save({"depot/tax.py": "TAX = 10\n"})
    after = depot.pool.submit(depot.cart.total, 1)
    assert after.result(PATIENCE) == 11
    assert after.generation == depot.reloader.generation
    assert before.generation == depot.reloader.generation - 1


def test_every_worker_becomes_what_a_fresh_process_is(depot: Depot) -> None:
    """After edits of several kinds, the modules in each worker are those of a process that just began."""
    names = ["depot", "depot.tax", "depot.cart", "depot.extra", "depot.lazy"]
    cart = """
        from depot.extra import DOUBLE


        class Cart:
            def total(self, net):
                return net + DOUBLE


        def total(net, more=DOUBLE):
            return net + more
        """
    extra = "from depot.tax import TAX\nDOUBLE = TAX * 2\n"
    depot.save({"depot/extra.py": extra, "depot/tax.py": "TAX = 4\n", "depot/cart.py": cart})
    fresh = fresh_facts(depot.project.folder, *names)
    assert [found for found, _ in everywhere(depot.pool, facts, *names)] == [fresh, fresh]


def test_a_module_that_is_gone_is_gone_in_the_workers(depot: Depot) -> None:
    """A deleted module can't be imported by a worker either."""
    depot.save({"depot/extra.py": "X = 1\n", "depot/cart.py": "from depot.extra import X as total\n"})
    depot.project.delete("depot/extra.py")
    assert depot.save({"depot/cart.py": "total = 2\n"})
    with pytest.raises(ModuleNotFoundError):
        depot.pool.submit(call, "depot.extra:X").result(PATIENCE)


def test_a_rejected_edit_never_reaches_a_worker(depot: Depot) -> None:
    """What is on disk and was refused here is run by no worker, not even by one that begins now."""
    report = depot.save({"depot/tax.py": "TAX = 100\n", "depot/cart.py": "1 / 0\n"})
    assert report.status == "rejected"
    ((_, pid), *_) = everywhere(depot.pool, int)
    os.kill(pid, signal.SIGTERM)
    found = everywhere(depot.pool, call, "depot.cart:total", 1)
    assert [value for (value, _), _ in found] == [2, 2]
    assert pid not in [process for _, process in found]


def test_a_module_that_is_imported_late_is_the_committed_one(depot: Depot) -> None:
    """A worker that imports a module for the first time has the text of its generation, not that on disk."""
    everywhere(depot.pool, forget, "depot.lazy")
    depot.project.write({"depot/lazy.py": "VALUE = 'saved, not applied'\n"})
    assert depot.pool.submit(depot.cart.late).result(PATIENCE) == "as it was"
    depot.reloader.reload()
    assert depot.pool.submit(depot.cart.late).result(PATIENCE) == "saved, not applied"


def test_going_back_is_followed(depot: Depot) -> None:
    """A rollback here is one in the workers, though the file stays."""
    depot.save({"depot/tax.py": "TAX = 10\n"})
    assert depot.total(1) == 11
    depot.reloader.rollback()
    assert depot.total(1) == 2


def test_a_worker_that_can_not_take_an_edit_is_replaced_alone(depot: Depot) -> None:
    """Its task goes to the new worker; the other worker goes on as it is."""
    (_, poor), (_, other) = everywhere(depot.pool, int)
    everywhere(depot.pool, refuse, poor)
    refused = """
        import builtins
        TAX = 7
        if getattr(builtins, "hotmod_test_refuses", False):
            raise RuntimeError
        """
    assert depot.save({"depot/tax.py": refused})
    found = everywhere(depot.pool, call, "depot.cart:total", 1)
    assert [value for (value, _), _ in found] == [8, 8]
    processes = [process for _, process in found]
    assert other in processes
    assert poor not in processes


def test_an_exception_tells_its_generation_and_the_text_that_ran(depot: Depot) -> None:
    """Whatever is on disk by then, the traceback of the worker shows the line that it ran."""
    text = "def fail():\n    raise ValueError('the line that ran')\n"
    depot.save({"depot/cart.py": text})
    depot.project.write({"depot/cart.py": text.replace("the line that ran", "another one")})
    with pytest.raises(ValueError, match="the line that ran") as caught:
        depot.pool.submit(depot.cart.fail).result(PATIENCE)
    assert caught.value.hotmod_generation == depot.reloader.generation
    assert "raise ValueError('the line that ran')" in str(caught.value.__cause__)


def test_an_exception_that_does_not_pickle_keeps_its_words(depot: Depot) -> None:
    """The future of a task ends, whatever it raised."""
    text = "class Odd(Exception):\n    def __init__(self, one, two):\n        super().__init__(one)\n"
    depot.save({"depot/cart.py": f"{text}\n\ndef fail():\n    raise Odd('its words', 2)\n"})
    with pytest.raises(RuntimeError, match="its words"):
        depot.pool.submit(depot.cart.fail).result(PATIENCE)


def test_a_task_whose_worker_dies_is_run_again(depot: Depot, tmp_path: pathlib.Path) -> None:
    """The task is not lost, and the other worker is not touched."""
    before = {process for _, process in everywhere(depot.pool, int)}
    assert depot.pool.submit(end_once, str(tmp_path / "ended"), 5).result(PATIENCE) == 5
    after = {process for _, process in everywhere(depot.pool, int)}
    assert len(before & after) == 1


def test_a_task_that_always_ends_its_worker_fails(depot: Depot) -> None:
    """It is begun again so often as `retries` says; then its future tells what happened."""
    with HotExecutor(depot.reloader, max_workers=1, retries=1) as pool:
        future = pool.submit(os._exit, 1)
        assert isinstance(future.exception(PATIENCE), concurrent.futures.BrokenExecutor)
        assert pool.submit(depot.cart.total, 1).result(PATIENCE) == 2


def test_pickles_by_reference_and_by_value_are_right_after_many_edits(depot: Depot) -> None:
    """What was pickled by reference long ago runs the code of now; by value it is what it is now."""
    cart = depot.cart
    by_reference = [
        dumps((cart.total, cart.Cart(), cart.Cart.total)) for dumps in (pickle.dumps, cloudpickle.dumps)
    ]
    for tax in range(2, 9):
        assert depot.save({"depot/tax.py": f"TAX = {tax}\n"})
        assert depot.save(
            {"depot/cart.py": FILES["depot/cart.py"].replace("net + TAX", f"net + TAX + {tax}")}
        )
        for _ in range(2):
            for pickled in by_reference:
                assert depot.pool.submit(calls, pickled, 1).result(PATIENCE) == [1 + 2 * tax] * 3
            assert depot.pool.submit(lambda net: cart.total(net), 1).result(PATIENCE) == 1 + 2 * tax  # noqa: PLW0108
            assert depot.pool.submit(made(tax)().twice, 1).result(PATIENCE) == 2 * (1 + tax)


def calls(pickled: bytes, net: int) -> list[int]:
    """Call what was pickled."""
    function, cart, method = pickle.loads(pickled)
    return [function(net), cart.total(net), method(cart, net)]


def made(tax: int) -> type:
    """A class that can only be pickled by value."""

    class Local:
        def twice(self, net: int) -> int:
            return 2 * (net + tax)

    return Local


def test_a_task_that_waits_for_a_worker_can_be_cancelled(depot: Depot) -> None:
    """Whoever shuts a pool down may have what has not begun cancelled."""
    pool = HotExecutor(depot.reloader, max_workers=1)
    futures = [pool.submit(depot.cart.total, net) for net in range(50)]
    pool.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert any(future.cancelled() for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_with_hotmod_off_tasks_just_run(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is a pool all the same, and follows nothing."""
    monkeypatch.setenv("HOTMOD", "off")
    with HotExecutor("depot", max_workers=1) as pool:
        future = pool.submit(depot.cart.total, 1)
        assert future.result(PATIENCE) == 2
        assert future.generation is None
        assert repr(pool) == "<hotmod.workers.HotExecutor of no modules, as HOTMOD=off is set, max_workers=1>"


def test_what_an_executor_of_others_would_not_heed_is_refused(depot: Depot) -> None:
    """An initializer or a context beside `base` would be for nobody."""
    with pytest.raises(hotmod.ConfigError, match="takes no mp_context and no initializer"):
        HotExecutor("depot", base=concurrent.futures.ThreadPoolExecutor, initializer=print)
    with pytest.raises(hotmod.ConfigError, match="takes no mp_context and no initializer"):
        HotExecutor(
            "depot", base=concurrent.futures.ThreadPoolExecutor, mp_context=multiprocessing.get_context()
        )


def test_a_pool_says_what_it_follows(depot: Depot) -> None:
    """Its representation names the targets and the number of workers."""
    assert repr(depot.pool) == "<hotmod.workers.HotExecutor of depot, max_workers=2>"


def test_modules_that_need_an_extra_are_names_of_hotmod(monkeypatch: pytest.MonkeyPatch) -> None:
    """`hotmod.joblib` is there without an import of its own, and `from hotmod import *` does not load it."""
    monkeypatch.delattr(hotmod, "joblib", raising=False)
    monkeypatch.delitem(sys.modules, "hotmod.joblib", raising=False)
    assert callable(hotmod.joblib.parallel)
    assert not {"joblib", "dask", "ray"} & set(hotmod.__all__)


def test_a_worker_that_can_not_begin_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs neither the initializer nor a task, and the pool is told the reason."""

    def fail(*_: object) -> int:
        raise BehindError("not here")

    monkeypatch.setattr(errand, "_follow", fail)
    monkeypatch.setattr(errand, "_FAILED", [])
    errand.begin(Ticket("", "", 1, 1), 0, pickle.dumps((os._exit, (1,))))
    assert errand.run(None, pickle.dumps((os._exit, (1,), {}))).behind == "not here"


def test_an_initializer_that_fails_is_told(depot: Depot) -> None:
    """The future has its words, and no task runs in a worker that was not prepared."""
    with (
        HotExecutor(depot.reloader, max_workers=1, initializer=depot.cart.fail) as pool,
        pytest.raises(HotmodError, match=r"its initializer raised ValueError: 1\. The task was not run"),
    ):
        pool.submit(depot.cart.total, 1).result(PATIENCE)


@pytest.mark.parametrize(("workers", "retries"), [(0, 5), (-1, 5), (1, -1)])
def test_numbers_that_make_no_sense_are_refused(workers: int, retries: int, depot: Depot) -> None:
    """A pool without workers would never answer."""
    with pytest.raises(hotmod.ConfigError, match="allowed are"):
        HotExecutor("depot", max_workers=workers, retries=retries)


class TestEditions:
    """What is shipped."""

    def test_an_edition_holds_no_text_that_was_not_applied(self, depot: Depot) -> None:
        """Of a file that was saved and not applied yet it has the text from before."""
        publisher = Publisher(depot.reloader)
        before = publisher.current()
        depot.project.write({"depot/tax.py": "TAX = 50\n", "depot/lazy.py": "VALUE = 50\n"})
        assert publisher.current() == before
        assert Publisher(depot.reloader).current().modules["depot.tax"] == before.modules["depot.tax"]

    def test_nothing_new_is_no_new_edition(self, depot: Depot) -> None:
        """As long as nothing is committed, the edition is the same object."""
        publisher = Publisher(depot.reloader)
        first = publisher.current()
        assert publisher.current() is first
        depot.save({"depot/tax.py": "TAX = 2\n"})
        assert publisher.current().sequence == first.sequence + 1

    def test_a_text_that_is_not_what_its_digest_says_is_refused(self, depot: Depot) -> None:
        """A worker never runs a damaged text."""
        publisher, store = Publisher(depot.reloader), Store()
        edition = publisher.current()
        store.put(edition, publisher.texts)
        digest = edition.modules["depot.tax"].digest
        pathlib.Path(store.folder, digest).write_bytes(b"TAX = 666\n")
        with pytest.raises(HotmodError, match="damaged"):
            store.text(digest)
        store.close()


def test_the_package_is_known_by_the_engine_here(depot: Depot) -> None:
    """The pool changes nothing in the process that it belongs to."""
    assert isinstance(depot.cart, types.ModuleType)
    assert depot.reloader.verify()
