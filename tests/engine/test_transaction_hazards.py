from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import hotmod
from tests.oracle.project import Project

Edit = Callable[..., list[hotmod.Hazard]]

SHOP = {
    "shop/__init__.py": "",
    "shop/cart.py": "class Cart:\n    size = 1\n\n\ndef total():\n    return 1\n",
    "shop/state.py": "OPEN = []\n\n\ndef fill():\n    global Cart\n    from shop.cart import Cart\n",
}


@pytest.fixture
def edited(project: Project) -> Edit:
    """Imports a package, lets the program do something, edits files, and gives the report's hazards."""

    def edit(
        before: Mapping[str, str],
        after: Mapping[str, str],
        doing: Callable[[], object] = lambda: None,
        targets: tuple[str, ...] = ("shop",),
        deleted: tuple[str, ...] = (),
        strategy: str | None = None,
    ) -> list[hotmod.Hazard]:
        project.write(before)
        project.load(
            *(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in before)
        )
        doing()
        reloader = hotmod.Reloader(*targets, strategy=strategy)
        project.write(after)
        project.delete(*deleted)
        report = reloader.reload()
        assert set(report.hazards) == set(reloader.history[-1].hazards)
        return [*report.hazards]

    return edit


def codes(hazards: list[hotmod.Hazard]) -> list[str]:
    return sorted({hazard.code for hazard in hazards})


def module(name: str):
    return sys.modules[name]


class TestZombieAttribute:
    def test_a_removed_name_that_is_still_held_is_told_with_its_holder(
        self, edited: Edit, project: Project
    ) -> None:
        """A name that the source lost, and that others hold, is a zombie, told with holder and line."""
        (hazard,) = edited(
            {**SHOP, "app.py": "import os\nfrom shop.cart import total\n"},
            {"shop/cart.py": "class Cart: ...\n"},
        )
        assert (hazard.code, hazard.module, hazard.name) == ("zombie-attribute", "shop.cart", "total")
        assert hazard.holders == ("app.total -> shop.cart.total",)
        assert os.path.samefile(hazard.path, project.folder / "app.py")
        assert hazard.line == 2

    def test_a_removed_name_that_nobody_holds_is_none(self, edited: Edit) -> None:
        """A name that the source lost, and that its importer in scope drops too, is no zombie."""
        assert edited(SHOP, {"shop/cart.py": "class Cart:\n    size = 1\n"}) == []

    def test_a_name_imported_inside_a_function_is_held(self, edited: Edit) -> None:
        """A module of the scope that took the name while it ran, and does not run again, holds a zombie."""
        hazards = edited(SHOP, {"shop/cart.py": "def total(): ...\n"}, lambda: module("shop.state").fill())
        assert "zombie-attribute" in codes(hazards)
        assert {holder for hazard in hazards for holder in hazard.holders} == {
            "shop.state.Cart -> shop.cart.Cart"
        }


class TestStaleReference:
    def test_an_importer_outside_the_targets_is_told(self, edited: Edit, project: Project) -> None:
        """A module outside the targets that holds a replaced object is told, with its line."""
        (hazard,) = edited(
            {**SHOP, "app.py": "import os\nimport sys\nfrom shop.cart import Cart as Basket\n"},
            {"shop/cart.py": "def total():\n    return 1\n\n\ndef Cart():\n    return 2\n"},
        )
        assert (hazard.code, hazard.module, hazard.name) == ("stale-reference", "shop.cart", "Cart")
        assert hazard.holders == ("app.Basket -> shop.cart.Cart",)
        assert os.path.samefile(hazard.path, project.folder / "app.py")
        assert hazard.line == 3

    def test_an_importer_among_the_targets_is_new(self, edited: Edit) -> None:
        """A module among the targets runs again: nothing stale is held."""
        hazards = edited(
            {**SHOP, "app.py": "from shop.cart import Cart\n"},
            {"shop/cart.py": "def total():\n    return 1\n\n\ndef Cart():\n    return 2\n"},
            targets=("shop", "app"),
        )
        assert hazards == []
        assert module("app").Cart() == 2

    def test_what_was_changed_in_place_is_not_stale(self, edited: Edit) -> None:
        """A function and a class that stay the same objects are new for holders outside the targets, too."""
        hazards = edited(
            {**SHOP, "app.py": "from shop.cart import Cart, total\n"},
            {"shop/cart.py": "class Cart:\n    size = 5\n\n\ndef total():\n    return 2\n"},
        )
        assert hazards == []
        assert (module("app").total(), module("app").Cart.size) == (2, 5)


REPLACED = "X = 1\n\n\nclass Cart:\n    __slots__ = ('other',)\n"


