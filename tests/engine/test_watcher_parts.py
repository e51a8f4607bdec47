"""The parts of the watcher by themselves: when a burst is over, where to watch, and what events are about."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotmod._engine import lookout, notify
from hotmod._engine.burst import BOUND, BROKEN, MISSING, Burst, Doubt
from hotmod._engine.loaded import Ledger
from hotmod._engine.notify import Notifier
from hotmod._engine.roots import survey_folders
from hotmod._engine.sightings import View
from hotmod._model.changes import ChangeKind, SourceText
from hotmod._scope import Scope, scope_of
from tests.engine.watching import LONG, replace, watching
from tests.oracle.project import Project

DELAY = 0.01
times = st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=30).map(sorted)


def burst_of(*paths: str) -> Burst:
    """A burst at time 0."""
    found = Burst(DELAY)
    found.add(0.0, frozenset(paths))
    return found


@given(times)
def test_a_burst_is_over_after_quiet_or_at_its_bound(events: list[float]) -> None:
    """Whatever comes, a burst waits for quiet after the last event, and never beyond its bound."""
    burst = Burst(DELAY)
    for number, moment in enumerate(events):
        burst.add(moment, frozenset([str(number)]))
    over = events[-1] + burst.wait(events[-1])
    assert over <= events[0] + BOUND + 1e-9 or over <= events[-1]
    assert over == pytest.approx(min(events[-1] + burst.quiet, events[0] + BOUND))


def test_one_save_waits_for_the_delay_and_many_for_longer() -> None:
    """The second file of a burst makes it wait longer for a third."""
    assert burst_of("a.py").wait(0.0) == DELAY
    assert burst_of("a.py", "b.py").wait(0.0) == 3 * DELAY


def test_doubts_prolong_the_wait() -> None:
    """A file that does not parse, or is missing, gets the time of its doubt."""
    burst = burst_of("a.py")
    burst.doubt = Doubt.BROKEN
    assert burst.wait(0.0) == BROKEN
    burst.doubt = Doubt.MISSING
    assert burst.wait(0.0) == MISSING


def test_what_was_taken_is_not_taken_again() -> None:
    """After `take` a burst is empty, and the doubt is gone."""
    burst = burst_of("a.py")
    burst.doubt = Doubt.MISSING
    assert burst.take() == frozenset(["a.py"])
    assert not burst
    burst.add(9.0, everything=True)
    assert burst.take() is None
    assert (burst.doubt, bool(burst)) == (Doubt.NONE, False)


def test_somebody_at_work_is_waited_for_up_to_the_bound() -> None:
    """While files are known to be still written quiet does not count, the bound does."""
    burst = burst_of("a.py", "b.py")
    assert burst.wait(1.0, busy=True) == BOUND - 1.0
    assert burst.wait(BOUND, busy=True) <= 0


def folders(scope: Scope, base: pathlib.Path) -> set[str]:
    """The folders to watch, relative to a base."""
    return {os.path.relpath(path, base) for path in survey_folders(scope, ()).folders}


def test_a_file_target_is_watched_by_its_folder(project: Project) -> None:
    """Of the folder of a single file only that file matters."""
    project.write({"tools/one.py": "", "tools/two.py": ""})
    one = str(project.folder / "tools" / "one.py")
    territory = survey_folders(scope_of([one]), ())
    assert territory.folders == {os.path.dirname(one)}
    assert territory.news([one, str(project.folder / "tools" / "two.py")]).files == {one}


def test_every_root_of_a_namespace_package_is_watched(project: Project) -> None:
    """A package of several roots is watched in all of them."""
    project.write({"a/space/x.py": "", "b/space/y.py": ""})
    sys.path[:0] = [str(project.folder / "a"), str(project.folder / "b")]
    try:
        assert folders(scope_of(["space"]), project.folder) == {"a", "b", "a/space", "b/space"}
    finally:
        del sys.path[:2]


def test_a_folder_that_links_into_itself_is_watched_once(project: Project) -> None:
    """A link to a folder above is no new folder, and events come under the name that modules have."""
    project.write({"farm/__init__.py": "", "farm/sub/__init__.py": ""})
    (project.folder / "farm" / "sub" / "loop").symlink_to(project.folder / "farm")
    assert folders(scope_of(["farm"]), project.folder) == {".", "farm", os.path.join("farm", "sub")}


def test_a_folder_with_two_names_gives_events_for_both(project: Project) -> None:
    """Where two packages are one folder on disk, a save is a save of both."""
    project.write({"farm/__init__.py": "", "farm/x.py": ""})
    (project.folder / "barn").symlink_to(project.folder / "farm")
    found = survey_folders(scope_of(["farm", "barn"]), ())
    assert found.news([str(project.folder / "farm" / "x.py")]).files == {
        str(project.folder / "farm" / "x.py"),
        str(project.folder / "barn" / "x.py"),
    }


def test_a_module_from_elsewhere_is_watched_where_it_lies(shop: Project) -> None:
    """The folder of a loaded module is watched, though nothing leads there from the package's own."""
    found = survey_folders(scope_of(["shop"]), [str(shop.folder / "far" / "odd-name")])
    (far,) = (path for path in found.folders if path.endswith("far"))
    assert found.news([os.path.join(far, "odd-name"), os.path.join(far, "x.py")]).files == {
        str(shop.folder / "far" / "odd-name")
    }


