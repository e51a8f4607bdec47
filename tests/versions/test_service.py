"""Swaps: what is put in charge, what is refused, what becomes of the versions before."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import weakref
from collections.abc import Callable

import pytest

import hotmod
from hotmod._engine.burst import Doubt
from hotmod._engine.versions import watching
from tests.engine.watching import run_program
from tests.oracle.project import Project

LONG = 60.0
Opened = Callable[..., hotmod.versions.Service]


def edit(agents: Project, number: object) -> None:
    """Save another version."""
    agents.write({"agents/config.py": f"VERSION = {number}\n"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("VERSION = \n", SyntaxError),
        ("VERSION = 1 / 0\n", ZeroDivisionError),
        ("raise SystemExit\n", SystemExit),
    ],
    ids=["syntax", "exception", "exit"],
)
def test_a_broken_edit_changes_nothing(text: str, error: type, agents: Project, opened: Opened) -> None:
    """The version in charge stays, what was half loaded is gone, and the swap tells why and where."""
    service = opened("agents")
    one = service.current
    one["agents.graph"]
    agents.write({"agents/config.py": text})
    swap = service.refresh()
    assert (swap.status, swap.version, swap.changed) == ("rejected", 1, ("agents.config",))
    assert isinstance(swap.error, error)
    assert swap.location is not None
    assert swap.location.line == 1
    assert "Nothing was changed: version 1 goes on" in str(swap)
    assert service.current is one
    assert service.alive == (1,)
    assert one["agents.graph"].run(lambda: None) == [1, 1, 1, 1]
    edit(agents, 3)
    assert service.refresh()
    assert service.current["agents.graph"].inside() == 3


def test_lazily_imported_modules_are_checked_too(agents: Project, opened: Opened) -> None:
    """An edit that breaks a module which only a function imports is refused, once that has been loaded."""
    service = opened("agents")
    service.current["agents.graph"].late()
    agents.write({"agents/late.py": "1 / 0\n"})
    assert service.refresh().status == "rejected"


@pytest.mark.parametrize(
    ("check", "agrees"),
    [
        (lambda version: version["agents.graph"].inside() < 3, True),
        (lambda version: version["agents.graph"].inside() < 2, False),
        (lambda version: version["agents.nowhere"], False),
        (["python", "-c", "import agents.config"], True),
        (["python", "-c", "raise SystemExit(3)"], False),
    ],
    ids=["yes", "no", "raises", "command", "command that fails"],
)
def test_a_check_decides(
    check: object, agrees: object, agents: Project, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify=` is asked about the next version before anybody else gets it, by a function or a command."""
    monkeypatch.setenv("PYTHONPATH", str(agents.folder))
    service = opened("agents", verify=check)
    edit(agents, 2)
    swap = service.refresh()
    assert (swap.status == "applied") is agrees, swap
    assert (2 if agrees else 1) == service.current["agents.config"].VERSION


def test_a_check_is_pinned_to_what_it_checks(agents: Project, opened: Opened) -> None:
    """What a check imports by plain names is the version that it is asked about."""
    seen = []

    def check(_: object) -> None:
        from agents.config import VERSION

        seen.append(VERSION)

    service = opened("agents", verify=check)
    edit(agents, 2)
    service.refresh()
    assert seen == [2]


def test_a_slip_in_what_is_not_loaded_is_told(agents: Project, opened: Opened) -> None:
    """A changed file that does not compile is refused, whether its module is loaded or not."""
    service = opened("agents")
    agents.write({"agents/late.py": "def f(:\n"})
    swap = service.refresh()
    assert (swap.status, type(swap.error)) == ("rejected", SyntaxError)
    assert service.current.number == 1


def test_what_is_as_before_is_no_version(agents: Project, opened: Opened) -> None:
    """A save of the same contents makes nothing; swaps are numbered by versions."""
    service = opened("agents")
    edit(agents, 1)
    assert service.refresh().status == "unchanged"
    assert service.history == ()
    edit(agents, 2)
    service.refresh()
    assert [swap.version for swap in service.history] == [2]


