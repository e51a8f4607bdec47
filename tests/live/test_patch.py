from __future__ import annotations

import functools
import inspect
import sys
import traceback
import types

import pytest

from hotmod._live import functions, modules, patch
from hotmod._live.journal import Journal
from tests.live.patching import Program, fresh, of_space

PLAIN = "def f(a, b=1):\n    return a + b\n"
DECORATORS = '''
import functools

def wrapped(f):
    @functools.wraps(f)
    def inner(*args):
        return "wrapped", f(*args)
    return inner

def bare(f):
    def inner(*args):
        return "bare", f(*args)
    return inner

@wrapped
def one(x):
    """One."""
    return x

@bare
def two(x):
    return x

@wrapped
@bare
def three(x):
    """Three."""
    return x
'''
CLASS = '''
import functools

class C:
    """A class."""

    size = 1

    def __init__(self):
        self.value = 1

    def m(self):
        return super().__repr__() and "m"

    @staticmethod
    def s():
        """Static."""
        return "s"

    @classmethod
    def c(cls):
        """Class."""
        return "c"

    @property
    def p(self):
        """Property."""
        return "get"

    @p.setter
    def p(self, value):
        self.value = value, "set"

    @p.deleter
    def p(self):
        self.value = "del"

    @functools.cached_property
    def k(self):
        """Kept."""
        return "cached"

    q = functools.partialmethod(m)

    class Inner:
        """Inner."""

        def n(self):
            return "n"
'''
CASES = {
    "nothing": (PLAIN, []),
    "a line above": (PLAIN, [("def f", "# a comment\n\ndef f")]),
    "a body": (PLAIN, [("a + b", "a - b")]),
    "a docstring appears": (PLAIN, [("    return", '    """Doc."""\n    return')]),
    "a nested function appears": (PLAIN, [("return a + b", "return (lambda: a)() + b")]),
    "a comprehension": ("def f(n): return [x for x in n]\n", [("[x for", "[\n  x + 1 for")]),
    "a decorator's inner function": (DECORATORS, [('"wrapped", f', '"Wrapped", f'), ('"bare"', '"Bare"')]),
    "decorated functions": (DECORATORS, [("    return x\n", "    return x, 1\n")]),
    "docstrings of decorated functions": (DECORATORS, [("One.", "Eins.\n\n    More."), ("Three.", "Drei.")]),
    "methods": (CLASS, [('"m"', '"M"'), ('"n"', '"N"'), ("= 1\n\n    def m", "= self.new = 1\n\n    def m")]),
    "kinds of methods": (CLASS, [(f'"{name}"', f'"new {name}"') for name in ("s", "c", "get", "set", "del")]),
    "docstrings of methods": (
        CLASS,
        [(name, "New.") for name in ("Static.", "Class.", "Property.", "Kept.")],
    ),
    "docstrings of classes": (CLASS, [("A class.", "A\n\n      new class."), ('"""Inner."""', "")]),
    "all lines of a class": (CLASS, [("class C", "\n\n\nclass C")]),
    "lambdas of one line": ("two = (lambda: 1, lambda: 2)\n", [("2", "3"), ("1", "2")]),
    "conditional definitions": (
        "if x := 1:\n    def f(): return 1\nelse:\n    def f(): return 2\n",
        [("return 1", "return 3"), ("return 2", "return 1")],
    ),
    "a default that is a function": (
        "def f(a, key=lambda x: x, *, other=lambda x: -x):\n    return key(a), other(a)\n",
        [("key(a), o", "(key(a)), o")],
    ),
    "generators and coroutines": (
        "def g():\n    yield 1\nasync def c():\n    return 1\nasync def a():\n    yield 1\n",
        [("1", "2")],
    ),
    "closures": (
        "def make(x):\n    def add(y):\n        return x + y\n    return add\nadds = [make(1), make(2)]\n",
        [("x + y", "x * y")],
    ),
    "partials": (
        "from functools import partial\ndef f(a, b): return a + b\ng = partial(f, 1), partial(lambda x: x)",
        [("a + b", "a - b"), ("x: x", "x:  x")],
    ),
}


