from __future__ import annotations

import ast
import sys
import types
from typing import Any

import pytest

from hotmod._live import codes
from hotmod._live.functions import same_code
from hotmod._live.stale import codes_in
from tests.live.patching import compiled, fresh, paired, spans


def nested(text: str) -> list[types.CodeType]:
    """The code objects of a text, compiled as the import system would: copies of those that are paired."""
    tree = compiled(text, "/elsewhere/shop.py")
    return [code for code in codes_in(tree) if code is not tree]


def lines(pairs: codes.Pairs, text: str) -> dict[str, int | None]:
    """The line of each successor, by the name and line of the live code."""
    found = {}
    for code in nested(text):
        new = pairs.successor(code)
        found[f"{code.co_qualname}:{code.co_firstlineno}"] = None if new is None else new.co_firstlineno
    return found


def test_code_is_paired_by_its_place() -> None:
    """Functions, methods, closures and class bodies are paired with those of the same place and name."""
    old = "def f():\n    def g(): return 1\n    return g\nclass C:\n    def m(self): return f\n"
    new = (
        "# more\n\ndef f():\n    x = 2\n    def g(): return x\n    return g\nclass C:\n\n    def m(self): 1\n"
    )
    assert lines(paired(old, new), old) == {"f:1": 3, "f.<locals>.g:2": 5, "C:4": 7, "C.m:5": 9}


def test_copies_are_known_by_their_place() -> None:
    """The successor of a copy is that of the original, and the path of the folder does not matter."""
    text = "def f(): return 1\n"
    pairs = paired(text, "\n" + text)
    (copy,) = nested(text)
    (original,) = [code for code in pairs.all_old if code is not pairs.old]
    assert pairs.counterpart(copy) is original
    assert pairs.successor(copy) is pairs.successor(original)
    assert pairs.successor(copy) is not None


def test_code_of_other_files_has_no_successor() -> None:
    """What a library executed in the module's namespace is not mistaken for the module's."""
    pairs = paired("def f(): return 1\n", "def f(): return 2\n")
    for path in ("<string>", "/src/other.py"):
        (code,) = [each for each in codes_in(compiled("def f(): return 1\n", path)) if each.co_name == "f"]
        assert pairs.counterpart(code) is None


def test_only_corresponding_statements_count() -> None:
    """Code of a statement that is in no span is not covered and has no successor."""
    old, new = "def f(): return 1\ndef g(): return 1\n", "def f(): return 2\ndef g(a): return 1\n"
    pairs = codes.pair(compiled(old), compiled(new), spans(old, new)[:1])
    assert lines(pairs, old) == {"f:1": 1, "g:2": None}
    covered = [code.co_name for code in pairs.all_old if pairs.is_covered(code)]
    assert covered == ["f"]


def test_statements_of_one_line_are_told_apart() -> None:
    """Statements that share a line on one side only are paired by name and order."""
    old = "f = lambda: 1; g = lambda x: 2\ndef h(): return 3\n"
    new = "f = lambda: 1\ng = lambda x: 5\ndef h(): return 3\n"
    pairs = paired(old, new)
    of_old = {code.co_varnames: pairs.successor(code) for code in nested(old) if code.co_name == "<lambda>"}
    assert {names: code and code.co_firstlineno for names, code in of_old.items()} == {(): 1, ("x",): 2}
    back = paired(new, old)
    assert {code.co_varnames for code in map(back.successor, nested(new)) if code} == {(), ("x",)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(lambda: 1, lambda: 2)", "(lambda: 1, lambda: 3)"),
        ("(lambda: 1, lambda: 2)", "(lambda: 3, lambda: 2)"),
        ("(lambda: 1, lambda: 2)", "(lambda: 2, lambda: 1)"),
        ("(lambda: 1, lambda: 2)", "(lambda: 2, lambda: 2)"),
        ("(lambda: 1, lambda: 2)", "(lambda: 1,\n    lambda: 1)"),
        ("(lambda: 1, lambda: 1)", "(lambda: 1, lambda: 1)"),
    ],
)
def test_lambdas_of_one_line_are_paired_by_order(old: str, new: str) -> None:
    """Each of two lambdas on one line gets the code that now stands in its place."""
    pairs = paired(f"two = {old}\n", f"two = {new}\n")
    live = fresh(f"two = {old}\n")["two"]
    for one, value in zip(live, fresh(f"two = {new}\n")["two"], strict=True):
        successor = pairs.successor(one.__code__)
        assert successor is not None
        one.__code__ = successor
        assert one() == value()


