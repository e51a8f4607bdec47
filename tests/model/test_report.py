from __future__ import annotations

import json
import pickle
import random
import re

import pytest

import hotmod
from hotmod._model.hazards import HAZARDS, Hazard
from hotmod._model.report import Location, Reason, Report

HAZARD = Hazard(
    "class-identity",
    "shop.cart",
    "Cart",
    message="the class was replaced",
    advice="Restart.",
    holders=("app.CACHE['cfg']",),
)


class TestWords:
    def test_an_applied_report_in_one_line(self) -> None:
        """An applied report says what was patched, run, rebound, cleared and kept, and how long it took."""
        report = Report(
            "applied",
            "shop",
            generation=7,
            patched=("shop.cart:Cart.total",),
            executed=("shop.config", "shop.cart"),
            ran=("shop.config:3", "shop.cart"),
            rebound=("shop.api:TAX",),
            cleared=("shop.cart:old",),
            kept=("shop.cart:PATCH",),
            seconds=0.0021,
        )
        assert report.summary() == (
            "applied shop in 2.1 ms: patched Cart.total; re-ran shop.config:3, shop.cart; "
            "rebound TAX in shop.api; cleared shop.cart:old; kept shop.cart:PATCH (generation 7)"
        )

    def test_long_lists_are_cut(self) -> None:
        """Of many names the first are told and the rest is counted."""
        report = Report("applied", "shop", ran=tuple(f"shop.m{number}" for number in range(9)))
        assert "re-ran shop.m0, shop.m1, shop.m2, shop.m3 and 5 more" in str(report)

    def test_hazards_follow_line_by_line(self) -> None:
        """The hazards are counted in the summary and told one per line below it."""
        lines = str(Report("applied", "shop", executed=("shop",), hazards=(HAZARD,))).splitlines()
        assert "1 hazard " in lines[0]
        assert lines[1:] == [f"  {HAZARD}"]

    def test_an_unchanged_report(self) -> None:
        """An unchanged report says that memory equals disk."""
        assert (
            str(Report("unchanged", "shop", generation=3))
            == "unchanged shop: memory equals disk (generation 3)"
        )

    @pytest.mark.parametrize(
        ("affected", "running"),
        [
            (1, "the affected module still runs the previous code"),
            (3, "all 3 affected modules still run the previous code"),
        ],
    )
    def test_a_rejected_report_has_four_parts(self, affected: int, running: str) -> None:
        """A rejected report says what, where, what is running now and what to do."""
        report = Report(
            "rejected",
            "shop",
            error=NameError("name 'Pirce' is not defined"),
            location=Location("shop.cart", "/somewhere/shop/cart.py", 41),
            affected=affected,
        )
        assert str(report) == (
            "Could not reload shop.cart (cart.py:41): NameError: name 'Pirce' is not defined. "
            f"Nothing was changed: {running}. Fix the file and save."
        )

    def test_a_refusal_ends_with_what_helps(self) -> None:
        """Where the file is not at fault, the last part says what helps instead of mending it."""
        used = hotmod.HotmodError(
            "Django has used DEBUG", advice="Restart the process, or take the edit back."
        )
        gone = hotmod.SourceError("shop", 0, "the folder is gone", advice="Put it back.")
        for error, end in ((used, "Restart the process, or take the edit back."), (gone, "Put it back.")):
            report = Report("rejected", "shop", changed=("shop.settings",), error=error)
            again = pickle.loads(pickle.dumps(report))
            for told in (str(report), str(again)):
                assert told.endswith(f"the affected module still runs the previous code. {end}")

    def test_an_error_without_words(self) -> None:
        """An exception that says nothing is told by its type."""
        report = Report("rejected", "shop", error=KeyboardInterrupt(), changed=("shop.cart",))
        assert str(report).startswith("Could not reload shop.cart: KeyboardInterrupt. Nothing was changed")

    def test_a_restart_is_asked_for(self) -> None:
        """Where the process can't take the edit at all, the report says why and asks for a restart."""
        hazard = Hazard("extension-module", "shop.fast", message="shop.fast is compiled")
        text = str(Report("restart-required", "shop", changed=("shop.fast",), hazards=(hazard,)))
        assert "shop.fast is compiled" in text
        assert "Restart the process." in text

    def test_notebooks_get_markup_that_is_escaped(self) -> None:
        """The notebook's form folds, and escapes what comes from the program."""
        report = Report("rejected", "shop", error=ValueError("<b>"), reasons=(Reason("shop", "edited"),))
        markup = report._repr_html_()
        assert markup.startswith("<details>")
        assert "<b>" not in markup
        assert "shop: edited" in markup

    def test_notebooks_get_all_of_it(self) -> None:
        """What folds out has a row for each kind of thing that was done, and none for what was not."""
        report = Report("applied", "shop", patched=("shop:f", "shop:A.<x>"), phases={"run": 0.002})
        rows = re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td></tr>", report._repr_html_())
        assert rows == [("patched", "shop:f<br>shop:A.&lt;x&gt;"), ("time", "run 2.0 ms")]