def edited(text: str, edits: list[tuple[str, str]]) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("case", CASES)
def test_a_patched_module_is_as_if_imported_anew(case: str) -> None:
    """Programs, lines and docstrings are those of a fresh import, first by search, then by counts."""
    old, edits = CASES[case]
    new = edited(old, edits)
    program = Program(old)
    for text in (new, old, new):
        done = program.edit(text)
        assert not any((done.unfit, done.lost, done.unfit_docs))
        assert of_space(program.space) == of_space(fresh(text))


@pytest.mark.parametrize("case", CASES)
def test_an_undone_patch_leaves_what_was_there(case: str) -> None:
    """After an undo every function has its old code object, and all docstrings and lines are back."""
    old, edits = CASES[case]
    program, journal = Program(old), Journal()
    before = of_space(program.space)
    held = {
        name: value.__code__ for name, value in program.space.items() if isinstance(value, types.FunctionType)
    }
    program.edit(edited(old, edits), journal)
    journal.undo()
    assert of_space(program.space) == before
    assert all(program[name].__code__ is code for name, code in held.items())


def test_what_is_told_is_what_differs() -> None:
    """A function that only moved gets its code and is not told as patched."""
    program = Program("def f(): return 1\ndef g(): return 1\nclass C:\n    def m(self): return 1\n")
    done = program.edit("def f(): return 2\n\ndef g(): return 1\nclass C:\n    def m(self): return 2\n")
    assert done.patched == ("shop:C.m", "shop:f")
    assert sorted(step.function.__qualname__ for step in done.steps) == ["C.m", "f", "g"]
    assert all(step.function.__code__ is step.new and step.old is not step.new for step in done.steps)


def test_nothing_changes_before_the_commit() -> None:
    """What is prepared changes no function, and several modules are committed together."""
    one, two = Program(PLAIN), Program(PLAIN, "other")
    code = one["f"].__code__
    done = patch.prepare([each.edited(PLAIN.replace("+", "-")) for each in (one, two)])
    assert one["f"].__code__ is code
    patch.commit(Journal(), done)
    assert (one["f"](1), two["f"](1)) == (0, 0)
    assert done.patched == ("other:f", "shop:f")
    assert set(done.running) == {"other", "shop"}


def test_captured_references_run_the_new_code() -> None:
    """Bound methods, partials and copies in containers follow."""
    program = Program("class C:\n    def m(self): return 1\n")
    held = program["C"]().m, functools.partial(program["C"].m, None), {"x": program["C"].__dict__["m"]}["x"]
    program.edit("class C:\n    def m(self): return 2\n")
    assert (held[0](), held[1](), held[2](None)) == (2, 2, 2)


def test_calls_under_way_finish_on_the_code_that_they_began_with() -> None:
    """A suspended generator and a running function finish as they were; the next call is new."""
    text = "def g():\n    yield 1\n    yield 1\ndef f(edit):\n    edit()\n    return 1\n"
    program = Program(text)
    generator = program["g"]()
    assert next(generator) == 1
    assert program["f"](lambda: program.edit(text.replace("1", "2"))) == 1
    assert list(generator) == [1]
    assert list(program["g"]()) == [2, 2]
    assert program["f"](lambda: program.edit(text)) == 2


def test_functions_that_can_not_follow_are_told() -> None:
    """Other free variables and another kind are told with their reason, and such functions stay."""
    program = Program(
        "def make(x, y):\n    def f(): return x\n    return f\nheld = make(1, 2)\ndef g(): return 1\n"
    )
    done = program.edit(
        "def make(x, y):\n    def f(): return x, y\n    return f\nheld = make(1, 2)\ndef g():\n    yield 1\n"
    )
    told = [(each.module, each.name, each.code) for each in done.unfit]
    assert sorted(told) == [("shop", "g", "kind-change"), ("shop", "make.<locals>.f", "closure-shape")]
    assert all(each.reason for each in done.unfit)
    assert (program["held"](), program["g"]()) == (1, 1)


