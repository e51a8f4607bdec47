"""Other files that modules read: an edit of one runs the statements again that read it, and no others."""

from __future__ import annotations

import os
import pathlib

import pytest

import hotmod
from tests.engine.watching import LONG, fresh, watching
from tests.oracle.project import Project

SETTINGS = """\
import json
import pathlib

HERE = pathlib.Path(__file__).parent
MADE = []
NAMES = ["tax"]


def rates(name):
    return json.loads((HERE / "config" / name).read_text())


class Counter:
    def __init__(self):
        self.count = 0


COUNTER = Counter()
RATES = rates("rates.json")
MADE.append("rates")
TAX = RATES["tax"]
"""
API = """\
from shop.settings import TAX

STATE = []


def total(net):
    return net + TAX
"""
LISTING = """\
import pathlib
SEEN = []
FILES = sorted(path.name for path in pathlib.Path(__file__).parent.glob("config/*.json"))
"""
DEEP = """\
import pathlib
TEXTS = sorted(path.read_text() for path in pathlib.Path(__file__).parent.glob("data/**/*.txt"))
"""
LATE = """\
import pathlib
TEXT = (pathlib.Path(__file__).parent / "late.txt").read_text()
"""
DEPENDS = {"shop.settings": ["shop/config/*.json"]}


@pytest.fixture
def rated(shop: Project) -> Project:
    """A shop whose settings come from a file."""
    shop.write({"shop/settings.py": SETTINGS, "shop/api.py": API, "shop/config/rates.json": '{"tax": 1}'})
    shop.load("shop.api")
    return shop


