"""Deadlocks, looked for on purpose: whoever waits for itself is refused, and nobody waits for ever."""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading

import pytest

import hotmod
from hotmod._engine import turn
from tests.engine.watching import LONG, replace, run_program, watching
from tests.oracle.project import Project

EDITED = {"shop/config.py": "TAX = 2\n"}


def test_a_block_that_waits_for_a_thread_that_reloads(shop: Project) -> None:
    """A stable block that joins a reloading thread goes on when the reload is postponed."""
    reloader = hotmod.Reloader("shop", patience=0.05)
    shop.write(EDITED)
    reports: list[hotmod.Report] = []
    with hotmod.stable():
        thread = threading.Thread(target=lambda: reports.append(reloader.reload()))
        thread.start()
        thread.join(LONG)
        assert not thread.is_alive()
    assert [report.postponed for report in reports] == [True]
    assert reloader.reload().status == "applied"


def test_a_reload_inside_of_an_import_is_refused(shop: Project) -> None:
    """A module in scope that reloads at its top level while it is imported gets an error."""
    shop.write(
        {
            "shop/eager.py": """
                import hotmod
                try:
                    hotmod.reload("shop")
                except hotmod.HotmodError as error:
                    REFUSED = str(error)
                """
        }
    )
    eager = shop.load("shop.eager")
    assert "while shop.eager is being imported" in eager.REFUSED
    shop.write(EDITED)
    assert hotmod.reload("shop").status in ("applied", "unchanged")


def test_two_threads_of_which_one_imports_and_one_reloads(shop: Project) -> None:
    """A reload that imports a module which another thread is importing waits for that import, no longer."""
    shop.write(
        {
            "shop/slow.py": """
                import hotmod
                from shop import hooks
                hooks.began.set()
                hooks.go_on.wait(9)
                try:
                    hotmod.reload("shop")
                except hotmod.HotmodError:
                    hooks.refused.append(1)
                VALUE = 1
                """,
            "shop/hooks.py": "began, go_on, refused = None, None, []\n",
        }
    )
    hooks = shop.load("shop.hooks")
    hooks.began, hooks.go_on = threading.Event(), threading.Event()
    reloader = hotmod.Reloader("shop")
    importing = threading.Thread(target=shop.load, args=("shop.slow",))
    importing.start()
    assert hooks.began.wait(LONG)
    shop.write({"shop/config.py": "from shop.slow import VALUE as TAX\n"})
    threading.Timer(0.05, hooks.go_on.set).start()
    report = reloader.reload()
    importing.join(LONG)
    assert not importing.is_alive()
    assert report.status == "applied"
    assert hooks.refused == [1]


@pytest.mark.parametrize("hook", ["__hotmod_dispose__", "__hotmod_reloaded__"])
def test_a_reload_inside_of_a_hook_is_refused(shop: Project, hook: str) -> None:
    """A hook that reloads gets an error; if it does not catch it, the edit is taken back."""
    parameters = "report" if hook == "__hotmod_reloaded__" else ""
    text = f"import hotmod\nTAX = {{}}\ndef {hook}({parameters}):\n    hotmod.reload('shop')\n"
    shop.write({"shop/config.py": text.format(1)})
    config = shop.load("shop.config")
    reloader = hotmod.Reloader("shop")
    reloader.reload()
    shop.write({"shop/config.py": text.format(2), "shop/cart.py": "import shop.config\n"})
    report = reloader.reload()
    if report.status == "rejected":
        assert "inside another one" in str(report.error)
        assert config.TAX == 1
    else:  # nothing of the module ran, so it has nothing to dispose of
        assert report.patched or report.ran


def test_a_reload_inside_of_verify_is_refused(shop: Project) -> None:
    """A check that reloads is refused with an error, which rejects the edit."""
    config = shop.load("shop.config")

    def check() -> None:
        reloader.reload()

    reloader = hotmod.Reloader("shop", verify=check)
    shop.write(EDITED)
    report = reloader.reload()
    assert "inside another one" in str(report.error)
    assert config.TAX == 1


def test_a_reload_inside_of_on_reload(shop: Project) -> None:
    """`on_reload` is called when the transaction is over, so it can reload."""
    inner: list[hotmod.Report] = []
    done = threading.Event()

    def on_reload(_: hotmod.Report) -> None:
        inner.append(hotmod.reload("shop"))
        done.set()

    with watching("shop", on_reload=on_reload):
        shop.write(EDITED)
        assert done.wait(LONG)
    assert inner[0].status == "unchanged"


