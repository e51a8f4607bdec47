"""Names that keep what they hold, and modules that close what they opened."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import hotmod
from hotmod._model.errors import ConfigError
from tests.oracle.project import Project

DB = """\
from shop.config import TAX

__hotmod_keep__ = ("CACHE",)
CALLS = []


def make(rate):
    CALLS.append(rate)
    return {"rate": rate}


CACHE: dict = make(TAX)
OTHER = make(TAX)
"""

strategies = pytest.mark.parametrize("strategy", ["minimal", "modules"])


def space(name: str) -> dict[str, Any]:
    return vars(sys.modules[name])


def codes(report: hotmod.Report) -> list[str]:
    return [hazard.code for hazard in report.hazards]


def text(old: str, new: str, whole: str = DB) -> str:
    """A text with a part of it exchanged."""
    assert old in whole
    return whole.replace(old, new)


@pytest.fixture
def db(shop: Project) -> Project:
    """A module that keeps one of two values that are made of a constant elsewhere."""
    shop.write({"shop/db.py": DB})
    shop.load("shop.db")
    return shop


class TestKeep:
    @strategies
    def test_a_kept_name_is_not_made_anew(self, db: Project, strategy: str) -> None:
        """A name in `__hotmod_keep__` holds the very object that it held: no initialiser runs."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        kept, other = space("shop.db")["CACHE"], space("shop.db")["OTHER"]
        kept["mine"] = 1
        db.write({"shop/config.py": "TAX = 2\n"})
        report = reloader.reload()
        assert space("shop.db")["CACHE"] is kept == {"rate": 1, "mine": 1}
        assert space("shop.db")["OTHER"] == {"rate": 2}
        assert space("shop.db")["OTHER"] is not other
        assert space("shop.db")["CALLS"][-1:] == [2]
        assert space("shop.db")["CALLS"].count(2) == 1
        assert (report.status, report.kept, codes(report)) == ("applied", ("shop.db:CACHE",), [])

    @strategies
    def test_its_annotation_stays(self, db: Project, strategy: str) -> None:
        """The annotation of a kept name is that of the text."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        db.write({"shop/config.py": "TAX = 2\n"})
        assert reloader.reload(check=True)
        assert list(sys.modules["shop.db"].__annotations__) == ["CACHE"]

    @strategies
    def test_options_keep_as_well(self, db: Project, strategy: str) -> None:
        """A name in the option `keep` is kept without a word in the module."""
        reloader = hotmod.Reloader("shop", strategy=strategy, keep=["shop.db:OTHER"])
        other = space("shop.db")["OTHER"]
        db.write({"shop/config.py": "TAX = 2\n"})
        report = reloader.reload()
        assert space("shop.db")["OTHER"] is other
        assert report.kept == ("shop.db:CACHE", "shop.db:OTHER")

    @strategies
    def test_a_dry_run_says_so(self, db: Project, strategy: str) -> None:
        """The plan lists what will be kept, and changes nothing."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        db.write({"shop/config.py": "TAX = 2\n"})
        plan = reloader.plan()
        assert "shop.db:CACHE" in plan.kept
        assert "keep shop.db:CACHE" in str(plan)
        assert space("shop.db")["CALLS"] == [1, 1]

    @strategies
    def test_a_statement_that_makes_more_runs(self, shop: Project, strategy: str) -> None:
        """A statement that binds a kept name and others runs for the others."""
        lines = "from shop.config import TAX\n__hotmod_keep__ = 'LOG'\nRATE, LOG = TAX, []\nSIZE = len(LOG)\n"
        shop.write({"shop/log.py": lines})
        shop.load("shop.log")
        reloader = hotmod.Reloader("shop", strategy=strategy)
        log = space("shop.log")["LOG"]
        log.append("mine")
        shop.write(
            {"shop/config.py": "TAX = 2\n", "shop/log.py": lines.replace("len(LOG)", "len(LOG) * TAX")}
        )
        report = reloader.reload()
        assert (report.status, report.kept) == ("applied", ("shop.log:LOG",))
        assert space("shop.log")["LOG"] is log
        assert (space("shop.log")["RATE"], space("shop.log")["SIZE"]) == (2, 2)

    @strategies
    def test_what_a_function_binds_is_kept(self, shop: Project, strategy: str) -> None:
        """A kept name is restored where a function that ran has bound it to something else."""
        lines = (
            "from shop.config import TAX\n__hotmod_keep__ = ['LINE']\nLINE = None\n\n\n"
            "def connect():\n    global LINE\n    LINE = [TAX]\n\n\nconnect()\n"
        )
        shop.write({"shop/line.py": lines})
        shop.load("shop.line")
        line = space("shop.line")["LINE"]
        reloader = hotmod.Reloader("shop", strategy=strategy)
        shop.write({"shop/config.py": "TAX = 2\n", "shop/line.py": lines + "connect()\n"})
        assert reloader.reload().status == "applied"
        assert space("shop.line")["LINE"] is line == [1]

    @strategies
    def test_a_name_that_is_not_there_is_made(self, db: Project, strategy: str) -> None:
        """A name that is declared for keeping before it exists is made as any other."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        db.write({"shop/db.py": text('("CACHE",)', '("CACHE", "NEW")') + "NEW = make(TAX)\n"})
        report = reloader.reload()
        assert (report.status, space("shop.db")["NEW"]) == ("applied", {"rate": 1})

    @strategies
    def test_definitions_are_never_kept(self, db: Project, strategy: str) -> None:
        """Keeping the name of a function does not keep its code: it stays the same object anyway."""
        reloader = hotmod.Reloader("shop", strategy=strategy, keep="shop.db:make")
        make = space("shop.db")["make"]
        db.write({"shop/db.py": text('{"rate": rate}', '{"rate": rate, "new": True}')})
        assert reloader.reload().status == "applied"
        assert space("shop.db")["make"] is make
        assert make(1) == {"rate": 1, "new": True}

    @strategies
    def test_a_refused_reload_keeps_everything(self, db: Project, strategy: str) -> None:
        """A module that fails after the kept names leaves all as it was."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        before = db.snapshot()
        db.write({"shop/db.py": DB + "1 / 0\n", "shop/config.py": "TAX = 2\n"})
        assert reloader.reload().status == "rejected"
        assert before.differences(db.snapshot()) == []

    def test_a_declaration_that_no_text_tells_is_refused(self, db: Project) -> None:
        """A `__hotmod_keep__` that is computed is an error that names the line, and nothing is changed."""
        reloader = hotmod.Reloader("shop")
        db.write({"shop/db.py": text('("CACHE",)', "tuple(globals())")})
        report = reloader.reload()
        assert report.status == "rejected"
        assert "__hotmod_keep__ has to list names" in str(report.error)
        assert str(report.error).partition(" ")[0].endswith("db.py:3:")

    @strategies
    def test_a_broken_text_is_a_syntax_error(self, db: Project, strategy: str) -> None:
        """A text that can't be read is refused as any other, and what it keeps is not looked at."""
        reloader = hotmod.Reloader("shop", strategy=strategy, keep="shop.db:OTHER")
        db.write({"shop/db.py": DB + "X = (\n"})
        assert reloader.reload().status == "rejected"
        assert space("shop.db")["OTHER"] == {"rate": 1}

    def test_state_begins_anew_when_it_is_not_kept_any_more(self, db: Project) -> None:
        """Taking a name out of `__hotmod_keep__` makes its value anew."""
        reloader = hotmod.Reloader("shop")
        space("shop.db")["CACHE"]["mine"] = 1
        db.write({"shop/db.py": text('("CACHE",)', "()")})
        report = reloader.reload()
        assert space("shop.db")["CACHE"] == {"rate": 1}
        assert any("CACHE is not kept any more" in reason.why for reason in report.reasons)

    def test_a_bad_option_is_named(self, shop: Project) -> None:
        """An entry of `keep` that is no `module:name` is an error that says how one is written."""
        assert shop
        with pytest.raises(ConfigError, match=r'"shop.db:ENGINE"'):
            hotmod.Reloader("shop", keep=["shop.db.ENGINE"])

    def test_the_option_in_a_variable(self, db: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """`HOTMOD_KEEP` lists places, separated by commas."""
        monkeypatch.setenv("HOTMOD_KEEP", "shop.db:OTHER, shop.cart:STATE")
        assert db
        assert hotmod.Reloader("shop").config.keep == ("shop.db:OTHER", "shop.cart:STATE")


class TestKeptState:
    @strategies
    def test_an_edited_initialiser_is_told(self, db: Project, strategy: str) -> None:
        """A kept name whose initialiser was edited is told with its line, once."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        cache = space("shop.db")["CACHE"]
        db.write({"shop/db.py": text("CACHE: dict = make(TAX)", "CACHE: dict = {}")})
        (hazard,) = reloader.reload().hazards
        assert (hazard.code, hazard.module, hazard.name, hazard.line) == (
            "kept-state",
            "shop.db",
            "CACHE",
            12,
        )
        assert space("shop.db")["CACHE"] is cache
        db.write({"shop/config.py": "TAX = 2\n"})
        assert codes(reloader.reload()) == []

    @strategies
    def test_a_removed_initialiser_is_told(self, db: Project, strategy: str) -> None:
        """A name that is still declared for keeping, and that nothing makes any more, is kept and told."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        db.write({"shop/db.py": text("CACHE: dict = make(TAX)", "")})
        (hazard,) = reloader.reload().hazards
        assert (hazard.code, "is gone" in hazard.message) == ("kept-state", True)
        assert "CACHE" in space("shop.db")

    @strategies
    def test_a_replaced_class_is_told(self, shop: Project, strategy: str) -> None:
        """A kept instance of a class that had to be replaced no longer fits its initialiser."""
        shop.write(
            {
                "shop/store.py": "class Store:\n    __slots__ = ('a',)\n",
                "shop/app.py": "from shop import store\n__hotmod_keep__ = 'STORE'\nSTORE = store.Store()\n",
            }
        )
        shop.load("shop.store", "shop.app")
        reloader = hotmod.Reloader("shop", strategy=strategy)
        shop.write({"shop/store.py": "class Store:\n    __slots__ = ('a', 'b')\n"})
        report = reloader.reload()
        told = [hazard for hazard in report.hazards if hazard.code == "kept-state"]
        assert [(each.module, each.name) for each in told] == [("shop.app", "STORE")]

    @strategies
    def test_a_value_that_fits_is_not(self, db: Project, strategy: str) -> None:
        """An initialiser that only moved, and reads what changed, still makes such a value."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        db.write({"shop/db.py": text("CACHE: dict", "# what was asked for\nCACHE: dict")})
        db.write({"shop/config.py": "TAX = 2\n"})
        assert codes(reloader.reload()) == []


LINE = """\
import shop.pool
from shop.config import TAX

COUNT = [0]
NAME = "prices"
LINE = shop.pool.open_line(NAME)


def __hotmod_dispose__():
    shop.pool.close_line(LINE)


def twice(x):
    return x * 2
"""
POOL = """\
OPEN, TOLD = [], []


def open_line(name):
    OPEN.append([name])
    return OPEN[-1]


def close_line(line):
    OPEN.remove(line)
    TOLD.append(line[0])
"""


@pytest.fixture
def line(shop: Project) -> Project:
    """A module that opens a line, and closes it when it is superseded."""
    shop.write({"shop/pool.py": POOL, "shop/line.py": LINE})
    shop.load("shop.pool", "shop.line")
    return shop


class TestDispose:
    @strategies
    def test_it_runs_before_what_it_closes_is_made_anew(self, line: Project, strategy: str) -> None:
        """The hook runs once, before the superseded statement: the line is open once afterwards."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        line.write({"shop/line.py": text('"prices"', '"stocks"', LINE)})
        assert reloader.reload().status == "applied"
        assert (space("shop.pool")["OPEN"], space("shop.pool")["TOLD"]) == ([["stocks"]], ["prices"])
        assert space("shop.line")["LINE"] == ["stocks"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("x * 2", "x + x"),
            ("def twice(x)", "def thrice(x):\n    return x * 3\n\n\ndef twice(x)"),
            ("COUNT = [0]", "COUNT = [0]\nLIMIT = 3"),
            ("COUNT = [0]", "COUNT = list([0])"),
            ("COUNT = [0]", "# how many\nCOUNT = [0]"),
            ("close_line(LINE)", "close_line(LINE)\n    print()"),
        ],
        ids=["body", "added function", "added constant", "other state", "comment", "the hook itself"],
    )
    def test_it_does_not_run_for_anything_else(self, line: Project, old: str, new: str) -> None:
        """The hook does not run when what it closes is not superseded: the line stays open."""
        reloader = hotmod.Reloader("shop", strategy="minimal")
        held = space("shop.line")["LINE"]
        line.write({"shop/line.py": text(old, new, LINE)})
        assert reloader.reload().status == "applied"
        assert space("shop.line")["LINE"] is held
        assert (space("shop.pool")["OPEN"], space("shop.pool")["TOLD"]) == ([["prices"]], [])

    def test_what_it_closes_is_made_anew_together(self, line: Project) -> None:
        """Of two things that one hook closes, both are made anew when one is."""
        both = text("NAME = ", "SECOND = shop.pool.open_line('second')\nNAME = ", LINE)
        both = text("close_line(LINE)", "close_line(LINE)\n    shop.pool.close_line(SECOND)", both)
        line.write({"shop/line.py": both})
        assert hotmod.Reloader("shop", strategy="minimal")
        line.forget()
        sys.path.insert(0, str(line.folder))
        line.load("shop.pool", "shop.line")
        reloader = hotmod.Reloader("shop", strategy="minimal")
        line.write({"shop/line.py": text("'second'", "'third'", both)})
        assert reloader.reload().status == "applied"
        assert sorted(space("shop.pool")["OPEN"]) == [["prices"], ["third"]]
        assert sorted(space("shop.pool")["TOLD"]) == ["prices", "second"]

    @strategies
    def test_it_runs_when_what_it_closes_is_removed(self, line: Project, strategy: str) -> None:
        """The hook runs when the statement that opened something is gone, with the hook."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        line.write({"shop/line.py": "from shop.config import TAX\n"})
        assert reloader.reload().status == "applied"
        assert (space("shop.pool")["OPEN"], space("shop.pool")["TOLD"]) == ([], ["prices"])

    @strategies
    def test_the_code_that_opened_closes(self, line: Project, strategy: str) -> None:
        """The hook that runs is that of the text which opened what it closes."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        renamed = text("LINE", "FEED", LINE)
        line.write({"shop/line.py": renamed})
        assert reloader.reload().status == "applied"
        assert (space("shop.pool")["OPEN"], space("shop.pool")["TOLD"]) == ([["prices"]], ["prices"])

    @strategies
    def test_the_report_comes_after(self, line: Project, strategy: str) -> None:
        """`__hotmod_reloaded__` is called with the report when everything has run, body edits included."""
        hook = "\n\ndef __hotmod_reloaded__(report):\n    COUNT.append((report.status, twice(2)))\n"
        reloader = hotmod.Reloader("shop", strategy=strategy)
        line.write({"shop/line.py": LINE + hook})
        assert reloader.reload().status == "applied"
        line.write({"shop/line.py": text("x * 2", "x * 5", LINE + hook)})
        assert reloader.reload().status == "applied"
        assert space("shop.line")["COUNT"][-1] == ("applied", 10)
