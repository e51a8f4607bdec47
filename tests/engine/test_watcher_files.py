"""What editors, version control and people do to files, and what the watcher makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import Any

import pytest
from watchfiles._rust_notify import RustNotify

from hotmod._engine import lookout, notify
from hotmod._engine.roots import Territory
from tests.engine.watching import LONG, fresh, replace, watching
from tests.oracle.project import Project

EDITOR_RUBBISH = (".config.py.swp", ".config.py.swx", "config.py~", "4913", ".#config.py", "#config.py#")
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")


def git(project: Project, *arguments: str) -> None:
    """Run git in the project's folder, whatever the machine's own settings are."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run([*GIT, *arguments], cwd=project.folder, env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("name", EDITOR_RUBBISH)
def test_what_editors_leave_beside_is_not_looked_at(shop: Project, name: str) -> None:
    """Swap, lock and backup files make no attempt, whatever is in them."""
    with watching("shop") as watcher:
        (shop.folder / "shop" / name).write_text("raise SystemExit\n")
        replace(shop.folder / "shop" / "config.py", "TAX = 2\n")
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)
        assert [report.status for report in watcher.history] == ["applied"]


def test_a_save_that_moves_the_old_file_away_first(shop: Project) -> None:
    """A file that is missing for a moment, as with vim's backups, is no deleted module."""
    path = shop.folder / "shop" / "config.py"
    with watching("shop") as watcher:
        for tax in (2, 3, 4):
            path.rename(path.with_name("config.py~"))
            path.write_text(f"TAX = {tax}\n")
            assert watcher.next_report(timeout=LONG).status == "applied"
        assert {report.executed for report in watcher.history} == {("shop.config", "shop.cart")}


def test_a_missing_file_is_believed_after_a_while(shop: Project) -> None:
    """A module whose file stays away is removed from the process."""
    with watching("shop") as watcher:
        shop.delete("shop/other.py")
        report = watcher.next_report(timeout=LONG)
        assert (report.status, report.changed) == ("applied", ("shop.other",))
    assert "shop.other" not in sys.modules


def test_a_file_that_is_empty_for_a_moment_waits(shop: Project) -> None:
    """A file that is cut to nothing and written a little later is one edit."""
    path = shop.folder / "shop" / "config.py"
    with watching("shop") as watcher:
        with path.open("w") as file:
            other = shop.folder / "shop" / "other.py"
            other.write_text("STATE = [1]\n")  # a second event, so that there is something to apply
            with pytest.raises(TimeoutError):
                watcher.next_report(timeout=0.1)
            file.write("TAX = 5\n")
        report = watcher.next_report(timeout=LONG)
        assert (report.status, report.changed) == ("applied", ("shop.config", "shop.other"))
        assert len(watcher.history) == 1


def test_an_emptied_file_is_believed_after_a_while(shop: Project) -> None:
    """A module whose file stays empty is an empty module, as in a fresh process."""
    with watching("shop") as watcher:
        shop.write({"shop/other.py": ""})
        assert watcher.next_report(timeout=LONG).changed == ("shop.other",)
    assert str(hasattr(sys.modules["shop.other"], "STATE")) == fresh(
        shop, "hasattr(shop.other, 'STATE')", "shop.other"
    )


def test_a_half_written_file_gets_time(shop: Project) -> None:
    """A file that does not parse yet, and does after the next piece, is one applied edit."""
    path = shop.folder / "shop" / "config.py"
    with watching("shop") as watcher:
        with path.open("w") as file:
            file.write("TAX = (\n")
            file.flush()
            with pytest.raises(TimeoutError):
                watcher.next_report(timeout=0.04)
            file.write("6)\n")
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert len(watcher.history) == 1


