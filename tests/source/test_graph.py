"""What the import graph answers."""

from __future__ import annotations

import json

import pytest

from hotmod._model.changes import SourceText
from hotmod._source import scan as scans
from hotmod._source.graph import ModuleSource, update
from hotmod._source.imports import ImportKind, Scan
from tests.source.build import graph, source, sources

SHOP = {
    "shop": "from shop.cart import Cart",
    "shop.config": "TAX = 1",
    "shop.money": "from shop.config import TAX",
    "shop.cart": "from shop.money import Money\ndef total():\n    from shop import report",
    "shop.report": "import shop.cart as cart",
    "shop.types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.cart import Cart",
}


def test_a_graph_is_a_collection_of_module_names() -> None:
    """Iteration, length and membership are about modules, sorted."""
    made = graph(SHOP)
    assert list(made) == sorted(SHOP) == list(made.modules)
    assert len(made) == len(SHOP)
    assert "shop.cart" in made
    assert "shop.nowhere" not in made
    assert repr(made) == "<ImportGraph of 6 modules, 6 imports>"


def test_an_edge_tells_where_it_comes_from() -> None:
    """An edge has line, kind, names and place, and both its ends list it."""
    made = graph(SHOP)
    (edge,) = made.importers("shop.report")
    assert edge in made.imports("shop.cart")
    assert (edge.importer, edge.imported, edge.line, edge.where) == ("shop.cart", "shop.report", 3, "total")
    assert (edge.kind, edge.names, edge.at_import, edge.star) == (
        ImportKind.DEFERRED,
        ("report",),
        False,
        False,
    )


def test_dependents_are_transitive() -> None:
    """Whoever imports a module at import, directly or not, depends on it."""
    made = graph(SHOP)
    assert made.dependents("shop.config") == {"shop.money", "shop.cart", "shop", "shop.report"}
    assert made.dependents("shop.types") == frozenset()
    assert made.dependents("shop.money", "shop.cart") == {"shop", "shop.report"}


def test_dependents_may_include_what_imports_later() -> None:
    """Imports in functions count on demand, those for type checking never."""
    made = graph(SHOP)
    assert made.dependents("shop.report") == frozenset()
    assert made.dependents("shop.report", deferred=True) == {"shop.cart", "shop"}
    assert "shop.types" not in made.dependents("shop.cart", deferred=True)


@pytest.mark.parametrize("ask", ["imports", "importers", "dependents"])
def test_an_unknown_module_is_an_error(ask: str) -> None:
    """A name that the graph doesn't have is no module without imports."""
    with pytest.raises(KeyError):
        getattr(graph(SHOP), ask)("shop.nowhere")


def test_parents_are_implicit() -> None:
    """The packages that an import runs are listed on demand, and make nobody a dependent."""
    made = graph({"shop": "", "shop.api": "", "shop.api.v1": "", "app": "from shop.api.v1 import x"})
    assert [edge.imported for edge in made.imports("app")] == ["shop.api.v1"]
    every = made.imports("app", implicit=True)
    assert {edge.imported: edge.implicit for edge in every} == {
        "shop": True,
        "shop.api": True,
        "shop.api.v1": False,
    }
    assert made.dependents("shop") == frozenset()


CYCLE = {
    "a": "import b",
    "b": "import c",
    "c": "import a\nimport d",
    "d": "",
    "e": "import a",
    "f": "def later():\n    import g",
    "g": "import f",
}


def test_cycles_are_of_imports_that_run_with_the_bodies() -> None:
    """Modules that import each other are a cycle unless one of them does it in a function."""
    assert graph(CYCLE).cycles() == (("a", "b", "c"),)
    assert graph(CYCLE | {"f": "def now():\n    import g\nnow()"}).cycles() == (("a", "b", "c"), ("f", "g"))


def test_load_order_puts_the_imported_first() -> None:
    """What is imported is executed before its importers."""
    assert graph(SHOP).load_order() == (
        *("shop.config", "shop.money", "shop.cart", "shop", "shop.report", "shop.types"),
    )


def test_load_order_keeps_a_cycle_in_first_import_order() -> None:
    """Modules of a cycle go in the order in which they were first imported, else by name."""
    made = graph(CYCLE)
    assert made.load_order(["a", "b", "c", "d", "e"]) == ("d", "a", "b", "c", "e")
    assert made.load_order(["a", "b", "c", "d", "e"], first=["b", "c", "a"]) == ("d", "b", "c", "a", "e")


