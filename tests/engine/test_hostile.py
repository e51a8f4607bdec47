"""Files that are not what they seem: a clear message, a live watcher, nothing lost, and nothing executed.

Every kind of harm is done to a package that is watched. Then another module is edited, then the harm is
mended, and in the end the program is what a fresh process is.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import sys
import time
from collections.abc import Callable

import pytest

import hotmod
from hotmod._engine import texts
from tests.engine.watching import LONG, fresh, replace, until_up, watching
from tests.oracle.project import Project

MEAN = [
    ("invalid UTF-8", b"TAX = '\xff'\n", "can't decode byte 0xff"),
    ("an unknown encoding", b"# coding: klingon\nTAX = 2\n", "unknown encoding: klingon"),
    ("a NUL byte", b"TAX = 2\n\0\n", "config.py:2): SourceError"),
    ("UTF-16", "TAX = 2\n".encode("utf-16"), "config.py:1): SourceError"),
    ("parentheses", b"TAX = " + b"(" * 5000 + b")" * 5000, "too many nested parentheses"),
    ("operators", b"TAX = " + b"-" * 100_000 + b"1\n", "config.py"),
    ("terms", b"TAX = " + b" + ".join([b"1"] * 100_000), "config.py"),
    ("indentation", b"".join(b" " * n + b"if 1:\n" for n in range(101)), "too many levels of indentation"),
]


def is_mended(project: Project, watcher: hotmod.Watcher, path: pathlib.Path) -> None:
    """Edit another module while the harm stands, mend the file, and compare with a fresh process."""
    project.write({"shop/other.py": "STATE = ['edited']\n"})
    watcher.next_report(LONG)
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        path.rmdir()
    path.write_text("TAX = 7\n", "utf-8")
    wanted = ["8", "['edited']"]
    while [str(sys.modules["shop.cart"].total(1)), str(sys.modules["shop.other"].STATE)] != wanted:
        watcher.next_report(LONG)
    assert watcher.status == "applied"
    assert watcher.verify()
    found = fresh(project, "[shop.cart.total(1), shop.other.STATE]", "shop.cart", "shop.other")
    assert found == "[8, ['edited']]"


@pytest.mark.parametrize(("data", "message"), [each[1:] for each in MEAN], ids=[each[0] for each in MEAN])
def test_a_text_that_can_not_be_compiled(shop: Project, data: bytes, message: str) -> None:
    """The report says what is wrong with the text and where, and the watcher goes on."""
    path = shop.folder / "shop/config.py"
    with watching("shop") as watcher:
        path.write_bytes(data)
        report = watcher.next_report(LONG)
        assert report.status == "rejected"
        assert not report.internal
        assert message in str(report)
        assert sys.modules["shop.config"].TAX == 1
        is_mended(shop, watcher, path)


VALID = {
    "a chain of elif": "TAX = 2\nif TAX == 0: pass\n"
    + "".join(f"elif TAX == {n + 9}: pass\n" for n in range(3000)),
    "nested blocks": "TAX = 2\n" + "".join(" " * n + "if 1:\n" for n in range(99)) + " " * 99 + "pass\n",
    "nested lists": "TAX = 2\nx = " + "[" * 99 + "]" * 99 + "\n",
    "attributes": "TAX = 2\ndef f(x): return x" + ".a" * 3000 + "\n",
}


def compiled(text: str) -> None:
    """Skip the test where this version of Python does not go as deep."""
    try:
        compile(text, "config.py", "exec")
    except (RecursionError, MemoryError, SyntaxError) as error:
        pytest.skip(f"this Python can't compile it: {error}")


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_a_text_that_nests_as_deep_as_python_allows(shop: Project, text: str) -> None:
    """What Python can import is applied, also where it can't be looked at statement by statement."""
    compiled(text)
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": text})
    reloader.reload(check=True)
    assert sys.modules["shop.cart"].total(1) == 3
    shop.write({"shop/config.py": text.replace("TAX = 2", "TAX = 5", 1)})
    reloader.reload(check=True)
    assert sys.modules["shop.cart"].total(1) == 6
    assert reloader.verify()
    assert fresh(shop, "shop.cart.total(1)", "shop.cart") == "6"


def test_an_importer_that_nests_deeply_follows(project: Project) -> None:
    """A module that can't be looked at runs when what it imports changes, and its importers follow."""
    chain = "".join(f"elif TAX == {n + 9}: pass\n" for n in range(3000))
    compiled(f"TAX = 1\nif TAX == 0: pass\n{chain}")
    project.write(
        {
            "shop/__init__.py": "",
            "shop/config.py": "TAX = 1\n",
            "shop/rates.py": f"from shop.config import TAX\nif TAX == 0: pass\n{chain}RATE = TAX * 2\n",
            "shop/cart.py": "from shop.rates import RATE, TAX\nBOTH = [RATE, TAX]\n",
        }
    )
    project.load("shop.cart")
    reloader = hotmod.Reloader("shop")
    project.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    assert sys.modules["shop.cart"].BOTH == [4, 2]


