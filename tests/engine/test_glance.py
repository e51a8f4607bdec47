"""The glance: what was saved before it is applied when it returns, whatever the kernel tells."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import hotmod
from hotmod._engine import glance as module
from hotmod._engine import mounts as mounted
from hotmod._engine.glance import Glance
from hotmod._engine.notify import Notifier
from hotmod._engine.reloader import Reloader
from tests.engine.watching import LONG, fresh, replace
from tests.oracle.project import Project

Making = Callable[..., Glance]


@pytest.fixture
def look(shop: Project) -> Iterator[Making]:
    """Makes a glance of some targets that has looked once."""
    made: list[Glance] = []

    def make(*targets: str) -> Glance:
        made.append(Glance(hotmod.Reloader(*(targets or ("shop",))), delay=0.01))
        made[-1].bring_up_to_date()
        return made[-1]

    yield make
    for each in made:
        each.close()


def in_place(path: pathlib.Path, text: str) -> None:
    """Save over what is there."""
    path.write_text(text, "utf-8")


def by_another_name(path: pathlib.Path, text: str) -> None:
    """Save through another name of the same file, in a folder that nobody watches."""
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    if not (elsewhere / "name").exists():
        os.link(path, elsewhere / "name")
    (elsewhere / "name").write_text(text, "utf-8")


def in_another_process(path: pathlib.Path, text: str) -> None:
    """Save by a process that ends right after."""
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    subprocess.run([sys.executable, "-I", "-S", "-c", program, str(path), text], check=True)


@pytest.mark.parametrize("save", [in_place, replace, by_another_name, in_another_process])
def test_a_save_is_never_missed(shop: Project, look: Making, save: Callable[..., None]) -> None:
    """However a file is saved, the glance right after it applies the edit, and the next finds nothing."""
    glance = look()
    for number in range(3):
        save(shop.folder / "shop/config.py", f"TAX = {number + 5}\n")
        report = glance.bring_up_to_date()
        assert report is not None
        assert report.status == "applied"
        total = sys.modules["shop.cart"].total(1)
        assert str(total) == fresh(shop, "shop.cart.total(1)", "shop.cart") == str(number + 6)
        assert glance.bring_up_to_date() is None


def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notifier, "catch_up", lambda _: False)
    monkeypatch.setattr(Notifier, "poll", lambda _: set())


def poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")


def share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "shared", lambda _: True)
    monkeypatch.setattr(Notifier, "poll", lambda _: set())


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    monkeypatch.setattr(Notifier, "poll", lambda _: set())


@pytest.mark.parametrize("happens", [silence, poll, share, elsewhere])
def test_nothing_depends_on_events(
    shop: Project, look: Making, happens: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel does not tell, or not in time, every file is asked for, however many there are."""
    monkeypatch.setattr(module, "SLICE", 2)
    names = [f"many{number}" for number in range(20)]
    shop.write({f"shop/{name}.py": "X = 0\n" for name in names})
    shop.load(*(f"shop.{name}" for name in names))
    happens(monkeypatch)
    glance = look()
    for number in range(1, 4):
        for name in (names[0], names[len(names) // 2], names[-1]):
            shop.write({f"shop/{name}.py": f"X = {number}\n"})
            glance.bring_up_to_date()
            assert vars(sys.modules[f"shop.{name}"])["X"] == number


def test_the_temporary_folder_may_vanish(shop: Project, look: Making) -> None:
    """If somebody clears the folder in which the kernel is asked for its events, no save is missed."""
    glance = look()
    beacon = glance._lookout._notifier._beacon
    assert beacon is not None
    shutil.rmtree(beacon)
    shop.write({"shop/config.py": "TAX = 5\n"})
    glance.bring_up_to_date()
    assert sys.modules["shop.config"].TAX == 5


def test_it_leaves_nothing_behind(look: Making) -> None:
    """A closed glance has no folder and watches nothing; closing twice is fine."""
    glance = look()
    beacon = glance._lookout._notifier._beacon
    assert beacon is not None
    glance.close()
    glance.close()
    assert not os.path.exists(beacon)


def test_what_was_refused_is_not_attempted_again(shop: Project, look: Making) -> None:
    """A refused version is told once; anything new on disk ends that, and so does asking for it."""
    glance = look()
    shop.write({"shop/config.py": "TAX = 1 / 0\n"})
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.status == "rejected"
    assert glance.bring_up_to_date() is None
    assert glance.waiting() == ("shop.config",)
    assert glance.retry().status == "rejected"
    assert glance.bring_up_to_date() is None
    shop.write({"shop/config.py": "TAX = 3\n"})
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.status == "applied"
    assert glance.waiting() == ()


def test_a_file_that_is_missing_for_a_moment(
    shop: Project, look: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was moved away and comes back while the glance waits for it is an edit, no loss."""
    glance = look()
    path = shop.folder / "shop/config.py"
    path.unlink()
    turn = glance._lookout.turn

    def comes_back(**options: bool) -> bool:
        if not path.exists():
            path.write_text("TAX = 7\n", "utf-8")
        return turn(**options)

    monkeypatch.setattr(glance._lookout, "turn", comes_back)
    report = glance.bring_up_to_date()
    assert report is not None
    assert (report.status, report.cleared) == ("applied", ())
    assert sys.modules["shop.cart"].total(1) == 8


def test_a_file_that_is_gone(shop: Project, look: Making) -> None:
    """A module whose file stays away leaves the process."""
    glance = look()
    shop.delete("shop/other.py")
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.cleared == ("shop.other",)


def test_an_edit_that_has_to_wait_is_not_forgotten(shop: Project, look: Making) -> None:
    """An edit that stable blocks kept out is applied by a glance after these have ended."""
    glance = look()
    glance.reloader.config = dataclasses.replace(glance.reloader.config, patience=0.05)
    inside, go = threading.Event(), threading.Event()

    def work() -> None:
        with hotmod.stable():
            inside.set()
            go.wait(LONG)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(LONG)
    shop.write({"shop/config.py": "TAX = 5\n"})
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.postponed
    go.set()
    thread.join(LONG)
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.status == "applied"


def test_an_interruption_loses_nothing(shop: Project, look: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C in the middle of a glance the next one applies what was saved."""
    glance = look()
    shop.write({"shop/config.py": "TAX = 5\n"})

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Reloader, "attempt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            glance.bring_up_to_date()
    report = glance.bring_up_to_date()
    assert report is not None
    assert report.status == "applied"


@pytest.mark.parametrize(
    ("kind", "shared"), [("ext4", False), ("nfs4", True), ("fuse.sshfs", True), ("9p", True)]
)
def test_which_folders_are_shared(
    tmp_path: pathlib.Path, kind: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders on file systems that other machines write to are known by what is mounted."""
    device = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:21 / /proc rw shared:1 - proc proc rw\n"
        f"23 1 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {kind} root rw\n"
    )
    monkeypatch.setattr(mounted, "_MOUNTS", str(mounts))
    assert mounted.shared([str(tmp_path)]) is shared
    monkeypatch.setattr(mounted, "_MOUNTS", str(tmp_path / "none"))
    assert mounted.shared([str(tmp_path)]) is None
