"""`verify()`: what it does not tell, that it only looks, and what a fresh process adds."""

from __future__ import annotations

import pathlib
import pickle
import subprocess
import sys
import types

import pytest

import hotmod
from tests.engine import verifying
from tests.engine.verifying import told
from tests.engine.watching import run_program
from tests.oracle.cases import Case, all_cases
from tests.oracle.check import play
from tests.oracle.project import Project

no_bytecode, shop = verifying.no_bytecode, verifying.shop  # fixtures
SAMPLE = [case for case in all_cases() if "minimal" in case.strategies][::3]
CART = """
from shop.config import TAX


class Cart:
    size = 1

    def total(self, net=1):
        return net + TAX

    @staticmethod
    def name():
        return "cart"


def total(net):
    return net + TAX
"""


@pytest.fixture
def cart(shop: Project) -> types.ModuleType:
    """The module `shop.cart`, with a class, functions and a closure."""
    shop.write({"shop/cart.py": CART})
    return shop.load("shop.cart")


@pytest.mark.parametrize("case", SAMPLE, ids=[case.name for case in SAMPLE])
def test_nothing_is_told_where_the_oracle_finds_nothing(case: Case, tmp_path: pathlib.Path) -> None:
    """After an applied reload that a fresh process agrees with, memory is told to equal disk."""
    assert play(case, tmp_path, strategy="minimal", verified=True).problems == []


REAL = ["click", "jinja2", "attr", "marshmallow", "msgspec", "httpx", "flask", "celery"]


@pytest.mark.parametrize("name", REAL)
def test_packages_of_others_are_what_their_files_say(name: str, shop: Project) -> None:
    """Of packages full of decorators, metaclasses and generated methods nothing is told after an import."""
    program = f"""
    import importlib, pkgutil
    package = importlib.import_module({name!r})
    for found in pkgutil.iter_modules(package.__path__, {name!r} + "."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except Exception as error:
            print("not imported:", error)
    import hotmod
    found = hotmod.verify({name!r})
    print(found)
    assert found and len(found.compared) > 1
    """
    done = run_program(shop, program)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_package_as_it_was_imported_is_verified(shop: Project, cart: types.ModuleType) -> None:
    """What was just imported equals its files, and the answer says how much was compared."""
    assert shop
    assert cart
    found = hotmod.verify("shop")
    assert found
    assert set(found.compared) == {"shop", "shop.config", "shop.cart"}
    assert str(found) == "verified shop: 3 modules, the same as the files on disk"


UNKNOWN = """
import functools


def hides(function):
    return len


@hides
def hidden(net):
    return net


@functools.lru_cache
def cached(net):
    return net


if True:
    def twice(net):
        return net
else:
    def twice(net):
        return 0


class Meta(type):
    def __new__(mcs, name, bases, space):
        return super().__new__(mcs, name, bases, {**space, "made": 1, "member": len})


class Made(metaclass=Meta):
    def member(self):
        return 1

    def other(self):
        return 2


@hides
class Gone:
    pass
"""


def test_what_can_not_be_compared_is_listed(shop: Project) -> None:
    """Names of which neither the text nor the object says what should stand there are told as unknown."""
    shop.write({"shop/odd.py": UNKNOWN})
    shop.load("shop.odd")
    found = hotmod.verify("shop")
    assert found.unknown == ("shop.odd:hidden", "shop.odd:Made.member", "shop.odd:Gone")
    assert found
    assert "unknown, not compared: shop.odd:hidden, shop.odd:Made.member, shop.odd:Gone" in str(found)
    assert found.as_dict()["unknown"] == list(found.unknown)


def test_what_the_program_itself_sets_is_no_difference(shop: Project) -> None:
    """A patch that a module of the scope makes while it is imported is what the files give."""
    shop.write(
        {
            "shop/cart.py": CART,
            "shop/tracing.py": "import shop.cart\n\n\ndef traced(net):\n    return net\n\n\n"
            "shop.cart.total = traced\nshop.cart.Cart.total = lambda self: 1\n",
        }
    )
    shop.load("shop.cart", "shop.tracing")
    assert told(hotmod.verify("shop")) == {}
    assert told(hotmod.verify("shop", cold=True)) == {}


EVIL = """
class Evil:
    def __eq__(self, other): raise SystemExit("eq")
    __hash__ = None
    def __repr__(self): raise SystemExit("repr")
    def __getattribute__(self, name): raise SystemExit(name)
    @property
    def __class__(self): raise SystemExit("class")


TAX = 1
THING = Evil()
def total(): return 1


def __getattr__(name): raise SystemExit(name)
"""


def test_no_code_of_the_program_runs(shop: Project) -> None:
    """Objects whose every question is a trap are compared, and edited files are not executed."""
    shop.write({"shop/evil.py": EVIL})
    evil = shop.load("shop.evil")
    reloader = hotmod.Reloader("shop")
    evil.TAX, evil.total = evil.THING, evil.THING
    shop.write({"shop/evil.py": EVIL + "\nraise SystemExit\n", "shop/new.py": "raise SystemExit\n"})
    before = dict(vars(evil))
    found = reloader.verify()
    assert {name: why for name, why in told(found).items() if why == "patched"} == {
        "shop.evil:TAX": "patched",
        "shop.evil:total": "patched",
    }
    assert all(vars(evil)[name] is value for name, value in before.items())
    assert "shop.new" not in sys.modules


