"""Served objects: what is followed for the sake of the whole project, and what frameworks ask methods for."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable

import pytest

import hotmod
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


DESK = """
    LOG = []
    class Desk:
        def __init__(self, name):
            self.name, self.made_by = name, VERSION
            if name in REFUSED:
                raise ValueError(name)
        def tell(self):
            return self.name, VERSION, self.made_by
        def close(self):
            LOG.append((self.name, self.made_by))
    """


def desk(project: Project, version: int, refused: tuple[str, ...] = ()) -> None:
    """Save the class with another version, and those names that it does not take."""
    text = textwrap.dedent(DESK)
    project.write({"desk.py": f"VERSION = {version}\nREFUSED = {refused}\n{text}"})


def test_an_edit_that_another_reloader_applies_is_followed(
    project: Project, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two objects of one folder each follows, though the watcher of one of them applies the edit."""
    monkeypatch.setenv("HOTMOD", "manual")
    desk(project, 1)
    one = serve("desk:Desk", "one", on_change="recreate")
    two = serve("desk:Desk", "two", on_change="recreate")
    kept = serve("desk:Desk", "kept")
    desk(project, 2)
    assert one.__hotmod__.watcher.apply(catch_up=True).status == "applied"
    assert project.load("desk").LOG == [("one", 1), ("two", 1)]
    assert (one.tell(), two.tell(), kept.tell()) == (("one", 2, 2), ("two", 2, 2), ("kept", 2, 1))
    desk(project, 3)
    assert hotmod.Reloader(project.folder).reload().status == "applied"
    assert (one.tell(), two.tell()) == (("one", 3, 3), ("two", 3, 3))


def test_an_edit_that_another_object_refuses_changes_nothing(
    project: Project, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instance that was made for an edit which is then taken back is closed; the one before goes on."""
    monkeypatch.setenv("HOTMOD", "manual")
    desk(project, 1)
    one = serve("desk:Desk", "one", on_change="recreate")
    two = serve("desk:Desk", "two", on_change="recreate")
    desk(project, 2, refused=("two",))
    assert one.__hotmod__.watcher.apply(catch_up=True).status == "rejected"
    assert (one.tell(), two.tell()) == (("one", 1, 1), ("two", 1, 1))
    assert project.load("desk").LOG == [("one", 2)]


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
