from __future__ import annotations

import copyreg
import pickle
import subprocess
import sys

import pytest

import hotmod
from hotmod._model.changes import Change, ChangeKind, ChangeSet, SourceText
from hotmod._model.errors import portable
from hotmod._model.report import Report

ERRORS = [
    hotmod.HotmodError("words"),
    hotmod.ConfigError("words"),
    hotmod.SourceError("shop.py", 3, "is no Python"),
    hotmod.RollbackError("words"),
    hotmod.ReloadError(Report("rejected", "shop", error=NameError("x"), changed=("shop",))),
]


@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
def test_every_error_crosses_processes(error: Exception) -> None:
    """Every error is the same in type, words and attributes after pickling."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert vars(again).keys() == vars(error).keys()


def test_everything_is_a_hotmod_error() -> None:
    """One `except hotmod.HotmodError` catches all that hotmod raises on purpose."""
    assert all(isinstance(error, hotmod.HotmodError) for error in ERRORS)
    assert issubclass(hotmod.ConfigError, ValueError)


def test_a_source_error_says_where() -> None:
    """A source error names file and line; the file alone where no line can be named."""
    assert str(hotmod.SourceError("shop.py", 3, "is no Python")) == "shop.py:3: is no Python"
    assert str(hotmod.SourceError("shop.py", 0, "can't be read")) == "shop.py: can't be read"


def test_a_reload_error_says_what_its_report_says() -> None:
    """A reload error has the words of its report and carries it."""
    report = Report("rejected", "shop", error=NameError("x"), changed=("shop",))
    error = hotmod.ReloadError(report)
    assert str(error) == str(report)
    assert error.report is report


def pickled(error: BaseException) -> BaseException:
    """What comes out at the other end."""
    found: BaseException = pickle.loads(pickle.dumps(portable(error)))
    return found


def test_an_error_that_pickles_stays_itself() -> None:
    """Only what can't be pickled is replaced, by its words."""
    assert repr(pickled(ValueError("a"))) == repr(ValueError("a"))

    class LocalError(Exception):
        """Can't be found by pickle."""

    assert (type(pickled(LocalError("b"))), str(pickled(LocalError("b")))) == (
        hotmod.HotmodError,
        "LocalError: b",
    )


def test_an_error_keeps_its_words_whatever_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries register how exceptions are pickled with their tracebacks, and some lose their words."""
    monkeypatch.setitem(copyreg.dispatch_table, SyntaxError, lambda _: (SyntaxError, ()))
    error = SyntaxError("invalid syntax", ("config.py", 1, 7, "TAX =", 1, 8))
    assert str(pickled(error)) == str(error) == "invalid syntax (config.py, line 1)"


class TestChanges:
    def test_texts_are_equal_when_their_bytes_are(self) -> None:
        """The digest follows the bytes: an edit of the same size has another, the same text has the same."""
        one, two = SourceText.of("a.py", b"X = 1\n"), SourceText.of("a.py", b"X = 2\n")
        assert one.digest != two.digest
        assert one == SourceText.of("a.py", b"X = 1\n")

    def test_a_change_set_is_false_when_nothing_differs(self) -> None:
        """An empty change set is false; one with a change is true and names its modules."""
        assert not ChangeSet()
        changes = ChangeSet((Change("shop", ChangeKind.DELETED, "shop.py"),))
        assert changes
        assert changes.modules == ("shop",)


def test_the_values_load_nothing_above_them() -> None:
    """The room of values can be imported without any other room."""
    check = (
        "import sys, hotmod._model.report, hotmod._model.changes; "
        "print([name for name in sys.modules if name.startswith('hotmod._') and '_model' not in name])"
    )
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
