"""The magic `%hotmod` in a shell of IPython: cells run the code that was on disk when they began."""

from __future__ import annotations

import gc
import logging
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

import hotmod
from tests.doors.conftest import Shell
from tests.engine.watching import fresh, replace
from tests.oracle.project import Project

V1 = """
    LIMIT = 1
    RUNS = []
    RUNS.append("ran")


    class Cart:
        size = 1

        def total(self):
            return 1


    def price():
        return LIMIT
    """
V2 = V1.replace("LIMIT = 1", "LIMIT = 2").replace("size = 1", "size = 2").replace("return 1\n", "return 2\n")


@pytest.fixture
def shop(project: Project, shell: Shell) -> Project:
    """A package of which the shell has imported names, and keeps everything up to date."""
    project.write(
        {"shop/__init__.py": "", "shop/cart.py": V1, "shop/api.py": "from shop.cart import price\n"}
    )
    shell("%hotmod")
    shell("import shop.cart, shop.api\nfrom shop.cart import Cart, LIMIT as limit, price\ncart = Cart()")
    return project


def broken(shop: Project, shell: Shell) -> str:
    """Save an edit that fails when it runs, and give what the next cell shows."""
    shop.write({"shop/cart.py": V2 + "\n    def late():\n        1 / 0\n\n\n    late()\n"})
    return shell("print('cell', price())")


class TestNames:
    """What the notebook holds is new."""

    def test_what_was_imported_by_name_is_new(self, shop: Project, shell: Shell) -> None:
        """Functions, constants and classes that cells imported are those on disk, as in a fresh process."""
        shop.write({"shop/cart.py": V2})
        found = shell.value("(price(), limit, Cart.size, cart.total(), shop.api.price())")
        expression = "(c.price(), c.LIMIT, c.Cart.size, c.Cart().total(), __import__('shop.api').api.price())"
        assert repr(found) == fresh(shop, expression, "shop.cart as c") == "(2, 2, 2, 2, 2)"

    def test_instances_are_of_the_class_that_the_module_has(self, shop: Project, shell: Shell) -> None:
        """An instance made before is of the very class that the module, and the notebook's name, hold."""
        shop.write({"shop/cart.py": V2})
        assert shell.value("type(cart) is shop.cart.Cart is Cart and isinstance(cart, Cart)") is True

    def test_a_name_that_became_something_else_is_bound_anew(self, shop: Project, shell: Shell) -> None:
        """Where a function became a class, the notebook's name is that class."""
        shop.write(
            {"shop/cart.py": V1.replace("def price():\n        return LIMIT", "class price:\n        x = 3")}
        )
        assert shell.value("price is shop.cart.price and price.x") == 3

    def test_a_name_that_is_gone_is_gone(self, shop: Project, shell: Shell) -> None:
        """A name that its module lost is not found in the notebook either, and the line says so."""
        shop.write({"shop/cart.py": V1.replace("LIMIT = 1", "OTHER = 1").replace("LIMIT", "OTHER")})
        shown = shell("limit")
        assert "cleared" in shown
        assert "NameError: name 'limit' is not defined" in shown

    def test_what_the_user_bound_by_hand_stays(self, shop: Project, shell: Shell) -> None:
        """A name that was given another value in a cell keeps it."""
        shell("limit = 'mine'")
        shop.write({"shop/cart.py": V2})
        assert shell.value("limit") == "mine"

    def test_imports_under_a_magic_count(self, shop: Project, shell: Shell) -> None:
        """What a cell imports that begins with a magic is new as well."""
        shell("%%capture\n%config\nfrom shop.cart import LIMIT as under")
        shop.write({"shop/cart.py": V2})
        assert shell.value("under") == 2

    def test_state_stays(self, shop: Project, shell: Shell) -> None:
        """Statements that the edit does not concern do not run again."""
        shop.write({"shop/cart.py": V2})
        assert shell.value("shop.cart.RUNS") == ["ran"]