@pytest.mark.parametrize(
    ("status", "clean"),
    [("applied", True), ("unchanged", True), ("rejected", False), ("restart-required", False)],
)
def test_truth_is_that_memory_equals_disk(status: str, clean: bool) -> None:
    """A report is true exactly when memory equals disk after the attempt."""
    assert bool(Report(status)) is clean  # type: ignore[arg-type]


class OddError(Exception):
    """An exception that pickles, but does not come back."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize(
    "error",
    [None, ValueError("a"), OddError("very", "odd"), SyntaxError("no", ("f.py", 1, 2, "x"))],
    ids=["none", "plain", "odd", "syntax"],
)
def test_a_report_crosses_processes(error: BaseException | None) -> None:
    """A report is the same in words and values after pickling, whatever its exception is."""
    report = Report(
        "rejected" if error else "applied",
        "shop",
        error=error,
        hazards=(HAZARD,),
        location=Location("shop", "shop.py", 1),
        phases={"run": 0.5},
    )
    again = pickle.loads(pickle.dumps(report))
    assert (again.status, again.hazards, again.location, again.phases) == (
        report.status,
        report.hazards,
        report.location,
        report.phases,
    )
    values = report.as_dict()
    assert json.loads(json.dumps(values)) == values


class TestHazards:
    def test_an_unknown_code_is_refused(self) -> None:
        """A hazard is made with a documented code only, and the error lists the codes."""
        with pytest.raises(ValueError, match=r"unknown hazard code 'oops'.*class-identity"):
            Hazard("oops", "shop")

    @pytest.mark.parametrize("code", HAZARDS)
    def test_each_hazard_reads_as_a_sentence(self, code: str) -> None:
        """A hazard says its code and its place first, and everything that it knows after that."""
        hazard = Hazard(code, "shop.cart", "Cart", "it is so", "Do that.", holders=("app.X",))
        assert str(hazard).startswith(f"{code} shop.cart:Cart: it is so")
        assert "app.X" in str(hazard)
        assert str(hazard).endswith("Do that.")

    def test_a_module_as_a_whole(self) -> None:
        """A hazard without a name is about the module."""
        assert str(Hazard("import-cycle", "shop.a", message="cycle")).startswith("import-cycle shop.a: cycle")

    def test_hazards_are_values(self) -> None:
        """Equal hazards are equal, hashable, frozen, picklable and JSON-ready."""
        again = pickle.loads(pickle.dumps(HAZARD))
        assert {again, HAZARD} == {HAZARD}
        assert json.loads(json.dumps(HAZARD.as_dict())) == HAZARD.as_dict()
        with pytest.raises(AttributeError):
            HAZARD.code = "x"  # type: ignore[misc]


def test_the_order_of_reasons_is_kept() -> None:
    """Reasons are told in the order in which they were given."""
    names = [f"m{number}" for number in range(20)]
    random.shuffle(names)
    report = Report("applied", reasons=tuple(Reason(name, "edited") for name in names))
    assert [reason["module"] for reason in report.as_dict()["reasons"]] == names
