"""`pytest --hot`: after each save the tests that it can affect have the outcome of a fresh process."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.doors.hot import BARE, Hot, running
from tests.doors.shell import SECONDS, environment

FILES = {
    "pyproject.toml": '[tool.pytest]\npythonpath = ["src"]\n',
    "src/shop/__init__.py": "",
    "src/shop/tax.py": """\
        RATE = 0.5
        SEEN = []

        def gross(net):
            SEEN.append(net)
            return net * (1 + RATE)
        """,
    "src/shop/cart.py": """\
        from shop.tax import gross

        class Cart:
            def __init__(self, *nets):
                self.nets = nets

            def total(self):
                return sum(map(gross, self.nets))
        """,
    "src/shop/stock.py": "def left(thing):\n    from shop.shelf import SHELF\n    return SHELF[thing]\n",
    "src/shop/shelf.py": "SHELF = {'tea': 3}\n",
    "tests/conftest.py": """\
        import pytest
        from shop.cart import Cart

        @pytest.fixture
        def cart():
            return Cart(10, 20)
        """,
    "tests/test_cart.py": """\
        import pytest
        from shop import tax

        def test_total(cart):
            assert cart.total() == 45

        @pytest.mark.parametrize("net", [2, 4])
        def test_gross(net):
            assert tax.gross(net) == net * 1.5

        def test_nothing_is_left_behind():
            assert not tax.SEEN[4:]
        """,
    "tests/test_stock.py": """\
        from shop.stock import left

        class TestStock:
            def test_left(self):
                assert left("tea") == 3
        """,
    "tests/test_alone.py": "def test_alone():\n    pass\n",
}


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A small project with tests."""
    folder = tmp_path / "project"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def files(hot: Hot) -> set[str]:
    """The files whose tests ran last."""
    return {name.partition("::")[0].removeprefix("tests/") for name in hot.ran}


def test_an_edit_runs_what_it_can_affect(project: pathlib.Path) -> None:
    """Edits of modules, also of those that functions import, run the tests that reach them and no others."""
    with running(project) as hot:
        assert len(hot.ran) == 6
        told = hot.save("src/shop/tax.py", "RATE = 0.5", "RATE = 0.25")
        assert "re-ran shop.tax:1" in told
        assert "3 of 3 test files can be affected" in told  # by way of the conftest
        assert hot.differences() == {}
        assert "tests/test_cart.py::test_total" in hot.tests
        assert hot.tests["tests/test_cart.py::test_total"] == "call-failed"
        hot.save("src/shop/shelf.py", "3", "2")
        assert files(hot) == {"test_stock.py"}
        hot.save("tests/test_alone.py", "pass", "assert 0, 1 + 1")
        assert files(hot) == {"test_alone.py"}
        told = hot.save("src/shop/tax.py", "RATE = 0.25", "RATE = 0.5")
        assert "3 of 3 test files" in told
        assert next(iter(hot.ran)) == "tests/test_alone.py::test_alone"  # it failed before
        assert hot.differences() == {}
        hot.type("q")
        assert hot.process.wait(SECONDS) == hot.code == 1


def test_edited_tests_are_collected_again(project: pathlib.Path) -> None:
    """New, renamed and re-parametrised tests, and fixtures and hooks of a conftest, count at once."""
    with running(project) as hot:
        hot.save("tests/test_cart.py", "[2, 4]", "[2, 6, 8]")
        assert set(hot.ran) == {
            *(f"tests/test_cart.py::test_{name}" for name in ("total", "nothing_is_left_behind")),
            *(f"tests/test_cart.py::test_gross[{net}]" for net in (2, 6, 8)),
        }
        hot.save("tests/test_stock.py", "def test_left(self)", "def test_right(self)")
        assert set(hot.ran) == {"tests/test_stock.py::TestStock::test_right"}
        hot.save("tests/conftest.py", "Cart(10, 20)", "Cart(10, 30)")
        assert hot.tests["tests/test_cart.py::test_total"] == "call-failed"
        hook = "\n\ndef pytest_itemcollected(item):\n    item.add_marker('xfail')\n"
        hot.save("tests/conftest.py", "return Cart(10, 30)\n", f"return Cart(10, 30)\n{hook}")
        assert hot.tests["tests/test_cart.py::test_total"].startswith("xfail")
        hot.save("tests/conftest.py", hook, "")
        assert hot.tests["tests/test_cart.py::test_total"] == "call-failed"
        (project / "tests" / "test_new.py").write_text("def test_new(cart):\n    assert cart\n")
        assert "hotmod: saved tests/test_new.py; 1 of 4 test files can be affected" in hot.wait()
        assert set(hot.ran) == {"tests/test_new.py::test_new"}
        (project / "tests" / "test_new.py").unlink()
        hot.wait()
        assert hot.differences() == {}


def test_what_can_not_be_applied_is_not_run_on_old_code(project: pathlib.Path) -> None:
    """A broken module or test fails as pytest says it, others run, and a mended one is all right again."""
    with running(project) as hot:
        told = hot.save("src/shop/shelf.py", "SHELF =", "SHELF ==")
        assert files(hot) == {"test_stock.py"}
        assert hot.differences() == {}
        assert "ERROR" in told or "FAILED" in told
        told = hot.save("tests/test_cart.py", "import pytest", "import pytest\nimport nowhere")
        assert "ModuleNotFoundError: No module named 'nowhere'" in told
        assert hot.tests["tests/test_cart.py"] == "collect-failed"
        told = hot.save("tests/conftest.py", "from shop.cart import Cart", "from shop.cart import Card")
        assert hot.ran == {}
        assert "ImportError while loading conftest" in told
        hot.save("tests/conftest.py", "Card", "Cart")
        hot.save("tests/test_cart.py", "import nowhere", "")
        hot.save("src/shop/shelf.py", "SHELF ==", "SHELF =")
        assert set(hot.tests.values()) == {"call-passed"}
        assert len(hot.tests) == 6