def test_load_order_of_some_respects_the_way_through_others() -> None:
    """Two modules keep their order also if only a third one, not asked for, connects them."""
    made = graph({"a": "import m", "m": "import z", "z": ""})
    assert made.load_order(["a", "z"]) == ("z", "a")
    assert made.load_order(["a", "z"], first=["a", "z"]) == ("z", "a")


def test_a_route_tells_why() -> None:
    """A route is a shortest chain of imports, with lines; through functions only if there is no other."""
    made = graph(SHOP)
    route = made.route("shop", "shop.config")
    assert route is not None
    assert route.modules == ("shop", "shop.cart", "shop.money", "shop.config")
    assert str(route).splitlines()[0] == "shop:1 imports shop.cart"
    assert route.at_import
    later = made.route("shop", "shop.report")
    assert later is not None
    assert not later.at_import
    assert made.route("shop", "shop.report", deferred=False) is None
    assert made.route("shop.config", "shop") is None


def test_a_broken_file_leaves_the_rest_standing() -> None:
    """A file that can't be decoded or parsed is listed, by path and line; the others have their edges."""
    made = graph(SHOP | {"shop.broken": "import shop.cart\nx = = 1", "shop.worse": "x = '\0'"})
    assert [(error.path, error.line) for error in made.errors] == [
        ("/shop/broken.py", 2),
        ("/shop/worse.py", 1),
    ]
    assert "shop.broken" in made
    assert made.dependents("shop.money") >= {"shop.cart", "shop"}
    assert graph(SHOP).errors == ()


def test_a_module_without_source_is_a_node() -> None:
    """Extension modules and namespace packages are imported like others and import nothing."""
    made = graph(
        {"app": "import fast._core\nfrom space import tool", "space.tool": ""},
        ("fast", "fast._core", "space"),
    )
    assert [edge.imported for edge in made.imports("app")] == ["fast", "fast._core", "space.tool"]
    assert made.imports("fast._core") == ()


def test_big_graphs_do_not_recurse() -> None:
    """A chain and a cycle of thousands of modules need no stack."""
    count = 5_000
    chain = {f"m{number:05}": f"import m{number + 1:05}" for number in range(count)}
    made = graph(chain | {f"m{count:05}": ""})
    assert len(made.dependents(f"m{count:05}")) == count
    assert made.load_order()[0] == f"m{count:05}"
    ring = graph(chain | {f"m{count:05}": "import m00000"})
    assert [len(cycle) for cycle in ring.cycles()] == [count + 1]


def test_an_update_reads_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed text is one scan, and the new graph equals one built from nothing."""
    made = graph(SHOP)
    assert made.dependents("shop.report") == frozenset()
    scanned: list[str] = []

    def counting(text: SourceText) -> Scan:
        scanned.append(text.path)
        return original(text)

    original = scans.scan
    monkeypatch.setattr(scans, "scan", counting)
    newer = SHOP | {"shop.money": "from shop.report import x"}
    updated = update(made, {"shop.money": source("shop.money", newer["shop.money"])})
    assert scanned == ["/shop/money.py"]
    assert updated.as_dict() == graph(newer).as_dict()
    assert made.as_dict() == graph(SHOP).as_dict()


CHANGES = {
    "edited": ({"shop.cart": "import shop.config"}, ()),
    "added": ({"shop.cart.line": "import shop.cart"}, ()),
    "removed": ({}, ("shop.money",)),
    "re-exports": ({"shop": "from shop.cart import config"}, ()),
    "broken": ({"shop.cart": "x = ("}, ()),
    "lazy": ({"shop": 'table = {"Cart": ".cart"}\ndef __getattr__(name): ...'}, ()),
    "all": ({"shop": '__all__ = ["config", "money"]'}, ()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_updated_graph_is_a_built_graph(change: str) -> None:
    """Whatever changed, also in what other modules' imports lead to, an update ends where a build does."""
    base = SHOP | {
        "app": "from shop import config, Cart, line\nfrom shop import *\nfrom shop.cart import line"
    }
    texts, removed = CHANGES[change]
    after = {name: text for name, text in (base | texts).items() if name not in removed}
    packages = {name.rpartition(".")[0] for name in after}
    changed = {
        name: source(name, after[name], is_package=name in packages)
        for name in after
        if after[name] != base.get(name) or (name in packages) != (name == "shop")
    }
    updated = update(graph(base), changed, removed)
    assert updated.as_dict() == graph(after).as_dict()
    back = update(updated, sources(base) | {}, [name for name in after if name not in base])
    assert back.as_dict() == graph(base).as_dict()


