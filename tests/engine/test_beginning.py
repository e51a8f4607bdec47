"""What is saved or imported while a watcher begins: between `watch()` and the first look at the files."""

from __future__ import annotations

import gc
import importlib
import pathlib
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator

import pytest

import hotmod
from hotmod._config import configure
from hotmod._engine import grace, sightings, transaction
from hotmod._engine.beginning import Beginning
from hotmod._engine.sightings import View
from hotmod._engine.witness import WITNESS
from hotmod._scope import scope_of
from tests.engine.watching import LONG
from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play
from tests.oracle.project import Project

SLOW = """
    TAX = {tax}
    import gate

    gate.started.set()
    gate.go.wait(60)
    LATER = TAX


    def total():
        return {total}
    """
LATE = (
    "files/emptied",
    "files/module-deleted",
    "files/no-final-newline",
    "identity/imported-value-becomes-own",
    "imports/package-lets-go-of-a-submodule",
    "registries/shadowed-class",
    "tricks/exec-names",
)


@pytest.mark.parametrize(
    "case", [each for each in all_cases() if each.name in LATE], ids=lambda each: each.name
)
def test_what_is_saved_before_the_engine_is_loaded(case: Case, tmp_path: pathlib.Path) -> None:
    """Of which text a module ran is not known then; what comes of it is what a fresh process has."""
    assert play(case, tmp_path, strategy="minimal", tool="late").problems == []