class TestClassIdentity:
    def test_a_live_instance_is_told_with_its_holder(self, edited: Edit, project: Project) -> None:
        """An instance of a replaced class is told by the path that holds it, and the class by its line."""
        hazards = edited(
            SHOP,
            {"shop/cart.py": REPLACED},
            lambda: module("shop.state").OPEN.append(module("shop.cart").Cart()),
        )
        (hazard,) = [each for each in hazards if each.code == "class-identity"]
        assert (hazard.module, hazard.name) == ("shop.cart", "Cart")
        assert hazard.holders == ("shop.state.OPEN[0]",)
        assert os.path.samefile(hazard.path, project.folder / "shop" / "cart.py")
        assert hazard.line == 4

    def test_a_subclass_elsewhere_is_told(self, edited: Edit) -> None:
        """A subclass outside the targets of a replaced class is told by its name."""
        hazards = edited(
            {**SHOP, "app.py": "from shop import cart\n\n\nclass Mine(cart.Cart): ...\n"},
            {"shop/cart.py": REPLACED},
        )
        assert "app.Mine" in str([each for each in hazards if each.code == "class-identity"])

    def test_a_class_that_stays_is_none(self, edited: Edit) -> None:
        """A class that could be changed in place keeps its instances and subclasses, and is no hazard."""
        hazards = edited(
            {**SHOP, "app.py": "from shop import cart\n\n\nclass Mine(cart.Cart): ...\n"},
            {"shop/cart.py": "class Cart:\n    size = 2\n"},
            lambda: module("shop.state").OPEN.append(module("app").Mine()),
        )
        assert hazards == []
        assert isinstance(module("shop.state").OPEN[0], module("shop.cart").Cart)
        assert module("shop.state").OPEN[0].size == 2

    def test_no_instance_no_hazard(self, edited: Edit) -> None:
        """A replaced class without live instances or subclasses is only told to be replaced."""
        hazards = edited(SHOP, {"shop/cart.py": REPLACED}, lambda: module("shop.cart").Cart())
        assert codes(hazards) == ["slots-layout"]

    def test_hotmods_own_memory_is_no_holder(self, project: Project) -> None:
        """What only hotmod keeps, to be able to roll back, is not reported as held."""
        project.write(SHOP)
        project.load("shop.cart")
        reloader = hotmod.Reloader("shop")
        for size in (2, 3, 4):
            text = f"class Cart:\n    __slots__ = ('s{size}',)\n\n\nclass Big(Cart): ...\n\n\nONE = Cart()\n"
            project.write({"shop/cart.py": text})
            assert set(codes([*reloader.reload().hazards])) <= {"slots-layout", "base-layout"}


FACTORY = "def make(n, m):\n    def inner():\n        return {}\n\n    return inner\n\n\nThing = make(1, 2)\n"
IN_PLACE = {
    "slots-layout": (
        "class Thing:\n    __slots__ = ('x',)\n",
        "class Thing:\n    __slots__ = ('x', 'y')\n",
        "class Thing:\n    __slots__ = ('x',)\n\n    def f(self): ...\n",
    ),
    "base-layout": (
        "class Thing(list): ...\n",
        "class Thing(dict): ...\n",
        "class Thing(list):\n    x = 1\n",
    ),
    "metaclass": (
        "class Meta(type): ...\n\n\nclass Thing: ...\n",
        "class Meta(type): ...\n\n\nclass Thing(metaclass=Meta): ...\n",
        "class Meta(type):\n    x = 1\n\n\nclass Thing: ...\n",
    ),
    "enum-members": (
        "import enum\n\n\nclass Thing(enum.IntEnum):\n    ONE = 1\n",
        "import enum\n\n\nclass Thing(enum.IntEnum):\n    ONE = 2\n",
        "import enum\n\n\nclass Thing(enum.IntEnum):\n    ONE = 1\n    TWO = 2\n",
    ),
    "closure-shape": (FACTORY.format("n"), FACTORY.format("n + m"), FACTORY.format("n + 1")),
    "kind-change": (
        "def Thing():\n    return [1]\n",
        "def Thing():\n    yield 1\n",
        "def Thing():\n    return [2]\n",
    ),
}