def test_what_ran_when_pytest_began_is_run_by_a_new_process(project: pathlib.Path) -> None:
    """Where a conftest configures pytest, an edit of that has another process go on, with the same tests."""
    conftest = project / "tests" / "conftest.py"
    early = "\nNAME = 'tea'\ndef pytest_configure(config):\n    config.addinivalue_line('markers', NAME)\n"
    conftest.write_text(conftest.read_text() + early)
    test = project / "tests" / "test_stock.py"
    test.write_text(test.read_text().replace("class", "import pytest\n\n@pytest.mark.tea\nclass"))
    with running(project, "--strict-markers") as hot:
        assert len(hot.ran) == 6
        told = hot.save("tests/conftest.py", "Cart(10, 20)", "Cart(20, 10)")
        assert "a new process" not in told
        told = hot.save("tests/conftest.py", "'tea'", "'chai'")
        assert "what its pytest_configure does has changed: a new process" in told
        assert hot.tests["tests/test_stock.py"] == "collect-failed"
        hot.save("tests/test_stock.py", "mark.tea", "mark.chai")
        assert set(hot.ran) == {"tests/test_stock.py::TestStock::test_left"}
        assert hot.differences() == {}


def test_options_mean_what_they_mean(project: pathlib.Path) -> None:
    """`-x`, `-k` and `--lf` choose as in a fresh process; what `-x` kept from running stays to be run."""
    with running(project, "-x", "-k", "not alone") as hot:
        assert len(hot.ran) == 5
        hot.save("src/shop/tax.py", "RATE = 0.5", "RATE = 1")
        assert hot.ran == {"tests/test_cart.py::test_total": "call-failed"}
        hot.save("src/shop/tax.py", "RATE = 1", "RATE = 0.5")
        assert set(hot.tests.values()) == {"call-passed"}
    with running(project, "--lf") as hot:
        assert len(hot.ran) == 6
        hot.save("tests/test_cart.py", "== 45", "== 46")
        hot.save("tests/test_cart.py", "== 46", "== 47")
        assert set(hot.ran) == {"tests/test_cart.py::test_total"}
        assert "0 of" not in hot.save("tests/test_cart.py", "== 47", "== 45")
        hot.type("\n")
        hot.wait()
        assert len(hot.ran) == 6


def test_keys_and_signals_end_it(project: pathlib.Path) -> None:
    """Ctrl-C leaves with the code of the last run; a test that kills its process is told, and not the end."""
    with running(project) as hot:
        told = hot.save("tests/test_alone.py", "pass", "import os; os.kill(os.getpid(), 9)")
        assert "the run was ended by SIGKILL" in told
        hot.save("tests/test_alone.py", "os.kill(os.getpid(), 9)", "assert 1")
        assert hot.ran == {"tests/test_alone.py::test_alone": "call-passed"}
        hot.process.send_signal(signal.SIGINT)
        assert hot.process.wait(SECONDS) == hot.code == 0


def test_a_real_suite_ends_as_in_a_fresh_process(tmp_path: pathlib.Path) -> None:
    """Edits of tornado and of its tests give each test the outcome that a fresh process gives it."""
    spec = importlib.util.find_spec("tornado")
    assert spec is not None
    assert spec.origin is not None
    installed = pathlib.Path(spec.origin).parent
    folder = tmp_path / "project"
    shutil.copytree(installed, folder / "tornado", ignore=shutil.ignore_patterns("*_test.py", "__pycache__"))
    names = ["escape", "util", "locks", "queues"]
    for name in names:
        shutil.copy(installed / "test" / f"{name}_test.py", folder / "tornado" / "test")
    with running(folder, "-W", "default", path=".") as hot:
        told = hot.save("tornado/escape.py", """html.escape(to_unicode(value))""", """to_unicode(value)""")
        assert "patched xhtml_escape" in told
        assert "call-failed" in hot.ran.values()
        hot.save("tornado/test/util_test.py", "def test_import_member(self)", "def test_member(self)")
        hot.save("tornado/locks.py", "self._value = value", "self._value = value + 1")
        hot.save("tornado/escape.py", "return to_unicode(value)", "return html.escape(to_unicode(value))")
        assert hot.differences("-W", "default") == {}


def test_plain_pytest_loads_nothing_of_it(tmp_path: pathlib.Path) -> None:
    """Without its options the plugin loads neither the engine nor watchfiles, nor any part of the door."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    ours = {name for name in sys.modules if name.startswith(('hotmod', 'watchfiles'))}\n"
        "    assert ours == {'hotmod', 'hotmod.pytest_plugin'}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *BARE, "test_it.py"],
        cwd=tmp_path,
        env=environment(tmp_path / "temporary", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS * 5,
    )
    assert done.returncode == 0, done.stdout
    found = importlib.metadata.entry_points(group="pytest11", name="hotmod")
    assert [each.value for each in found] == ["hotmod.pytest_plugin"]
