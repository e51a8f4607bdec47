"""Objects that lie about what they are, or raise when they are asked: a reload asks them nothing."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import hotmod
from tests.engine.watching import fresh
from tests.oracle.project import Project

# Every object tells what is asked of it while `ON` is true, and refuses to answer.
ZOO = '''
import enum
import logging
import sys
import types

ON = []

_SPECIAL = """getattribute getattr setattr delattr eq ne lt le gt ge hash bool len iter next repr str dir
contains getitem setitem delitem call reversed index int float format bytes enter exit reduce reduce_ex copy
deepcopy instancecheck subclasscheck fspath length_hint missing sizeof add or and""".split()


def tell(kind, name):
    caller = sys._getframe(2)
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    logging.getLogger("zoo").error("%s was asked for %s by %s", kind, name, place)


def _told(kind, name, real=None):
    def answer(self, *args, **options):
        if ON:
            tell(kind, name)
            raise ValueError(f"{kind} was asked for {name}")
        if real is None:
            raise AttributeError(name)
        return real(self, *args, **options)

    return answer


def kind(name, *bases, lies=None):
    space = {}
    for each in (f"__{word}__" for word in _SPECIAL):
        real = [getattr(base, each) for base in (*bases, object) if hasattr(base, each)]
        space[each] = _told(name, each, real[0] if real else None)

    def claimed(self):
        if ON:
            tell(name, "__class__")
        if lies is ValueError:
            raise ValueError("__class__")
        return lies

    if lies is not None:
        space["__class__"] = property(claimed)
    return type(name, bases or (object,), space)


LIES = [type, types.FunctionType, types.ModuleType, types.MethodType, dict, list, str, int, staticmethod,
        property, classmethod, enum.Enum, BaseException, types.CodeType, ValueError]
OBJECTS = [kind(f"Lies{number}", lies=lie)() for number, lie in enumerate(LIES)] + [kind("Plain")()]
CONTAINERS = [kind(each.__name__, each)() for each in (dict, list, set, tuple, str, int)]
MODULE = kind("Module", types.ModuleType)("odd")
NAMELESS = types.ModuleType("nameless")
del NAMELESS.__name__
META = kind("Meta", type)
CLASS = META("Class", (), {"k": 1})
Dressed = kind("Dressed")


def dressed(function):
    made = Dressed()
    names = dict(__module__=function.__module__, __qualname__=function.__qualname__, __wrapped__=function)
    object.__getattribute__(made, "__dict__").update(names)
    return made


def around(value):
    def decorate(function):
        def call(*args):
            return function(*args), value is None
        return call
    return decorate
'''

USE = """
from shop.zoo import CLASS, CONTAINERS, MODULE, NAMELESS, OBJECTS, around, dressed

TAX = 1
RATE = TAX * 2
(o0, o1, o2, o3, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, o14, o15) = OBJECTS
c0, c1, c2, c3, c4, c5 = CONTAINERS
TABLE = {number: each for number, each in enumerate(OBJECTS)}
LISTED = [*OBJECTS, *CONTAINERS, MODULE, NAMELESS, CLASS]
PAIRS = [(each, TAX) for each in OBJECTS]


class Heir(CLASS):
    k = 2


class Cart:
    one, two, three, four = OBJECTS[:4]
    module, container = MODULE, CONTAINERS[0]
    rate = RATE
    other = CLASS

    def __init__(self):
        self.held = OBJECTS

    def total(self, value=OBJECTS[0], *, other=OBJECTS[1]):
        return self.rate


@around(OBJECTS[2])
def wrapped(x=1):
    return x


@dressed
def worn():
    return 1


def price(value: OBJECTS[5] = OBJECTS[6]):
    return RATE


price.tag = OBJECTS[7]
carts = [Cart()]
NAMELESS.attribute = 1


def answer():
    return [RATE, Cart().total(), carts[0].rate, wrapped(), price(), Heir.__dict__["k"]]
"""

# what is edited, one after the other; the later ones make the module run as a whole
EDITS = [
    ("return RATE", "return RATE + 1"),
    ("return self.rate", "return self.rate + 5"),
    ("def price(value", "def price(first=1, value"),
    ("rate = RATE\n", "rate = RATE * 10\n"),
    ("k = 2", "k = 3"),
    ("TAX = 1", "TAX = 2"),
    ("def wrapped(x=1)", "def wrapped(x=2)"),
    ("@dressed\ndef worn():\n    return 1", "@dressed\ndef worn(x=1):\n    return 2"),
    ("price.tag = OBJECTS[7]\n", ""),
    ("@dressed\n", ""),
    ("self.held = OBJECTS", "self.held = self.more = OBJECTS"),
    ("PAIRS = [(each, TAX) for each in OBJECTS]\n", ""),
    ("TAX = 2", "globals()['TAX'] = 3"),
    ("TAX * 2", "TAX * 3"),
    ("NAMELESS.attribute = 1\n", ""),
]
FILES = {
    "shop/__init__.py": "",
    "shop/zoo.py": ZOO,
    "shop/use.py": USE,
    "shop/other.py": """
from shop.use import *
from shop import use
TWICE = RATE * 2
HELD = [use.price, Cart]
""",
}
ANSWER = "[*shop.use.answer(), shop.other.TWICE]"


@pytest.mark.parametrize("strategy", ["minimal", "modules"])
def test_nothing_is_asked_of_objects(
    project: Project, caplog: pytest.LogCaptureFixture, strategy: Any
) -> None:
    """While edits are applied and verified, no method of an object in a namespace runs, and none matters."""
    project.write(FILES)
    project.load("shop.other")
    zoo: Any = sys.modules["shop.zoo"]
    reloader = hotmod.Reloader("shop", strategy=strategy)
    text = USE
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new)
        project.write({"shop/use.py": text})
        zoo.ON.append(True)
        report = reloader.reload()
        found = reloader.verify()
        zoo.ON.clear()
        assert [each.getMessage() for each in caplog.records if each.name == "zoo"] == [], new
        assert (report.status, report.error) == ("applied", None), new
        assert found.differences == (), new
        if old in ("TAX = 1", EDITS[-1][0]):
            space: dict[str, Any] = {"shop": sys.modules["shop"]}
            assert repr(eval(ANSWER, space)) == fresh(project, ANSWER, "shop.other"), new


PROXIES = """
from unittest.mock import MagicMock

from werkzeug.local import LocalProxy


def find():
    raise RuntimeError("there is nothing behind it now")


proxy = LocalProxy(find)
mock = MagicMock()
held = [proxy, mock]


class Cart:
    proxy, mock = proxy, mock
    rate = 1


def price(value=proxy, other=mock):
    return Cart.rate
"""


@pytest.mark.parametrize("strategy", ["minimal", "modules"])
def test_mocks_and_unbound_proxies(project: Project, strategy: Any) -> None:
    """A mock is not called, and a proxy with nothing behind it hinders no reload."""
    project.write({"shop/__init__.py": "", "shop/use.py": PROXIES})
    module: Any = project.load("shop.use")
    reloader = hotmod.Reloader("shop", strategy=strategy)
    for old, new in [("rate = 1", "rate = 2"), ("price(value", "price(first=1, value"), ("held", "kept")]:
        project.write({"shop/use.py": (project.folder / "shop/use.py").read_text("utf-8").replace(old, new)})
        assert reloader.reload(check=True).status == "applied"
        assert module.mock.mock_calls == []
    assert module.price() == 2
    assert reloader.verify().differences == ()