def test_rollback_moves_a_pointer(agents: Project, opened: Opened) -> None:
    """`rollback()` puts the version before in charge, the very same objects, as far as one is kept."""
    service = opened("agents", keep=1)
    one = service.current
    module = one["agents.config"]
    edit(agents, 2)
    service.refresh()
    swap = service.rollback()
    assert (swap.status, swap.version, swap.tried, bool(swap)) == ("rolled-back", 1, 2, False)
    assert service.current is one
    assert service.current["agents.config"] is module
    assert service.alive == (1,)
    with pytest.raises(hotmod.RollbackError, match="version 1 goes on"):
        service.rollback()
    service.attempt()
    assert service.current is one, "what was rolled back comes back by itself"
    assert service.refresh().version == 3


def test_a_version_without_pins_is_disposed_of(agents: Project, opened: Opened) -> None:
    """The last pin that ends has the version clean up, once, as itself, and nothing holds it any more."""
    agents.write(
        {
            "agents/config.py": """
                import agents
                VERSION = 1
                log = []


                def __hotmod_dispose__():
                    log.append(agents.config.VERSION)
                """
        }
    )
    service = opened("agents", keep=0)
    with service.pin() as version:
        log = version["agents.config"].log
        gone = weakref.ref(version["agents.config"])
        edit(agents, 2)
        service.refresh()
        assert service.alive == (1, 2)
        assert log == []
    assert service.alive == (2,)
    assert log == [1]
    del version
    gc.collect()
    assert gone() is None


def test_many_swaps_leave_nothing_behind(agents: Project, opened: Opened) -> None:
    """Of so many versions only the one in charge and the one before are alive."""
    service = opened("agents")
    versions: list[weakref.ref[hotmod.versions.Version]] = []
    for number in range(2, 32):
        with service.pin() as version:
            versions.append(weakref.ref(version))
            version["agents.shapes"].hints()
            version["agents.graph"].run(lambda: None)
            edit(agents, number)
            assert service.refresh(), service.history[-1]
        del version
    gc.collect()
    assert [index for index, each in enumerate(versions) if each() is not None] == [len(versions) - 1]
    assert len(service.alive) == 2


def test_what_is_half_loaded_cleans_up(agents: Project, opened: Opened) -> None:
    """The modules of a refused version that had been loaded are disposed of, and no other ones."""
    hook = "import outside\nVERSION = {}\ndef __hotmod_dispose__():\n    outside.log.append(VERSION)\n"
    agents.write({"outside.py": "log = []\n", "agents/config.py": hook.format(1)})
    service = opened("agents")
    service.current["agents.graph"]
    agents.write({"agents/config.py": hook.format(2), "agents/graph.py": "import agents.config\n1 / 0\n"})
    assert service.refresh().status == "rejected"
    assert agents.load("outside").log == [2]


def test_refused_versions_leave_nothing_behind(agents: Project, opened: Opened) -> None:
    """What could not be loaded is held by the exception of the last attempt, and by no earlier one."""
    service = opened("agents")
    service.current["agents.shapes"]
    gone: list[weakref.ref[hotmod.versions.Version]] = []

    def check(version: hotmod.versions.Version) -> None:
        gone.append(weakref.ref(version))
        raise ValueError(version.number)

    for number in range(2, 6):
        edit(agents, number)
        with pytest.raises(ValueError, match="share"):
            service.canary(0)
        assert repr(service.canary(0.5, verify=check).error) == f"ValueError({number})"
    gc.collect()
    assert [each() is None for each in gone] == [True, True, True, False]


def test_a_canary_gets_its_share_and_is_promoted(agents: Project, opened: Opened) -> None:
    """A quarter of the pins goes to the version on trial, and after enough of them that end well, all do."""
    service = opened("agents")
    edit(agents, 2)
    assert service.canary(0.25, promote_after=3).status == "canary"
    seen = []
    for _ in range(12):
        with service.pin() as version:
            seen.append(version["agents.config"].VERSION)
    assert seen == [1, 1, 1, 2] * 3
    assert (service.history[-1].status, service.current.number) == ("promoted", 2)