class TestInPlace:
    @pytest.mark.parametrize("code", IN_PLACE)
    def test_what_had_to_be_replaced_is_told(self, edited: Edit, code: str) -> None:
        """An object that can't be changed in place is replaced, and the reason is told."""
        before, after, _ = IN_PLACE[code]
        held = []

        def thing() -> Any:
            found = module("shop.thing").Thing
            return found.ONE if code == "enum-members" else found  # the enumeration itself lives on

        hazards = edited(
            {**SHOP, "shop/thing.py": before}, {"shop/thing.py": after}, lambda: held.append(thing())
        )
        assert [(each.module, each.code) for each in hazards if each.code == code] == [("shop.thing", code)]
        assert thing() is not held[0]

    @pytest.mark.parametrize("code", IN_PLACE)
    def test_what_could_be_changed_in_place_stays_the_same_object(self, edited: Edit, code: str) -> None:
        """An edit that can be made in place keeps the object, and is no hazard."""
        before, _, after = IN_PLACE[code]
        held = []
        hazards = edited(
            {**SHOP, "shop/thing.py": before},
            {"shop/thing.py": after},
            lambda: held.append(module("shop.thing").Thing),
        )
        assert hazards == []
        assert module("shop.thing").Thing is held[0]


class TestImportCycle:
    def test_a_cycle_that_runs_again_is_told(self, edited: Edit) -> None:
        """Two modules that import each other and run again are told, with the order that was chosen."""
        (hazard,) = edited(
            {**SHOP, "shop/a.py": "import shop.b\n", "shop/b.py": "import shop.a\n"},
            {"shop/a.py": "import shop.b\n\nX = 1\n"},
            strategy="modules",
        )
        assert hazard.code == "import-cycle"
        assert "shop.a, shop.b import each other" in hazard.message
        assert "order" in hazard.advice

    def test_a_cycle_elsewhere_is_not(self, edited: Edit) -> None:
        """A cycle among modules that do not run again is not mentioned."""
        hazards = edited(
            {**SHOP, "shop/a.py": "import shop.b\n", "shop/b.py": "import shop.a\n"},
            {"shop/state.py": "OPEN = []\nX = 1\n"},
        )
        assert hazards == []


class TestForeignAttribute:
    def test_what_others_set_is_kept_and_told(self, edited: Edit) -> None:
        """An attribute that somebody else set on a module that runs again is told by module and name."""
        (hazard,) = edited(
            SHOP,
            {"shop/cart.py": "X = 1\n"},
            lambda: setattr(module("shop.cart"), "PATCH", [1]),
            strategy="modules",
        )
        assert (hazard.code, hazard.module, hazard.name) == ("foreign-attribute", "shop.cart", "PATCH")
        assert module("shop.cart").PATCH == [1]

    def test_what_others_set_stays_where_nothing_runs(self, edited: Edit) -> None:
        """A module of which only statements run keeps what others set on it, as it keeps all else."""
        hazards = edited(
            SHOP, {"shop/cart.py": "X = 1\n"}, lambda: setattr(module("shop.cart"), "PATCH", [1])
        )
        assert hazards == []
        assert module("shop.cart").PATCH == [1]

    def test_what_the_text_binds_is_not_foreign(self, edited: Edit) -> None:
        """A name that the new text binds is the text's, whoever set it before."""
        hazards = edited(
            SHOP,
            {"shop/cart.py": "PATCH = 'text'\n"},
            lambda: setattr(module("shop.cart"), "PATCH", "foreign"),
        )
        assert hazards == []
        assert module("shop.cart").PATCH == "text"

    def test_submodules_are_not_foreign(self, edited: Edit) -> None:
        """Submodules, which the import system binds to their package, are no foreign attributes."""
        assert edited(SHOP, {"shop/__init__.py": "X = 1\n"}) == []


class TestEffectNotUndone:
    def test_a_dispose_hook_before_a_refusal_is_told(self, edited: Edit) -> None:
        """A dispose hook that ran before the edit was refused can't be taken back, and that is told."""
        (hazard,) = edited(
            {**SHOP, "shop/pool.py": "POOL = []\n\n\ndef __hotmod_dispose__():\n    POOL.clear()\n"},
            {"shop/pool.py": "1 / 0\n"},
        )
        assert (hazard.code, hazard.module, hazard.name) == (
            "effect-not-undone",
            "shop.pool",
            "__hotmod_dispose__",
        )

    def test_without_a_hook_there_is_none(self, edited: Edit) -> None:
        """A refused edit of a module without a dispose hook leaves no effect."""
        assert edited(SHOP, {"shop/state.py": "OPEN = []\n1 / 0\n"}) == []


def test_a_hazard_reads_well(edited: Edit) -> None:
    """A hazard in words is its code, the place, what is the case, who holds it, and what to do."""
    hazards = edited(
        SHOP,
        {"shop/cart.py": REPLACED},
        lambda: module("shop.state").OPEN.extend([module("shop.cart").Cart(), module("shop.cart").Cart()]),
    )
    (words,) = [str(hazard) for hazard in hazards if hazard.code == "class-identity"]
    assert words.startswith("class-identity shop.cart:Cart: ")
    assert "2 live instances" in words
    assert "shop.state.OPEN[" in words
    assert words.endswith(".")
