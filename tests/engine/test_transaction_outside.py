from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

import hotmod
from tests.oracle.project import Project

Main = Callable[[str], types.ModuleType]


@pytest.fixture
def script(shop: Project, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Runs a text as the program's main script, outside every package."""

    def run(text: str) -> types.ModuleType:
        shop.write({"script.py": text})
        main = types.ModuleType("__main__")
        main.__file__ = str(shop.folder / "script.py")
        monkeypatch.setitem(sys.modules, "__main__", main)
        exec(
            compile((shop.folder / "script.py").read_text("utf-8"), main.__file__, "exec", dont_inherit=True),
            vars(main),
        )
        return main

    return run


@pytest.fixture
def notebook(shop: Project, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Runs a text as the cells of an interactive session, one cell a line, as IPython keeps them."""

    def run(text: str) -> types.ModuleType:
        assert shop.folder
        main = types.ModuleType("__main__")
        vars(main)["In"] = ["", *text.splitlines()]
        monkeypatch.setitem(sys.modules, "__main__", main)
        for cell in text.splitlines():
            if not cell.startswith("%"):
                exec(compile(cell, "<cell>", "exec", dont_inherit=True), vars(main))
        return main

    return run


IMPORTS = [
    ("from shop.config import TAX", "TAX", 2),
    ("from shop.config import TAX as tax", "tax", 2),
    ("from shop.config import *", "TAX", 2),
    ("from shop.cart import total", "total(1)", 3),
    ("from shop.cart import TAX", "TAX", 2),
    ("import shop.config as settings", "settings.TAX", 2),
    ("import shop.cart", "shop.cart.total(1)", 3),
    ("from shop import cart, config", "(cart.total(1), config.TAX)", (3, 2)),
    ("if True: from shop.config import TAX", "TAX", 2),
]


@pytest.mark.parametrize(("statement", "expression", "value"), IMPORTS, ids=[each[0] for each in IMPORTS])
@pytest.mark.parametrize("kind", ["script", "notebook"])
def test_what_the_main_module_imported_is_new(
    shop: Project, kind: str, statement: str, expression: str, value: object, request: pytest.FixtureRequest
) -> None:
    """What a script or a notebook imported, constants included, is the new one after a reload."""
    main = request.getfixturevalue(kind)(statement)
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    report = reloader.reload(check=True)
    assert eval(expression, vars(main)) == value
    assert "__main__" not in report.executed


def test_what_was_rebound_is_told(shop: Project, script: Main) -> None:
    """The report names what was rebound in the main module."""
    script("from shop.cart import total\nfrom shop.config import TAX as tax\n")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    report = reloader.reload()
    assert report.rebound == ("__main__:tax", "shop.cart:TAX")  # the function is the same object as before


@pytest.mark.parametrize("kind", ["script", "notebook"])
def test_a_name_bound_by_hand_is_left_alone(shop: Project, kind: str, request: pytest.FixtureRequest) -> None:
    """A name that the user bound to something else after importing it keeps what the user gave it."""
    main = request.getfixturevalue(kind)(
        "from shop.config import TAX\nfrom shop.cart import total\nTAX = 'mine'\n"
    )
    vars(main)["total"] = len
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    report = reloader.reload()
    assert (main.TAX, main.total) == ("mine", len)
    assert report.rebound == ("shop.cart:TAX",)


def test_a_name_that_was_not_imported_is_left_alone(shop: Project, script: Main) -> None:
    """A constant of the main module that only happens to equal the old value stays."""
    main = script("import shop.config\nTAX = shop.config.TAX\n")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload()
    assert main.TAX == 1


def test_a_name_that_is_gone_leaves_the_main_module(shop: Project, script: Main) -> None:
    """A name that the main module imported, and that no longer exists, is cleared there and told."""
    main = script("from shop.cart import Cart, total\n")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/cart.py": "def total(net):\n    return 5\n"})
    report = reloader.reload()
    assert not hasattr(main, "Cart")
    assert "__main__:Cart" in report.cleared
    assert main.total(1) == 5


def test_later_cells_count(shop: Project, notebook: Main) -> None:
    """In a notebook the imports of all cells count, and cells that are no Python are passed over."""
    main = notebook("%load_ext hotmod\n1 +\nfrom shop.config import TAX\n".replace("1 +\n", "%time x\n"))
    vars(main)["In"].append("from shop.cart import total as price")
    vars(main)["In"].append("this is no python")
    exec("from shop.cart import total as price", vars(main))
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    assert (main.TAX, main.price(1)) == (2, 3)


def test_a_refused_edit_leaves_the_main_module_alone(shop: Project, script: Main) -> None:
    """A refused edit rebinds nothing in the main module."""
    main = script("from shop.cart import total\nfrom shop.config import TAX\n")
    before = dict(vars(main))
    reloader = hotmod.Reloader("shop", verify=lambda: False)
    shop.write({"shop/config.py": "TAX = 2\n"})
    assert reloader.reload().status == "rejected"
    assert all(vars(main)[name] is value for name, value in before.items())


def test_a_rollback_binds_the_old_names_again(shop: Project, script: Main) -> None:
    """`rollback()` gives the main module the objects of before, and the names that had been cleared."""
    main = script("from shop.cart import Cart, total\nfrom shop.config import TAX\n")
    before = dict(vars(main))
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n", "shop/cart.py": "def total(net):\n    return 5\n"})
    reloader.reload(check=True)
    reloader.rollback()
    assert vars(main).keys() == before.keys()
    assert all(vars(main)[name] is value for name, value in before.items())


def test_an_import_inside_a_function_is_not_a_name_of_the_main_module(shop: Project, script: Main) -> None:
    """A name that only a function of the main module imports is not mistaken for a global of that name."""
    main = script("def f():\n    from shop.config import TAX\n    return TAX\n\n\nTAX = f()\n")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload()
    assert (main.TAX, main.f()) == (1, 2)