def test_functions_without_a_successor_are_lost() -> None:
    """A closure whose text is gone is told; functions of statements that do not correspond are not."""
    program = Program("def make():\n    def f(): return 1\n    return f\nheld = make()\n")
    done = program.edit("def make():\n    return lambda: 2\nheld = make()\n")
    assert done.lost == (program["held"],)
    assert done.patched == ("shop:make",)
    assert program["held"]() == 1


def test_a_forwarding_function_is_left_alone() -> None:
    """A function that leads to its successor already goes on to do so."""
    program = Program(PLAIN)
    functions.forward(Journal(), program["f"], lambda a: a * 100)
    done = program.edit(PLAIN.replace("+", "-"))
    assert (done.steps, done.lost) == ((), ())
    assert program["f"](1) == 100


def test_copies_with_the_same_globals_follow_and_others_do_not() -> None:
    """A copied function is the module's as long as its globals are; the search ends in either case."""
    program = Program("def f(): return 1\n")
    program.settle()
    f = program["f"]
    copy = types.FunctionType(f.__code__, f.__globals__, "copy")
    foreign = types.FunctionType(f.__code__, {}, "foreign")
    for value in (2, 3):
        program.edit(f"def f(): return {value}\n")
        assert (f(), copy(), foreign()) == (value, value, 1)


def test_caches_of_functions_that_differ_are_forgotten() -> None:
    """A cache is cleared, and told if it is filled, when the program behind it differs, not when it moved."""
    text = (
        "import functools\n"
        "def logged(f):\n    @functools.wraps(f)\n    def inner(x): return f(x)\n    return inner\n"
        "@functools.lru_cache\ndef a(x): return x, 1\n"
        "@functools.cache\n@logged\ndef b(x): return x, 1\n"
        "@functools.cache\ndef c(x): return x, 1\n"
        "class C:\n    @functools.lru_cache\n    def m(self): return 1\n"
    )
    program = Program(text)
    names = ("a", "b", "c")

    def fill() -> list[object]:
        return [*(program[name](0)[1] for name in names), program["C"].m(0)]

    assert fill() == [1, 1, 1, 1]
    journal = Journal()
    moved = text.replace("import functools\n", "import functools\n\n")
    assert program.edit(moved).forgotten == ()
    assert program["a"].cache_info().currsize == 1
    new = moved.replace("def a(x): return x, 1", "def a(x): return x, 2").replace(
        "b(x): return x, 1", "b(x): return x, 2"
    )
    done = program.edit(new.replace("return 1", "return 2"), journal)
    assert done.forgotten == ("shop:C.m (cache)", "shop:a (cache)", "shop:b (cache)")
    assert fill() == [2, 2, 1, 2]
    journal.undo()
    assert fill() == [1, 1, 1, 1]


def test_implementations_without_a_name_follow() -> None:
    """The functions of a single dispatch that are all called `_` are told apart."""
    text = (
        "import functools\n@functools.singledispatch\ndef show(x): return 'any'\n"
        "@show.register\ndef _(x: int): return 'int'\n@show.register\ndef _(x: str): return 'str'\n"
        "class C:\n    @functools.singledispatchmethod\n    def m(self, x): return 'any'\n"
        "    @m.register\n    def _(self, x: int): return 'int'\n"
        "    @m.register\n    def _(self, x: str): return 'str'\n"
    )
    program = Program(text)
    for more in ("!", "?"):
        new = edited(text, [("'int'", f"'int{more}'"), ("'str'", f"'str{more}'")])
        done = program.edit(new)
        show, method = program["show"], program["C"]().m
        assert [show(1), show("x"), show(None)] == [f"int{more}", f"str{more}", "any"]
        assert [method(1), method("x"), method(None)] == [f"int{more}", f"str{more}", "any"]
        assert done.patched == ("shop:C._", "shop:_")