class TestTheMoment:
    """When edits are applied."""

    def test_no_save_is_missed(self, shop: Project, shell: Shell) -> None:
        """A file saved the instant before a cell is applied before it, each of 25 times."""
        for number in range(25):
            text = V1.replace("LIMIT = 1", f"LIMIT = {number}")
            if number % 2:
                shop.write({"shop/cart.py": text})
            else:
                replace(shop.folder / "shop/cart.py", textwrap.dedent(text).lstrip())
            assert shell.value("price()") == number

    def test_a_save_in_a_cell_is_for_the_next(self, shop: Project, shell: Shell) -> None:
        """A file saved while a cell runs does not change the code under it; the next cell has it."""
        path = str(shop.folder / "shop/cart.py")
        save = f"import pathlib\npathlib.Path({path!r}).write_text({textwrap.dedent(V2)!r})"
        shell(f"found = [price()]\n{save}\nfound.append(price())")
        assert shell.value("[*found, price()]") == [1, 1, 2]

    def test_a_module_edited_right_after_its_import(self, shop: Project, shell: Shell) -> None:
        """A module of another folder is kept up to date from the cell after the one that imports it."""
        shop.write({"far/away/tool.py": "X = 1\n"})
        shell(
            f"import sys; sys.path.append({str(shop.folder / 'far/away')!r}); import tool; from tool import X"
        )
        shop.write({"far/away/tool.py": "X = 2\n"})
        assert shell.value("(X, tool.X)") == (2, 2)

    def test_a_module_that_a_cell_has_just_saved(self, shop: Project, shell: Shell) -> None:
        """A module that is edited in the very cell that imports it is new in the next one."""
        path = str(shop.folder / "late.py")
        shop.write({"late.py": "X = 1\n"})
        shell(f"import pathlib\nfrom late import X\npathlib.Path({path!r}).write_text('X = 2\\n')")
        assert shell.value("X") == 2

    def test_what_was_edited_before_it_was_asked_for(self, project: Project, shell: Shell) -> None:
        """A module that was edited after its import is run again, where that can be seen, and it is said."""
        project.write({"shop/__init__.py": "", "shop/cart.py": V1, "shop/api.py": "X = 1\n"})
        shell("import shop.cart, shop.api\nfrom shop.cart import Cart, LIMIT as limit, price\ncart = Cart()")
        project.write({"shop/cart.py": V2})
        assert "edited after the import, and run again before the next cell: shop.cart\n" in shell("%hotmod")
        assert shell.value("(price(), limit, cart.total(), cart.size)") == (2, 2, 2, 2)

    def test_nothing_is_installed_that_is_edited(self, shop: Project, shell: Shell) -> None:
        """The standard library and installed packages are left alone, of whichever interpreter."""
        shop.write({"lib/site-packages/vendor.py": "X = 1\n"})
        folder = shop.folder / "lib/site-packages"
        shell(f"import sys; sys.path.append({str(folder)!r}); import vendor, json, pytest")
        shop.write({"lib/site-packages/vendor.py": "X = 2\n"})
        assert shell.value("vendor.X") == 1
        owned = shell.inner.magics_manager.registry["HotmodMagics"].keeper.reloader.ledger.modules
        assert not {"json", "pytest", "IPython", "hotmod", "vendor"} & owned.keys()
        assert {"shop", "shop.cart", "shop.api"} <= owned.keys()

    def test_nothing_before_it_is_asked_for(self, project: Project, shell: Shell) -> None:
        """The extension alone applies nothing."""
        project.write({"tool.py": "X = 1\n"})
        shell("import tool")
        project.write({"tool.py": "X = 2\n"})
        assert shell.value("tool.X") == 1
        assert "hotmod is off" in shell("%hotmod status")


