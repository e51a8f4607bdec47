"""Names that are no names, and files that appear: nothing is executed or imported because a file is there."""

from __future__ import annotations

import os
import pathlib
import sys
import unicodedata
from typing import Literal

import pytest

import hotmod
from tests.engine.watching import LONG, fresh, watching
from tests.oracle.project import Project

posix = pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")


def loaded(project: Project) -> set[str]:
    """The modules that come from the project; hotmod and the interpreter load some of theirs late."""
    files = {name: str(getattr(module, "__file__", "")) for name, module in sys.modules.items()}
    return {name for name, file in files.items() if file.startswith(str(project.folder))}


def is_applied(project: Project, watcher: hotmod.Watcher, number: int) -> None:
    """Edit the package, and compare with a fresh process."""
    project.write({"shop/config.py": f"TAX = {number}\n"})
    while sys.modules["shop.cart"].total(0) != number:
        watcher.next_report(LONG)
    assert fresh(project, "shop.cart.total(1)", "shop.cart") == str(sys.modules["shop.cart"].total(1))


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names")
def test_a_name_that_is_no_text(shop: Project) -> None:
    """Files and folders whose names are no UTF-8 come and go, and the watcher goes on as before."""
    inside = os.fsencode(shop.folder / "shop")
    before = loaded(shop)
    with watching("shop") as watcher:
        for number in (2, 3):
            with open(inside + b"/x\xff.py", "wb") as file:
                file.write(b"1 / 0\n")
            os.mkdir(inside + b"/d\xff")
            is_applied(shop, watcher, number)
            os.remove(inside + b"/x\xff.py")
            os.rmdir(inside + b"/d\xff")
        is_applied(shop, watcher, 4)
        assert not watcher.stopped
        assert watcher.verify()
    assert loaded(shop) == before


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_module_whose_name_is_not_ascii(project: Project, form: Literal["NFC", "NFD"]) -> None:
    """A module with letters beyond ASCII is reloaded under the name by which it was imported."""
    name = unicodedata.normalize(form, "größe")
    project.write(
        {"shop/__init__.py": "", f"shop/{name}.py": "WERT = 1\n\n\ndef frage():\n    return WERT\n"}
    )
    module = project.load(f"shop.{name}")
    with watching("shop") as watcher:
        project.write({f"shop/{name}.py": "WERT = 2\n\n\ndef frage():\n    return WERT + 1\n"})
        assert watcher.next_report(LONG).changed == (f"shop.{name}",)
        assert watcher.verify()
    assert module.frage() == 3


def test_two_names_that_differ_in_case(shop: Project) -> None:
    """Where the disk tells `Config.py` from `config.py`, these are two modules."""
    other = shop.folder / "shop/Config.py"
    with watching("shop") as watcher:
        if not other.exists():
            other.write_text("raise SystemExit\n", "utf-8")
        is_applied(shop, watcher, 5)
        assert watcher.verify()
    assert "shop.Config" not in sys.modules


def test_a_module_that_is_renamed_to_another_case(shop: Project) -> None:
    """A file renamed from `other.py` to `Other.py` is gone under its old name, if the disk is exact."""
    path = shop.folder / "shop/other.py"
    if (shop.folder / "shop/OTHER.py").exists():
        pytest.skip("this disk does not tell upper from lower case")
    with watching("shop") as watcher:
        path.rename(path.with_name("Other.py"))
        report = watcher.next_report(LONG)
        assert (report.status, report.changed) == ("applied", ("shop.other",))
        is_applied(shop, watcher, 6)
    assert "shop.Other" not in sys.modules


@posix
def test_a_name_that_is_too_long_or_odd(shop: Project) -> None:
    """Names at the limit of the file system, with line ends and quotes, matter to nobody."""
    with watching("shop") as watcher:
        for name in ("x" * 252 + ".py", "a\nb.py", "'; import x.py", "-.py", ".py", "__init__ .py", "a b.py"):
            (shop.folder / "shop" / name).write_text("raise SystemExit\n", "utf-8")
        is_applied(shop, watcher, 7)


EVIL = """
import pathlib
pathlib.Path({mark!r}).touch()
raise SystemExit
"""

PLACES = [
    "shop/new.py",
    "shop/__main__.py",
    "shop/conftest.py",
    "shop/sub/__init__.py",
    "shop/sub/deep/module.py",
    "shop/config/__main__.py",
    "sitecustomize.py",
    "usercustomize.py",
    "conftest.py",
    "setup.py",
    "this.py",
    "antigravity.py",
    "hotmod.py",
    "watchfiles.py",
    "shop2/__init__.py",
    "plugins/late.py",
]


def test_a_file_that_appears_is_not_executed(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What appears in the package, beside it, or in a folder that is a target, is not run or imported."""
    mark = tmp_path_factory.mktemp("marks") / "ran"
    shop.write({"plugins/early.py": "X = 1\n"})
    before = loaded(shop)
    with watching("shop", shop.folder / "plugins") as watcher:
        for place in PLACES:
            shop.write({place: EVIL.format(mark=str(mark))})
        (shop.folder / "shop/x.pth").write_text("import sys; sys.exit()\n", "utf-8")
        (shop.folder / "shop/y.pyc").write_bytes(b"no bytecode")
        shop.write({"shop/config.py": "TAX = 8\n"})
        while sys.modules["shop.cart"].total(0) != 8:
            watcher.next_report(LONG)
        watcher.retry()
        watcher.verify()
        hotmod.graph("shop")
    assert not mark.exists()
    assert loaded(shop) == before


def test_a_link_out_of_the_package_is_not_executed(
    shop: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link to a file or a folder outside, which appears in the package, is neither run nor imported."""
    outside: pathlib.Path = tmp_path_factory.mktemp("outside")
    mark = outside / "ran"
    (outside / "evil.py").write_text(EVIL.format(mark=str(mark)), "utf-8")
    before = loaded(shop)
    with watching("shop") as watcher:
        (shop.folder / "shop/evil.py").symlink_to(outside / "evil.py")
        (shop.folder / "shop/far").symlink_to(outside)
        is_applied(shop, watcher, 2)
        (outside / "evil.py").write_text(EVIL.format(mark=str(mark)) + "# edited\n", "utf-8")
        is_applied(shop, watcher, 3)
    assert not mark.exists()
    assert loaded(shop) == before


def test_an_importer_gets_what_it_asks_for(shop: Project) -> None:
    """A file that appears is imported where an edited statement asks for it, and only then."""
    with watching("shop") as watcher:
        shop.write({"shop/new.py": "NEW = 1\n"})
        is_applied(shop, watcher, 2)
        assert "shop.new" not in sys.modules
        shop.write({"shop/other.py": "from shop.new import NEW as STATE\n"})
        watcher.next_report(LONG)
        assert sys.modules["shop.other"].STATE == 1
        assert watcher.verify()
