from __future__ import annotations

import atexit
import importlib.machinery
import sys
import types

import pytest

import hotmod
from tests.oracle.project import Project


def codes(report: hotmod.Report) -> list[str]:
    return [hazard.code for hazard in report.hazards]


class TestRepeatedEffects:
    TEXT = "import atexit\n\n\ndef bye(): ...\n\n\natexit.register(bye)\nX = {}\n"

    @pytest.fixture
    def registered(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """What was registered to run at exit."""
        found: list[object] = []
        monkeypatch.setattr(atexit, "register", found.append)
        return found

    def test_an_effect_that_ran_again_is_told(self, shop: Project, registered: list[object]) -> None:
        """A statement with an effect outside the module that runs again is told with its line."""
        shop.write({"shop/late.py": self.TEXT.format(1)})
        shop.load("shop.late")
        reloader = hotmod.Reloader("shop", strategy="modules")
        shop.write({"shop/late.py": self.TEXT.format(2)})
        report = reloader.reload()
        assert [(each.code, each.module, each.line) for each in report.hazards] == [
            ("repeated-effect", "shop.late", 7)
        ]
        assert len(registered) == 2

    def test_an_effect_that_did_not_run_again_is_not_told(
        self, shop: Project, registered: list[object]
    ) -> None:
        """A statement with an effect outside that an edit does not concern does not run, and is not told."""
        shop.write({"shop/late.py": self.TEXT.format(1)})
        shop.load("shop.late")
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/late.py": self.TEXT.format(2)})
        assert codes(reloader.reload(check=True)) == []
        assert len(registered) == 1
        shop.write({"shop/late.py": self.TEXT.format(2).replace("register(bye)", "register(print)")})
        report = reloader.reload(check=True)
        assert codes(report) == ["effect-not-undone"]

    def test_without_such_a_statement_there_is_none(self, shop: Project) -> None:
        """A module that only binds names has no effect that could be repeated."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 2\nNAMES = [TAX]\nNAMES.append(3)\n"})
        assert codes(reloader.reload(check=True)) == []

    def test_an_effect_of_a_refused_text_is_told(self, shop: Project, registered: list[object]) -> None:
        """An effect outside that a refused text may have had is told, because it can't be taken back."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": self.TEXT.format("1 / 0")})
        report = reloader.reload()
        assert report.status == "rejected"
        assert codes(report) == ["effect-not-undone"]
        assert len(registered) == 1


class TestDynamicImports:
    COMPUTED = "import importlib\n\nNAME = 'shop.' + 'cart'\nCart = importlib.import_module(NAME).Cart\n"

    def test_an_importer_by_a_computed_name_is_found(self, shop: Project) -> None:
        """A module that imports by a computed name is found by what it holds, and that is told."""
        shop.write({"shop/plugin.py": self.COMPUTED})
        plugin = shop.load("shop.plugin")
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/cart.py": "class Cart:\n    size = 7\n"})
        report = reloader.reload(check=True)
        assert plugin.Cart is sys.modules["shop.cart"].Cart
        assert [(each.code, each.module) for each in report.hazards] == [("dynamic-import", "shop.plugin")]

    def test_a_literal_name_is_an_import_like_others(self, shop: Project) -> None:
        """An import by a name that stands in the text is exact, and no hazard."""
        shop.write(
            {"shop/plugin.py": "import importlib\n\nTAX = importlib.import_module('shop.config').TAX\n"}
        )
        plugin = shop.load("shop.plugin")
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert codes(reloader.reload(check=True)) == []
        assert plugin.TAX == 2


class TestFrozenModules:
    @pytest.fixture
    def compiled(self, shop: Project, monkeypatch: pytest.MonkeyPatch) -> str:
        """A loaded module whose file is a compiled one; gives the file's name."""
        name = "shop/fast" + importlib.machinery.EXTENSION_SUFFIXES[0]
        shop.write({name: "machine code\n"})
        module = types.ModuleType("shop.fast")
        module.__file__ = str(shop.folder / name)
        monkeypatch.setitem(sys.modules, "shop.fast", module)
        return name

    def test_a_compiled_module_asks_for_a_restart(self, shop: Project, compiled: str) -> None:
        """A compiled module that was built anew can't be loaded twice: the report asks for a restart."""
        reloader = hotmod.Reloader("shop")
        before = shop.snapshot()
        shop.write({compiled: "other machine code\n"})
        for _ in range(2):
            report = reloader.reload()
            assert report.status == "restart-required"
            assert [(each.code, each.module) for each in report.hazards] == [
                ("extension-module", "shop.fast")
            ]
        assert before.differences(shop.snapshot()) == []

    @pytest.mark.parametrize("strategy", ["minimal", "modules"])
    def test_a_module_that_is_another_object_asks_for_a_restart(
        self, shop: Project, strategy: str, request: pytest.FixtureRequest
    ) -> None:
        """What stands in its place is held by everybody, and no module to bring an edit into."""
        request.addfinalizer(lambda: sys.modules.pop("shop.settings", None))  # no module, so not forgotten
        text = "import sys\n\n\nclass Settings:\n    tax = 1\n\n\nsys.modules[__name__] = Settings()\n"
        shop.write(
            {"shop/settings.py": text, "shop/till.py": "from shop.settings import tax\nDOUBLE = tax * 2\n"}
        )
        shop.load("shop.settings", "shop.till")
        reloader = hotmod.Reloader("shop", strategy=strategy)
        before = shop.snapshot()
        shop.write({"shop/settings.py": text.replace("1", "2")})
        for _ in range(2):
            report = reloader.reload()
            assert report.status == "restart-required"
            assert [(each.code, each.module) for each in report.hazards] == [
                ("replaced-module", "shop.settings")
            ]
        assert before.differences(shop.snapshot()) == []
        shop.write({"shop/settings.py": text, "shop/config.py": "TAX = 2\n"})
        assert reloader.reload().status == "applied"
        assert shop.load("shop.cart").total(1) == 3

    def test_a_compiled_module_can_have_the_program_started_anew(
        self, shop: Project, compiled: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With `on_rude="restart"` a compiled module that was built anew restarts the process."""

        class Restarted(BaseException):
            pass

        def restart(sources: set[str]) -> None:
            assert sources
            raise Restarted

        monkeypatch.setattr("hotmod._engine.reloader.restart", restart)
        reloader = hotmod.Reloader("shop", on_rude="restart")
        shop.write({"shop/config.py": "TAX = 2\n"})
        assert reloader.reload().status == "applied"
        shop.write({compiled: "other machine code\n"})
        with pytest.raises(Restarted):
            reloader.reload()

    def test_a_compiled_module_can_raise(self, shop: Project, compiled: str) -> None:
        """With `on_rude="raise"` a compiled module that was built anew makes `reload()` raise."""
        reloader = hotmod.Reloader("shop", on_rude="raise")
        shop.write({compiled: "other machine code\n"})
        with pytest.raises(hotmod.ReloadError, match="built anew"):
            reloader.reload()
        assert reloader.status == "restart-required"

    def test_a_compiled_module_that_stays_is_none(self, shop: Project, compiled: str) -> None:
        """A compiled module that was not touched does not get in the way of other edits."""
        assert compiled
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 2\n"})
        report = reloader.reload()
        assert (report.status, codes(report)) == ("applied", [])

    @pytest.fixture
    def main(self, shop: Project, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
        """The program's main module, as `python -m shop` makes it."""
        shop.write({"shop/__main__.py": "from shop.config import TAX\nPRICE = TAX * 10\n"})
        module = types.ModuleType("__main__")
        module.__file__ = str(shop.folder / "shop" / "__main__.py")
        module.__spec__ = importlib.machinery.ModuleSpec("shop.__main__", None)
        module.__package__ = "shop"
        monkeypatch.setitem(sys.modules, "__main__", module)
        exec("from shop.config import TAX\nPRICE = TAX * 10\n", vars(module))
        return module

    def test_an_edited_main_module_asks_for_a_restart(self, shop: Project, main: types.ModuleType) -> None:
        """The main module is never run again: an edit of it alone asks for a restart."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/__main__.py": "from shop.config import TAX\nPRICE = TAX * 20\n"})
        report = reloader.reload()
        assert (report.status, codes(report)) == ("restart-required", ["main-module"])
        assert main.PRICE == 10

    def test_comments_in_the_main_module_are_nothing(self, shop: Project, main: types.ModuleType) -> None:
        """An edit of comments of the main module runs nothing."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/__main__.py": "# the shop\nfrom shop.config import TAX\nPRICE = TAX * 10\n"})
        report = reloader.reload()
        assert (report.status, report.executed, codes(report)) == ("applied", (), [])
        assert main.PRICE == 10

    def test_an_unedited_main_module_is_rebound(self, shop: Project, main: types.ModuleType) -> None:
        """A main module in scope that was not edited does not run, and its imports are new."""
        reloader = hotmod.Reloader("shop")
        shop.write({"shop/config.py": "TAX = 2\n"})
        report = reloader.reload()
        assert (report.status, codes(report)) == ("applied", [])
        assert (main.TAX, main.PRICE) == (2, 10)