def test_docstrings_that_others_set_stay() -> None:
    """A docstring that is not the text's is kept, and told for classes."""
    text = 'def f():\n    "one"\nclass C:\n    "one"\nclass D:\n    "one"\n'
    program = Program(text)
    program["f"].__doc__ = "set"
    program["C"].__doc__ = "set"
    done = program.edit(text.replace("one", "two"))
    assert (program["f"].__doc__, program["C"].__doc__, program["D"].__doc__) == ("set", "set", "two")
    assert done.unfit_docs == ("shop:C",)


def test_classes_of_one_name_get_their_own_docstring() -> None:
    """Two classes of one name are told apart, by line or docstring; where they can't be, that is told."""
    text = 'class C:\n    "one"\nheld = C\nclass C:\n    "two"\n'
    program = Program(text)
    assert program.edit(text.replace("one", "1").replace("two", "2")).unfit_docs == ()
    assert (program["held"].__doc__, program["C"].__doc__) == ("1", "2")
    program["held"].__doc__ = "set"
    assert program.edit(text).unfit_docs == ("shop:C",)
    assert (program["held"].__doc__, program["C"].__doc__) == ("set", "two")


def test_no_code_of_a_metaclass_runs() -> None:
    """Classes are changed past the `__setattr__` of their metaclass, and no object is asked what it is."""
    text = (
        "class M(type):\n    def __setattr__(cls, name, value): raise RuntimeError(name)\n"
        'class C(metaclass=M):\n    "one"\n    def m(self): return 1\n'
        "class Proxy:\n    __class__ = property(lambda self: 1 / 0)\n    def __eq__(self, other): 1 / 0\n"
        "    __hash__ = None\nproxy = Proxy()\n"
        "def f(): 'doc'\nf.__doc__ = proxy\n"
    )
    program = Program(text)
    program.edit("\n" + text.replace("one", "two").replace("return 1", "return 2"))
    assert program["C"].__doc__ == "two"
    assert program["C"]().m() == 2


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the interpreter notes them from 3.13 on")
def test_lines_and_attributes_of_classes_are_kept_current() -> None:
    """`__firstlineno__` and `__static_attributes__` are the new text's, for two classes of one name too."""
    text = "class C:\n    def m(self): self.a = 1\nheld = C\nclass C:\n    def m(self): self.b = 1\n"
    program = Program(text)
    program.edit(edited("\n" + text, [("self.b = 1", "self.b = self.c = 1"), ("self.a", "self.d")]))
    assert (program["held"].__firstlineno__, program["C"].__firstlineno__) == (2, 5)
    assert program["held"].__static_attributes__ == ("d",)
    assert set(program["C"].__static_attributes__) == {"b", "c"}


def test_tracebacks_and_inspect_show_the_new_text() -> None:
    """Line numbers of patched and of moved functions are those of the new text."""
    text = "def f():\n    raise ValueError('x')\ndef g():\n    f()\n"
    new = "# more\n" + text.replace("    raise", "    x = 1\n    raise")
    program = Program(text)
    program.edit(new)
    journal = Journal()
    modules.pin_lines(journal, {"/src/shop.py": (new, text)})
    try:
        with pytest.raises(ValueError, match="x") as caught:
            program["g"]()
        shown = traceback.extract_tb(caught.value.__traceback__)[-2:]
        assert [(each.lineno, each.line) for each in shown] == [(6, "f()"), (4, "raise ValueError('x')")]
        assert inspect.getsource(program["f"]) == "def f():\n    x = 1\n    raise ValueError('x')\n"
    finally:
        journal.undo()
