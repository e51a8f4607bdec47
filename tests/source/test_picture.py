"""The picture of an import graph: layers, hard edges, and what each import takes."""

from __future__ import annotations

from hotmod._model.changes import SourceText
from hotmod._source.graph import ModuleSource, build
from hotmod._source.picture import Arrow, Picture, picture_of

SHOP = {
    "shop": "",
    "shop.config": "TAX = 1\n\ndef rate():\n    return TAX\n",
    "shop.pricing": "from .config import TAX, rate as of\nLIMIT = TAX * 2\n",
    "shop.orders": "import shop.pricing\nfrom shop import stock, VERSION\n",
    "shop.stock": "from typing import TYPE_CHECKING\nfrom shop import orders\n"
    "if TYPE_CHECKING:\n    from shop.api import x\n",
    "shop.api": "from shop.pricing import *\n\n"
    "def serve():\n    from . import config as c\n    from .config import TAX\n",
}


def drawn(texts: dict[str, str]) -> Picture:
    """The picture of some texts."""
    packages = {name.rpartition(".")[0] for name in texts}
    sources = {}
    for name, text in texts.items():
        path = f"/{name.replace('.', '/')}{'/__init__' if name in packages else ''}.py"
        sources[name] = ModuleSource(SourceText.of(path, text.encode()), name in packages)
    return picture_of(build(sources))


def arrows(picture: Picture, name: str) -> list[Arrow]:
    """What a module imports."""
    [node] = [node for node in picture.nodes if node.name == name]
    return list(node.arrows)


def test_a_module_is_above_what_it_imports() -> None:
    """Layers go by the load order, and modules of one cycle share a layer."""
    layers = [[node.name for node in layer] for layer in drawn(SHOP).layers]
    assert layers == [["shop", "shop.config"], ["shop.pricing"], ["shop.api", "shop.orders", "shop.stock"]]
    assert drawn(SHOP).cycles == (("shop.orders", "shop.stock"),)
    assert {node.name: node.cycle for node in drawn(SHOP).nodes if node.cycle} == {
        "shop.orders": 1,
        "shop.stock": 1,
    }


def test_an_import_tells_what_it_takes() -> None:
    """Names are those of the module they come from, with those here; a module that is bound is no name."""
    picture = drawn(SHOP)
    takes = Arrow("shop.config", 1, "import", hard=True, takes=(("TAX", "TAX"), ("rate", "of")))
    assert arrows(picture, "shop.pricing") == [takes]
    assert [(arrow.imported, arrow.takes) for arrow in arrows(picture, "shop.orders")] == [
        ("shop", ()),
        ("shop.pricing", ()),
        ("shop", (("VERSION", "VERSION"),)),
        ("shop.stock", ()),
    ]


def test_an_import_tells_when_it_runs() -> None:
    """Imports in functions run later, those for type checkers never, and neither is hard."""
    picture = drawn(SHOP)
    assert [(arrow.when, arrow.hard, arrow.takes) for arrow in arrows(picture, "shop.api")] == [
        ("import", False, (("*", "*"),)),
        ("later", False, ()),
        ("later", False, (("TAX", "TAX"),)),
    ]
    assert [arrow.when for arrow in arrows(picture, "shop.stock")] == ["import", "types"]


def test_what_can_not_be_drawn_is_told() -> None:
    """Computed imports and files that can't be parsed are part of the picture, and of its JSON."""
    picture = drawn({"a": "import importlib\nimportlib.import_module(x)\n", "b": "x = = 1\n"})
    assert picture.unsure == (
        ("a", 2, "importlib.import_module(x)", "imports a module whose name is computed"),
    )
    [error] = picture.errors
    assert "b.py" in error
    found = picture.as_dict()
    assert [module["name"] for module in found["modules"]] == ["a", "b"]
    assert found["unsure"] == [list(picture.unsure[0])]
    assert drawn(SHOP).as_dict()["modules"][2]["imports"] == [
        [1, 1, "import", 1, [("TAX", "TAX"), ("rate", "of")]]
    ]