def test_a_graph_is_json() -> None:
    """The dictionary of a graph is JSON and says what it holds."""
    made = graph(SHOP | {"shop.odd": "__import__(x)"})
    said = json.loads(json.dumps(made.as_dict()))
    assert said["modules"]["shop.money"]["imports"][0]["imported"] == "shop.config"
    assert said["unsure"][0]["module"] == "shop.odd"


def test_a_graph_draws_itself() -> None:
    """Graphviz and Mermaid texts hold one arrow for each pair of modules, in the style of when it runs."""
    made = graph(SHOP)
    dot = made.to_dot()
    assert '"shop" -> "shop.cart";' in dot
    assert '"shop.cart" -> "shop.report" [style=dashed];' in dot
    assert '"shop.types" -> "shop.cart" [style=dotted];' in dot
    mermaid = made.to_mermaid()
    assert 'm0["shop"]' in mermaid
    assert "m0 --> m1" in mermaid


def test_a_graph_draws_what_weighs_more() -> None:
    """What an importer reads while it runs is a thick arrow, and modules of a cycle are red."""
    made = graph({"a": "import b\n", "b": "from a import X\nY = X\n", "c": "import b\n"})
    dot = made.to_dot()
    assert '"b" -> "a" [penwidth=2];' in dot
    assert '"a" -> "b";' in dot
    assert dot.count("color=") == 2
    mermaid = made.to_mermaid()
    assert "m1 ==> m0" in mermaid
    assert [line.split()[1] for line in mermaid.splitlines() if "style" in line] == ["m0", "m1"]


HARD = {
    "base-class": ("from b import x\nclass A(x): ...", True),
    "decorator": ("from b import x\n@x\ndef f(): ...", True),
    "default": ("from b import x\ndef f(a=x): ...", True),
    "expression": ("from b import x\ny = x + 1", True),
    "class-body": ("from b import x\nclass A:\n    y = x", True),
    "attribute": ("import b\ny = b.x", True),
    "annotation": ("from b import x\ny: x = 1", True),
    "star": ("from b import *\ny = x", True),
    "called": ("from b import x\ndef f():\n    return x\ny = f()", True),
    "called-import": ("def f():\n    from b import x\n    return x()\ny = f()", True),
    "dynamic": ('import importlib\ny = importlib.import_module("b").x', True),
    "function-body": ("from b import x\ndef f():\n    return x", False),
    "lambda": ("from b import x\nf = lambda: x", False),
    "re-export": ("from b import x", False),
    "postponed-annotation": ("from __future__ import annotations\nfrom b import x\ndef f(a: x): ...", False),
    "star-unused": ("from b import *\ny = z = 1\ny", False),
    "effect-only": ('import importlib\nimportlib.import_module("b")', False),
    "deferred": ("def f():\n    from b import x\n    return x()", False),
    "local": ("from b import x\ndef f(x):\n    return x\nf(1)", False),
}


@pytest.mark.parametrize("form", HARD)
def test_an_edge_is_hard_if_the_body_reads_the_name(form: str) -> None:
    """What the importer reads while its body runs makes the edge hard; what it reads later doesn't."""
    text, hard = HARD[form]
    made = graph({"a": text, "b": "x = 1"})
    assert made.is_hard("a", "b") is hard
    assert [edge.hard for edge in made.imports("a")] == [hard]


def test_a_dotted_import_is_hard_for_the_module_that_is_read() -> None:
    """`import a.b` followed by `a.b.x` reads the module `a.b`, not `a`."""
    made = graph({"a": "", "a.b": "", "c": "import a.b\ny = a.b.x"})
    assert made.is_hard("c", "a.b")
    assert not made.is_hard("c", "a")


def test_a_graph_of_nothing_is_empty() -> None:
    """No modules make an empty graph that answers all the same."""
    made = graph({})
    assert (len(made), made.cycles(), made.load_order(), made.errors, made.unsure) == (0, (), (), (), ())


def test_a_module_source_is_a_value() -> None:
    """Two sources are equal when their bytes and places are."""
    text = SourceText.of("/a.py", b"x")
    assert ModuleSource(text) == ModuleSource(SourceText.of("/a.py", b"x"))


def test_an_update_forgets_what_depended_on_the_known_modules() -> None:
    """A module that appears may make an import in a called function an edge that runs at import."""
    base = {"a": "def f():\n    import b\nf()", "c": ""}
    made = graph(base)
    assert made.cycles() == ()
    updated = update(made, {"b": source("b", "import a")})
    assert updated.cycles() == (("a", "b"),)
    assert updated.dependents("b") == {"a"}
