from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import logging
import os
import pickle
import sys
import traceback

import pytest

import hotmod
from tests.oracle.project import Project


class TestReports:
    @pytest.mark.parametrize(
        ("strategy", "reasons"),
        [
            ("modules", [("shop.config", "edited"), ("shop.cart", "imports shop.config (line 1)")]),
            (
                "minimal",
                [
                    ("shop.config", "shop/config.py:1 TAX = 20, edited"),
                    (
                        "shop.cart",
                        "shop/cart.py:1 from shop.config import TAX, because TAX changed (shop/config.py:1)",
                    ),
                ],
            ),
        ],
    )
    def test_an_applied_edit_is_told_in_full(
        self, shop: Project, strategy: str, reasons: list[tuple[str, str]]
    ) -> None:
        """An applied report names what changed, what ran in order and why, and how long each phase took."""
        reloader = hotmod.Reloader("shop", strategy=strategy)
        shop.write({"shop/config.py": "TAX = 20\n"})
        report = reloader.reload()
        assert report.status == "applied"
        assert report
        assert report.scope == "shop"
        assert report.generation == 1
        assert report.changed == ("shop.config",)
        assert report.executed == ("shop.config", "shop.cart")
        assert report.error is None
        assert [(reason.module, reason.why) for reason in report.reasons] == reasons
        assert 0 < sum(report.phases.values()) <= report.seconds
        assert str(report).startswith("applied shop in ")
        assert "re-ran shop.config" in str(report)

    def test_nothing_to_do_is_told_too(self, shop: Project) -> None:
        """Where memory equals disk the report is `unchanged`, is true, and names no module."""
        report = hotmod.Reloader("shop").reload()
        assert report.status == "unchanged"
        assert report
        assert (report.changed, report.executed, report.generation) == ((), (), 0)
        assert shop.folder

    def test_a_refused_edit_says_what_where_what_runs_and_what_to_do(self, shop: Project) -> None:
        """A rejected report is false, carries the user's exception and its place, and has four parts."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 2\n\nPRICE = Pirce\n"})
        report = reloader.reload()
        assert not report
        assert report.status == "rejected"
        assert isinstance(report.error, NameError)
        assert report.location is not None
        assert (report.location.module, report.location.line) == ("shop.config", 3)
        assert os.path.samefile(report.location.path, shop.folder / "shop" / "config.py")
        assert report.executed == ()
        assert str(report).splitlines()[0] == (
            "Could not reload shop.config (config.py:3): NameError: name 'Pirce' is not defined. "
            "Nothing was changed: all 2 affected modules still run the previous code. Fix the file and save."
        )

    def test_a_syntax_error_has_its_place(self, shop: Project) -> None:
        """A text that can't be parsed is told by module, file and line."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/cart.py": "X = 1\ndef total(:\n"})
        report = reloader.reload()
        assert isinstance(report.error, SyntaxError)
        assert report.location is not None
        assert (report.location.module, report.location.line) == ("shop.cart", 2)

    def test_the_place_is_the_users(self, shop: Project) -> None:
        """The traceback of the user's exception begins in the user's file, not in hotmod or importlib."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "import json\n\nTAX = json.loads('{')\n"})
        error = reloader.reload().error
        assert error is not None
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        assert os.path.samefile(files[0], shop.folder / "shop" / "config.py")
        assert not [file for file in files if "importlib" in file or os.path.join("src", "hotmod") in file]

    def test_a_report_never_changes(self, shop: Project) -> None:
        """A report is frozen."""
        report = hotmod.Reloader("shop").reload()
        assert shop.folder
        with pytest.raises(AttributeError):
            report.status = "applied"

    def test_reports_are_kept(self, shop: Project) -> None:
        """The history holds every attempt in order, and `status` is that of the last."""
        reloader = hotmod.Reloader("shop")
        assert reloader.status == "unchanged"
        told = []
        for text in ("TAX = 2\n", "TAX = \n", "TAX = 3\n"):
            shop.write({"shop/config.py": text})
            told.append(reloader.reload())
            assert reloader.status == told[-1].status
        assert list(reloader.history) == told
        assert [report.status for report in told] == ["applied", "rejected", "applied"]
        assert [report.generation for report in told] == [1, 1, 2]

    def test_a_report_is_logged_once(self, shop: Project, caplog: pytest.LogCaptureFixture) -> None:
        """The logger `hotmod` gets one line per attempt, a warning when it was refused."""
        caplog.set_level(logging.INFO, "hotmod")
        reloader = hotmod.Reloader("shop")
        reloader.reload()
        for text in ("TAX = 2\n", "TAX = \n"):
            shop.write({"shop/config.py": text})
            reloader.reload()
        levels = [(record.levelname, record.getMessage().split()[0]) for record in caplog.records]
        assert levels == [("INFO", "applied"), ("WARNING", "Could")]

    @pytest.mark.parametrize("text", ["TAX = 1\n", "TAX = 2\n", "TAX = \n", "1 / 0\n"])
    def test_reports_are_json_and_pickle(self, shop: Project, text: str) -> None:
        """Every report gives JSON-ready values, and is the same report after pickling."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": text})
        report = reloader.reload()
        values = report.as_dict()
        assert json.loads(json.dumps(values)) == values
        again = pickle.loads(pickle.dumps(report))
        assert again.as_dict() == values
        assert str(again) == str(report)
        assert bool(again) == bool(report)

    def test_an_exception_that_does_not_pickle_is_told_in_words(self, shop: Project) -> None:
        """A report whose exception can't be pickled pickles all the same, with the exception's words."""
        reloader = hotmod.Reloader("shop")
        shop.write(
            {
                "shop/config.py": """
                class Odd(Exception):
                    def __init__(self, one, two):
                        super().__init__(f"{one} {two}")


                raise Odd("very", "odd")
                """
            }
        )
        again = pickle.loads(pickle.dumps(reloader.reload()))
        assert str(again.error) == "Odd: very odd"