@pytest.mark.parametrize("few", [64, 0], ids=["few modules", "many modules"])
def test_an_edit_before_the_engine_is_loaded_is_as_small_as_any(
    shop: Project, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the edited statement runs: files are read when the watch begins, or first thing in its thread."""
    monkeypatch.setattr(sightings, "FEW", few)
    shop.write({"shop/early.py": "STATE = []\nTAX = 1\n"})
    shop.load("shop.early").STATE.append(1)
    beginning = Beginning(configure(), scope_of(["shop"]))
    beginning.look_closely()
    shop.write({"shop/early.py": "STATE = []\nTAX = 2\n"})
    assert beginning.reloader().reload().ran == ("shop.early:2",)
    assert sys.modules["shop.early"].STATE == [1]


def test_an_import_before_the_engine_is_loaded_is_seen(shop: Project) -> None:
    """Of a module that is imported meanwhile, and edited then, it is known what it was imported from."""
    shop.write({"shop/late.py": "STATE = []\nTAX = 1\n", "shop/never.py": "1 / 0\n"})
    beginning = Beginning(configure(), scope_of(["shop"]))
    shop.load("shop.late").STATE.append(1)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("shop.never")
    shop.write({"shop/late.py": "STATE = []\nTAX = 2\n"})
    assert beginning.reloader().reload().ran == ("shop.late:2",)
    assert sys.modules["shop.late"].STATE == [1]


@pytest.mark.parametrize("other", [None, "shop", "."], ids=["alone", "beside its own", "beside a folder's"])
def test_imports_are_noted_until_the_engine_is_loaded(shop: Project, other: str | None) -> None:
    """From then on the import hook notes them, which does so for other reloaders all the time."""
    shop.write({"shop/early.py": "STATE = []\nTAX = 1\n", "shop/late.py": ""})
    before = None if other is None else hotmod.Reloader(str(shop.folder) if other == "." else other)
    beginning = Beginning(configure(), scope_of(["shop"]))
    view = beginning._view
    assert view is not None
    shop.load("shop.early").STATE.append(1)
    shop.write({"shop/early.py": "STATE = []\nTAX = 2\n"})
    assert set(view.noted) == {"shop.early"}
    after = beginning.reloader()
    shop.load("shop.late")
    assert set(view.noted) == {"shop.early"}
    assert (before or after).reload().ran == ("shop.early:2",)
    assert sys.modules["shop.early"].STATE == [1]


def test_a_watch_that_ended_before_the_engine_was_loaded_is_forgotten(shop: Project) -> None:
    """Nothing is noted for a view that nobody keeps."""
    beginning = Beginning(configure(), scope_of(["shop"]))
    view = weakref.ref(beginning._view)
    del beginning
    gc.collect()
    assert view() is None


def test_an_import_passes_over_no_finder(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is loaded in the middle of an import, of another thread most often."""
    shop.write({"elsewhere.py": ""})
    view, asked = View(scope_of(["shop"])), list[object]()
    WITNESS.attend(view)

    class Finder:
        """Finds nothing."""

        def find_spec(self, *_: object) -> None:
            """Be asked."""
            asked.append(self)
            WITNESS.dismiss(view)

    finders = [Finder(), Finder()]
    rest = [each for each in sys.meta_path if each is not WITNESS]
    monkeypatch.setattr(sys, "meta_path", [WITNESS, *finders, *rest])
    importlib.import_module("elsewhere")
    assert asked == finders


def test_a_file_that_is_only_looked_for_is_not_noted(shop: Project) -> None:
    """Somebody who asks all finders for a module that is loaded does not import it."""
    beginning = Beginning(configure(), scope_of(["shop"]))
    shop.write({"shop/late.py": "TAX = 1\n"})
    shop.load("shop.late")
    shop.write({"shop/late.py": "TAX = 2\n"})
    assert WITNESS.find_spec("shop.late", sys.modules["shop"].__path__) is None
    beginning.reloader().reload(check=True)
    assert sys.modules["shop.late"].TAX == 2


def test_a_module_that_is_imported_between_plan_and_transaction(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan does not know it, and is made again: it does not keep what it took from the old version."""
    shop.write({"shop/late.py": "from shop.config import TAX\nDOUBLE = TAX * 2\n"})
    reloader = hotmod.Reloader("shop")
    prepare = transaction.Transaction.prepare

    def import_meanwhile(self: transaction.Transaction) -> None:
        prepare(self)
        importlib.import_module("shop.late")

    monkeypatch.setattr(transaction.Transaction, "prepare", import_meanwhile)
    shop.write({"shop/config.py": "TAX = 7\n"})
    report = reloader.reload()
    assert report.status == "applied"
    assert "shop.late" in report.executed
    assert sys.modules["shop.late"].DOUBLE == 14


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """What a module waits for in the middle of its import."""
    found = types.ModuleType("gate")
    found.started, found.go = threading.Event(), threading.Event()
    monkeypatch.setitem(sys.modules, "gate", found)
    yield found
    found.go.set()


class Importing(threading.Thread):
    """Imports a module in a thread of its own, and keeps what is raised."""

    def __init__(self, name: str) -> None:
        super().__init__(daemon=True)
        self.wanted = name
        self.error: BaseException | None = None

    def run(self) -> None:
        """Import it."""
        try:
            importlib.import_module(self.wanted)
        except BaseException as error:
            self.error = error


def begun(shop: Project, gate: types.ModuleType) -> tuple[hotmod.Reloader, Importing]:
    """A reloader that finds a module saved since the beginning, and in the middle of an import not seen."""
    shop.write({"shop/slow.py": SLOW.format(tax=1, total=1)})
    beginning = Beginning(configure(strategy="minimal"), scope_of(["shop"], (), ()))
    shop.write({"shop/slow.py": SLOW.format(tax=2, total=2)})
    assert beginning._view
    WITNESS.dismiss(beginning._view)
    thread = Importing("shop.slow")
    thread.start()
    assert gate.started.wait(LONG)
    return beginning.reloader(), thread


def test_a_module_in_the_middle_of_its_import_is_let_end(
    shop: Project, gate: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload waits for the import of another thread, which finds the module in its place."""
    reloader, thread = begun(shop, gate)
    wait: Callable[..., None] = transaction.let_imports_end

    def let_imports_end(*names: object) -> None:
        threading.Timer(0, gate.go.set).start()
        wait(*names)

    monkeypatch.setattr(transaction, "let_imports_end", let_imports_end)
    assert reloader.reload().status == "applied"
    thread.join(LONG)
    slow = shop.load("shop.slow")
    assert (thread.error, slow.TAX, slow.LATER, slow.total()) == (None, 2, 2, 2)


def test_a_module_whose_import_does_not_end(
    shop: Project, gate: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not run again, which is told; all else is applied, and it is waited for once."""
    reloader, thread = begun(shop, gate)
    monkeypatch.setattr(grace, "IMPORT_GRACE", 0.05)
    report = reloader.reload()
    assert report.status == "rejected"
    assert "shop.slow can't run again: another thread is importing it" in str(report.error)
    monkeypatch.setattr(grace, "IMPORT_GRACE", LONG)
    assert reloader.reload().status == "rejected"
    gate.go.set()
    thread.join(LONG)
    assert thread.error is None
    assert reloader.reload().status == "applied"
    assert shop.load("shop.slow").total() == 2


LOOP = """
    import gate


    def total():
        return {total}


    gate.started.set()
    gate.go.wait(60)
    """


def test_a_module_whose_top_level_is_the_program(
    shop: Project, gate: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inner edits of a module whose import never ends are applied, and only the first of them waits."""
    shop.write({"shop/loop.py": LOOP.format(total=1)})
    reloader = hotmod.Reloader("shop", strategy="minimal")
    thread = Importing("shop.loop")
    thread.start()
    assert gate.started.wait(LONG)
    for number, grace_period in ((2, 0.05), (3, 10 * LONG)):
        monkeypatch.setattr(grace, "IMPORT_GRACE", grace_period)
        shop.write({"shop/loop.py": LOOP.format(total=number)})
        assert reloader.reload().status == "applied"
        assert sys.modules["shop.loop"].total() == number
    gate.go.set()
    thread.join(LONG)
    assert thread.error is None