def test_a_checkout_is_one_transaction(project: Project) -> None:
    """A `git checkout` that changes 200 files, adds some and deletes others is applied as a whole."""
    first = {f"farm/m{n}.py": f"from farm import base\nV = {n} * base.FACTOR\n" for n in range(200)}
    project.write({"farm/__init__.py": "", "farm/base.py": "FACTOR = 1\n", **first})
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    git(project, "checkout", "-q", "-b", "other")
    second = {f"farm/m{n}.py": f"from farm import ground\nV = {n} * ground.FACTOR\n" for n in range(200)}
    project.write({"farm/ground.py": "FACTOR = 10\n", **second})
    project.delete("farm/base.py")
    git(project, "add", "-A", ".")
    git(project, "commit", "-q", "-m", "two")
    git(project, "checkout", "-q", "main")
    project.load(*(f"farm.m{n}" for n in range(200)))
    with watching("farm") as watcher:
        git(project, "checkout", "-q", "other")
        report = watcher.next_report(timeout=LONG)
        assert (report.status, len(watcher.history)) == ("applied", 1)
        assert len([name for name in report.changed if name.startswith("farm.m")]) == 200
        values = "[sys.modules[f'farm.m{n}'].V for n in range(200)]"
        imports = [f"farm.m{n}" for n in range(200)]
        assert str(eval(values)) == fresh(project, values, "sys", *imports)
        git(project, "checkout", "-q", "main")
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert sys.modules["farm.m7"].V == 7
        assert len(watcher.history) == 2


def test_a_checkout_in_pieces_ends_right(project: Project) -> None:
    """Files that come too far apart for one burst end as one applied transaction over all of them."""
    project.write({"farm/__init__.py": "", **{f"farm/m{n}.py": "import farm\n" for n in range(20)}})
    project.load(*(f"farm.m{n}" for n in range(20)))
    with watching("farm", delay=0) as watcher:
        for n in range(20):
            project.write({f"farm/m{n}.py": f"from farm.ground import FACTOR\nV = FACTOR * {n}\n"})
        assert watcher.next_report(timeout=LONG).status == "rejected"
        project.write({"farm/ground.py": "FACTOR = 2\n"})
        report = watcher.next_report(timeout=LONG)
        while report.status == "rejected":
            report = watcher.next_report(timeout=LONG)
        assert (report.status, len(report.changed)) == ("applied", 21)
        assert sys.modules["farm.m19"].V == 38


def test_git_in_the_middle_of_its_work_is_waited_for(shop: Project) -> None:
    """While git holds its index lock, here that of a linked work tree, a burst is not over."""
    (shop.folder / "repository").mkdir()
    shop.write({".git": "gitdir: repository\n"})
    lock = shop.folder / "repository" / "index.lock"
    with watching("shop", delay=0) as watcher:
        lock.touch()
        shop.write({"shop/config.py": "TAX = 2\n"})
        with pytest.raises(TimeoutError):
            watcher.next_report(timeout=0.4)
        shop.write({"shop/cart.py": "from shop.config import TAX\n"})
        lock.unlink()
        assert watcher.next_report(timeout=LONG).changed == ("shop.cart", "shop.config")


