from __future__ import annotations

import sys

import pytest

import hotmod
from tests.oracle.project import Project

BUS = """
class Bus:
    def __init__(self):
        self.names = []

    def on(self, name, handler=None):
        self.names.append(name)
        return lambda function: function


bus = Bus()
HANDLERS = []


class Event:
    def __init__(self):
        self.handlers = []

    def connect(self, handler):
        self.handlers.append(Slot(handler))
        return handler


class Slot:
    def __init__(self, handler):
        self.handler = handler


changed = Event()
"""


def told(report: hotmod.Report) -> list[tuple[str, str, int]]:
    return [(each.code, each.module, each.line) for each in report.hazards]


@pytest.fixture
def live(project: Project) -> Project:
    project.write({"shop/__init__.py": "", "shop/bus.py": BUS})
    return project


def edit(live: Project, old: str, new: str) -> hotmod.Report:
    """Load a module of one text, save another, and reload."""
    live.write({"shop/late.py": old})
    live.load("shop.bus", "shop.late")
    reloader = hotmod.Reloader("shop")
    live.write({"shop/late.py": new})
    return reloader.reload(check=True)


THREAD = (
    "import threading\n\nSIZE = {}\n\n\ndef poll():\n    pass\n\n\nthreading.Thread(target=poll).start()\n"
)
AGAIN = (
    "import threading\n\nSIZE = {}\n\n\ndef poll(size):\n    pass\n\n\n"
    "threading.Thread(target=poll, args=(SIZE,)).start()\n"
)
OWNED = """
import threading


def poll():
    pass


worker = threading.Thread(target=poll{})
worker.start()


def __hotmod_dispose__():
    worker.join()
"""


class TestRepeated:
    def test_a_statement_that_ran_again_is_told(self, live: Project) -> None:
        """A statement with an effect outside that runs again because of another is told with its line."""
        report = edit(live, AGAIN.format(1), AGAIN.format(2))
        assert told(report) == [("repeated-effect", "shop.late", 10)]

    def test_one_that_did_not_run_is_not(self, live: Project) -> None:
        """A statement with an effect outside that an edit beside it leaves alone is not told."""
        assert told(edit(live, THREAD.format(1), THREAD.format(2))) == []

    def test_a_new_statement_is_not(self, live: Project) -> None:
        """A statement with an effect outside that runs for the first time repeats nothing."""
        before = THREAD.format(1)
        assert told(edit(live, before.partition("threading.Thread")[0], before)) == []


class TestNotUndone:
    def test_a_removed_statement_is_told(self, live: Project) -> None:
        """The effect of a statement that is gone is told as one that remains, with where it stood."""
        before = THREAD.format(1)
        report = edit(live, before, before.partition("threading.Thread")[0])
        assert told(report) == [("effect-not-undone", "shop.late", 10)]

    def test_a_changed_statement_is_told(self, live: Project) -> None:
        """The effect that a statement had before it was changed is told as one that remains."""
        before = THREAD.format(1)
        report = edit(live, before, before.replace("target=poll", "target=poll, daemon=True"))
        assert told(report) == [("effect-not-undone", "shop.late", 10)]

    def test_a_module_that_disposes_of_it_is_not(self, live: Project) -> None:
        """Where the module's own hook ran before, its effects count as undone."""
        before = OWNED.format("")
        assert told(edit(live, before, OWNED.format(", daemon=True"))) == []


class TestRegistrations:
    NAMES = "from shop.bus import bus\n\n\n@bus.on('a')\ndef f(size={}):\n    pass\n"
    SLOTS = "from shop.bus import changed\n\n\n@changed.connect\ndef f(size={}):\n    pass\n"
    LIST = "from shop.bus import HANDLERS\n\n\ndef f(size={}):\n    pass\n\n\nHANDLERS.append(f)\n"

    def test_one_that_can_not_be_found_is_told(self, live: Project) -> None:
        """An object that only took a name can't be told to forget it: what it was told remains."""
        report = edit(live, self.NAMES.format(1), self.NAMES.format(2))
        assert told(report) == [("effect-not-undone", "shop.late", 4)]
        assert sys.modules["shop.bus"].bus.names == ["a", "a"]

    def test_one_in_a_registry_is_not(self, live: Project) -> None:
        """A registry that holds what stands for the function is put in order, and nothing is told."""
        assert told(edit(live, self.SLOTS.format(1), self.SLOTS.format(2))) == []
        (slot,) = sys.modules["shop.bus"].changed.handlers
        assert slot.handler.__defaults__ == (2,)

    def test_a_removed_one_leaves_the_registry(self, live: Project) -> None:
        """What stood for a function that is gone is taken out of the registry, and nothing is told."""
        assert told(edit(live, self.SLOTS.format(1), "from shop.bus import changed\n")) == []
        assert sys.modules["shop.bus"].changed.handlers == []

    def test_a_list_of_another_module_is_not(self, live: Project) -> None:
        """A list of another module from which the function could be taken out is no effect that remains."""
        text = self.LIST.format(1)
        assert told(edit(live, text, text.replace("HANDLERS.append(f)", "HANDLERS.insert(0, f)"))) == []
        assert len(sys.modules["shop.bus"].HANDLERS) == 1

    def test_data_in_a_list_of_another_module_is_told(self, live: Project) -> None:
        """Data that a statement put into a list of another module looks like any other data: it remains."""
        text = "from shop.bus import HANDLERS\n\nHANDLERS.append(1)\n"
        report = edit(live, text, text.replace("(1)", "(2)"))
        assert told(report) == [("effect-not-undone", "shop.late", 3)]
        assert sys.modules["shop.bus"].HANDLERS == [1, 2]


class TestWeakReferences:
    TEXT = (
        "import blinker\n\nfrom shop.bus import HANDLERS\n\n"
        "first, second = blinker.Signal(), blinker.Signal()\n\n\n"
        "@first.connect\ndef f(sender, size={}):\n    HANDLERS.append(size)\n"
    )

    def heard(self, *signals: str) -> list[int]:
        late, heard = sys.modules["shop.late"], sys.modules["shop.bus"].HANDLERS
        heard.clear()
        for name in signals:
            getattr(late, name).send(None)
        return list(heard)

    def test_a_receiver_is_called_once(self, live: Project) -> None:
        """A signal with weak receivers calls one that was defined again once, as it is now."""
        report = edit(live, self.TEXT.format(1), self.TEXT.format(2))
        assert told(report) == []
        assert self.heard("first") == [2]

    def test_a_receiver_may_go_to_another_signal(self, live: Project) -> None:
        """A receiver that was moved to another signal is called by that one only, and stays alive."""
        text = self.TEXT.format(1)
        assert told(edit(live, text, text.replace("@first", "@second"))) == []
        assert self.heard("first") == []
        assert self.heard("second") == [1]
