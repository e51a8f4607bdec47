from __future__ import annotations

import sys

import pytest

import hotmod
from tests.oracle.project import Project


def test_the_very_same_objects_come_back(shop: Project) -> None:
    """`rollback()` puts back the identical functions, classes and values of all modules that ran."""
    reloader = hotmod.Reloader("shop")
    cart, config = sys.modules["shop.cart"], sys.modules["shop.config"]
    before = {name: (module, dict(vars(module))) for name, module in (("cart", cart), ("config", config))}
    shop.write({"shop/config.py": "TAX = 2\nNEW = 1\n"})
    reloader.reload(check=True)
    report = reloader.rollback()
    assert report.status == "applied"
    assert report.changed == ("shop.config",)
    for module, space in before.values():
        assert sys.modules[module.__name__] is module
        assert vars(module).keys() == space.keys()
        assert all(vars(module)[name] is value for name, value in space.items())


def test_several_versions_come_back_one_by_one(shop: Project) -> None:
    """Each `rollback()` goes one applied version back, and after the last kept one is an error."""
    reloader = hotmod.Reloader("shop")
    config = sys.modules["shop.config"]
    for text in ("TAX = 2\n", "TAX = 3\n"):
        shop.write({"shop/config.py": text})
        reloader.reload(check=True)
    reloader.rollback()
    assert config.TAX == 2
    reloader.rollback()
    assert config.TAX == 1
    with pytest.raises(hotmod.RollbackError, match="no applied reload to go back from"):
        reloader.rollback()
    assert config.TAX == 1


def test_at_least_three_versions_are_kept(shop: Project) -> None:
    """Three applied reloads in a row can be rolled back."""
    reloader = hotmod.Reloader("shop")
    for tax in range(2, 8):
        shop.write({"shop/config.py": f"TAX = {tax}\n"})
        reloader.reload(check=True)
    for tax in (6, 5, 4):
        reloader.rollback()
        assert tax == sys.modules["shop.config"].TAX


def test_a_refused_edit_is_no_version(shop: Project) -> None:
    """`rollback()` after a refused attempt goes back to before the last applied one."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    shop.write({"shop/config.py": "TAX = \n"})
    assert reloader.reload().status == "rejected"
    reloader.rollback()
    assert sys.modules["shop.config"].TAX == 1


def test_the_files_differ_after_a_rollback(shop: Project) -> None:
    """After `rollback()` memory differs from disk: the next `reload()` applies the files again."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    reloader.rollback()
    assert sys.modules["shop.config"].TAX == 1
    report = reloader.reload()
    assert (report.status, report.changed) == ("applied", ("shop.config",))
    assert sys.modules["shop.config"].TAX == 2
    reloader.rollback()
    shop.write({"shop/config.py": "TAX = 1\n"})
    assert reloader.reload().status == "unchanged"


def test_generations_only_grow(shop: Project) -> None:
    """A rollback is a generation of its own: the number never names two states of the program."""
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    generations = [reloader.reload().generation, reloader.rollback().generation, reloader.reload().generation]
    assert generations == [1, 2, 3]


def test_added_and_deleted_modules_go_and_come_back(shop: Project) -> None:
    """`rollback()` forgets modules that were added, and brings back the very ones that were deleted."""
    other, package = sys.modules["shop.other"], sys.modules["shop"]
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/new.py": "", "shop/cart.py": "from shop import new\n"})
    shop.delete("shop/other.py")
    reloader.reload(check=True)
    assert "shop.other" not in sys.modules
    assert sys.modules["shop.new"] is package.new
    reloader.rollback()
    assert sys.modules["shop.other"] is other is package.other
    assert "shop.new" not in sys.modules
    assert not hasattr(package, "new")


def test_what_the_program_did_since_stays(shop: Project) -> None:
    """Data that the program put into containers of other modules after the reload is not rolled back."""
    reloader = hotmod.Reloader("shop")
    shop.write(
        {
            "shop/other.py": "STATE = []\nHANDLERS = []\n",
            "shop/cart.py": "from shop.other import HANDLERS\n\n\ndef old(): ...\n\n\nHANDLERS.append(old)\n",
        }
    )
    reloader.reload(check=True)
    other, old = sys.modules["shop.other"], sys.modules["shop.cart"].old
    shop.write(
        {"shop/cart.py": "from shop.other import HANDLERS\n\n\ndef new(): ...\n\n\nHANDLERS.append(new)\n"}
    )
    reloader.reload(check=True)
    other.STATE.append("order")
    other.HANDLERS.append("mine")
    reloader.rollback()
    assert other.STATE == ["order"]
    assert sorted(other.HANDLERS, key=str) == [old, "mine"]


def test_names_that_were_rebound_elsewhere_are_bound_back(shop: Project) -> None:
    """A module that did not run, but whose names were rebound, holds the objects of before again."""
    shop.write({"shop/late.py": "def fill():\n    global Cart\n    from shop.cart import Cart\n"})
    late = shop.load("shop.late")
    late.fill()
    old = late.Cart
    reloader = hotmod.Reloader("shop")
    shop.write(
        {"shop/cart.py": "class Cart:\n    __slots__ = ()\n    size = 2\n"}
    )  # another layout: replaced
    report = reloader.reload(check=True)
    assert report.rebound == ("shop.late:Cart",)
    assert late.Cart is sys.modules["shop.cart"].Cart is not old
    reloader.rollback()
    assert late.Cart is sys.modules["shop.cart"].Cart is old


def test_reloaders_of_different_packages_do_not_mix(shop: Project) -> None:
    """A rollback concerns the reloader that it is asked of."""
    shop.write({"more/__init__.py": "X = 1\n"})
    more = shop.load("more")
    one, two = hotmod.Reloader("shop"), hotmod.Reloader("more")
    shop.write({"shop/config.py": "TAX = 2\n", "more/__init__.py": "X = 2\n"})
    one.reload(check=True)
    two.reload(check=True)
    one.rollback()
    assert (sys.modules["shop.config"].TAX, more.X) == (1, 2)