def test_other_folders_may_be_watched_from_then_on(tmp_path: pathlib.Path) -> None:
    """The folders of the last call are watched, and no others; each path comes once."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    notifier = Notifier()
    notifier.arm([str(folders[0])])
    notifier.arm([str(folder) for folder in folders])
    wanted = {str(folder / "x.py") for folder in folders}
    for path in wanted:
        pathlib.Path(path).touch()
    seen: set[str] = set()
    while not wanted <= seen:
        notifier.nap(1)
        seen |= notifier.poll()
    notifier.arm([str(folders[1])])
    assert notifier.folders == {str(folders[1])}
    notifier.close()
    notifier.close()


@pytest.mark.parametrize("error", [OSError, notify.WatchfilesRustInternalError])
def test_folders_are_compared_where_the_system_refuses_to_watch(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """When the kernel has no watcher left, folders are compared instead, and events come all the same."""
    make = notify.RustNotify

    def refuse(folders: list[str], debug: bool, polling: bool, *rest: Any) -> Any:
        if not polling:
            raise error("Too many open files")
        return make(folders, debug, polling, *rest)

    monkeypatch.setattr(notify, "RustNotify", refuse)
    notifier = Notifier()
    notifier.arm([str(tmp_path)])
    (tmp_path / "a.py").touch()
    seen: set[str] = set()
    while str(tmp_path / "a.py") not in seen:
        notifier.nap(10)
        seen |= notifier.poll()
    notifier.close()


def test_no_event_is_dropped_by_a_nap(tmp_path: pathlib.Path) -> None:
    """An event that comes while the notifier naps is given by a later poll."""
    notifier = Notifier()
    notifier.arm([str(tmp_path)])
    for number in range(50):
        path = tmp_path / f"m{number}.py"
        path.touch()
        seen: set[str] = set()
        while str(path) not in seen:
            notifier.nap(1)
            seen |= notifier.poll()
    notifier.close()


def test_a_missing_folder_is_left_out(tmp_path: pathlib.Path) -> None:
    """Of the folders given those that don't exist are not watched."""
    notifier = Notifier()
    notifier.arm([str(tmp_path), str(tmp_path / "none")])
    assert notifier.folders == {str(tmp_path)}
    notifier.close()


@pytest.mark.parametrize("way", [pathlib.Path.write_text, replace], ids=["in place", "by renaming"])
def test_a_view_tells_what_changed_since(shop: Project, way: object) -> None:
    """A module whose file was saved after the view was taken counts as changed, others do not."""
    view = View(scope_of(["shop"]))
    assert callable(way)
    way(shop.folder / "shop" / "config.py", "TAX = 2\n")
    found = Ledger(scope_of(["shop"]), view).changes()
    assert [(change.module, change.kind) for change in found.changes] == [("shop.config", ChangeKind.EDITED)]


def test_a_view_does_not_doubt_what_is_the_same(shop: Project) -> None:
    """Without an edit since the view nothing differs, though all files are seconds old."""
    scope = scope_of(["shop"])
    assert not Ledger(scope, View(scope)).changes()


def test_only_suspects_are_read(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at some files reads those and what differed before, and finds what a look at all finds."""
    from hotmod._engine import texts

    ledger = Ledger(scope_of(["shop"]))
    read = texts.read
    seen: list[str] = []

    def noted(path: str) -> SourceText:
        seen.append(os.path.basename(path))
        return read(path)

    monkeypatch.setattr(texts, "read", noted)
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert ledger.changes([str(shop.folder / "shop" / "config.py")]).modules == ("shop.config",)
    shop.write({"shop/other.py": "STATE = 1\n"})
    found = ledger.changes([str(shop.folder / "shop" / "other.py")])
    assert sorted(seen) == ["config.py", "config.py", "other.py"]
    assert found == ledger.changes()


def test_a_module_that_was_taken_out_is_forgotten(shop: Project) -> None:
    """A module that was taken out of `sys.modules` and imported again has the text of its second import."""
    ledger = Ledger(scope_of(["shop"]))
    shop.write({"shop/config.py": "TAX = 2\n"})
    del sys.modules["shop.config"]
    kinds = {change.module: change.kind for change in ledger.changes().changes}
    assert kinds.get("shop.config", ChangeKind.ADDED) is ChangeKind.ADDED
    shop.load("shop.config")
    assert not ledger.changes()


def test_naps_grow_when_nobody_saves(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookout naps after a save, dozes when the last one was long ago, and wakes up for the next."""
    with watching("shop") as watcher:
        found = watcher._lookout
        assert found is not None
        assert found._nap(held=True) == lookout.NAPS[0][1]
        monkeypatch.setattr(lookout, "NAPS", ())
        assert found._nap(held=True) is None
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            assert watcher.next_report(timeout=LONG).status == "applied"
        with watcher.hold():
            shop.write({"shop/config.py": "TAX = 4\n"})
        assert watcher.next_report(timeout=LONG).status == "applied"