class TestWhatIsShown:
    """Quiet, but never silent."""

    def test_nothing_where_nothing_was_saved(self, shop: Project, shell: Shell) -> None:
        """A cell shows what it shows, as long as nothing changed; that includes a save of the same text."""
        assert shell("print(1)") == "1\n"
        shop.write({"shop/cart.py": V1})
        assert shell("print(1)") == "1\n"

    def test_one_line_where_something_was(self, shop: Project, shell: Shell) -> None:
        """An edit is one line above what the cell shows, in the words of the report."""
        shop.write({"shop/cart.py": V1.replace("return 1\n", "return 5\n")})
        line, rest = shell("print(cart.total())").split("\n", 1)
        assert line.startswith("hotmod: applied shop.cart in ")
        assert line.endswith(" ms: patched Cart.total (generation 1)")
        assert rest == "5\n"

    def test_where_more_is_to_be_known(self, shop: Project, shell: Shell) -> None:
        """A line of an edit with hazards says where they are told."""
        shop.write({"shop/cart.py": V1.replace("class Cart:", "class Cart:\n        __slots__ = ('a',)\n")})
        assert re.search(r"; 2 hazards \(generation 1\); %hotmod status tells more$", shell("1;").strip())
        assert "slots-layout shop.cart:Cart" in shell("%hotmod status")

    def test_an_error_is_the_users_own(self, shop: Project, shell: Shell) -> None:
        """A refused edit shows the exception as IPython does, with the new lines and without our frames."""
        shown = broken(shop, shell)
        assert "ZeroDivisionError                         Traceback (most recent call last)" in shown
        assert re.search(r"^---> \d+ late\(\)$", shown, re.MULTILINE)
        assert "1 / 0" in shown
        assert "hotmod/" not in shown
        assert "importlib" not in shown
        assert "hotmod: Could not reload shop.cart (cart.py:17): ZeroDivisionError" in shown
        assert shown.endswith("cell 1\n")

    def test_a_syntax_error_shows_the_line(self, shop: Project, shell: Shell) -> None:
        """A file that does not parse is shown as if it had been typed."""
        shop.write({"shop/cart.py": "def price(:\n    pass\n"})
        shown = shell("print(price())")
        assert "    def price(:\n              ^\nSyntaxError: invalid syntax" in shown
        assert shown.endswith("\n1\n")

    def test_an_error_is_shown_once(self, shop: Project, shell: Shell) -> None:
        """The same refusal is not shown again, and not logged beside it."""
        assert broken(shop, shell).count("Could not reload") == 1
        assert shell("print(price())") == "1\n"

    def test_the_prompt_tells(self, shop: Project, shell: Shell) -> None:
        """The prompt says that memory differs from disk, from the refusal until it is mended."""
        prompt = shell.prompt
        broken(shop, shell)
        assert shell.prompt.startswith("disk differs In [")
        shop.write({"shop/cart.py": V2})
        shell("pass")
        assert shell.prompt.startswith("In [")
        shell("%hotmod rollback")
        assert shell.prompt.startswith("disk differs In [")
        shell("%hotmod off")
        assert shell.prompt.startswith(prompt[:4])

    def test_the_log_goes_where_it_went(
        self, shop: Project, shell: Shell, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Handlers of the user's get each report as without IPython."""
        with caplog.at_level(logging.INFO, "hotmod"):
            shop.write({"shop/cart.py": V2})
            shell("pass")
        assert [record.name for record in caplog.records] == ["hotmod"]

    def test_an_error_of_hotmod_stops_no_cell(
        self, shop: Project, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If hotmod itself fails, that is shown, and the cell runs."""
        shop.write({"shop/cart.py": V2})
        with monkeypatch.context() as patch:
            patch.setattr("hotmod._engine.reloader.Reloader._try", lambda *_, **__: 1 / 0)
            shown = shell("print('cell', price())")
        assert "hotmod itself failed with ZeroDivisionError" in shown
        assert shown.endswith("cell 1\n")
        assert shell.prompt.startswith("disk differs In [")
        assert "applied shop.cart" in shell("%hotmod retry")
        assert shell.prompt.startswith("In [")

    def test_what_others_take_back_is_seen(self, shop: Project, shell: Shell) -> None:
        """The prompt tells of a rollback that a cell asked `hotmod` for, until that is undone."""
        shell("import hotmod; hotmod.reload('shop')")
        path = str(shop.folder / "shop/cart.py")
        save = f"import pathlib; pathlib.Path({path!r}).write_text({textwrap.dedent(V2)!r})"
        shell(f"{save}\nhotmod.reload('shop')")
        assert shell.value("price()") == 2
        shell("hotmod.rollback('shop')")
        assert shell.prompt.startswith("disk differs In [")
        assert "memory differs from disk (rolled back): shop.cart" in shell("%hotmod status")
        assert shell.value("price()") == 1
        shell("hotmod.reload('shop')")
        assert shell.prompt.startswith("In [")
        assert shell.value("price()") == 2

    @pytest.mark.usefixtures("shop")
    def test_values_are_words(self, shell: Shell) -> None:
        """A report, a plan and a verification are shown at the prompt as `str()` has them."""
        shell("import hotmod")
        assert re.match(r"Out\[\d+\]: unchanged shop: memory equals disk", shell("hotmod.reload('shop')"))
        assert re.match(r"Out\[\d+\]: nothing to do: memory equals disk\n", shell("hotmod.plan('shop')"))
        assert re.match(r"Out\[\d+\]: verified shop: 3 modules", shell("hotmod.verify('shop')"))


class TestCommands:
    """What can be said to the magic."""

    def test_some_targets_only(self, project: Project, shell: Shell) -> None:
        """With targets the magic keeps these up to date and nothing else."""
        project.write({"one.py": "X = 1\n", "two.py": "X = 1\n"})
        assert shell("%hotmod one") == "hotmod keeps one up to date before each cell, 0 modules so far\n"
        shell("import one, two")
        project.write({"one.py": "X = 2\n", "two.py": "X = 2\n"})
        assert shell.value("(one.X, two.X)") == (2, 1)
        shell("%hotmod two one")
        project.write({"two.py": "X = 3\n"})
        assert shell.value("(one.X, two.X)") == (2, 3)

    def test_off(self, shop: Project, shell: Shell) -> None:
        """After `off` nothing is applied."""
        assert shell("%hotmod off") == "hotmod is off\n"
        shop.write({"shop/cart.py": V2})
        assert shell.value("price()") == 1

    def test_off_and_on_again(self, shop: Project, shell: Shell) -> None:
        """What is not loaded when it goes off, and what is saved before it goes on again, is applied then."""
        broken(shop, shell)
        shell("%hotmod off")
        gc.collect()
        shell("%hotmod")
        assert "ZeroDivisionError" in shell("pass")
        shell("%hotmod off")
        shop.write({"shop/cart.py": V2})
        shell("%hotmod")
        assert shell.value("(price(), limit)") == (2, 2)

    def test_plan_and_status_apply_nothing(self, shop: Project, shell: Shell) -> None:
        """A cell that only asks finds what is waiting, and leaves it so."""
        assert "memory equals disk" in shell("%hotmod status")
        shop.write({"shop/cart.py": V1.replace("return 1\n", "return 5\n")})
        assert "Cart.total" in shell("%hotmod plan")
        shop.write({"shop/nobody_imports.py": "X = 1\n"})
        assert "saved, and applied before the next cell: shop.cart\n" in shell("%hotmod status")
        assert shell.value("cart.total()") == 5
        assert "last: applied shop.cart in " in shell("%hotmod status")
        assert "nothing to do" in shell("%hotmod plan")

    def test_a_session_is_not_restarted(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is configured for programs, to restart where an edit can't be taken, is not for sessions."""
        monkeypatch.setenv("HOTMOD_ON_RUDE", "restart")
        shell("%hotmod")
        keeper = shell.inner.magics_manager.registry["HotmodMagics"].keeper
        assert keeper.reloader.config.on_rude == "report"

    def test_back_and_forth(self, shop: Project, shell: Shell) -> None:
        """A rollback holds until `retry` or another save, and the status says so meanwhile."""
        shop.write({"shop/cart.py": V2})
        assert shell.value("price()") == 2
        assert "rolled back shop.cart" in shell("%hotmod rollback")
        assert shell.value("(price(), limit)") == (1, 1)
        assert "memory differs from disk (rolled back): shop.cart" in shell("%hotmod status")
        assert "applied shop.cart" in shell("%hotmod retry")
        assert shell("%hotmod retry") == "hotmod: memory equals disk\n"
        assert shell.value("(price(), limit)") == (2, 2)

    @pytest.mark.parametrize("cell", ["%hotmod ?", "%hotmod --help", "%hotmod?"])
    def test_help(self, shell: Shell, cell: str) -> None:
        """The magic explains itself."""
        assert "keep everything of yours up to date" in shell(cell)

    @pytest.mark.parametrize(
        ("cell", "complaint"),
        [
            ("%hotmod nosuch", "hotmod: target 'nosuch': no module of that name"),
            ("%hotmod rollback many", "the number of reloads to take back, not 'many'"),
            ("%hotmod retry now", "%hotmod retry takes nothing more, not 'now'"),
            ("%hotmod rollback", "There is no applied reload to go back from"),
            ("%hotmod 'open", "hotmod: No closing quotation"),
        ],
    )
    def test_what_can_not_be_done_is_said(
        self, shop: Project, shell: Shell, cell: str, complaint: str
    ) -> None:
        """A mistake is a line, no traceback, and what was kept up to date goes on to be."""
        shown = shell(cell)
        assert complaint in shown
        assert "Traceback" not in shown
        shop.write({"shop/cart.py": V2})
        assert shell.value("price()") == 2

    def test_switched_off(self, project: Project, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        """With `HOTMOD=off` the magic does nothing, and says so."""
        monkeypatch.setenv("HOTMOD", "off")
        project.write({"tool.py": "X = 1\n"})
        assert "HOTMOD=off" in shell("%hotmod")
        shell("import tool")
        project.write({"tool.py": "X = 2\n"})
        assert shell.value("tool.X") == 1

    def test_what_is_not_used_is_not_loaded(self, tmp_path: pathlib.Path) -> None:
        """The extension alone loads nothing of the engine, and neither does the magic with `HOTMOD=off`."""
        program = (
            "import sys; from IPython.core.interactiveshell import InteractiveShell as Shell\n"
            "shell = Shell(); shell.run_cell('%load_ext hotmod'); shell.run_cell('%hotmod')\n"
            "print(sorted({'watchfiles', 'hotmod._engine.reloader'} & sys.modules.keys()))"
        )
        variables = {**os.environ, "HOTMOD": "off", "IPYTHONDIR": str(tmp_path)}
        variables["PYTHONPATH"] = str(pathlib.Path(hotmod.__file__).parents[1])
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"

    def test_unloading_gives_everything_back(self, shop: Project, shell: Shell) -> None:
        """After `%unload_ext` nothing of hotmod is left in the shell, and it can be loaded again."""
        before = {event: list(calls) for event, calls in shell.inner.events.callbacks.items()}
        shell("%unload_ext hotmod")
        assert "HotmodMagics" not in shell.inner.magics_manager.registry
        assert "`%hotmod` not found" in shell("%hotmod")
        after = shell.inner.events.callbacks
        assert {
            event: len(before[event]) - len(calls) for event, calls in after.items() if before[event] != calls
        } == {
            "pre_run_cell": 1,
            "post_run_cell": 1,
        }
        assert not [
            each for each in logging.getLogger("hotmod").handlers if type(each) is logging.NullHandler
        ]
        shell("%load_ext hotmod")
        shell("%hotmod")
        shop.write({"shop/cart.py": V2})
        assert shell.value("price()") == 2


def test_beside_autoreload(shop: Project, shell: Shell) -> None:
    """With `%autoreload` on there is one warning, no module runs twice, and `off` gives the modules back."""
    shell("%load_ext autoreload\n%aimport shop.cart")
    assert "%autoreload is on as well" in shell("%autoreload 2")
    assert shell("pass") == ""
    shop.write({"shop/cart.py": V2 + "\n    RUNS.append('again')\n"})
    assert shell.value("(price(), shop.cart.RUNS)") == (2, ["ran", "again"])
    autoreload = shell.inner.magics_manager.registry["AutoreloadMagics"]._reloader
    assert "shop.cart" in autoreload.skip_modules
    shell("%hotmod off")
    assert "shop.cart" not in autoreload.skip_modules
    assert list(autoreload.modules) == ["shop.cart"]
    assert shell.value("shop.cart.RUNS") == ["ran", "again"]
    shop.write({"shop/api.py": "def price():\n    return 'of autoreload'\n"})
    assert shell.value("shop.api.price()") == "of autoreload"
