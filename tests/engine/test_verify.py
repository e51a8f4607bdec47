"""`verify()`: what differs between memory and disk, by name and why."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

import hotmod
from tests.engine import verifying
from tests.engine.verifying import told
from tests.engine.watching import LONG, fresh, watching
from tests.oracle.project import Project

no_bytecode, shop = verifying.no_bytecode, verifying.shop  # fixtures
CART = """
from shop.config import TAX


class Cart:
    size = 1

    def total(self, net=1):
        return net + TAX

    @staticmethod
    def name():
        return "cart"

    def __init__(self):
        self.lines = []


def total(net, more=(1, 2)):
    return net + TAX


def maker(step):
    def grow(value):
        return value + step
    return grow
"""


@pytest.fixture
def cart(shop: Project) -> types.ModuleType:
    """The module `shop.cart`, with a class, functions and a closure."""
    shop.write({"shop/cart.py": CART})
    return shop.load("shop.cart")


def save(project: Project, old: str, new: str) -> None:
    """Edit `shop/cart.py`."""
    path = project.folder / "shop/cart.py"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_an_edit_that_is_not_applied_yet_is_told_by_name(shop: Project, cart: types.ModuleType) -> None:
    """Functions, methods, constants, new and removed names are told as edited, others are not."""
    shop.write({"shop/extra.py": "ONE = 1\nTWO = 2\n\n\ndef gone():\n    return 1\n"})
    shop.load("shop.extra")
    reloader = hotmod.Reloader("shop")
    save(shop, "        return net + TAX", "        return net * TAX")
    save(shop, "def maker", "def new():\n    return 1\n\n\ndef maker")
    shop.write({"shop/extra.py": "ONE = 1\nTWO = 3\n"})
    found = reloader.verify()
    assert not found
    assert set(told(found)) == {
        *("shop.cart:", "shop.cart:Cart.total", "shop.cart:new"),
        *("shop.extra:", "shop.extra:TWO", "shop.extra:gone"),
    }
    assert set(told(found).values()) == {"edited"}
    assert fresh(shop, "shop.cart.Cart().total(3)", "shop.cart") != str(cart.Cart().total(3))
    assert "the next reload applies this version" in str(found)
    reloader.reload(check=True)
    assert reloader.verify()


def test_a_rejected_edit_is_told_until_it_is_mended(shop: Project, cart: types.ModuleType) -> None:
    """An edit that raised when it ran is told as refused, and the mended one is not."""
    assert cart
    with watching("shop") as watcher:
        save(shop, "def maker", "1 / 0\n\n\ndef maker")
        watcher.next_report(LONG)
        (difference,) = watcher.verify().differences
        assert (difference.name, difference.why) == ("", "edited")
        assert "rejected or rolled back" in difference.message
        save(shop, "1 / 0\n\n\n", "")
        watcher.next_report(LONG)
        assert watcher.verify()


def test_a_rollback_is_told(shop: Project, cart: types.ModuleType) -> None:
    """After a rollback the file is what differs, function by function."""
    assert cart
    reloader = hotmod.Reloader("shop")
    save(shop, 'return "cart"', 'return "basket"')
    reloader.reload(check=True)
    reloader.rollback()
    assert told(reloader.verify()) == {"shop.cart:": "edited", "shop.cart:Cart.name": "edited"}


@pytest.mark.parametrize("data", [b"def broken(:\n", b"\xff\xfe\xfa", b"x = '\0'\n", b"(" * 5000])
def test_a_file_that_is_no_python_is_told(shop: Project, cart: types.ModuleType, data: bytes) -> None:
    """A file that can't be compiled is a difference with its reason, and everything else is compared."""
    assert cart
    reloader = hotmod.Reloader("shop")
    (shop.folder / "shop/config.py").write_bytes(data)
    cart.total = None
    found = reloader.verify()
    assert told(found) == {"shop.config:": "edited", "shop.cart:total": "patched"}
    assert "the text from before still runs" in str(found)


