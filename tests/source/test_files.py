"""Which modules lie in a folder, and reading them."""

from __future__ import annotations

import os
import pathlib

import pytest

from hotmod._model.errors import SourceError
from hotmod._source.files import discover, graph_of, read


def make(root: pathlib.Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("", encoding="utf-8")


def test_packages_and_modules_are_found(tmp_path: pathlib.Path) -> None:
    """Files make modules, `__init__.py` makes packages, stubs and data make nothing."""
    make(
        tmp_path, "__init__.py", "cart.py", "cart.pyi", "only.pyi", "data.txt", "api/__init__.py", "api/v1.py"
    )
    found = discover([tmp_path], "shop")
    assert list(found.modules) == ["shop", "shop.api", "shop.api.v1", "shop.cart"]
    assert [name for name, file in found.modules.items() if file.is_package] == ["shop", "shop.api"]
    assert found.sourceless == frozenset()
    assert found.errors == ()


def test_folders_without_init_are_namespace_packages(tmp_path: pathlib.Path) -> None:
    """A folder without `__init__.py` is a package without a source, if modules lie in or below it."""
    make(tmp_path, "space/deep/tool.py", "docs/images/logo.png")
    found = discover([tmp_path / "space"], "space")
    assert list(found.modules) == ["space.deep.tool"]
    assert found.sourceless == {"space", "space.deep"}
    assert discover([tmp_path / "docs"], "docs").sourceless == frozenset()


def test_a_package_may_have_several_roots(tmp_path: pathlib.Path) -> None:
    """The portions of a package are one; of two files for a module the first root's counts."""
    make(tmp_path, "one/a.py", "one/both.py", "two/b.py", "two/both.py")
    found = discover([tmp_path / "one", tmp_path / "two"], "space")
    assert sorted(found.modules) == ["space.a", "space.b", "space.both"]
    assert found.modules["space.both"].path == str(tmp_path / "one" / "both.py")


def test_a_package_wins_over_a_module_of_its_name(tmp_path: pathlib.Path) -> None:
    """Beside `cart/__init__.py` the file `cart.py` is never imported."""
    make(tmp_path, "cart.py", "cart/__init__.py", "z/__init__.py", "z.py")
    found = discover([tmp_path])
    assert all(file.is_package for file in found.modules.values())


def test_names_that_nothing_imports_are_left_out(tmp_path: pathlib.Path) -> None:
    """Names with dashes or dots make no modules; a migration that starts with a digit does."""
    make(
        tmp_path,
        "a-b.py",
        "a.b.py",
        "ok.py",
        "0001_initial.py",
        "x-y/z.py",
        "__pycache__/ok.py",
        ".git/hook.py",
    )
    assert list(discover([tmp_path]).modules) == ["0001_initial", "ok"]


def test_extension_modules_have_no_source(tmp_path: pathlib.Path) -> None:
    """A shared library is a module in scope, without text."""
    make(tmp_path, "__init__.py", "_core.cpython-312-x86_64-linux-gnu.so", "_fast.pyd")
    assert discover([tmp_path], "shop").sourceless == {"shop._core", "shop._fast"}


def test_a_tree_that_links_into_itself_is_walked_once(tmp_path: pathlib.Path) -> None:
    """A link to a folder above leads nowhere, one to a folder aside is followed."""
    make(tmp_path, "shop/__init__.py", "shop/api/__init__.py", "other/tool.py")
    (tmp_path / "shop" / "loop").symlink_to(tmp_path / "shop")
    (tmp_path / "shop" / "api" / "up").symlink_to(tmp_path / "shop")
    (tmp_path / "shop" / "tools").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(tmp_path / "shop")
    (tmp_path / "shop" / "self").symlink_to(tmp_path / "shop" / "self")
    (tmp_path / "shop" / "gone.py").symlink_to(tmp_path / "nowhere.py")
    found = discover([tmp_path / "shop"], "shop")
    assert list(found.modules) == ["shop", "shop.api", "shop.tools.tool"]
    assert [error.path for error in found.errors] == [str(tmp_path / "shop" / "gone.py")]


def test_a_linked_file_is_a_module(tmp_path: pathlib.Path) -> None:
    """A link to a file is read like the file."""
    make(tmp_path, "real/cart.py")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "cart.py").symlink_to(tmp_path / "real" / "cart.py")
    assert list(discover([tmp_path / "shop"]).modules) == ["cart"]


def test_a_fifo_is_not_opened(tmp_path: pathlib.Path) -> None:
    """What is no regular file makes no module, and reading it is an error at once."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    assert dict(discover([tmp_path]).modules) == {}
    for name in ("pipe.py", "folder.py", "missing.py"):
        with pytest.raises(SourceError) as caught:
            read(str(tmp_path / name))
        assert caught.value.path == str(tmp_path / name)


def test_a_missing_folder_is_an_error_in_the_result(tmp_path: pathlib.Path) -> None:
    """A root that can't be listed is told, and the other roots are found."""
    make(tmp_path, "shop/cart.py")
    found = discover([tmp_path / "nowhere", tmp_path / "shop"], "shop")
    assert list(found.modules) == ["shop.cart"]
    assert [error.path for error in found.errors] == [str(tmp_path / "nowhere")]


def test_reading_gives_the_bytes(tmp_path: pathlib.Path) -> None:
    """The text of a file is its bytes, of any size."""
    for data in (b"", b"x = 1\r\n", b"#" * 3_000_000):
        path = tmp_path / "cart.py"
        path.write_bytes(data)
        assert read(str(path)).data == data


def test_a_graph_of_folders_has_everything(tmp_path: pathlib.Path) -> None:
    """Packages and single files make one graph; what can't be read is an error in it."""
    make(tmp_path, "shop/__init__.py", "shop/_core.so")
    (tmp_path / "shop" / "cart.py").write_bytes(b"import plugin, shop._core")
    (tmp_path / "shop" / "bad.py").write_bytes(b"# \xff")
    (tmp_path / "plugin.py").write_bytes(b"from shop import cart")
    made = graph_of({"shop": [tmp_path / "shop"], "plugin": [str(tmp_path / "plugin.py")]})
    assert list(made) == ["plugin", "shop", "shop._core", "shop.bad", "shop.cart"]
    assert made.cycles() == (("plugin", "shop.cart"),)
    assert [error.path for error in made.errors] == [str(tmp_path / "shop" / "bad.py")]