def test_a_canary_that_fails_is_dropped(agents: Project, opened: Opened) -> None:
    """An exception that leaves a block of the version on trial ends it; other runs of it end on it."""
    service = opened("agents", keep=0)
    edit(agents, 2)
    service.canary(0.5)
    with service.pin() as version:
        assert version.number == 1
    with service.pin() as outer:
        assert outer.number == 2
        with service.pin() as inner:
            assert inner.number == 2
    with service.pin():
        pass
    with pytest.raises(ZeroDivisionError), service.pin() as version:
        raise ZeroDivisionError(version.number)
    swap = service.history[-1]
    assert (swap.status, swap.version, swap.tried) == ("dropped", 1, 2)
    assert repr(swap.error) == "ZeroDivisionError(2)"
    assert swap.error.__traceback__ is None, "it would hold the version"
    assert "Version 1 gets all again" in str(swap)
    assert service.alive == (1,)
    for _ in range(4):
        with service.pin() as version:
            assert version.number == 1


def test_being_cancelled_is_no_failure(agents: Project, opened: Opened) -> None:
    """What ends a run from outside says nothing about the version on trial."""
    service = opened("agents")
    edit(agents, 2)
    service.canary(1.0, promote_after=2)
    with pytest.raises(KeyboardInterrupt), service.pin():
        raise KeyboardInterrupt
    with service.pin():
        pass
    assert service.history[-1].status == "canary"


def test_another_edit_takes_the_place_of_a_canary(agents: Project, opened: Opened) -> None:
    """A canary is dropped when the next edit is loaded, and when its edit is taken back."""
    service = opened("agents", share=0.5)
    for number in (2, 3):
        edit(agents, number)
        assert service.refresh().status == "canary"
    assert [(swap.status, swap.tried) for swap in service.history] == [
        ("canary", 2),
        ("dropped", 2),
        ("canary", 3),
    ]
    edit(agents, 1)
    assert service.refresh().status == "unchanged"
    assert service.history[-1].status == "dropped"
    assert service.alive == (1,)


def test_saves_are_followed(agents: Project, opened: Opened) -> None:
    """A watched service loads what is saved, refuses what is broken, and rests after a rollback."""
    service = opened("agents", watch=True)
    edit(agents, 2)
    assert service.next_swap(LONG).status == "applied"
    agents.write({"agents/config.py": "VERSION = (\n"})
    assert service.next_swap(LONG).status == "rejected"
    edit(agents, 3)
    assert service.next_swap(LONG).version == 4
    service.rollback()
    assert service.refresh().version == 5
    service.rollback()
    agents.write({"agents/more.py": "VERSION = 5\n"})
    assert service.next_swap(LONG).changed == ("agents.config", "agents.more")
    assert service.current["agents.more"].VERSION == 5
    service.close()
    with pytest.raises(TimeoutError, match="closed"):
        service.next_swap(LONG)


def test_a_file_that_was_empty_before_is_no_half_save(agents: Project, opened: Opened) -> None:
    """An edit does not wait for contents of an `__init__.py` that has none, but of a file that had some."""
    service = opened("agents")
    files = watching._Files(service)
    assert files.doubt(None) is Doubt.NONE
    agents.write({"agents/config.py": ""})
    assert files.doubt(None) is Doubt.MISSING
    edit(agents, 2)
    (agents.folder / "agents/__init__.py").unlink()
    assert files.doubt(None) is Doubt.MISSING


def test_pinned_runs_see_no_save(agents: Project, opened: Opened) -> None:
    """A run that is under way while somebody saves ends on the version that it began with."""
    service = opened("agents", watch=True)

    def save() -> None:
        edit(agents, 2)
        service.next_swap(LONG)

    with service.pin() as version:
        assert version["agents.graph"].run(save) == [1, 1, 1, 1]
    with service.pin() as version:
        assert version["agents.graph"].run() == [2]