def test_a_file_that_is_gone_is_told(shop: Project, cart: types.ModuleType) -> None:
    """A module whose file was deleted differs from disk as a whole."""
    assert cart
    reloader = hotmod.Reloader("shop")
    shop.delete("shop/cart.py")
    assert told(reloader.verify()) == {"shop.cart:": "edited"}


# Edited before hotmod came


LATE = [
    ("return net + TAX", "return net - TAX", {"Cart.total", "total"}),
    ('return "cart"', 'return "basket"', {"Cart.name"}),
    ("return value + step", "return value - step", {"maker"}),
    ("net=1", "net=2", {"Cart.total"}),
    ("more=(1, 2)", "more=(1, 3)", {"total"}),
    ("def total(net, ", "def totals(net, ", {"total", "totals"}),
    ("class Cart:", "class Wagon:", {"Cart", "Wagon"}),
]


@pytest.mark.parametrize(("old", "new", "names"), LATE, ids=[each[1] for each in LATE])
def test_an_edit_between_import_and_first_look_is_seen(
    shop: Project, cart: types.ModuleType, old: str, new: str, names: set[str]
) -> None:
    """A file that changed after its import, and before hotmod was called, is told by what is loaded."""
    assert cart
    save(shop, old, new)
    assert told(hotmod.verify("shop")) == {f"shop.cart:{name}": "unseen-edit" for name in names}


def test_an_edit_between_import_and_watch_is_seen(shop: Project, cart: types.ModuleType) -> None:
    """A watcher that came after the edit tells of it."""
    assert cart
    save(shop, "return net + TAX", "return net - TAX")
    with watching("shop") as watcher:
        found = watcher.verify()
    assert told(found)["shop.cart:total"] == "unseen-edit"
    assert "edited before hotmod looked" in str(found)


def test_a_constant_is_doubted_where_code_shows_an_unseen_edit(shop: Project, cart: types.ModuleType) -> None:
    """Where a function proves that the file changed, a constant that differs is not called a patch."""
    assert cart
    text = (shop.folder / "shop/config.py").read_text("utf-8")
    shop.write({"shop/config.py": text.replace("1", "2") + "def rate():\n    return 1\n"})
    assert told(hotmod.verify("shop")) == {
        "shop.config:TAX": "unseen-edit",
        "shop.config:rate": "unseen-edit",
    }


def test_what_one_reloader_knows_another_knows(shop: Project, cart: types.ModuleType) -> None:
    """A call for a smaller target, made after an edit, does not take the edit for what is loaded."""
    assert cart
    reloader = hotmod.Reloader("shop")
    save(shop, "return net + TAX", "return net - TAX")
    assert reloader
    assert told(hotmod.verify("shop.cart"))["shop.cart:total"] == "edited"


# Set from outside


def replaced(self: Any, net: int = 0) -> int:
    return net


PATCHES = {
    "total": lambda cart: setattr(cart, "total", replaced),
    "Cart.total": lambda cart: setattr(cart.Cart, "total", replaced),
    "Cart.name": lambda cart: setattr(cart.Cart, "name", lambda: "mine"),
    "Cart.__init__": lambda cart: setattr(cart.Cart, "__init__", replaced),
    "Cart": lambda cart: setattr(cart, "Cart", type("Fake", (), {})),
    "maker": lambda cart: delattr(cart, "maker"),
    "Cart.extra": lambda cart: setattr(cart.Cart, "extra", replaced),
    "more": lambda cart: setattr(cart, "more", replaced),
}


@pytest.mark.parametrize("name", PATCHES)
def test_a_patch_is_told_by_name(shop: Project, cart: types.ModuleType, name: str) -> None:
    """Whatever somebody sets, adds or deletes from outside is told as a patch, and nothing else is."""
    reloader = hotmod.Reloader("shop")
    cart.__spec__ = cart.__spec__  # the import system's own names are nobody's patch
    PATCHES[name](cart)
    wanted = (
        "unseen-edit" if name == "maker" else "patched"
    )  # it can't be told from a function that was added
    assert told(reloader.verify()) == {f"shop.cart:{name}": wanted}