class TestCheck:
    def test_check_raises_what_was_refused(self, shop: Project) -> None:
        """`reload(check=True)` raises an error that carries the report and the user's exception."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 1 / 0\n"})
        with pytest.raises(hotmod.ReloadError, match="ZeroDivisionError: division by zero") as caught:
            reloader.reload(check=True)
        assert caught.value.report is reloader.history[-1]
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.report.status == "rejected"

    def test_check_returns_what_was_applied(self, shop: Project) -> None:
        """`reload(check=True)` returns the report when memory equals disk."""
        reloader = hotmod.Reloader("shop")
        assert reloader.reload(check=True).status == "unchanged"
        shop.write({"shop/config.py": "TAX = 9\n"})
        assert reloader.reload(check=True).status == "applied"


class TestPlan:
    def test_a_plan_says_what_a_reload_does(self, shop: Project) -> None:
        """`plan()` names the modules that the reload then runs, and why."""
        reloader = hotmod.Reloader("shop", strategy="modules")
        shop.write({"shop/config.py": "TAX = 20\n"})
        plan = reloader.plan()
        report = reloader.reload()
        assert plan.executed == ("shop.config", "shop.cart") == report.executed
        assert plan.reasons() == report.reasons
        assert str(plan) == "execute shop.config: edited\nexecute shop.cart: imports shop.config (line 1)"

    def test_a_plan_says_which_statements_run(self, shop: Project) -> None:
        """A plan of statements names each that runs, in its place, with the chain of reasons."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 20\n"})
        plan = reloader.plan()
        assert reloader.reload().reasons == plan.reasons()
        assert str(plan) == (
            "run shop.config: 1 statement\n"
            "  shop/config.py:1 TAX = 20, edited\n"
            "run shop.cart: 1 statement\n"
            "  shop/cart.py:1 from shop.config import TAX, because TAX changed (shop/config.py:1)"
        )

    def test_a_plan_changes_nothing(self, shop: Project) -> None:
        """`plan()` leaves every object, container and entry as it was, and takes no part in the history."""
        reloader = hotmod.Reloader("shop")
        shop.write(
            {"shop/config.py": "TAX = 20\n", "shop/new.py": "", "shop/cart.py": "from shop import new\n"}
        )
        shop.delete("shop/other.py")
        before = shop.snapshot()
        first, second = reloader.plan(), reloader.plan()
        assert before.differences(shop.snapshot()) == []
        assert first.as_dict() == second.as_dict()
        assert json.loads(json.dumps(first.as_dict())) == first.as_dict()
        assert first.removed == ("shop.other",)
        assert not reloader.history

    def test_no_plan_for_no_edit(self, shop: Project) -> None:
        """Where memory equals disk the plan is false and says so."""
        plan = hotmod.Reloader("shop").plan()
        assert shop.folder
        assert not plan
        assert str(plan) == "nothing to do: memory equals disk"

    def test_a_plan_needs_texts_that_can_be_read(self, shop: Project) -> None:
        """`plan()` raises SourceError with path and line where a changed file can't be parsed."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 1\nTAX = (\n"})
        with pytest.raises(hotmod.SourceError) as caught:
            reloader.plan()
        assert os.path.samefile(caught.value.path, shop.folder / "shop" / "config.py")
        assert caught.value.line == 2


class TestScope:
    def test_a_reloader_can_come_before_the_import(self, project: Project) -> None:
        """A package that is imported after its reloader was made is reloaded like any other."""
        project.write({"late/__init__.py": "X = 1\n"})
        reloader = hotmod.Reloader("late")
        late = project.load("late")
        project.write({"late/__init__.py": "X = 2\n"})
        assert reloader.reload().executed == ("late",)
        assert late.X == 2

    def test_a_file_edited_before_its_import_needs_no_reload(self, shop: Project) -> None:
        """A module that is imported from an edited file runs that text: nothing is left to do."""
        shop.write({"shop/late.py": "X = 1\n"})
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/late.py": "X = 2\n"})
        assert shop.load("shop.late").X == 2
        assert reloader.reload().status == "unchanged"

    def test_a_file_edited_right_after_its_import_is_seen(self, shop: Project) -> None:
        """An edit between an import and the next look at the files is not mistaken for what was imported."""
        shop.write({"shop/late.py": "X = 1\n"})
        reloader = hotmod.Reloader("shop")
        late = shop.load("shop.late")
        shop.write({"shop/late.py": "X = 2\n"})
        assert reloader.reload().changed == ("shop.late",)
        assert late.X == 2

    def test_other_packages_are_left_alone(self, shop: Project) -> None:
        """A module outside the targets is never run again, edited or not."""
        shop.write({"app.py": "from shop.config import TAX\n"})
        app = shop.load("app")
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 3\n", "app.py": "TAX = 'ran'\n"})
        assert "app" not in reloader.reload().executed
        assert app.TAX == 1

    def test_a_reload_inside_a_reload_is_refused(self, shop: Project) -> None:
        """A module that asks for a reload while it is being reloaded rejects its own edit."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "import hotmod\n\nhotmod.Reloader('shop').reload()\n"})
        report = reloader.reload()
        assert report.status == "rejected"
        assert "can't start inside another one" in str(report.error)
        shop.write({"shop/config.py": "TAX = 7\n"})
        assert reloader.reload().status == "applied"

    @pytest.mark.parametrize(
        ("targets", "words"),
        [
            ((), "no target"),
            (("no_such_package_anywhere",), "no_such_package_anywhere"),
            (("hotmod",), "can't reload itself"),
            ((3,), "is a int"),
            (("no/such/folder",), "no such folder"),
        ],
        ids=["none", "unknown", "hotmod", "number", "folder"],
    )
    def test_a_bad_target_is_named(self, targets: tuple[str, ...], words: str) -> None:
        """A target that can't be is a ConfigError that names it."""
        with pytest.raises(hotmod.ConfigError, match=words):
            hotmod.Reloader(*targets)

    def test_an_unknown_strategy_is_named(self, shop: Project) -> None:
        """A strategy that there is not is a ConfigError that lists those that there are."""
        assert shop.folder
        with pytest.raises(hotmod.ConfigError, match="modules"):
            hotmod.Reloader("shop", strategy="magic")