def test_git_that_begins_while_files_are_read_is_waited_for(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst that was over when git began gives way, as does the look at all files when a watcher begins."""
    lock = shop.folder / ".git" / "index.lock"
    lock.parent.mkdir()
    take, begun = lookout.Lookout.take, threading.Event()

    def take_and_lock(self: lookout.Lookout) -> frozenset[str] | None:
        paths = take(self)
        if not begun.is_set():
            lock.touch()
            shop.write({"shop/config.py": "TAX = 2\n"})
            begun.set()
        return paths

    with watching("shop", delay=0) as watcher:
        monkeypatch.setattr(lookout.Lookout, "take", take_and_lock)
        shop.write({"shop/other.py": "STATE = [1]\n"})
        assert begun.wait(LONG)
        with pytest.raises(TimeoutError):
            watcher.next_report(timeout=0.4)
        shop.write({"shop/cart.py": "from shop.config import TAX\n"})
        lock.unlink()
        assert watcher.next_report(timeout=LONG).changed == ("shop.cart", "shop.config", "shop.other")
        assert len(watcher.history) == 1


def test_a_lock_that_git_left_behind_is_not_waited_for(shop: Project) -> None:
    """An index lock that stays delays saves once, not for ever."""
    (shop.folder / ".git").mkdir()
    (shop.folder / ".git" / "index.lock").touch()
    with watching("shop") as watcher:
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            assert watcher.next_report(timeout=LONG).status == "applied"


def test_a_new_package_is_watched(shop: Project) -> None:
    """A sub-package that is made while watching is followed into all of its folders."""
    with watching("shop") as watcher:
        shop.write(
            {"shop/new/__init__.py": "", "shop/new/deep/__init__.py": "", "shop/new/deep/leaf.py": "X = 1\n"}
        )
        shop.write({"shop/other.py": "from shop.new.deep.leaf import X\n"})
        while watcher.next_report(timeout=LONG).status != "applied":
            assert watcher.status == "rejected"
        shop.write({"shop/new/deep/leaf.py": "X = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.new.deep.leaf",)
        assert sys.modules["shop.other"].X == 2


def test_a_folder_that_is_moved_in_is_watched(shop: Project) -> None:
    """A folder that is renamed into the package with its files is looked at, and watched from then on."""
    shop.write({"aside/__init__.py": "", "aside/leaf.py": "X = 1\n"})
    with watching("shop") as watcher:
        (shop.folder / "aside").rename(shop.folder / "shop" / "aside")
        shop.write({"shop/other.py": "from shop.aside.leaf import X\n"})
        while watcher.next_report(timeout=LONG).status != "applied":
            assert watcher.status == "rejected"
        replace(shop.folder / "shop" / "aside" / "leaf.py", "X = 2\n")
        assert watcher.next_report(timeout=LONG).changed == ("shop.aside.leaf",)


def test_a_module_becomes_a_package(shop: Project) -> None:
    """A module that is replaced by a package of its name is loaded from there, as in a fresh process."""
    cart = shop.load("shop.cart")
    with watching("shop") as watcher:
        with watcher.hold():
            shop.delete("shop/config.py")
            shop.write(
                {
                    "shop/config/__init__.py": "from shop.config.rates import TAX\n",
                    "shop/config/rates.py": "TAX = 4\n",
                }
            )
        assert watcher.next_report(timeout=LONG).status == "applied"
        shop.write({"shop/config/rates.py": "TAX = 40\n"})
        assert watcher.next_report(timeout=LONG).status == "applied"
    assert str(cart.total(1)) == fresh(shop, "shop.cart.total(1)", "shop.cart") == "41"


def test_a_package_goes_and_comes_back(shop: Project) -> None:
    """When the whole package is moved away and back in two steps, edits are seen as before."""
    with watching("shop") as watcher:
        with watcher.hold():
            (shop.folder / "shop").rename(shop.folder / "away")
            (shop.folder / "away").rename(shop.folder / "shop")
        for tax in (2, 3):
            shop.write({"shop/config.py": f"TAX = {tax}\n"})
            assert watcher.next_report(timeout=LONG).changed == ("shop.config",)


def test_a_folder_that_is_made_again_is_watched_again(shop: Project) -> None:
    """A sub-folder that is deleted and made anew, with the same names in it, does not fall out of sight."""
    shop.write({"shop/sub/__init__.py": "", "shop/sub/leaf.py": "X = 1\n"})
    leaf = shop.load("shop.sub.leaf")
    with watching("shop") as watcher:
        with watcher.hold():
            shutil.rmtree(shop.folder / "shop" / "sub")
            shop.write({"shop/sub/__init__.py": "", "shop/sub/leaf.py": "X = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.sub.leaf",)
        shop.write({"shop/sub/leaf.py": "X = 3\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.sub.leaf",)
        assert leaf.X == 3


def test_a_folder_that_is_gone_just_while_it_is_to_be_watched(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sub-folder that goes after it was listed, and comes back before its parent is watched, is watched."""
    shop.write({"shop/sub/__init__.py": "", "shop/sub/leaf.py": "X = 1\n"})
    leaf = shop.load("shop.sub.leaf")
    make, survey = notify.RustNotify, lookout.survey_folders
    away: list[bool] = []

    def vanish(*arguments: Any) -> Territory:
        found = survey(*arguments)
        if not away:
            shutil.rmtree(shop.folder / "shop" / "sub")
            away.append(True)
        return found

    def come_back(*arguments: Any) -> RustNotify:
        shop.write({"shop/sub/__init__.py": "", "shop/sub/leaf.py": "X = 2\n"})
        return make(*arguments)

    monkeypatch.setattr(lookout, "survey_folders", vanish)
    monkeypatch.setattr(notify, "RustNotify", come_back)
    with watching("shop") as watcher:
        assert watcher.next_report(timeout=LONG).changed == ("shop.sub.leaf",)
        shop.write({"shop/sub/leaf.py": "X = 3\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.sub.leaf",)
        assert leaf.X == 3


def test_a_deleted_folder_is_survived(shop: Project) -> None:
    """Modules of a deleted sub-folder go, and the rest is watched as before."""
    shop.write({"shop/sub/__init__.py": "", "shop/sub/leaf.py": "X = 1\n"})
    shop.load("shop.sub.leaf")
    with watching("shop") as watcher:
        shutil.rmtree(shop.folder / "shop" / "sub")
        assert watcher.next_report(timeout=LONG).status == "applied"
        assert "shop.sub.leaf" not in sys.modules
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)


def test_a_folder_of_plugins_is_watched(shop: Project) -> None:
    """Modules of a folder outside of any package are followed, new ones included."""
    shop.write({"plugins/red.py": "COLOUR = 1\n"})
    (shop.folder / "plugins" / "node_modules").mkdir()
    sys.path.insert(0, str(shop.folder / "plugins"))
    try:
        red = shop.load("red")
        with watching(shop.folder / "plugins") as watcher:
            shop.write({"plugins/red.py": "COLOUR = 2\n"})
            assert watcher.next_report(timeout=LONG).changed == ("red",)
            shop.write({"plugins/blue.py": "COLOUR = 1\n"})
            shop.load("blue")
            shop.write({"plugins/blue.py": "COLOUR = 20\n"})
            assert watcher.next_report(timeout=LONG).changed == ("blue",)
        assert (red.COLOUR, sys.modules["blue"].COLOUR) == (2, 20)
    finally:
        sys.path.remove(str(shop.folder / "plugins"))


def test_a_module_imported_later_is_followed(shop: Project) -> None:
    """A submodule that is imported after `watch` is in scope from its import on."""
    shop.write({"shop/late.py": "X = 1\n"})
    with watching("shop") as watcher:
        late = shop.load("shop.late")
        shop.write({"shop/late.py": "X = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.late",)
        assert late.X == 2


def test_a_package_that_is_not_loaded_yet_is_watched(shop: Project) -> None:
    """A target that is only found, not imported, is followed once the program imports it."""
    shop.write({"depot/__init__.py": "", "depot/stock.py": "ITEMS = 1\n"})
    with watching("depot") as watcher:
        stock = shop.load("depot.stock")
        shop.write({"depot/stock.py": "ITEMS = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("depot.stock",)
        assert stock.ITEMS == 2


def test_a_linked_file_is_followed_to_where_it_lies(shop: Project) -> None:
    """A module whose file is a link is reloaded when the file that it points to is saved."""
    shop.write({"elsewhere/real.py": "X = 1\n"})
    (shop.folder / "shop" / "linked.py").symlink_to(shop.folder / "elsewhere" / "real.py")
    linked = shop.load("shop.linked")
    with watching("shop") as watcher:
        shop.write({"elsewhere/real.py": "X = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.linked",)
        assert linked.X == 2


def test_only_folders_with_modules_are_watched(shop: Project) -> None:
    """Caches, hidden folders, node_modules and virtual environments cost no watches."""
    for name in ("__pycache__", ".git", "node_modules", "no-name"):
        (shop.folder / "shop" / name / "deep").mkdir(parents=True, exist_ok=True)
    shop.write({"shop/venv/pyvenv.cfg": "", "shop/venv/lib/x.py": "", "shop/data/x.txt": ""})
    with watching("shop") as watcher:
        assert watcher._lookout is not None
        watched = {os.path.relpath(path, shop.folder) for path in watcher._lookout.folders}
    assert watched == {".", "shop", os.path.join("shop", "data")}


def test_patterns_decide_what_is_applied(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An excluded file makes no attempt; the patterns are relative to the working directory."""
    monkeypatch.chdir(shop.folder)
    with watching("shop", exclude=["shop/other.py"]) as watcher:
        shop.write({"shop/other.py": "raise SystemExit\n"})
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert watcher.next_report(timeout=LONG).changed == ("shop.config",)
