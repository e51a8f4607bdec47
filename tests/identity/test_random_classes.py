from __future__ import annotations

import contextlib
import pathlib
import tempfile
import types
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.identity.table import Live
from tests.oracle.project import Project

MEMBERS = {
    "attribute": "    {name} = {value}\n",
    "annotated": "    {name}: int = {value}\n",
    "method": "    def {name}(self):\n        return {value}\n",
    "super": "    def {name}(self):\n        return {value}, super().__eq__(self), __class__.__name__\n",
    "static": "    @staticmethod\n    def {name}():\n        return {value}\n",
    "class": "    @classmethod\n    def {name}(cls):\n        return cls.__name__, {value}\n",
    "property": "    @property\n    def {name}(self):\n        return {value}\n",
    "cached": "    @functools.cached_property\n    def {name}(self):\n        return {value}\n",
    "partial": "    {name} = functools.partialmethod(lambda self, n: n, {value})\n",
    "nested": "    class {name}:\n        def value(self):\n            return {value}\n",
    "default": "    def {name}(self, x={value}, *, y={value}):\n        'doc {value}'\n        return x, y\n",
}
HEADERS = ["class C(A):", "class C(B, D):", "class C(B):", "@dataclasses.dataclass(eq=False)\nclass C(A):"]
PREAMBLE = "import dataclasses\nimport functools\n\nclass A: pass\n\nclass B(A): pass\n\nclass D: pass\n\n"


@st.composite
def modules(draw: st.DrawFn) -> str:
    """The text of a module with a class of random members."""
    names = draw(st.lists(st.sampled_from("pqrstu"), unique=True, max_size=5))
    body = "".join(
        MEMBERS[draw(st.sampled_from(sorted(MEMBERS)))].format(name=name, value=draw(st.integers(0, 9)))
        for name in names
    )
    return f"{PREAMBLE}{draw(st.sampled_from(HEADERS))}\n{body or '    pass'}\n"


def described(value: Any) -> object:
    """What can be compared of a member of a class."""
    if isinstance(value, (staticmethod, classmethod)):
        return type(value).__name__, described(value.__func__)
    if isinstance(value, types.FunctionType):
        return (
            value.__qualname__,
            value.__code__.co_code,
            value.__defaults__,
            value.__kwdefaults__,
            value.__doc__,
        )
    if isinstance(value, property):
        return "property", described(value.fget)
    if isinstance(value, type):
        return {name: described(each) for name, each in members(value).items()}
    return value if isinstance(value, (int, str, tuple, type(None))) else type(value).__name__


def members(cls: type) -> dict[str, Any]:
    """The members of a class in their order, without those that belong to its memory layout."""
    return {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}


def behaviour(instance: Any) -> dict[str, object]:
    """What the public members of an instance answer."""
    found: dict[str, object] = {}
    for name in "pqrstu":
        value = getattr(instance, name, None)
        if isinstance(value, type):
            value = value().value()
        found[name] = value() if callable(value) else value
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=modules(), after=modules())
def test_a_patched_class_equals_a_fresh_one(before: str, after: str) -> None:
    """Between any two texts the live class becomes what a new import makes, and so do its old instances."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        project = Project(pathlib.Path(folder))
        stack.callback(project.forget)
        live = Live(project, before)
        cls, old = live.space["m"].C, live.space["m"].C()
        assert live.edit(after) or before == after
        fresh: dict[str, Any] = {"__name__": "shop.m"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(__import__("sys").modules, "shop.m", types.ModuleType("shop.m"))
            exec(compile(after, "fresh.py", "exec", dont_inherit=True), fresh)
        now = live.space["m"].C
        assert now is cls
        assert isinstance(old, now)
        assert list(map(described, members(now).values())) == list(
            map(described, members(fresh["C"]).values())
        )
        assert list(members(now)) == list(members(fresh["C"]))
        assert [base.__name__ for base in now.__mro__] == [base.__name__ for base in fresh["C"].__mro__]
        vars(old).clear()  # what its constructor left is its own: see the hazard instance-shape
        assert behaviour(old) == behaviour(fresh["C"]()) == behaviour(now())