def test_off_means_one_version(agents: Project, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `HOTMOD=off` a service has its packages, and watches nothing."""
    monkeypatch.setenv("HOTMOD", "off")
    service = opened("agents", watch=True)
    assert service.watch is None
    with service.pin() as version:
        assert version["agents.config"].VERSION == 1


def test_manual_means_that_the_program_refreshes(
    agents: Project, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `HOTMOD=manual` a service watches nothing, and `refresh()` loads what was saved."""
    monkeypatch.setenv("HOTMOD", "manual")
    service = opened("agents", watch=True)
    assert service.watch is None
    edit(agents, 2)
    assert service.refresh().version == 2


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_an_edit_of_another_file_makes_a_version(
    by: str, agents: Project, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save of a file that a module reads is loaded as the next version; pinned runs keep what they read."""
    words = agents.folder / "words.txt"
    words.write_text("one", "utf-8")
    agents.write(
        {"agents/config.py": f"import pathlib\nVERSION = pathlib.Path({str(words)!r}).read_text()\n"}
    )
    options = {"depends": {"agents.config": [str(words)]}} if by == "argument" else {}
    if by == "variable":
        monkeypatch.setenv("HOTMOD_DEPENDS", f"agents.config={words}")
    service = opened("agents", watch=True, **options)
    with service.pin() as version:
        assert version["agents.config"].VERSION == "one"
        words.write_text("two", "utf-8")
        assert service.next_swap(LONG).changed == ("agents.config",)
        assert version["agents.config"].VERSION == "one"
    assert service.current["agents.config"].VERSION == "two"
    assert service.refresh().status == "unchanged"
    service.rollback()
    assert service.current["agents.config"].VERSION == "one"
    words.write_text("", "utf-8")  # a moment before its contents come
    words.write_text("three", "utf-8")
    assert service.next_swap(LONG).status == "applied"
    assert service.current["agents.config"].VERSION == "three"


def test_a_swap_is_told(agents: Project, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Each swap goes to the log and to `on_swap`, pickles, and is JSON."""
    told: list[hotmod.versions.Swap] = []
    service = opened("agents", on_swap=told.append)
    edit(agents, 2)
    with caplog.at_level(logging.INFO, "hotmod"):
        swap = service.refresh()
        agents.write({"agents/__init__.py": "1 / 0\n"})
        service.refresh()
    assert told[0] == swap
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"]
    assert "version 2, agents.config changed" in caplog.text
    again = pickle.loads(pickle.dumps(told[1]))
    assert str(again) == str(told[1])
    assert json.loads(json.dumps(again.as_dict()))["error"] == {
        "type": "ZeroDivisionError",
        "message": "division by zero",
    }


@pytest.mark.parametrize(
    ("targets", "options"),
    [(["nowhere"], {}), ([], {}), (["agents"], {"share": 0}), (["agents"], {"keep": -1}), (["."], {})],
    ids=["no such module", "none", "share", "keep", "path"],
)
def test_bad_arguments_are_refused(
    targets: list[str], options: dict[str, int], agents: Project, opened: Opened
) -> None:
    """Whatever can't be meant is a ConfigError, and starts nothing."""
    with pytest.raises(hotmod.ConfigError):
        opened(*targets, **options)
    assert opened("agents").current.number == 1


def test_a_forked_child_has_its_versions(agents: Project) -> None:
    """In a child there is no watch; runs, `refresh()` and `close()` work, and the parent goes on watching."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork on this system")
    done = run_program(
        agents,
        """
        import os, sys, warnings
        import hotmod

        warnings.simplefilter("ignore", DeprecationWarning)
        service = hotmod.versions.open("agents")
        child = os.fork()
        if child:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(code, service.next_swap(60).version, service.current["agents.config"].VERSION)
        else:
            with service.pin() as version:
                before = version["agents.config"].VERSION
            with open("agents/config.py", "w") as file:
                file.write("VERSION = 2\\n")
            service.refresh()
            after = service.current["agents.config"].VERSION
            service.close()
            sys.exit((before, after) != (1, 2))
        """,
    )
    assert (done.stdout, done.returncode) == ("0 2 2\n", 0), done.stderr
