from __future__ import annotations

import linecache
import pathlib
import sys
import types

import pytest

from hotmod._live import modules, namespaces
from hotmod._live.bindings import ImportedName, rebind_definitions, rebind_imports, replacements
from hotmod._live.journal import Journal


def test_a_name_is_set_and_set_back() -> None:
    """A rebound name holds the object of before after the undo, and a removed name is there again."""
    journal, space = Journal(), {"a": 1, "b": 2}
    namespaces.set_name(journal, space, "a", 10, "shop")
    namespaces.unset_name(journal, space, "b", "shop")
    assert space == {"a": 10}
    journal.undo()
    assert space == {"a": 1, "b": 2}


def test_a_module_is_emptied_in_place() -> None:
    """Emptying keeps the module and its dictionary, and gives up the class that its text gave it."""

    class Lazy(types.ModuleType):
        answer = 42

    module = Lazy("shop")
    space = vars(module)
    module.x = 1
    namespaces.clear(module, {"__name__": "shop"})
    assert vars(module) is space
    assert space == {"__name__": "shop"}
    assert type(module) is types.ModuleType


def test_foreign_names_are_those_that_nobody_binds() -> None:
    """Neither the text's names, nor submodules, nor what an import sets by itself are foreign."""
    before = {"__name__": "shop", "__file__": "x", "own": 1, "cart": 2, "patch": 3}
    assert namespaces.foreign_names(before, frozenset(["own"]), ["cart"]) == ["patch"]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    parent, child = types.ModuleType("shop"), types.ModuleType("shop.cart")
    parent.__path__ = []
    parent.cart = child
    monkeypatch.setitem(sys.modules, "shop", parent)
    monkeypatch.setitem(sys.modules, "shop.cart", child)
    return parent


def test_a_forgotten_module_leaves_its_parent_too(package: types.ModuleType) -> None:
    """A forgotten module is in neither `sys.modules` nor its parent; an undo brings the very same back."""
    journal, child = Journal(), package.cart
    modules.watch_entries(journal, lambda name: name.startswith("shop"))
    modules.forget(journal, "shop.cart")
    assert "shop.cart" not in sys.modules
    assert not hasattr(package, "cart")
    sys.modules["shop.new"] = types.ModuleType("shop.new")
    journal.undo()
    assert sys.modules["shop.cart"] is child is package.cart
    assert "shop.new" not in sys.modules


def test_a_parents_own_attribute_of_that_name_stays(package: types.ModuleType) -> None:
    """Where the parent's attribute is not the module, forgetting the module leaves it."""
    package.cart = "a function by the same name"
    modules.forget(Journal(), "shop.cart")
    assert package.cart == "a function by the same name"


def test_children_are_direct_submodules(package: types.ModuleType) -> None:
    """Children are the loaded direct submodules, by attribute name."""
    names = ["shop", "shop.cart", "shop.cart.deep", "shopping"]
    assert modules.children("shop", names) == {"cart": package.cart}


class TestLines:
    def test_pinned_lines_stay_whatever_is_on_disk(self, tmp_path: pathlib.Path) -> None:
        """Pinned lines survive `checkcache`, and end with a line end each, as a file's lines do."""
        path = str(tmp_path / "cart.py")
        pathlib.Path(path).write_text("on disk\n", "utf-8")
        journal = Journal()
        modules.pin_lines(journal, {path: ("one\x0cstill one\ntwo", None)})
        linecache.checkcache(path)
        assert linecache.getlines(path) == ["one\x0cstill one\n", "two\n"]
        journal.undo()
        linecache.checkcache(path)
        assert linecache.getlines(path) == ["on disk\n"]

    def test_an_undo_pins_the_text_that_runs_again(self, tmp_path: pathlib.Path) -> None:
        """After an undo the lines are those of the text of before, whatever is on disk."""
        path = str(tmp_path / "cart.py")
        journal = Journal()
        modules.pin_lines(journal, {path: ("new\n", "old\n")})
        journal.undo()
        linecache.checkcache(path)
        assert linecache.getlines(path) == ["old\n"]


class TestBindings:
    def test_imports_are_bound_again(self) -> None:
        """What an import bound holds the new value; under an alias, by a star, or gone for good."""
        before = {"shop": {"tax": [1], "gone": [2], "_private": [3]}}
        after = {"shop": {"tax": [10], "_private": [30]}}
        old = before["shop"]
        space = {"rate": old["tax"], "gone": old["gone"], "tax": old["tax"], "_private": old["_private"]}
        imported = [ImportedName("rate", "shop", "tax"), ImportedName("", "shop", "")]
        journal = Journal()
        rebound, cleared = rebind_imports(journal, "main", space, imported, before, after)
        assert (rebound, cleared) == (["main:rate", "main:tax"], ["main:gone"])
        assert space == {"rate": [10], "tax": [10], "_private": [3]}
        journal.undo()
        assert space["rate"] is old["tax"]
        assert space["gone"] is old["gone"]

    def test_what_holds_something_else_is_left_alone(self) -> None:
        """A name that no longer holds the imported object is the user's."""
        before, after = {"shop": {"tax": [1]}}, {"shop": {"tax": [2]}}
        space = {"tax": "mine"}
        imported = [ImportedName("tax", "shop", "tax"), ImportedName("other", "shop", "tax")]
        assert rebind_imports(Journal(), "main", space, imported, before, after) == ([], [])
        assert space == {"tax": "mine"}

    def test_only_objects_with_an_identity_are_followed(self) -> None:
        """A number or a text that happens to be the same object elsewhere is not rebound; a function is."""
        old, new = functions_of("shop", 2)
        before = {"shop": {"f": old, "n": 1, "s": "a", "same": max}}
        after = {"shop": {"f": new, "n": 2, "s": "b", "same": max}}
        replaced = replacements(before, after, lambda _module, _name: False)
        space = {"f": old, "n": 1, "s": "a", "same": max}
        assert rebind_definitions(Journal(), "main", space, replaced) == ["main:f"]
        assert space == {"f": new, "n": 1, "s": "a", "same": max}

    def test_what_a_module_only_passed_on_is_not_replaced_by_what_it_makes_now(self) -> None:
        """A function or a list that a module had imported stays what it is for those who made it."""
        (old,), (new,) = functions_of("base", 1), functions_of("shop", 1)
        items: list[object] = []
        before, after = {"shop": {"f": old, "items": items}}, {"shop": {"f": new, "items": []}}
        replaced = replacements(before, after, lambda module, name: (module, name) == ("shop", "items"))
        assert replaced == {}


def functions_of(module: str, count: int) -> list[types.FunctionType]:
    """Functions that were made in a module."""
    spaces: list[dict[str, types.FunctionType]] = [{} for _ in range(count)]
    for space in spaces:
        exec("def f(): ...\n", {"__name__": module}, space)
    return [space["f"] for space in spaces]