def test_equal_lambdas_that_part_are_paired_only_if_they_can_be_told_apart() -> None:
    """A code object that serves two places (CPython 3.12) has no successor if the places differ now."""
    old, new = "two = (lambda: 1, lambda: 1)\n", "two = (lambda: 1, lambda: 2)\n"
    pairs = paired(old, new)
    one, other = (pairs.successor(each.__code__) for each in fresh(old)["two"])
    if sys.version_info[:2] == (3, 12):
        assert one is other is None
    else:
        assert one is not None
        assert other is not None
        assert (one.co_consts[-1], other.co_consts[-1]) == (1, 2)


def test_definitions_of_one_name_are_paired_by_order() -> None:
    """Conditional definitions and overloads of one name keep their places, whatever is in them."""
    old = "if x:\n    def f(x): return 1\nelse:\n    def f(x): return 2\n"
    new = "if x:\n\n    def f(x): return 2\nelse:\n    def f(x): return 1\n"
    assert lines(paired(old, new), old) == {"f:2": 3, "f:4": 5}


def test_what_a_call_makes_is_paired_by_program_then_by_order() -> None:
    """Closures of one name keep their program where the new function still makes it."""
    old = "def f():\n    a = lambda x: x + 1\n    b = lambda x: x + 2\n"
    new = "def f():\n    b = lambda x: x + 2\n    c = lambda x: x + 3\n"
    assert lines(paired(old, new), old) == {"f:1": 1, "f.<locals>.<lambda>:2": 3, "f.<locals>.<lambda>:3": 2}
    other = "def f():\n    b = lambda x: x + 5\n    c = lambda x: x + 3\n"
    assert lines(paired(old, other), old) == {
        "f:1": 1,
        "f.<locals>.<lambda>:2": 2,
        "f.<locals>.<lambda>:3": 3,
    }


def test_definitions_of_one_name_are_paired_by_signature_when_their_number_differs() -> None:
    """A definition that comes or goes does not shift the others; what can't be told apart is left out."""
    old = "def f():\n    def g(a): return 1\n    def g(a, b): return 2\n    return g\n"
    new = (
        "def f():\n    def g(c): return 1\n    def g(a): return 3\n    def g(a, b): return 4\n    return g\n"
    )
    assert lines(paired(old, new), old) == {"f:1": 1, "f.<locals>.g:2": 3, "f.<locals>.g:3": 4}
    alike = "def f():\n    def g(a): return 3\n    def g(a): return 4\n    def g(a): return 5\n    return g\n"
    assert lines(paired(old, alike), old)["f.<locals>.g:2"] is None


def test_code_below_what_has_no_successor_has_none() -> None:
    """What was nested in a function that is gone has no successor either."""
    old = "def f():\n    def g():\n        def h(): return 1\n        return h\n    return g\n"
    new = "def f():\n    def other():\n        def h(): return 1\n        return h\n    return other\n"
    assert lines(paired(old, new), old) == {
        "f:1": 1,
        "f.<locals>.g:2": None,
        "f.<locals>.g.<locals>.h:3": None,
    }


