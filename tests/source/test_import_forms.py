"""Which edges each form of import makes."""

from __future__ import annotations

import pytest

from tests.source.build import graph, shown

# The program around: `shop.cart` is the module whose text a row gives, unless it says otherwise.
PROGRAM = {
    "shop": "",
    "shop.config": "TAX = 1",
    "shop.money": "class Money: ...",
    "shop.api": "from shop.api import v1",
    "shop.api.v1": "def answer(): ...",
    "shop.api.v2": "",
    "shop.cart": "",
    "shop.deep": "",
    "shop.deep.er": "",
    "shop.deep.er.leaf": "",
    "plugins": "",
}

EAGER, LATER, TYPES, MAYBE, DYNAMIC, CALLED = (
    *("eager", "deferred", "type-checking"),
    *("conditional", "dynamic", "called"),
)

FORMS: dict[str, tuple[str, list[tuple[str, str, tuple[str, ...]]]]] = {
    "absolute": ("import plugins", [("plugins", EAGER, ("plugins",))]),
    "absolute-dotted": (
        "import shop.api.v1",
        [("shop", EAGER, ("shop",)), ("shop.api", EAGER, ("shop",)), ("shop.api.v1", EAGER, ("shop",))],
    ),
    "absolute-dotted-alias": ("import shop.api.v1 as v", [("shop.api.v1", EAGER, ("v",))]),
    "several": (
        "import plugins, shop.config as c",
        [("plugins", EAGER, ("plugins",)), ("shop.config", EAGER, ("c",))],
    ),
    "out-of-scope": ("import os, json as j\nfrom re import compile", []),
    "from-attribute": ("from shop.config import TAX", [("shop.config", EAGER, ("TAX",))]),
    "from-attribute-alias": ("from shop.config import TAX as T", [("shop.config", EAGER, ("T",))]),
    "from-submodule": ("from shop.api import v2", [("shop.api.v2", EAGER, ("v2",))]),
    "from-both": (
        "from shop.api import v2, answer as a, v1",
        [
            ("shop.api", EAGER, ("a",)),
            ("shop.api.v1", EAGER, ("v1",)),
            ("shop.api.v2", EAGER, ("v2",)),
        ],
    ),
    "from-star": ("from shop.config import *", [("shop.config", EAGER, ())]),
    "from-unknown-submodule": ("from shop.nowhere import x", [("shop", EAGER, ("x",))]),
    "relative": ("from .config import TAX", [("shop.config", EAGER, ("TAX",))]),
    "relative-module": ("from . import config", [("shop.config", EAGER, ("config",))]),
    "relative-star": ("from .config import*", [("shop.config", EAGER, ())]),
    "relative-subpackage": ("from .api.v1 import answer", [("shop.api.v1", EAGER, ("answer",))]),
    "relative-spaces": ("from  .  config  import  TAX", [("shop.config", EAGER, ("TAX",))]),
    "relative-beyond-top": ("from .. import plugins\nfrom ...x import y", []),
    "semicolons": (
        "x = 1; import plugins; from .config import TAX",
        [("plugins", EAGER, ("plugins",)), ("shop.config", EAGER, ("TAX",))],
    ),
    "parentheses": (
        "from shop.config import (  # why )\n    TAX,  # (\n\n    RATE as r,\n)",
        [("shop.config", EAGER, ("TAX", "r"))],
    ),
    "backslashes": (
        "from shop.config \\\n  import TAX, \\\n  RATE",
        [("shop.config", EAGER, ("TAX", "RATE"))],
    ),
    "backslash-import": ("import \\\n plugins", [("plugins", EAGER, ("plugins",))]),
    "no-last-newline": ("import plugins  # end", [("plugins", EAGER, ("plugins",))]),
    "form-feed": ("\f\nimport plugins", [("plugins", EAGER, ("plugins",))]),
    "tabs": ("def f():\n\timport plugins", [("plugins", LATER, ("plugins",))]),
    "one-line-if": ("if x: import plugins", [("plugins", MAYBE, ("plugins",))]),
    "one-line-def": ("def f(): import plugins", [("plugins", LATER, ("plugins",))]),
    "function": ("def f():\n    import plugins", [("plugins", LATER, ("plugins",))]),
    "async-function": ("async def f():\n    import plugins", [("plugins", LATER, ("plugins",))]),
    "method": ("class A:\n    def f(self):\n        import plugins", [("plugins", LATER, ("plugins",))]),
    "class-body": ("class A:\n    import plugins", [("plugins", EAGER, ("plugins",))]),
    "class-in-function": (
        "def f():\n    class A:\n        import plugins",
        [("plugins", LATER, ("plugins",))],
    ),
    "type-checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import plugins",
        [("plugins", TYPES, ("plugins",))],
    ),
    "typing-dot": (
        "import typing\nif typing.TYPE_CHECKING:\n    import plugins",
        [("plugins", TYPES, ("plugins",))],
    ),
    "type-checking-comment": (
        "if t.TYPE_CHECKING:  # pragma: no cover\n    import plugins",
        [("plugins", TYPES, ("plugins",))],
    ),
    "type-checking-and": ("if TYPE_CHECKING and x:\n    import plugins", [("plugins", TYPES, ("plugins",))]),
    "type-checking-or": ("if TYPE_CHECKING or x:\n    import plugins", [("plugins", MAYBE, ("plugins",))]),
    "type-checking-else": (
        "if TYPE_CHECKING:\n    import plugins\nelse:\n    from . import config",
        [("plugins", TYPES, ("plugins",)), ("shop.config", MAYBE, ("config",))],
    ),
    "not-type-checking": (
        "if not TYPE_CHECKING:\n import plugins\nelif x:\n from . import money\nelse:\n from . import config",
        [
            ("plugins", MAYBE, ("plugins",)),
            ("shop.money", TYPES, ("money",)),
            ("shop.config", TYPES, ("config",)),
        ],
    ),
    "type-checking-in-function": (
        "def f():\n    if TYPE_CHECKING:\n        import plugins",
        [("plugins", TYPES, ("plugins",))],
    ),
    "if-false": (
        "if False:\n    import plugins\nif 0:\n    import plugins",
        [("plugins", TYPES, ("plugins",))] * 2,
    ),
    "if-else": (
        "if x:\n    import plugins\nelif y:\n    from . import money\nelse:\n    from . import config",
        [
            ("plugins", MAYBE, ("plugins",)),
            ("shop.money", MAYBE, ("money",)),
            ("shop.config", MAYBE, ("config",)),
        ],
    ),
    "if-over-lines": (
        "if (\n    x\n    and y\n):\n    import plugins",
        [("plugins", MAYBE, ("plugins",))],
    ),
    "type-checking-over-lines": (
        "if (\n    x\n    and TYPE_CHECKING\n):\n    import plugins",
        [("plugins", TYPES, ("plugins",))],
    ),
    "try-except": (
        (
            "try:\n    import plugins\nexcept ImportError:\n    from . import money as plugins\n"
            "else:\n    x = 1\nfinally:\n    from . import config"
        ),
        [
            ("plugins", MAYBE, ("plugins",)),
            ("shop.money", MAYBE, ("plugins",)),
            ("shop.config", MAYBE, ("config",)),
        ],
    ),
    "except-star": ("try:\n    x\nexcept* E:\n    import plugins", [("plugins", MAYBE, ("plugins",))]),
    "with": ("with suppress(ImportError):\n    import plugins", [("plugins", MAYBE, ("plugins",))]),
    "loop": (
        "for x in y:\n    import plugins\nelse:\n    from . import money",
        [
            ("plugins", MAYBE, ("plugins",)),
            ("shop.money", MAYBE, ("money",)),
        ],
    ),
    "match": (
        "match x:\n    case 1:\n        import plugins\n    case _:\n        from . import money",
        [("plugins", MAYBE, ("plugins",)), ("shop.money", MAYBE, ("money",))],
    ),
    "main-guard": ('if __name__ == "__main__":\n    import plugins', [("plugins", MAYBE, ("plugins",))]),
    "import-module": (
        'import importlib\nm = importlib.import_module("plugins")',
        [("plugins", DYNAMIC, ("m",))],
    ),
    "import-module-bare": (
        'from importlib import import_module\nimport_module("shop.config")',
        [("shop.config", DYNAMIC, ())],
    ),
    "import-module-alias": (
        'from importlib import import_module as load\nx = load("plugins")',
        [("plugins", DYNAMIC, ("x",))],
    ),
    "import-module-relative": (
        'import importlib\nm = importlib.import_module(".config", package="shop")',
        [("shop.config", DYNAMIC, ("m",))],
    ),
    "import-module-package": (
        'import importlib\nm = importlib.import_module(".config", __package__)',
        [("shop.config", DYNAMIC, ("m",))],
    ),
    "import-module-f-string": (
        'import importlib\nm = importlib.import_module(f"{__package__}.config")',
        [("shop.config", DYNAMIC, ("m",))],
    ),
    "import-module-in-function": (
        'import importlib\ndef f():\n    return importlib.import_module("plugins")',
        [("plugins", DYNAMIC, ())],
    ),
    "import-module-in-lambda": (
        'import importlib\nf = lambda: importlib.import_module("plugins")',
        [("plugins", DYNAMIC, ())],
    ),
    "dunder-import": (
        'm = __import__("shop.config")',
        [("shop", DYNAMIC, ("m",)), ("shop.config", DYNAMIC, ("m",))],
    ),
    "dunder-import-from": (
        'm = __import__("shop.api", fromlist=["v2"])',
        [("shop.api.v2", DYNAMIC, ("m",))],
    ),
    "dunder-import-relative": (
        'm = __import__("config", globals(), locals(), ["TAX"], 1)',
        [("shop.config", DYNAMIC, ("m",))],
    ),
    "in-strings": ('s = """\nimport plugins\n"""\nt = "import plugins"\n# import plugins', []),
    "in-single-quotes": ("s = '''\nfrom plugins import x\n'''", []),
    "string-over-lines": ("s = 'a \\\nimport plugins\\\n'", []),
    "quotes-in-comments": (
        'x = 1  # it\'s\nimport plugins\n# """\nfrom . import config',
        [
            ("plugins", EAGER, ("plugins",)),
            ("shop.config", EAGER, ("config",)),
        ],
    ),
    "f-string": (
        "x = f\"{d['import plugins']!r:>{w}} {{import plugins}}\"\nimport plugins",
        [("plugins", EAGER, ("plugins",))],
    ),
    "f-string-over-lines": (
        's = f"""\nimport plugins {x["a"]}\n"""\nimport plugins',
        [("plugins", EAGER, ("plugins",))],
    ),
    "decorated": ("@d\ndef f():\n    import plugins", [("plugins", LATER, ("plugins",))]),
    "called-directly": ("def f():\n    import plugins\nf()", [("plugins", CALLED, ("plugins",))]),
    "called-through": (
        "def f():\n    import plugins\ndef g():\n    f()\nx = g()",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-as-decorator": (
        "def f(g):\n    import plugins\n    return g\n@f\ndef h(): ...",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-as-decorator-factory": (
        "def f(n):\n def inner(g):\n  import plugins\n  return g\n return inner\n@f(1)\ndef h(): ...",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-in-class-body": (
        "def f():\n    import plugins\nclass A:\n    x = f()",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-by-constructor": (
        "class A:\n def __init__(self):\n  self.load()\n def load(self):\n  import plugins\na = A()",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-by-a-caller": (
        "def run(f):\n    f()\ndef load():\n    import plugins\nrun(load)",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-as-base": (
        "class A:\n    def __init_subclass__(cls):\n        import plugins\nclass B(A): ...",
        [("plugins", CALLED, ("plugins",))],
    ),
    "called-by-main-only": (
        'def f():\n    import plugins\nif __name__ == "__main__":\n    f()',
        [("plugins", LATER, ("plugins",))],
    ),
    "named-not-called": ("def f():\n    import plugins\nx = [f]", [("plugins", LATER, ("plugins",))]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_import_makes_its_edges(form: str) -> None:
    """Each form leads to the modules that it runs or reads, with kind and bound names."""
    text, expected = FORMS[form]
    edges = graph(PROGRAM | {"shop.cart": text}).imports("shop.cart")
    assert sorted(map(shown, edges)) == sorted(expected)


DEEP: dict[str, tuple[str, list[tuple[str, str, tuple[str, ...]]]]] = {
    "one-dot": ("from . import x", []),  # a package that takes a name from itself
    "two-dots": ("from .. import x", [("shop.deep", EAGER, ("x",))]),
    "three-dots": ("from ... import config", [("shop.config", EAGER, ("config",))]),
    "three-dots-module": ("from ...config import TAX", [("shop.config", EAGER, ("TAX",))]),
    "beyond-top": ("from ....plugins import x", []),
    "package": ("from .leaf import x", [("shop.deep.er.leaf", EAGER, ("x",))]),
    "own-name": (
        'import importlib\nm = importlib.import_module(".leaf", __name__)',
        [("shop.deep.er.leaf", DYNAMIC, ("m",))],
    ),
    "own-name-added": (
        'import importlib\nm = importlib.import_module(__name__ + ".leaf")',
        [("shop.deep.er.leaf", DYNAMIC, ("m",))],
    ),
}


@pytest.mark.parametrize("form", DEEP)
def test_a_relative_import_starts_at_the_package(form: str) -> None:
    """In the `__init__` of a package the first dot is the package itself."""
    text, expected = DEEP[form]
    edges = graph(PROGRAM | {"shop.deep.er": text}).imports("shop.deep.er")
    assert sorted(map(shown, edges)) == sorted(expected)


ENCODED = {
    "crlf": b"import plugins\r\nfrom . import config\r\n",
    "cr": b"import plugins\rfrom . import config\r",
    "bom": b"\xef\xbb\xbfimport plugins\nfrom . import config",
    "latin-1": b"# -*- coding: latin-1 -*-\nx = '\xe9'\nimport plugins\nfrom . import config",
    "cookie-on-line-2": b"#!/bin/x\n# set fileencoding=cp1252 :\n# \x80\nimport plugins, shop.config as c",
}


@pytest.mark.parametrize("form", ENCODED)
def test_bytes_are_read_as_the_compiler_reads_them(form: str) -> None:
    """Cookies, a byte order mark and any line ends change nothing in what is imported."""
    from hotmod._model.changes import SourceText
    from hotmod._source.graph import ModuleSource, build
    from tests.source.build import sources

    text = ModuleSource(SourceText.of("/shop/cart.py", ENCODED[form]))
    edges = build(sources(PROGRAM) | {"shop.cart": text}).imports("shop.cart")
    assert [edge.imported for edge in edges] == ["plugins", "shop.config"]


def test_an_identifier_is_normalised() -> None:
    """The parser normalises identifiers (NFKC), so a differently written name is the same module."""
    assert [edge.imported for edge in graph({"a": "import ﬁle", "file": ""}).imports("a")] == ["file"]


def test_a_submodule_that_the_package_shadows_leads_to_both() -> None:
    """`from pkg import name` may give the package's own `name`, so the package is depended on as well."""
    program = {
        "shop": "from shop.cart import cart",
        "shop.cart": "def cart(): ...",
        "shop.api": "from shop import cart",
    }
    assert [edge.imported for edge in graph(program).imports("shop.api")] == ["shop", "shop.cart"]
    program["shop"] = "from shop import cart"
    assert [edge.imported for edge in graph(program).imports("shop.api")] == ["shop.cart"]


def test_a_star_takes_the_submodules_that_all_lists() -> None:
    """`from pkg import *` imports the submodules that `__all__` names."""
    program = {"shop": '__all__ = ["cart", "TAX"]', "shop.cart": "", "app": "from shop import *"}
    edges = graph(program).imports("app")
    assert {edge.imported: edge.star for edge in edges} == {"shop": True, "shop.cart": True}


LAZY = {
    "if": "def __getattr__(name):\n if name == 'Cart':\n  from shop.cart import Cart\n  return Cart",
    "name-to-module": '_table = {"Cart": ".cart"}\ndef __getattr__(name):\n    import importlib\n'
    "    return getattr(importlib.import_module(_table[name], __name__), name)",
    "name-to-path": '_table = {"Cart": "shop.cart.Cart"}\ndef __getattr__(name): ...',
    "name-to-pair": '_table = {"Cart": ("shop.cart", "Cart")}\ndef __getattr__(name): ...',
    "attach": "import lazy_loader as lazy\n"
    '__getattr__, __dir__, __all__ = lazy.attach(__name__, submodules=[], submod_attrs={"cart": ["Cart"]})',
    "structure": '_import_structure = {}\n_import_structure["cart"] = ["Cart"]\ndef __getattr__(name): ...',
}


@pytest.mark.parametrize("form", LAZY)
def test_a_lazy_table_makes_edges_that_do_not_run_at_import(form: str) -> None:
    """A module-level `__getattr__` leads to what its table names, later; who asks for the name, now."""
    program = {"shop": LAZY[form], "shop.cart": "class Cart: ...", "app": "from shop import Cart"}
    made = graph(program)
    assert {(edge.imported, edge.at_import) for edge in made.imports("shop")} == {("shop.cart", False)}
    assert {(edge.imported, edge.at_import) for edge in made.imports("app")} == {
        ("shop", True),
        ("shop.cart", True),
    }


def test_a_submodule_list_is_a_lazy_table() -> None:
    """A list of submodules beside `__getattr__` leads to them."""
    program = {"shop": 'submodules = ["cart"]\ndef __getattr__(name): ...', "shop.cart": ""}
    assert [edge.imported for edge in graph(program).imports("shop")] == ["shop.cart"]


UNSURE = {
    "computed": "import importlib\nimportlib.import_module(name)",
    "computed-dunder": "__import__(name)",
    "handed-on": "from importlib import import_module\nmods = map(import_module, names)",
    "exec": "exec(code)",
    "exec-literal": 'exec("import os")',
    "sys-modules": "import sys\nsys.modules[__name__] = x",
    "sys-modules-update": "import sys\nsys.modules.update(x)",
    "by-path": "import importlib.util\nspec = importlib.util.spec_from_file_location(a, b)",
    "runpy": "import runpy\nrunpy.run_path(p)",
}


@pytest.mark.parametrize("form", UNSURE)
def test_what_can_not_be_told_is_noted(form: str) -> None:
    """A call that imports what the text doesn't tell is listed with its line, never ignored."""
    ((module, note),) = graph({"a": UNSURE[form]}).unsure
    assert module == "a"
    assert UNSURE[form].splitlines()[note.line - 1].startswith(
        note.text.partition("(")[0].partition("[")[0][:5]
    ) or (note.text.partition("(")[0] in UNSURE[form].splitlines()[note.line - 1])


@pytest.mark.parametrize(
    "text",
    ['exec("x = 1")', "self.load_module(x)", "db.exec(x)", 's = "exec(x)"', "import sys\nsys.modules[x]"],
)
def test_what_imports_nothing_is_not_noted(text: str) -> None:
    """Code that only looks like an import makes no note."""
    assert graph({"a": text}).unsure == ()
