from __future__ import annotations

import linecache
import pathlib
import sys
import threading

import pytest

import hotmod
from tests.oracle.project import Project

PACKAGE = {
    "shop/__init__.py": "from shop.api import bill\n",
    "shop/config.py": "TAX = 1\nCACHE = {'rate': [1, 2]}\n",
    "shop/registry.py": """
        ROUTES = {}
        ORDER = []
        KINDS = set()


        class Base:
            heirs = []

            def __init_subclass__(cls):
                Base.heirs.append(cls)


        def route(function):
            ROUTES[function.__name__] = function
            ORDER.append(function)
            return function


        def counter():
            seen = []

            def count(value):
                seen.append(value)
                return len(seen)

            return count


        count = counter()
        """,
    "shop/api.py": """
        from shop import registry
        from shop.config import CACHE, TAX


        class Api(registry.Base):
            pass


        @registry.route
        def bill(net=1):
            return net + TAX


        registry.KINDS.add(Api)
        registry.count(bill)
        registry.ORDER.append(CACHE)
        """,
    "shop/last.py": "import shop.api\n\nBILL = shop.api.bill()\n",
    "shop/deep/__init__.py": "",
    "shop/deep/leaf.py": "LEAF = []\n",
}
MODULES = ("shop", "shop.last", "shop.deep.leaf")

FAILURES: dict[str, dict[str, str | None]] = {
    "syntax error": {"shop/config.py": "TAX = (\n"},
    "null byte": {"shop/config.py": "TAX = 2\0\n"},
    "too deep": {"shop/config.py": f"TAX = {'(' * 5000}{')' * 5000}\n"},
    "bad indentation": {"shop/config.py": "if True:\nTAX = 2\n"},
    "bad cookie": {"shop/config.py": "# coding: no-such-codec\nTAX = 2\n"},
    "error at the end": {"shop/config.py": "TAX = 2\nCACHE = {}\nNEW = 1\n1 / 0\n"},
    "error in the last importer": {"shop/config.py": "TAX = 'x'\nCACHE = {}\n"},
    "name gone that is imported": {"shop/config.py": "TAX = 2\n"},
    "exit": {"shop/config.py": "TAX = 2\nCACHE = {}\nraise SystemExit(1)\n"},
    "exit of another kind": {"shop/config.py": "TAX = 2\nCACHE = {}\nraise GeneratorExit\n"},
    "endless recursion": {"shop/config.py": "def f():\n    return f()\n\n\nTAX = f()\n"},
    "hook raises": {
        "shop/config.py": "TAX = 2\nCACHE = {}\n\n\ndef __hotmod_reloaded__(report):\n    1 / 0\n"
    },
    "needed module deleted": {"shop/config.py": None},
    "added module fails": {
        "shop/config.py": "from shop import helper, new\n\nTAX = 2\nCACHE = {}\n",
        "shop/helper.py": "X = 1\n",
        "shop/new.py": "import shop.helper\n\n1 / 0\n",
    },
    "module to a package that fails": {"shop/config.py": None, "shop/config/__init__.py": "TAX = 2\n1 / 0\n"},
    "it spoils what it finds": {
        "shop/api.py": """
            import sys

            import shop
            from shop import config, registry

            registry.ROUTES.clear()
            registry.ORDER[:] = ["junk"]
            registry.KINDS |= {1, 2}
            registry.Base.heirs = []
            registry.Base.extra = 1
            registry.route.patched = True
            registry.count("junk")
            registry.new_name = 1
            config.TAX = "spoilt"
            config.CACHE["rate"].append(3)
            del config.CACHE, registry.route
            shop.deep = None
            sys.modules["shop.deep.leaf"].LEAF.append("junk")
            del sys.modules["shop.deep"]
            sys.modules["shop.fake"] = registry
            1 / 0
            """
    },
}


@pytest.fixture
def package(project: Project) -> Project:
    """A package with registries, classes, closures, aliases and a subpackage, imported."""
    project.write(PACKAGE)
    project.load(*MODULES)
    return project