def test_an_interrupt_goes_on_after_everything_was_taken_back(shop: Project) -> None:
    """An interrupt in the user's text reaches the caller, with the program as it was."""
    reloader = hotmod.Reloader("shop")
    before = shop.snapshot()
    shop.write({"shop/config.py": "TAX = 2\nraise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        reloader.reload()
    assert before.differences(shop.snapshot()) == []
    assert reloader.status == "rejected"
    assert isinstance(reloader.history[-1].error, KeyboardInterrupt)


def test_a_loaders_own_way_is_kept(shop: Project) -> None:
    """A text is compiled by its module's own loader, even one whose finder came after hotmod's."""

    class Loader(importlib.machinery.SourceFileLoader):
        def source_to_code(self, data, path, *, _optimize=-1):  # type: ignore[override]
            return super().source_to_code(bytes(data).replace(b"TAX = ", b"TAX = 100 + "), path)

    class Finder:
        @staticmethod
        def find_spec(name, _path=None, _target=None):
            if name != "shop.config":
                return None
            file = str(shop.folder / "shop" / "config.py")
            return importlib.util.spec_from_file_location(name, file, loader=Loader(name, file))

    reloader = hotmod.Reloader("shop")
    del sys.modules["shop.config"]
    sys.meta_path.insert(0, Finder)
    try:
        module = shop.load("shop.config")
        shop.write({"shop/config.py": "TAX = 2\n"})
        report = reloader.reload(check=True)
    finally:
        sys.meta_path.remove(Finder)
    assert report.executed == ("shop.config", "shop.cart")
    assert (module.TAX, sys.modules["shop.config"]) == (102, module)
