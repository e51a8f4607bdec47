"""The watcher among threads, forks, signals and the end of the process: nothing hangs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import pytest

import hotmod
from tests.engine.watching import LONG, Inbox, run_program, watching
from tests.oracle.project import Project


def test_stop_from_on_reload(shop: Project) -> None:
    """`on_reload` can stop its own watcher, which then ends."""
    stopped = threading.Event()

    def on_reload(_: hotmod.Report) -> None:
        watcher.stop()
        stopped.set()

    watcher = hotmod.watch("shop", on_reload=on_reload)
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert stopped.wait(LONG)
    assert watcher._thread is not None
    watcher._thread.join(LONG)
    assert not watcher._thread.is_alive()


def test_next_report_in_on_reload_is_refused(shop: Project) -> None:
    """`next_report` in `on_reload` gives the report at hand, and an error where it would wait for itself."""
    found: list[object] = []
    done = threading.Event()

    def on_reload(report: hotmod.Report) -> None:
        found.append(watcher.next_report() is report)
        try:
            watcher.next_report()
        except hotmod.HotmodError as error:
            found.append(error)
        done.set()

    with hotmod.watch("shop", on_reload=on_reload) as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert done.wait(LONG)
    assert found[0] is True
    assert "can't begin before" in str(found[1])


def test_rollback_and_retry_in_on_reload(shop: Project) -> None:
    """`on_reload` can take back what it is told of, and apply it again."""
    config = shop.load("shop.config")
    values: list[int] = []
    done = threading.Event()

    def on_reload(_: hotmod.Report) -> None:
        values.append(config.TAX)
        if len(values) == 1:
            watcher.rollback()
        elif len(values) == 2:
            watcher.retry()
        else:
            done.set()

    with watching("shop", on_reload=on_reload) as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert done.wait(LONG)
    assert values == [2, 1, 2]


def test_hold_in_on_reload(shop: Project) -> None:
    """`on_reload` can hold its own watcher without waiting for itself."""
    done = threading.Event()

    def on_reload(_: hotmod.Report) -> None:
        with watcher.hold():
            done.set()

    with watching("shop", on_reload=on_reload) as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert done.wait(LONG)


def test_hold_waits_for_the_attempt_under_way(shop: Project) -> None:
    """`hold` returns when the attempt that has begun is over, so that nothing changes inside its block."""
    began, go_on = threading.Event(), threading.Event()
    config = shop.load("shop.config")
    text = "import sys\nbegan, go_on = sys.modules['shop.hooks'].pair\nbegan.set()\ngo_on.wait()\nTAX = 2\n"
    shop.write({"shop/hooks.py": "pair = None\n"})
    shop.load("shop.hooks").pair = began, go_on
    with watching("shop") as watcher:
        shop.write({"shop/config.py": text})
        assert began.wait(LONG)
        threading.Timer(0.05, go_on.set).start()
        with watcher.hold():
            assert config.TAX == 2


def test_reload_calls_from_several_threads(shop: Project) -> None:
    """`hotmod.reload` and a watcher that act on one edit at once apply it once."""
    shop.write({"shop/count.py": "import shop\nshop.runs = getattr(shop, 'runs', 0) + 1\n"})
    package = shop.load("shop", "shop.count") and shop.load("shop")
    with watching("shop", delay=0) as watcher:
        shop.write({"shop/count.py": "import shop\nshop.runs = getattr(shop, 'runs', 0) + 1 + 0\n"})
        callers = [threading.Thread(target=hotmod.reload, args=("shop",)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(LONG)
        shop.write({"shop/config.py": "TAX = 2\n"})
        while "shop.config" not in watcher.next_report(timeout=LONG).changed:
            assert watcher.status == "applied"
    assert package.runs == 2


def test_exit_of_an_edited_module_is_a_rejection(shop: Project) -> None:
    """`sys.exit()` and KeyboardInterrupt at the top of an edited module reject the edit, and end nothing."""
    with watching("shop") as watcher:
        for text in ("import sys\nsys.exit(3)\n", "raise KeyboardInterrupt\n"):
            shop.write({"shop/config.py": text})
            assert watcher.next_report(timeout=LONG).status == "rejected"
        shop.write({"shop/config.py": "TAX = 5\n"})
        assert watcher.next_report(timeout=LONG).status == "applied"


def test_an_interrupt_while_apply_runs_us_goes_on(shop: Project) -> None:
    """Ctrl-C during an attempt in the main thread takes the edit back, and then arrives there."""
    inbox = Inbox()
    with watching("shop", apply=inbox) as watcher:
        shop.write({"shop/config.py": "import signal\nsignal.raise_signal(signal.SIGINT)\n"})
        with pytest.raises(KeyboardInterrupt):
            inbox.run_next()
        assert watcher.next_report(timeout=LONG).status == "rejected"
        assert shop.load("shop.config").TAX == 1


def test_ctrl_c_ends_next_report() -> None:
    """An interrupt ends a waiting `next_report` as KeyboardInterrupt."""
    watcher = hotmod.watch(os.path.dirname(__file__))
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with watcher, pytest.raises(KeyboardInterrupt):
        watcher.next_report(timeout=LONG)
    timer.join()


FORKING = """
    import os, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks of programs with threads
    import hotmod, shop.config
    watcher = hotmod.watch("shop")
    open("shop/config.py", "w").write("TAX = 2\\n")
    watcher.next_report(timeout=60)
    child = os.fork()
    if not child:
        watcher.stop()
        try:
            watcher.next_report()
        except TimeoutError:
            print("child", watcher.stopped, shop.config.TAX, hotmod.reload("shop").status, flush=True)
        sys.exit(0)
    status = os.waitpid(child, 0)[1]
    open("shop/config.py", "w").write("TAX = 30\\n")
    watcher.next_report(timeout=60)
    print("parent", status, shop.config.TAX, flush=True)
    """


def test_a_forked_child_is_not_watched(shop: Project) -> None:
    """In a forked child the watcher is stopped and nothing hangs; the parent is watched as before."""
    done = run_program(shop, FORKING)
    assert done.stdout.splitlines() == ["child True 2 unchanged", "parent 0 30"], done.stderr


def test_no_fork_sees_half_a_transaction(shop: Project) -> None:
    """A process that forks while another thread reloads has all of the edit, or nothing."""
    shop.write({"shop/slow.py": "A = 1\nB = 1\n"})
    done = run_program(
        shop,
        """
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import hotmod, shop.slow
        began = shop.slow.began = threading.Event()
        watcher = hotmod.watch("shop")
        text = "import threading\\nA = 2\\nbegan.set()\\nthreading.Event().wait(0.2)\\nB = 2\\n"
        open("shop/slow.py", "w").write("import __main__\\nbegan = __main__.began\\n" + text)
        began.wait()
        child = os.fork()
        if not child:
            print(shop.slow.A, shop.slow.B, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        """,
    )
    assert done.stdout.split() == ["2", "2"], done.stderr


def test_the_process_ends_with_a_watcher_running(shop: Project) -> None:
    """A program that never stops its watcher ends at once, without a word, in the middle of its work."""
    done = run_program(
        shop,
        """
        import hotmod, shop.config
        hotmod.watch("shop")
        open("shop/config.py", "w").write("TAX = 2\\n")
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_watcher_that_nobody_holds_goes_on(shop: Project) -> None:
    """The handle can be thrown away."""
    seen: list[hotmod.Report] = []
    told = threading.Event()

    def on_reload(report: hotmod.Report) -> None:
        seen.append(report)
        told.set()

    hotmod.watch("shop", on_reload=on_reload)
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert told.wait(LONG)
    assert seen[0].status == "applied"
    for watcher in list(sys.modules["hotmod._engine.watcher"].WATCHERS):
        watcher.stop()


def test_an_error_of_hotmod_itself_is_a_report(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine fails in a way that nobody foresaw, a report says so, and the next save works."""
    from hotmod._engine.reloader import Reloader

    attempt = Reloader.attempt
    failing = iter([True, False])

    def attempt_or_fail(self: Reloader, paths: frozenset[str] | None, **options: Any) -> hotmod.Report | None:
        if self.ledger.changes() and next(failing, False):
            raise ZeroDivisionError("a mistake of ours")
        return attempt(self, paths, **options)

    monkeypatch.setattr(Reloader, "attempt", attempt_or_fail)
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        report = watcher.next_report(timeout=LONG)
        assert (report.status, str(report.error)) == ("rejected", "a mistake of ours")
        shop.write({"shop/other.py": "STATE = [1]\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config", "shop.other")


def test_notification_that_fails_is_set_up_anew(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """When watchfiles fails, the folders are watched anew and every file is looked at."""
    from hotmod._engine.notify import Notifier

    poll = Notifier.poll
    failures = iter([RuntimeError("a path that can't be decoded")])
    failed = threading.Event()

    def poll_or_fail(self: Notifier) -> set[str]:
        if failed.is_set():
            error = next(failures, None)
            if error is not None:
                poll(self)  # what it had seen is lost with it
                raise error
        return poll(self)

    monkeypatch.setattr(Notifier, "poll", poll_or_fail)
    with watching("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 2\n"})
        failed.set()
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)


def test_the_handle_can_be_used_by_code_that_is_reloaded(shop: Project) -> None:
    """Code that `hotmod.reload` runs can hold the watcher, is refused a retry, and hangs neither."""
    text = """
        import hotmod
        from shop.hooks import refused, watcher
        with watcher.hold():
            pass
        try:
            watcher.retry()
        except hotmod.HotmodError:
            refused.append("retry")
        TAX = 2
        """
    shop.write({"shop/hooks.py": "watcher, refused = None, []\n"})
    hooks = shop.load("shop.hooks")
    with watching("shop", delay=0) as watcher:
        hooks.watcher = watcher
        shop.write({"shop/config.py": text})
        reloading = threading.Thread(target=hotmod.reload, args=("shop",))
        reloading.start()
        reloading.join(LONG)
        assert not reloading.is_alive()
        assert hooks.refused == ["retry"]
