from __future__ import annotations

import collections
import enum
from typing import Any

import pytest

from hotmod._live import classes, enums
from hotmod._live.journal import Journal
from hotmod._live.takeback import contents, everything, put_back


class Loud(dict):
    """A mapping that refuses everything."""

    def __setitem__(self, *_: Any) -> None:
        raise AssertionError("asked")

    __iter__ = __len__ = __delitem__ = clear = update = items = __eq__ = __setitem__  # type: ignore[assignment]
    __hash__ = None


CONTAINERS = {
    "dict": {"a": 1, "b": 2},
    "list": [3, 1, 2],
    "set": {1, 2, 3},
    "deque": collections.deque([1, 2], maxlen=2),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "ordered": collections.OrderedDict(b=1, a=2),
    "counter": collections.Counter("aab"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_put_back(name: str) -> None:
    """What `contents` saw is what a container holds after `put_back`, in the same order."""
    container = CONTAINERS[name]
    saved = contents(container)
    assert saved is not None
    put_back(container, [])
    assert contents(container) == []
    put_back(container, saved)
    assert contents(container) == saved


def test_a_containers_own_methods_are_not_asked() -> None:
    """A subclass that overrides every method of its container is read and written all the same."""
    value = Loud()
    put_back(value, [("a", 1)])
    assert contents(value) == [("a", 1)]


def test_an_ordered_dict_keeps_its_order_intact() -> None:
    """An OrderedDict that was put back can be reordered as ever."""
    value = collections.OrderedDict(a=1, b=2)
    put_back(value, [("x", 1), ("y", 2)])
    value.move_to_end("x")
    assert list(value) == ["y", "x"]
    assert value.popitem() == ("x", 1)


def test_other_objects_are_no_containers() -> None:
    """Tuples, texts and instances hold nothing that could be put back."""
    assert [contents(value) for value in ((1,), "a", object(), frozenset([1]), 1)] == [None] * 5


def test_while_nobody_else_runs_every_change_is_ours() -> None:
    """The attribution without other threads says yes to everything."""
    assert everything("name", 1, 2)


class TestClassObstacles:
    def test_a_class_of_the_same_shape_has_none(self) -> None:
        """Other methods, attributes and plain bases are no obstacle."""

        class A: ...

        class B: ...

        class Old(A):
            def f(self): ...

        class New(B):
            x = 1

        assert classes.obstacle(Old, New, (B,)) is None

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (type("T", (), {"__slots__": ("a",)}), type("T", (), {"__slots__": ("b",)}), "slots-layout"),
            (type("T", (list,), {}), type("T", (dict,), {}), "base-layout"),
            (type("T", (int,), {}), type("T", (), {}), "base-layout"),
            (type("T", (), {}), type("Meta", (type,), {})("T", (), {}), "metaclass"),
        ],
        ids=["slots", "containers", "number", "metaclass"],
    )
    def test_another_shape_is_told(self, old: type, new: type, code: str) -> None:
        """Slots, layout and metaclass are told by their hazard code."""
        found = classes.obstacle(old, new, new.__bases__)
        assert found is not None
        assert found[0] == code


class TestEnums:
    def test_members_live_on(self) -> None:
        """A member that exists before and after is the same object, with its new value."""

        class Old(enum.Enum):
            RED = 1

        class New(enum.Enum):
            RED = "r"

        assert enums.revalued(Old, New) == {}
        red, fresh = Old.RED, New.RED
        journal = Journal()
        kept = enums.adopt_members(journal, Old, New)
        assert kept[id(fresh)] is red
        assert red._value_ == "r"
        journal.undo()
        assert (red._value_, Old(1)) == (1, red)

    def test_members_that_are_numbers_can_not_change(self) -> None:
        """A member that is itself a number or a text can't take another value, and the reason names it."""

        class Old(enum.IntEnum):
            ONE = 1

        class New(enum.IntEnum):
            ONE = 2

        assert enums.revalued(Old, New) == {"ONE": "it was 1 and is 2"}
        assert enums.adopt_members(Journal(), Old, New)[id(New.ONE)] is New.ONE