def change(project: Project, files: dict[str, str | None]) -> None:
    """Write some files; None deletes one."""
    for name, text in files.items():
        if text is None:
            project.delete(name)
    project.write({name: text for name, text in files.items() if text is not None})


@pytest.mark.filterwarnings("ignore:assertion is always true")
@pytest.mark.parametrize("files", FAILURES.values(), ids=FAILURES.keys())
def test_nothing_has_changed(package: Project, files: dict[str, str | None]) -> None:
    """After a refused edit every object is in its place, and the next good save is applied."""
    reloader = hotmod.Reloader("shop")
    before = package.snapshot()
    change(package, files)
    report = reloader.reload()
    assert report.status == "rejected", str(report)
    assert before.differences(package.snapshot()) == []
    assert reloader.reload().status == "rejected"
    assert before.differences(package.snapshot()) == []
    change(package, {name: None for name in files if name not in PACKAGE})
    package.write({**PACKAGE, "shop/config.py": "TAX = 10\nCACHE = {'rate': []}\n"})
    report = reloader.reload()
    assert report.status == "applied", str(report)
    assert (sys.modules["shop"].bill(), sys.modules["shop.last"].BILL) == (11, 11)
    assert len(sys.modules["shop.registry"].Base.heirs) == 1


@pytest.mark.parametrize(
    "answer", [ValueError("not yet"), SystemExit(3), False], ids=["raises", "exits", "False"]
)
def test_a_check_decides(package: Project, answer: object) -> None:
    """A `verify=` that raises or returns False takes everything back, after it has seen the new code."""
    seen = []

    def verify() -> object:
        seen.append(sys.modules["shop"].bill())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    reloader = hotmod.Reloader("shop", verify=verify)
    before = package.snapshot()
    package.write({"shop/config.py": "TAX = 5\nCACHE = {}\n"})
    report = reloader.reload()
    assert report.status == "rejected"
    assert seen == [6]
    assert before.differences(package.snapshot()) == []
    assert sys.modules["shop"].bill() == 2


@pytest.mark.parametrize("answer", [None, True, 0, ""], ids=repr)
def test_a_check_that_says_nothing_agrees(package: Project, answer: object) -> None:
    """A `verify=` that returns anything but False lets the edit pass."""
    reloader = hotmod.Reloader("shop", verify=lambda: answer)
    package.write({"shop/config.py": "TAX = 5\nCACHE = {}\n"})
    assert reloader.reload().status == "applied"


def test_a_dispose_hook_that_ran_is_told(package: Project) -> None:
    """Where an edit is refused after `__hotmod_dispose__` ran, the report says that its effect remains."""
    reloader = hotmod.Reloader("shop")
    package.write({"shop/deep/leaf.py": "POOL = []\n\n\ndef __hotmod_dispose__():\n    POOL.clear()\n"})
    reloader.reload(check=True)
    package.write({"shop/deep/leaf.py": "1 / 0\n"})
    report = reloader.reload()
    assert [(hazard.code, hazard.module) for hazard in report.hazards] == [
        ("effect-not-undone", "shop.deep.leaf")
    ]


def test_lines_of_running_code_stay_right(package: Project) -> None:
    """After a refused edit tracebacks show the lines that run, not those of the broken file."""
    reloader = hotmod.Reloader("shop")
    path = pathlib.Path(sys.modules["shop.api"].bill.__code__.co_filename)
    number = sys.modules["shop.api"].bill.__code__.co_firstlineno
    linecache.checkcache(str(path))
    line = linecache.getline(str(path), number)
    package.write({"shop/api.py": "\n\n\n\nbroken = (\n"})
    assert reloader.reload().status == "rejected"
    linecache.checkcache(str(path))
    assert linecache.getline(str(path), number) == line


def test_names_of_other_threads_are_there_after_it(package: Project) -> None:
    """A thread that calls the program after a refused edit finds every name."""
    reloader = hotmod.Reloader("shop")
    package.write({"shop/config.py": "TAX = 2\nCACHE = {}\n1 / 0\n"})
    reloader.reload()
    results = []
    thread = threading.Thread(target=lambda: results.append(sys.modules["shop"].bill(2)))
    thread.start()
    thread.join()
    assert results == [3]