def test_what_an_import_hook_changed_is_known_by_its_columns() -> None:
    """Code that an import hook rewrote finds its place, two lambdas of a line included."""
    old, new = "two = (lambda x: x, lambda y: y)\n", "two = (lambda x: 5, lambda y: 6)\n"

    class Hook(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> Any:
            if isinstance(node.ctx, ast.Store):
                return node
            both = ast.Tuple([node, ast.Constant(7)], ast.Load())
            return ast.fix_missing_locations(ast.copy_location(both, node))

    space: dict[str, Any] = {"__name__": "shop"}
    exec(compile(Hook().visit(ast.parse(old)), "/src/shop.py", "exec"), space)
    assert [each(1) for each in space["two"]] == [(1, 7), (1, 7)]
    pairs = paired(old, new)
    for each in space["two"]:
        each.__code__ = pairs.successor(each.__code__)
    assert [each(1) for each in space["two"]] == [5, 6]


def test_code_of_the_new_text_is_current() -> None:
    """A copy of new code is not mistaken for old code of the same line."""
    old, new = "def f(): return 1\ndef g(): return 1\n", "def f(): return 2\ndef g(): return 1\n"
    pairs = paired(old, new)
    current = {code.co_name: pairs.is_current(code) for code in nested(new)}
    assert current == {"f": True, "g": False}  # `g` is either, and both are the same
    assert not any(pairs.is_current(code) for code in nested(old))


def test_pairs_keep_no_nested_code_alive() -> None:
    """References to nested code objects can be counted while their pairs exist."""
    text = "def f(): return lambda: 1\nclass C:\n    def m(self): return 1\n"
    old, new = compiled(text), compiled("\n" + text)
    both = [code for tree in (old, new) for code in codes_in(tree) if code not in (old, new)]
    before = list(map(sys.getrefcount, both))
    pairs = codes.pair(old, new, spans(text, "\n" + text))
    for code in nested(text):
        assert pairs.successor(code) is not None
    assert list(map(sys.getrefcount, both)) == before


def test_a_class_body_tells_what_the_class_is_given() -> None:
    """Docstring, line and static attributes are those that the interpreter gives the class."""
    text = (
        'class A:\n    "doc"\n    def m(self): self.x = 1\n\n@str\nclass B:\n    pass\n'
        'class C:\n    """\n    two\n      lines"""\n    __doc__ += ""\n'
        "class D:\n"
        + "".join(f"    x{number} = {number + 0.5}\n" for number in range(300))
        + '    __doc__ = "late"\n    def m(self): self.y = self.z = 1\n'
    )
    space = fresh(text)
    facts = {code.co_name: codes.class_facts(code) for code in nested(text) if code.co_name in "ABCD"}
    assert {name: each.doc for name, each in facts.items()} == {"A": "doc", "B": None, "C": None, "D": "late"}
    assert [facts[name].firstlineno for name in "ABCD"] == [1, 5, 8, 13]
    for name in "AD":
        assert facts[name].doc == space[name].__doc__
        assert facts[name].static_attributes == vars(space[name]).get("__static_attributes__")
        assert facts[name].firstlineno == vars(space[name]).get("__firstlineno__", facts[name].firstlineno)


@pytest.mark.parametrize(
    "text",
    [
        "def f(): 'doc'\n",
        "def f():\n    '''\n    a\n      b'''\n",
        "def f(): return 'x'\n",
        "f = lambda: 'x'\n",
    ],
)
def test_a_docstring_is_that_of_the_function(text: str) -> None:
    """The docstring read from code is that which the interpreter gives the function."""
    function = fresh(text)["f"]
    assert codes.docstring(function.__code__) == function.__doc__


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("1", "1", True),
        ("1", "1.0", False),
        ("1", "True", False),
        ("0.0", "-0.0", False),
        ("(1, 2)", "(1, 2.0)", False),
        ("x in {'a', 'b', 'c'}", "x in {'c', 'b', 'a'}", True),
        ("x in {1, 2}", "x in {1, 2.0}", False),
        ("lambda: 1", "lambda:   1", True),
        ("lambda: 1", "lambda: 2", False),
    ],
)
def test_two_programs_are_the_same_whatever_their_lines(one: str, two: str, same: bool) -> None:
    """Programs are compared with their constants, by type and value, and without positions."""
    (first, *_), (second, *_) = nested(f"def f(x): return {one}\n"), nested(f"\n\ndef f(x): return {two}\n")
    assert same_code(first, second) is same


def test_a_function_that_moves_with_a_class_inside_is_the_same_program() -> None:
    """The line that CPython 3.13 puts into the body of a class is a position."""
    text = "def f():\n    class C:\n        x = 1\n    return C\n"
    (one, *_), (two, *_) = nested(text), nested("\n" + text)
    assert same_code(one, two)
    (other, *_) = nested("\n" + text.replace("x = 1", "x = 2"))
    assert not same_code(one, other)