@pytest.fixture
def here(rated: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(rated.folder)
    return rated


def test_an_edit_of_the_file_runs_what_reads_it(here: Project) -> None:
    """The statement that reads the file runs, and what depends on it; the rest keeps its state."""
    settings, api = here.load("shop.settings"), here.load("shop.api")
    settings.COUNTER.count, counter = 3, settings.COUNTER
    api.STATE.append(1)
    reloader = hotmod.Reloader("shop", depends=DEPENDS)
    here.write({"shop/config/rates.json": '{"tax": 20}'})
    plan = reloader.plan()
    told = str(plan)
    assert 'RATES = rates("rates.json"), because shop/config/rates.json changed' in told
    assert plan.as_dict()["changes"] == [
        {
            "module": "shop.settings",
            "kind": "read",
            "path": str(here.folder / "shop/settings.py"),
            "data": [{"path": str(here.folder / "shop/config/rates.json"), "kind": "edited"}],
        }
    ]
    report = reloader.reload()
    assert (report.status, report.changed) == ("applied", ("shop.settings",))
    assert (settings.COUNTER is counter, counter.count, api.STATE) == (True, 3, [1])
    assert str(api.total(1)) == fresh(here, "shop.api.total(1)", "shop.api") == "21"
    assert reloader.reload().status == "unchanged"


def test_contents_decide(here: Project) -> None:
    """A file that is written again as it was is no change, whatever its times say."""
    reloader = hotmod.Reloader("shop", depends=DEPENDS)
    path = here.folder / "shop/config/rates.json"
    os.utime(path, (1, 1))
    path.write_text('{"tax": 1}')
    assert reloader.reload().status == "unchanged"
    os.utime(path, (1, 1))
    path.write_text('{"tax": 2}')
    os.utime(path, (1, 1))
    assert reloader.reload().status == "applied"
    assert here.load("shop.settings").TAX == 2


def test_new_and_deleted_files_count(here: Project) -> None:
    """Where files are listed, one that comes or goes is seen by the program."""
    here.write({"shop/listing.py": LISTING})
    listing = here.load("shop.listing")
    listing.SEEN.append(1)
    reloader = hotmod.Reloader("shop", depends={"shop.listing": "shop/config/*.json"})
    more = here.folder / "shop/config/more.json"
    for edit, words in (("touch", "was added"), ("unlink", "was deleted")):
        getattr(more, edit)()
        assert f"shop/config/more.json {words}" in str(reloader.plan())
        assert reloader.reload().status == "applied"
        assert str(listing.FILES) == fresh(here, "shop.listing.FILES", "shop.listing")
    assert listing.SEEN == [1]


def test_a_refused_file_waits_for_a_better_one(here: Project) -> None:
    """A file that the program can't read rejects the edit, which is applied when the file is mended."""
    api = here.load("shop.api")
    reloader = hotmod.Reloader("shop", depends=DEPENDS)
    here.write({"shop/config/rates.json": "{"})
    report = reloader.reload()
    assert (report.status, type(report.error).__name__) == ("rejected", "JSONDecodeError")
    assert (api.total(1), bool(reloader.verify())) == (2, False)
    here.write({"shop/config/rates.json": '{"tax": 4}', "shop/api.py": API.replace("net +", "2 * net +")})
    report = reloader.reload()
    assert (report.status, report.changed) == ("applied", ("shop.api", "shop.settings"))
    assert api.total(1) == 6


def test_a_rollback_goes_back_to_the_earlier_contents(here: Project) -> None:
    """After a rollback the program has the values of the earlier file, until a reload."""
    api = here.load("shop.api")
    reloader = hotmod.Reloader("shop", depends=DEPENDS)
    here.write({"shop/config/rates.json": '{"tax": 4}'})
    reloader.reload()
    assert (bool(reloader.rollback()), api.total(1)) == (False, 2)
    assert (reloader.reload().status, api.total(1)) == ("applied", 5)


def test_the_whole_module_runs_where_nothing_shows_what_reads(here: Project) -> None:
    """Where no statement is seen to read a file the module runs from top to bottom."""
    here.write({"shop/plain.py": "import shop.settings\nSTATE = []\nTAX = 1\n"})
    plain = here.load("shop.plain")
    state = plain.STATE
    reloader = hotmod.Reloader("shop", depends={"shop.plain": ["shop/config/rates.json"]})
    here.write({"shop/config/rates.json": '{"tax": 4}'})
    report = reloader.reload()
    assert report.executed == ("shop.plain",)
    assert plain.STATE is not state
    assert [str(reason) for reason in report.reasons] == ["shop.plain: shop/config/rates.json changed"]


READERS = [
    ('RATES = open("shop/config/rates.json").read()', True),
    ('with open("shop/config/rates.json") as file:\n    RATES = file.read()', True),
    ("PATH = 'shop/config/rates.json'\nRATES = yaml.get(PATH)", True),
    ("class Rates(outside.Model):\n    file = 'shop/config/rates.json'\n\nRATES = Rates()", True),
    ("def deep():\n    return deeper()\n\ndef deeper():\n    return open('x')\n\nRATES = deep()", True),
    (
        "class Source:\n    def get(self):\n        return open('x')\n\nIT = Source()\nRATES = IT.get()",
        True,
    ),
    ("RATES = outside.settings()", True),
    ("RATES = dict(tax=1)\nRATES.update(a=1)\nopen('x')", False),
    ("def later():\n    return open('shop/config/rates.json')\n\nRATES = len('x')\nopen('x')", False),
    ("RATES = outside.settings()\nONE = open('shop/config/rates.json')", False),
]


@pytest.mark.parametrize(("text", "runs"), READERS)
def test_what_may_read_the_file_runs(text: str, runs: object) -> None:
    """What names the file, opens one, or can't be known not to, runs again; what can't read it does not."""
    from hotmod._model.changes import Change, ChangeKind, ChangeSet, DataChange, SourceText
    from hotmod._plan import make_minimal_plan
    from hotmod._source.graph import ModuleSource, build

    text = f"import yaml, outside\nSTATE = []\n{text}\n"
    source = ModuleSource(SourceText.of("/x/shop.py", text.encode()))
    data = DataChange("/x/shop/config/rates.json", "shop/config/rates.json", ChangeKind.EDITED, "d")
    change = Change("shop", ChangeKind.EDITED, "/x/shop.py", source.text, (data,), read=True)
    sources = {"shop": source}
    plan = make_minimal_plan(ChangeSet((change,)), build(sources), sources, {"shop": 0})
    names = {name for part in plan.parts for run in part.runs for name in run.binds}
    assert ("RATES" in names, "STATE" in names, bool(plan.parts)) == (runs, False, True)


WAYS = {
    "path": "TAX = json.loads(pathlib.Path(FILE).read_text())['tax']\n",
    "with": "with open(FILE) as file:\n    TAX = json.load(file)['tax']\n",
    "helper": "from shop.io import load\nTAX = load(FILE)['tax']\n",
    "cache": "from shop.io import cached\nTAX = cached(FILE)['tax']\n",
    "own cache": "@functools.cache\ndef rates():\n    return read(FILE)\n\nTAX = rates()['tax']\n",
    "instance": "SOURCE = Source(FILE)\nTAX = SOURCE.get()['tax']\n",
    "class body": "class Rates:\n    tax = read(FILE)['tax']\n\nTAX = Rates.tax\n",
    "default": "def later(tax=read(FILE)['tax']):\n    return tax\n\nTAX = later()\n",
    "computed": "TAX = sum(read(each)['tax'] for each in glob.glob(FILES))\n",
    "in others": "def rates():\n    return read(FILE)\n\nTAX = rates()['tax']\n",
}
WAY = """\
import functools, glob, json, pathlib

STATE = []
FILE, FILES = "{path}", "{folder}/*.json"

def read(path):
    return json.loads(pathlib.Path(path).read_text())

class Source:
    def __init__(self, path):
        self.path = path

    def get(self):
        return read(self.path)

"""
IO = """\
import functools, json

def load(path):
    with open(path) as file:
        return json.load(file)

cached = functools.lru_cache(load)
"""
USER = "from shop import way\nTAX = getattr(way, 'rates', dict)().get('tax', 0) + way.TAX\n"


@pytest.mark.parametrize(("way", "strategy"), [*((way, "minimal") for way in WAYS), ("helper", "modules")])
def test_however_it_is_read(here: Project, way: str, strategy: str) -> None:
    """After an edit of the file the program is what a fresh process makes of it, however it is read."""
    path = here.folder / "shop/config/rates.json"
    text = WAY.format(path=path, folder=path.parent) + WAYS[way]
    here.write({"shop/io.py": IO, "shop/way.py": text, "shop/user.py": USER})
    user, way_ = here.load("shop.user"), here.load("shop.way")
    state = way_.STATE
    reloader = hotmod.Reloader("shop", depends={"shop.way": ["shop/config/*.json"]}, strategy=strategy)
    for tax in (5, 7):
        path.write_text(f'{{"tax": {tax}}}')
        assert reloader.reload().status == "applied"
    assert str((way_.TAX, user.TAX)) == fresh(here, "(shop.way.TAX, shop.user.TAX)", "shop.user")
    assert (way_.STATE is state) == (strategy == "minimal")


def test_the_plain_strategy_executes_the_module(here: Project) -> None:
    """With `strategy="modules"` the module and its importers are executed, and the plan says why."""
    api = here.load("shop.api")
    reloader = hotmod.Reloader("shop", depends=DEPENDS, strategy="modules")
    here.write({"shop/config/rates.json": '{"tax": 4}'})
    assert "execute shop.settings: shop/config/rates.json changed" in str(reloader.plan())
    assert reloader.reload().executed == ("shop.settings", "shop.api")
    assert api.total(1) == 5


def test_kept_names_keep_what_was_read(here: Project) -> None:
    """A name that is kept holds what an earlier file gave it, whatever the file holds now."""
    reloader = hotmod.Reloader("shop", depends=DEPENDS, keep=["shop.settings:RATES"])
    here.write({"shop/config/rates.json": '{"tax": 4}'})
    report = reloader.reload()
    assert (report.status, here.load("shop.settings").RATES) == ("applied", {"tax": 1})


def test_a_watcher_sees_saves_of_the_files(here: Project) -> None:
    """Saves, new folders, files that are replaced or gone for a moment: a watcher applies what is there."""
    here.write({"shop/deep.py": DEEP})
    deep, api = here.load("shop.deep"), here.load("shop.api")
    depends = {**DEPENDS, "shop.deep": ["shop/data/**/*.txt"]}
    with watching("shop", depends=depends) as watcher:
        here.write({"shop/config/rates.json": '{"tax": 5}'})
        assert watcher.next_report(timeout=LONG).changed == ("shop.settings",)
        here.write({"shop/data/a/one.txt": "one"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.deep",)
        here.write({"shop/config/noise.tmp": "x", "shop/data/a/b-c/two.txt": "two"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.deep",)
        path = here.folder / "shop/config/rates.json"
        path.rename(path.with_suffix(".old"))
        path.write_text('{"tax": 6}')
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert (api.total(1), deep.TEXTS) == (7, ["one", "two"])
        path.write_text("{")
        assert watcher.next_report(timeout=LONG).status == watcher.status == "rejected"
        path.write_text('{"tax": 6}')
        assert watcher.next_report(timeout=LONG).status == watcher.status == "unchanged"


def test_a_save_right_after_the_call_is_seen(here: Project) -> None:
    """A save that follows `watch` at once is not taken for what the program has read."""
    api = here.load("shop.api")
    with hotmod.watch("shop", depends=DEPENDS) as watcher:
        here.write({"shop/config/rates.json": '{"tax": 7}'})
        assert watcher.next_report(timeout=LONG).changed == ("shop.settings",)
        assert api.total(1) == 8


def test_a_module_that_is_imported_later_is_followed(here: Project) -> None:
    """What a module read when it was imported counts, not what the file holds when it is looked at."""
    here.write({"shop/late.py": LATE, "shop/late.txt": "a"})
    reloader = hotmod.Reloader("shop", depends={"shop.late": ["shop/late.txt"]})
    late = here.load("shop.late")
    here.write({"shop/late.txt": "b"})
    assert (reloader.reload().status, late.TEXT) == ("applied", "b")


def test_a_link_is_followed_to_what_it_points_to(here: Project, tmp_path: pathlib.Path) -> None:
    """A save of the file that a link points to is a save of the link."""
    target = tmp_path / "elsewhere.json"
    target.write_text('{"tax": 2}')
    path = here.folder / "shop/config/rates.json"
    path.unlink()
    path.symlink_to(target)
    with watching("shop", depends=DEPENDS) as watcher:
        target.write_text('{"tax": 3}')
        assert watcher.next_report(timeout=LONG).changed == ("shop.settings",)


def test_a_file_that_is_still_to_come_is_no_change(here: Project) -> None:
    """A file that is named and not there is nothing until it comes."""
    depends = {"shop.settings": [*DEPENDS["shop.settings"], "shop/local.json", "nowhere/*.json"]}
    with watching("shop", depends=depends) as watcher:
        here.write({"nowhere/one.json": "{}"})
        report = watcher.next_report(timeout=LONG)
        assert [reason.why for reason in report.reasons if "nowhere/one.json was added" in reason.why]
        here.write({"shop/local.json": "{}"})
        report = watcher.next_report(timeout=LONG)
        assert [reason.why for reason in report.reasons if "shop/local.json was added" in reason.why]
        assert len(watcher.history) == 2


def test_two_reloaders_that_know_of_different_files(here: Project) -> None:
    """One that does not know of the files takes none of them away from one that does."""
    api = here.load("shop.api")
    plain, knowing = hotmod.Reloader("shop"), hotmod.Reloader("shop", depends=DEPENDS)
    here.write({"shop/settings.py": SETTINGS + "EXTRA = 1\n"})
    assert plain.reload().status == "applied"
    assert knowing.reload().status == "unchanged"
    here.write({"shop/config/rates.json": '{"tax": 4}'})
    assert plain.reload().status == "unchanged"
    assert (knowing.reload().status, api.total(1)) == ("applied", 5)
    knowing.rollback()
    assert (knowing.reload().status, api.total(1)) == ("applied", 5)
    assert not plain.plan()