def test_code_that_waits_for_a_thread_that_reloads(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that joins a thread which reloads gets on when that thread gives up, with an error."""
    monkeypatch.setattr(turn, "LOCK_WAIT", 0.1)
    errors: list[str] = []

    def reload() -> None:
        try:
            reloader.reload()
        except hotmod.HotmodError as error:
            errors.append(str(error))

    def check() -> None:
        thread = threading.Thread(target=reload)
        thread.start()
        thread.join(LONG)

    reloader = hotmod.Reloader("shop", verify=check)
    shop.write(EDITED)
    assert reloader.reload().status == "applied"
    assert "under way for more than 0.1 s" in errors[0]


def test_a_reload_in_a_finalizer(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that reloads when it is let go in the middle of a transaction is refused."""
    refused: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: refused.append(str(what.exc_value)))
    shop.write(
        {
            "shop/owner.py": """
        import hotmod
        class Owner:
            def __del__(self):
                hotmod.reload("shop")
        """
        }
    )
    shop.load("shop.owner")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "from shop.owner import Owner\nOwner()\nTAX = 2\n"})
    assert reloader.reload().status == "applied"
    assert len(refused) == 1
    assert "inside another one" in refused[0]


def test_two_watchers_over_one_package(shop: Project) -> None:
    """Of two watchers of one package one applies an edit, the other finds it done, and both go on."""
    shop.write({"shop/count.py": "import shop\nshop.runs = getattr(shop, 'runs', 0) + 1\n"})
    package = shop.load("shop", "shop.count") and shop.load("shop")
    reports: queue.Queue[hotmod.Report] = queue.Queue()
    with watching("shop", on_reload=reports.put) as one, watching("shop", on_reload=reports.put) as two:
        for number in range(2, 12):
            text = f"import shop\nshop.runs = getattr(shop, 'runs', 0) + 1 + 0 * {number}\n"
            replace(shop.folder / "shop" / "count.py", text)
            report = reports.get(timeout=LONG)
            assert (report.status, package.runs) == ("applied", number)
        assert {one.status, two.status} <= {"applied", "unchanged"}
    assert reports.empty()


FORKING = """
    import os, sys, threading, time, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    import hotmod, shop.config
    reloader = hotmod.Reloader("shop", patience=30)
    open("shop/config.py", "w").write("TAX = 2\\n")
    with hotmod.stable():
        thread = threading.Thread(target=reloader.reload)
        thread.start()
        from hotmod._engine.gate import GATE
        while not GATE.alert:
            threading.Event().wait(0.001)
        begin = time.monotonic()
        child = os.fork()
        if not child:
            with hotmod.stable():
                pass
    if not child:
        print(reloader.reload().status, shop.config.TAX, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    thread.join()
    print(shop.config.TAX, time.monotonic() - begin < 8, flush=True)
    """


def test_a_fork_inside_of_a_block_for_which_a_reload_waits(shop: Project) -> None:
    """A fork does not wait for a reload that waits; the child has nothing to wait for, and can reload."""
    done = run_program(shop, FORKING)
    assert done.stdout.splitlines() == ["applied 2", "2 True"], done.stderr


WORKERS = """
    import multiprocessing, sys
    import hotmod, shop.config


    def work(number):
        with hotmod.stable():
            return number + shop.config.TAX, hotmod.graph("shop").imports("shop.cart") is not None


    def look(_):
        import shop.config
        return shop.config.TAX, hotmod.reload("shop").status


    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with hotmod.watch("shop") as watcher:
            open("shop/config.py", "w").write("TAX = 20\\n")
            watcher.next_report(timeout=60)
            with hotmod.stable(), context.Pool(2) as pool:
                print(pool.map(work, [1, 2]), pool.map(look, [0]), flush=True)
            open("shop/config.py", "w").write("TAX = 30\\n")
            watcher.next_report(timeout=60)
        print(shop.config.TAX, flush=True)
    """


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_of_multiprocessing(shop: Project, method: str) -> None:
    """Workers that are spawned, or forked by a server, start while the parent watches."""
    program = WORKERS.replace("sys.argv[1]", repr(method))
    done = run_program(shop, program)
    assert done.stdout.splitlines() == [
        "[(21, True), (22, True)] [(20, 'unchanged')]",
        "30",
    ], done.stderr


SUBINTERPRETER = '''
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    CODE = """
    import hotmod
    for door in (hotmod.reload, hotmod.watch):
        try:
            door("json")
        except hotmod.HotmodError as error:
            print(error, flush=True)
    """
    import textwrap
    interpreters.run_string(interpreters.create(), textwrap.dedent(CODE))
    '''


def test_a_subinterpreter_is_refused(shop: Project) -> None:
    """In a subinterpreter every door raises an error that says so, and starts nothing."""
    done = run_program(shop, SUBINTERPRETER)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all("works in the main interpreter only" in line for line in lines)


def test_logging_that_reloads(shop: Project) -> None:
    """A handler of the log that reloads, while the report is logged, is refused and hangs nothing."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with contextlib.suppress(hotmod.HotmodError):
                hotmod.reload("shop")
            seen.append(record.getMessage())

    seen: list[str] = []
    handler = Handler()
    logging.getLogger("hotmod").addHandler(handler)
    try:
        reloader = hotmod.Reloader("shop")
        shop.write(EDITED)
        logging.getLogger("hotmod").setLevel(logging.INFO)
        assert reloader.reload().status == "applied"
    finally:
        logging.getLogger("hotmod").removeHandler(handler)
        logging.getLogger("hotmod").setLevel(logging.NOTSET)
    assert seen
