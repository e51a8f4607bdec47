"""Served objects: what is followed for the sake of the whole project, and what frameworks ask methods for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import pytest

from tests.engine.watching import LONG
from tests.oracle.project import Project

Serve = Callable[..., object]


def test_paths_and_other_files_of_the_project_are_followed(
    project: Project, serve: Serve, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `paths` and `depends` name for the whole project is followed for a served object, too."""
    elsewhere = tmp_path_factory.mktemp("plugins")
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.setenv("HOTMOD_PATHS", str(elsewhere))
    monkeypatch.setenv("HOTMOD_DEPENDS", f"asks={elsewhere / 'words.txt'}")
    (elsewhere / "plugged.py").write_text("def answer():\n    return 1\n", "utf-8")
    (elsewhere / "words.txt").write_text("one", "utf-8")
    project.write(
        {
            "asks.py": f"""
                import pathlib
                import plugged
                WORDS = pathlib.Path({str(elsewhere / "words.txt")!r}).read_text()
                class Asks:
                    def ask(self):
                        return plugged.answer(), WORDS
                """
        }
    )
    try:
        proxy = serve("asks:Asks")
        assert proxy.ask() == (1, "one")
        (elsewhere / "plugged.py").write_text("def answer():\n    return 2\n", "utf-8")
        proxy.__hotmod__.next_report(LONG)
        (elsewhere / "words.txt").write_text("two", "utf-8")
        proxy.__hotmod__.next_report(LONG)
        assert proxy.ask() == (2, "two")
    finally:
        sys.modules.pop("plugged", None)


def test_manual_means_that_the_program_applies(
    project: Project, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `HOTMOD=manual` an edit waits until `watcher.apply()` is called."""
    monkeypatch.setenv("HOTMOD", "manual")
    text = "class Asks:\n    def ask(self):\n        return {}\n"
    project.write({"asks.py": text.format(1)})
    proxy = serve("asks:Asks", on_change="recreate")
    project.write({"asks.py": text.format(2)})
    assert proxy.ask() == 1
    assert proxy.__hotmod__.watcher.apply(catch_up=True).status == "applied"
    assert proxy.ask() == 2


def test_methods_have_their_signatures(project: Project, serve: Serve) -> None:
    """Who asks a method of a proxy what it takes gets the answer of the instance's."""
    project.write(
        {
            "asks.py": """
                class Asks:
                    def plain(self, who: str, *, loud=False): ...
                    async def waits(self, who: str): ...
                    @classmethod
                    def of_class(cls, who): ...
                    @staticmethod
                    def alone(who): ...
                """
        }
    )
    proxy = serve("asks:Asks")
    for name in ("plain", "waits", "of_class", "alone"):
        asked, own = getattr(proxy, name), getattr(proxy.__hotmod__.instance, name)
        assert inspect.signature(asked) == inspect.signature(own)


def test_what_a_call_imports_while_an_edit_waits_for_it_follows(project: Project, serve: Serve) -> None:
    """A module that came in before the edit was applied has what the edit made, like those from before."""
    project.write(
        {
            "rates.py": "TAX = 1\n",
            "late.py": "from rates import TAX\nDOUBLE = TAX * 2\n",
            "asks.py": """
                import rates


                class Asks:
                    def ask(self, meanwhile=None):
                        if meanwhile:
                            meanwhile()
                        import late
                        return late.TAX, late.DOUBLE
                """,
        }
    )
    proxy = serve("asks:Asks")
    assert proxy.ask(lambda: project.write({"rates.py": "TAX = 7\n"})) == (1, 2)
    assert proxy.__hotmod__.next_report(LONG).status == "applied"
    assert proxy.ask() == (7, 14)