# Large files


def test_a_large_text_is_refused(shop: Project) -> None:
    """A module of 50 MB is not analysed: the report names its size and the limit within a moment."""
    path = shop.folder / "shop/config.py"
    with watching("shop") as watcher:
        replace(path, "x = 1\n" * (50_000_000 // 6))
        report = watcher.next_report(LONG)
        assert "has 50.0 MB, and modules of up to 8 MB are reloaded" in str(report)
        assert report.seconds < 10
        found = watcher.verify()
        assert [(each.module, each.why) for each in found.differences] == [("shop.config", "edited")]
        is_mended(shop, watcher, path)


def test_a_long_text_is_applied_as_a_whole(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of very many lines is not looked at by statements: it runs, and so do its importers."""
    monkeypatch.setattr(texts, "MAX_LINES", 100)
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n" + "x = 1\n" * 200})
    report = reloader.reload(check=True)
    assert report.ran == ("shop.config", "shop.cart")
    assert sys.modules["shop.cart"].total(1) == 3
    assert reloader.verify()


def test_a_large_file_that_nobody_imports_is_left_alone(shop: Project) -> None:
    """A file of 50 MB that appears beside the modules costs nothing."""
    with watching("shop") as watcher:
        (shop.folder / "shop/data.py").write_bytes(b"x = 1\n" * (50_000_000 // 6))
        is_mended(shop, watcher, shop.folder / "shop/config.py")


def test_a_large_module_that_is_loaded_does_not_matter(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module above the limit that is loaded and unchanged keeps no other edit from being applied."""
    shop.write({"shop/data.py": f"from shop.config import TAX\nDATA = {'x' * 3000!r}\nBIG = TAX\n"})
    shop.load("shop.data")
    monkeypatch.setattr(texts, "MAX_SIZE", 1000)
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 3\n"})
    reloader.reload(check=True)
    assert sys.modules["shop.data"].BIG == 3
    assert reloader.verify()


# What is no file


def fifo(path: pathlib.Path) -> None:
    os.mkfifo(path.with_name(".new"))
    path.with_name(".new").replace(path)


def folder(path: pathlib.Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def device(path: pathlib.Path) -> None:
    path.with_name(".new").symlink_to("/dev/zero")
    path.with_name(".new").replace(path)


def endless(path: pathlib.Path) -> None:
    path.with_name(".new").symlink_to(path)
    path.with_name(".new").replace(path)


def bound(path: pathlib.Path) -> None:
    here = pathlib.Path.cwd()
    os.chdir(path.parent)  # the name of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(".new")
    os.chdir(here)
    path.with_name(".new").replace(path)


NO_FILES = [fifo, folder, device, endless, bound]
posix = pytest.mark.skipif(os.name != "posix", reason="these are of POSIX")


@posix
@pytest.mark.parametrize("make", NO_FILES)
def test_what_takes_the_place_of_a_module(shop: Project, make: Callable[[pathlib.Path], None]) -> None:
    """A FIFO, folder, device, socket or endless link in place of a module is refused, and hangs nothing."""
    path = shop.folder / "shop/config.py"
    with watching("shop") as watcher:
        make(path)
        report = watcher.next_report(LONG)
        assert (report.status, report.internal) == ("rejected", False)
        assert "config.py" in str(report)
        assert watcher.verify().differences[0].why == "edited"
        shop.write({"shop/cart.py": (shop.folder / "shop/cart.py").read_text("utf-8") + "# more\n"})
        assert (
            watcher.next_report(LONG).status == "rejected"
        )  # none of several is applied while one is broken
        assert watcher.status == "rejected"
        is_mended(shop, watcher, path)


@posix
@pytest.mark.parametrize("make", NO_FILES)
def test_what_appears_beside_the_modules(shop: Project, make: Callable[[pathlib.Path], None]) -> None:
    """None of these matters under the name of a module that nobody imports."""
    with watching("shop") as watcher:
        make(shop.folder / "shop/x.py")
        is_mended(shop, watcher, shop.folder / "shop/config.py")


@posix
def test_a_fifo_that_was_there_first(shop: Project) -> None:
    """A watcher that begins where a module's file has become a FIFO does not wait for a writer."""
    path = shop.folder / "shop/config.py"
    fifo(path)
    with hotmod.watch("shop") as watcher:
        until_up(watcher)
        is_mended(shop, watcher, path)


# Links


@posix
def test_links_that_lead_in_circles(shop: Project) -> None:
    """Folders that link to themselves, to each other or above are walked once, whenever they appear."""
    inside = shop.folder / "shop"
    (inside / "early").symlink_to(inside)
    with watching("shop") as watcher:
        (inside / "loop").symlink_to(inside)
        (inside / "one").symlink_to(inside / "two")
        (inside / "two").symlink_to(inside / "one")
        (inside / "up").symlink_to(shop.folder)
        is_mended(shop, watcher, inside / "config.py")


@posix
def test_a_module_whose_file_lies_elsewhere(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link to a file outside of the package is read like a file, and an edit of that file is seen."""
    outside = tmp_path_factory.mktemp("outside") / "rates.py"
    outside.write_text("TAX = 1\n", "utf-8")
    path = shop.folder / "shop/config.py"
    path.unlink()
    path.symlink_to(outside)
    with watching("shop") as watcher:
        replace(outside, "TAX = 4\n")
        while sys.modules["shop.cart"].total(1) != 5:
            watcher.next_report(LONG)
        is_mended(shop, watcher, path)
    assert outside.read_text("utf-8") == "TAX = 4\n"


# Permissions, and folders that vanish


def test_a_file_that_may_not_be_read(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without permission is a rejection that says so; nothing else is applied until it can be read."""
    real, closed = os.open, str(shop.folder / "shop/config.py")

    def guarded(path: object, *arguments: object, **options: object) -> int:
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    reloader = hotmod.Reloader("shop")
    with monkeypatch.context() as patch:  # root may read everything: a mode would not do
        patch.setattr(os, "open", guarded)
        shop.write({"shop/config.py": "TAX = 2\n", "shop/other.py": "STATE = [1]\n"})
        report = reloader.reload()
        assert report.status == "rejected"
        assert "config.py: can't be read: Permission denied" in str(report)
        assert sys.modules["shop.other"].STATE == []
        said = next(each.message for each in reloader.verify().differences if not each.name)
        assert said.startswith("can't be read: Permission denied")
    assert reloader.reload(check=True).changed == ("shop.config", "shop.other")


@pytest.mark.parametrize("whole", [False, True], ids=["the package", "the folder around it"])
def test_a_package_that_vanishes_is_waited_for(shop: Project, tmp_path: pathlib.Path, whole: bool) -> None:
    """While all of a package is gone the program keeps it, and when it is back edits are applied."""
    before = shop.snapshot()
    files = {path.name: path.read_text("utf-8") for path in (shop.folder / "shop").glob("*.py")}
    with watching("shop") as watcher:
        shutil.rmtree(shop.folder if whole else shop.folder / "shop")
        report = watcher.next_report(LONG)
        assert "the folder is gone; what was loaded from it goes on" in str(report)
        assert str(report).endswith(" Put it back.")
        assert (report.status, watcher.status) == ("rejected", "rejected")
        assert not before.differences(shop.snapshot())
        (shop.folder / "shop").mkdir(parents=True)
        for name, text in files.items():
            (shop.folder / "shop" / name).write_text(text, "utf-8")
        while watcher.status not in ("unchanged", "applied"):
            watcher.next_report(LONG)
        assert not before.differences(shop.snapshot())
        is_mended(shop, watcher, shop.folder / "shop/config.py")
    assert tmp_path


@pytest.mark.parametrize("exclude", [(), ("*_pb2.py",)], ids=["no patterns", "patterns"])
def test_a_working_directory_that_vanishes(
    shop: Project, monkeypatch: pytest.MonkeyPatch, exclude: tuple[str, ...]
) -> None:
    """A program whose working directory was removed is watched as before."""
    gone = shop.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with watching("shop", exclude=exclude) as watcher:
        gone.rmdir()
        shop.write({"shop/config.py": "1 / 0\n"})
        assert watcher.next_report(LONG).status == "rejected"
        hotmod.annotate(ValueError())
        is_mended(shop, watcher, shop.folder / "shop/config.py")


# Clocks


@pytest.mark.parametrize("stamp", [0.0, 4_000_000_000.0], ids=["1970", "2096"])
def test_time_stamps_do_not_matter(shop: Project, stamp: float) -> None:
    """Edits whose files are of another century, and all of the same second, are applied one by one."""
    path = shop.folder / "shop/config.py"
    with watching("shop") as watcher:
        for number in (2, 3, 4):
            path.write_text(f"TAX = {number}\n", "utf-8")
            os.utime(path, (stamp, stamp))
            while sys.modules["shop.cart"].total(0) != number:
                watcher.next_report(LONG)
        is_mended(shop, watcher, path)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back", "forth"])
def test_a_clock_that_jumps(shop: Project, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    """When the clock is set while a watcher begins or runs, an edit is neither missed nor waited for."""
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(jump * 1e9))
    with hotmod.watch("shop") as watcher:
        shop.write({"shop/config.py": "TAX = 3\n"})
        watcher.next_report(LONG)
        assert sys.modules["shop.cart"].total(1) == 4
        monkeypatch.undo()
        is_mended(shop, watcher, shop.folder / "shop/config.py")