def test_it_is_refused_inside_a_reload(shop: Project, cart: types.ModuleType) -> None:
    """Half-way through a transaction there is no answer, and the question is refused."""
    assert cart
    asked: list[Exception] = []

    def ask() -> None:
        try:
            hotmod.verify("shop")
        except hotmod.HotmodError as error:
            asked.append(error)

    reloader = hotmod.Reloader("shop", verify=ask)
    shop.write({"shop/config.py": "TAX = 2\n"})
    reloader.reload(check=True)
    assert len(asked) == 1


def test_it_answers_when_hotmod_is_off(
    shop: Project, cart: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `HOTMOD=off` an edit is seen, and no import hook is installed; a watcher that is off says so."""
    assert cart
    monkeypatch.setenv("HOTMOD", "off")
    finders = list(sys.meta_path)
    shop.write({"shop/cart.py": CART.replace('"cart"', '"basket"')})
    assert told(hotmod.verify("shop")) == {"shop.cart:Cart.name": "unseen-edit"}
    assert sys.meta_path == finders
    found = hotmod.watch("shop").verify()
    assert not found
    assert "not verified" in str(found)


def test_modules_that_can_not_be_compared_are_named(shop: Project) -> None:
    """A module with a loader of its own is left out by name, and nothing compared is not verified."""
    shop.write({"shop/own.py": "X = 1\n"})
    own = shop.load("shop.own")
    assert own.__spec__ is not None

    class Loader(type(own.__spec__.loader)):  # type: ignore[misc]
        def exec_module(self, module: types.ModuleType) -> None:
            super().exec_module(module)

    own.__spec__.loader = Loader("shop.own", own.__file__)
    found = hotmod.verify("shop.own")
    assert (bool(found), found.compared) == (False, ())
    assert "shop.own: its loader executes it in a way of its own" in str(found)


def test_the_answer_is_a_value(shop: Project, cart: types.ModuleType) -> None:
    """It is frozen, pickles, has a page for notebooks and JSON-ready values."""
    assert shop
    cart.total = None
    found = hotmod.verify("shop")
    again = pickle.loads(pickle.dumps(found))
    assert (str(again), again.as_dict()) == (str(found), found.as_dict())
    assert found.as_dict()["differences"][0]["name"] == "total"
    assert found.as_dict()["clean"] is False
    assert "total" in found._repr_html_()
    with pytest.raises(AttributeError):
        found.scope = "x"


def test_a_module_that_only_history_keeps_alive_is_told(shop: Project) -> None:
    """A module that a fresh process can't import is told with its reason, and the others are compared."""
    shop.write({"shop/late.py": "import shop.ghost\n\n\ndef f():\n    return 1\n"})
    ghost = sys.modules["shop.ghost"] = types.ModuleType("shop.ghost")
    shop.load("shop.config", "shop.late")
    sys.modules["shop.config"].EXTRA = 1
    try:
        found = hotmod.verify("shop", cold=True)
    finally:
        del sys.modules["shop.ghost"]
    assert ghost
    assert told(found)["shop.late:"] == "history"
    assert "can't import it: ModuleNotFoundError: No module named 'shop.ghost'" in str(found)
    assert told(found)["shop.config:EXTRA"] == "history"


def test_state_is_no_fault_in_the_cold(shop: Project) -> None:
    """Counters and filled containers are told as state, and the answer stays true."""
    shop.write({"shop/state.py": "import os\n\nCOUNT = [0]\nPID = os.getpid()\n\n\ndef f():\n    return 1\n"})
    state = shop.load("shop.config", "shop.state")
    assert hotmod.verify("shop", cold=True).differences == ()
    state.COUNT[0] += 1
    found = hotmod.verify("shop", cold=True)
    assert (bool(found), told(found)) == (True, {"shop.state:COUNT": "state"})


def test_the_fresh_process_gets_what_is_on_disk(shop: Project) -> None:
    """An edit of the same size is compared as it is on disk, whatever a `.pyc` says."""
    config = shop.load("shop.config")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(shop.folder)], check=True)
    text = (shop.folder / "shop/config.py").read_text("utf-8")
    reloader = hotmod.Reloader("shop")
    shop.write({"shop/config.py": text.replace("1", "2")})
    assert told(reloader.verify(cold=True)) == {"shop.config:": "edited", "shop.config:TAX": "edited"}
    reloader.reload(check=True)
    assert reloader.verify(cold=True).differences == ()
    assert config.TAX == 2


def test_a_fresh_process_that_ends_is_told(shop: Project) -> None:
    """Where the fresh process gives no answer, nothing is called verified."""
    shop.write({"shop/ends.py": "import os\n\nif os.environ.get('HOTMOD') == 'off':\n    os._exit(3)\n"})
    shop.load("shop.ends")
    found = hotmod.verify("shop", cold=True)
    assert not found
    assert "a fresh process: it ended with 3" in str(found)