def test_a_deleted_function_is_a_patch_where_the_import_was_seen(shop: Project) -> None:
    """Where hotmod saw the import, a name that is missing was deleted by somebody."""
    shop.write({"shop/cart.py": CART})
    shop.load("shop")
    reloader = hotmod.Reloader("shop")
    cart = shop.load("shop.cart")
    del cart.maker
    assert told(reloader.verify()) == {"shop.cart:maker": "patched"}


def test_a_wrapped_function_is_told(shop: Project, cart: types.ModuleType) -> None:
    """A wrapper from outside is told with its place, though the function in it is the file's."""
    original = cart.total

    def traced(*arguments: Any) -> Any:
        return original(*arguments)

    cart.total = traced
    (difference,) = hotmod.verify("shop").differences
    assert (difference.name, difference.why) == ("total", "patched")
    assert "test_verify.py" in difference.message
    assert (difference.path, difference.line) == (str(shop.folder / "shop/cart.py"), 18)


def test_a_constant_that_was_set_is_told(shop: Project, cart: types.ModuleType) -> None:
    """A plain constant that holds another value is told with both; a container that filled is state."""
    assert cart
    config = sys.modules["shop.config"]
    reloader = hotmod.Reloader("shop")
    config.RATES["a"] = 1
    assert told(reloader.verify()) == {}
    config.TAX = True
    found = reloader.verify()
    assert told(found) == {"shop.config:TAX": "patched"}
    assert "True here, 1 in the file" in str(found)


def test_other_default_values_are_told(shop: Project, cart: types.ModuleType) -> None:
    """Default values that somebody changed are told."""
    reloader = hotmod.Reloader("shop")
    cart.total.__defaults__ = ((3,),)
    assert list(told(reloader.verify())) == ["shop.cart:total"]


# Kept, and held


def test_what_was_kept_is_told_and_is_no_fault(shop: Project) -> None:
    """A name that held on to its object through an edit is told as kept, and the answer is true."""
    shop.write({"shop/state.py": '__hotmod_keep__ = ("CACHE", "LIMIT")\nCACHE = {"a": 1}\nLIMIT = 1\n'})
    shop.load("shop.state")
    reloader = hotmod.Reloader("shop")
    assert told(reloader.verify()) == {}
    shop.write({"shop/state.py": '__hotmod_keep__ = ("CACHE", "LIMIT")\nCACHE = {"a": 2}\nLIMIT = 2\n'})
    reloader.reload(check=True)
    found = reloader.verify()
    assert told(found) == {"shop.state:CACHE": "kept", "shop.state:LIMIT": "kept"}
    assert found
    assert "all on purpose" in str(found)


def test_an_old_function_that_somebody_holds_is_told(shop: Project, cart: types.ModuleType) -> None:
    """A closure that can't take its new code is told with who holds it, until it is let go."""
    reloader = hotmod.Reloader("shop")
    sys.modules["shop.config"].RATES["grow"] = cart.maker(1)
    save(
        shop,
        "    def grow(value):\n        return value + step",
        "    def grow(value):\n        return value",
    )
    reloader.reload(check=True)
    (difference,) = reloader.verify().differences
    assert (difference.name, difference.why) == ("maker.<locals>.grow", "held")
    assert difference.holders == ("shop.config.RATES['grow']",)
    sys.modules["shop.config"].RATES.clear()
    assert reloader.verify()


def test_an_old_class_that_somebody_uses_is_told(shop: Project, cart: types.ModuleType) -> None:
    """A class that had to be replaced is told as long as an instance of it is held."""
    reloader = hotmod.Reloader("shop")
    sys.modules["shop.config"].RATES["cart"] = cart.Cart()
    save(shop, "    size = 1\n", '    __slots__ = ("lines",)\n')
    reloader.reload(check=True)
    found = reloader.verify()
    assert told(found)["shop.cart:Cart"] == "held"
    assert any("RATES['cart']" in way for each in found.differences for way in each.holders)
    sys.modules["shop.config"].RATES.clear()
    assert reloader.verify()
