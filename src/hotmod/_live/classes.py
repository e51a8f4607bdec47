"""Classes that take over the body of their successors: instances, subclasses and registries stay right.

Touches: class objects and the `__class__` cells of methods, through the journal.

Guarantees: a class is either changed as a whole or not at all; what forbids it comes out as a reason,
before anything is changed. No metaclass method, descriptor or `__setattr__` of the subject runs.
"""

from __future__ import annotations

import abc
import collections
import collections.abc
import functools
import gc
import operator
import sys
import types
import weakref
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from hotmod._live.homes import name_of
from hotmod._live.journal import Journal
from hotmod._live.remembered import forget_subscripts, type_parameters

__all__ = [
    "bases_of",
    "bind_cells",
    "detach",
    "discard",
    "functions_in",
    "hand_on_registrations",
    "is_heir",
    "misread",
    "obstacle",
    "own_dict",
    "set_bases",
    "take_back_name",
    "take_over",
]

own_dict: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__bases__"].__get__
# the name of its module is what two classes have in common; setting it would drop __firstlineno__ (3.13)
_SKIP = frozenset(("__weakref__", "__abstractmethods__", "_abc_impl", "__module__"))
_MARKS = ("_abc_impl", "__abstractmethods__")  # of classes that `ABCMeta` has made
_SEARCHED = 4  # how deep decorated methods are searched for the `__class__` cell
_MISSING = object()
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)  # that the interpreter makes


def _identical(one: tuple[object, ...], two: tuple[object, ...]) -> bool:
    """Whether two tuples hold the same objects; a metaclass may call different classes equal."""
    return len(one) == len(two) and all(a is b for a, b in zip(one, two, strict=True))


def slots(cls: type) -> list[str]:
    """The names of the slots that a class itself adds, in the order of their places in an instance."""
    return [name for name, value in own_dict(cls).items() if type(value) is types.MemberDescriptorType]


def obstacle(live: type, fresh: type, bases: tuple[type, ...]) -> tuple[str, str] | None:
    """Why `live` can't take the body of `fresh`: (hazard code, reason); None when it can.

    Args:
        live: the class in use.
        fresh: the class just built.
        bases: the bases that `live` is to have.
    """
    if type(live) is not type(fresh) and not _accepts(live, "__class__", type(fresh)):
        return "metaclass", f"its metaclass was {type(live).__name__} and is {type(fresh).__name__}"
    if slots(live) != slots(fresh):
        return "slots-layout", f"its slots were {slots(live)} and are {slots(fresh)}"
    if misread(live, fresh):
        return "slots-layout", f"its fields were {_fields(live)} and are {_fields(fresh)}"
    layout = ("__basicsize__", "__itemsize__", "__dictoffset__", "__weakrefoffset__")
    if any(_layout(live, name) != _layout(fresh, name) for name in layout):
        return "base-layout", "its instances have another layout in memory"
    if not _identical(bases_of(live), bases) and not _accepts(live, "__bases__", bases):
        return "base-layout", "the interpreter does not let its bases be changed in place"
    return None


def misread(live: type, fresh: type) -> bool:
    """Whether instances of `live` would be misread as `fresh`: fields of named tuples are places.

    Fields at the end that only one of them has are missing, or not asked for.
    """
    return any(a != b for a, b in zip(_fields(live), _fields(fresh), strict=False))


def _fields(cls: type) -> tuple[object, ...]:
    found = own_dict(cls).get("_fields")
    return found if issubclass(cls, tuple) and type(found) is tuple else ()


def _layout(cls: type, name: str) -> Any:
    return type.__dict__[name].__get__(cls)


_SETTERS = {"__bases__": type.__dict__["__bases__"], "__class__": object.__dict__["__class__"]}


def _accepts(live: type, name: str, value: object) -> bool:
    """Whether the interpreter lets the bases or the metaclass be changed; they are left as they were."""
    setter = _SETTERS[name]
    tried = [functools.partial(setter.__set__, live, each) for each in (value, setter.__get__(live))]
    try:
        collections.deque(map(operator.call, tried), maxlen=0)  # other threads see neither
    except TypeError:
        return False
    return True


def take_back_name(journal: Journal, cls: type) -> None:
    """Let a class that goes by the name of another module go by that of its own."""
    given, setter = type.__getattribute__(cls, "__module__"), type.__setattr__
    journal.record("module of a class", functools.partial(setter, cls, "__module__", given))
    setter(cls, "__module__", name_of(cls)[0])


def set_bases(cls: type, bases: tuple[type, ...]) -> bool:
    """Change the bases of a class if the interpreter lets them be changed; says whether it did."""
    try:
        _SETTERS["__bases__"].__set__(cls, bases)
    except TypeError:
        return False
    return True


def take_over(
    journal: Journal, live: type, fresh: type, bases: tuple[type, ...], members: Mapping[str, Any]
) -> None:
    """Give `live` the bases and members of `fresh`. Assumes that there is no `obstacle`.

    Args:
        journal: where the changes are noted.
        live: the class in use.
        fresh: the class just built.
        bases: the bases that `live` is to have.
        members: what is to stand in the class, by name, in order; usually those of `fresh`, with objects
            that live on in place of their successors.
    """
    before, had, metaclass = dict(own_dict(live)), bases_of(live), type(live)
    was_abstract = _makes_abstract(live)
    journal.record(f"class {'.'.join(map(str, name_of(live)))}", _undo_of(live))
    if not _identical(had, bases):
        _SETTERS["__bases__"].__set__(live, bases)
    if metaclass is not type(fresh):
        _SETTERS["__class__"].__set__(live, type(fresh))
        if "_abc_impl" in own_dict(fresh) and "_abc_impl" not in before:
            type.__setattr__(live, "_abc_impl", own_dict(fresh)["_abc_impl"])
    # also of methods that live on as those of before: what holds on to the new ones finds the class in use
    bind_cells((*members.values(), *own_dict(fresh).values()), fresh, live)
    put_members(live, members)
    if _makes_abstract(live) is not was_abstract:
        _follow_metaclass(journal, live)
    if type_parameters(before) != type_parameters(own_dict(live)):
        forget_subscripts()
        journal.record("what typing remembers", forget_subscripts)


def _undo_of(live: type) -> Callable[[], None]:
    """What makes a class as it is now."""
    before, had, metaclass = dict(own_dict(live)), bases_of(live), type(live)
    abstract = before.get("__abstractmethods__", _MISSING)
    heirs = [
        (heir, own_dict(heir)["__abstractmethods__"])
        for heir in (_heirs(live) if abstract is not _MISSING else ())
        if "__abstractmethods__" in own_dict(heir)
    ]

    def undo() -> None:
        if type(live) is not metaclass:
            _SETTERS["__class__"].__set__(live, metaclass)
        if not _identical(bases_of(live), had):
            _SETTERS["__bases__"].__set__(live, had)
        put_members(live, before)
        if abstract is not _MISSING:  # computed from bases that are taken back only later
            type.__setattr__(live, "__abstractmethods__", abstract)
            for heir, names in heirs:
                type.__setattr__(heir, "__abstractmethods__", names)

    return undo


def add_members(journal: Journal, live: type, fresh: type, members: Mapping[str, Any]) -> None:
    """Let `live` have those members that it does not have yet, before its own ones change.

    So that in other threads new code of the one finds the other.
    """
    before = dict(own_dict(live))
    added = {name: value for name, value in members.items() if name not in before and _is_member(name, value)}
    if added:
        journal.record(f"members of {live.__module__}.{live.__qualname__}", _undo_of(live))
        bind_cells(added.values(), fresh, live)
        put_members(live, {**before, **added})


def put_members(cls: type, members: Mapping[str, Any]) -> None:
    """Make a class hold exactly these members, in their order; layout descriptors of its own stay."""
    own, raw = dict(own_dict(cls)), _raw_dict(cls)
    then = {name: value for name, value in members.items() if _is_member(name, value)}
    steps = [
        _dropping(cls, raw, name)
        for name, value in own.items()
        if _is_member(name, value) and name not in then
    ]
    left = [name for name in own if name in then or not _is_member(name, own[name])]
    wanted = [name for name in members if name in then or name in left]
    in_order = [name for name in left if name in members] == wanted[: len([n for n in wanted if n in own])]
    for name in wanted:
        if not in_order and name in own:
            steps.append(
                _dropping(cls, raw, name) if name in then else functools.partial(dict.pop, raw, name)
            )
        if name not in then:
            steps += [] if in_order else [functools.partial(dict.__setitem__, raw, name, own[name])]
        elif not in_order or own.get(name, _MISSING) is not then[name]:
            steps.append(_setting(cls, raw, name, then[name]))
    # the interpreter forgets what it has looked up in a class when an attribute is set, not when the
    # dictionary is changed directly
    steps += [
        functools.partial(type.__setattr__, cls, "__hotmod__", None),
        functools.partial(type.__delattr__, cls, "__hotmod__"),
    ]
    # one call in C, of steps that are calls in C: no other thread sees the class between two of them
    collections.deque(map(operator.call, steps), maxlen=0)
    if issubclass(type(cls), abc.ABCMeta):
        _update_abstract(cls, members.get("__abstractmethods__", ()))


def _makes_abstract(cls: type) -> bool:
    """Whether a class is a metaclass whose classes can be abstract."""
    return issubclass(cls, type) and abc.ABCMeta in type.mro(cls)


def _follow_metaclass(journal: Journal, metaclass: type) -> None:
    """Let the classes that a metaclass has made be such as it makes from now on: abstract ones, or not."""
    becomes = _makes_abstract(metaclass)
    for cls in _heirs(object):
        if metaclass in type.mro(type(cls)) and ("_abc_impl" in own_dict(cls)) is not becomes:
            journal.record(f"class {'.'.join(map(str, name_of(cls)))}", _undo_of_marks(cls))
            if becomes:
                abc._abc_init(cls)  # type: ignore[attr-defined]  # noqa: SLF001 - what `ABCMeta.__new__` calls
            else:
                _put_marks(cls, dict.fromkeys(_MARKS, _MISSING))


def _undo_of_marks(cls: type) -> Callable[[], None]:
    ref, before = weakref.ref(cls), {name: own_dict(cls).get(name, _MISSING) for name in _MARKS}
    return lambda: _put_marks(ref(), before)


def _put_marks(cls: type | None, marks: Mapping[str, Any]) -> None:
    for name, value in marks.items():
        if cls is not None and value is not _MISSING:
            type.__setattr__(cls, name, value)
        elif cls is not None and name in own_dict(cls):
            type.__delattr__(cls, name)


def _update_abstract(cls: type, names: Iterable[str]) -> None:
    """Let a class and its heirs, which may not be built again, know what is abstract now.

    As `abc.update_abstractmethods`, which would ask objects of the subject by their `__getattr__`. `ABCMeta`
    has asked those of the class that was built.

    Args:
        cls: the class.
        names: what is abstract in it.
    """
    type.__setattr__(cls, "__abstractmethods__", frozenset(names))
    for one in _heirs(cls):
        if "__abstractmethods__" in own_dict(one):
            inherited = {name for base in bases_of(one) for name in _abstract_in(base)}
            found = {name for name in _abstract_in(one) if name in own_dict(one)}
            found |= {name for name in inherited if name in _abstract_in(_owner(one, name))}
            type.__setattr__(one, "__abstractmethods__", frozenset(found))


def _abstract_in(cls: type | None) -> Iterable[str]:
    return own_dict(cls).get("__abstractmethods__", ()) if cls is not None else ()


def _owner(cls: type, name: str) -> type | None:
    """The class from which a class has an attribute."""
    return next((each for each in type.__dict__["__mro__"].__get__(cls) if name in own_dict(each)), None)


def _heirs(cls: type) -> list[type]:
    """The classes below a class, each after its bases below the same one."""
    found: dict[int, type] = {}
    left = collections.deque[type](type.__subclasses__(cls))
    while left:
        one = left.popleft()
        found.pop(id(one), None)
        found[id(one)] = one
        left += type.__subclasses__(one)
    return list(found.values())


# Attributes of classes that are computed by `type`: what a class body binds under such a name (a proxy's
# `__class__`, say) stands in the dictionary of the class, and setting the attribute would not reach it.
_COMPUTED = frozenset(
    ("__class__", "__name__", "__dict__", "__bases__", "__mro__", "__base__", "__qualname__")
)


_UNDELETABLE = frozenset(("__doc__", "__type_params__", "__annotate__"))  # `type` can only set them


def _setting(cls: type, raw: dict[str, Any], name: str, value: object) -> Callable[[], object]:
    if name in _COMPUTED:
        return functools.partial(dict.__setitem__, raw, name, value)
    return functools.partial(type.__setattr__, cls, name, value)


def _dropping(cls: type, raw: dict[str, Any], name: str) -> Callable[[], object]:
    if name in _COMPUTED or name in _UNDELETABLE:
        return functools.partial(dict.__delitem__, raw, name)
    return functools.partial(type.__delattr__, cls, name)


def _raw_dict(cls: type) -> dict[str, Any]:
    """The dictionary behind the read-only view that a class gives of it."""
    found: list[dict[str, Any]] = gc.get_referents(own_dict(cls))
    return found[0]


def _is_member(name: str, value: object) -> bool:
    return name not in _SKIP and type(value) not in _DESCRIPTORS


class _Superseded:
    """What a class descends from whose place another one has taken: it is no heir of its bases any more."""


class _SupersededBare:
    """The same for classes whose instances have no dictionary."""

    __slots__ = ()


def _references_to_unused() -> int:
    # without a global lock counts are kept by several threads, and tell nothing
    return 0 if "free-threading" in sys.version else _references([type("Probe", (), {})], 0)


def detach(cls: type) -> bool:
    """Take a class that nobody uses out of the `__subclasses__()` of its bases; says whether that worked.

    It does not where the layout forbids it; then the class goes when the garbage collector finds it.
    """
    return set_bases(cls, (_Superseded,)) or set_bases(cls, (_SupersededBare,))


def discard(merged: list[type]) -> None:
    """Take classes that were merged away out of the `__subclasses__()` of their bases; empty those unused.

    A class refers to itself, so it lives until the collector comes; its methods would live as long, and
    whoever counts the references to their code, which runs elsewhere now, would find too many.
    """
    collections.deque(map(detach, merged), maxlen=0)  # no variable may refer to a class when it is counted
    merged.reverse()  # a nested class comes after the one around it
    for place in range(len(merged)):
        if _references(merged, place) <= _UNUSED:
            put_members(merged[place], {})


def _references(listed: list[type], place: int) -> int:
    """How many references there are to a class in a list, but for those from parts of its own."""
    (count,) = map(sys.getrefcount, listed[place : place + 1])
    cls = listed[place]
    parts = [each for each in own_dict(cls).values() if type(each) in _DESCRIPTORS]
    return count - sum(
        each is cls for each in gc.get_referents(type.__dict__["__mro__"].__get__(cls), *parts)
    )


def is_heir(cls: type) -> bool:
    """Whether a class is in the `__subclasses__()` of a base that somebody may ask."""
    return any(base not in (object, _Superseded, _SupersededBare) for base in bases_of(cls))


def hand_on_registrations(old: type, new: Any, ran: Container[str]) -> None:
    """Let an abstract class know the virtual subclasses of the one that it replaces.

    Args:
        old: the class that was replaced.
        new: its successor.
        ran: modules that ran again; they have registered their classes themselves.
    """
    if issubclass(type(old), abc.ABCMeta) and issubclass(type(new), abc.ABCMeta):
        dump: Callable[[type], tuple[Any, ...]] = abc._get_dump  # type: ignore[attr-defined]  # noqa: SLF001
        for ref in dump(old)[0]:
            cls = ref()
            if cls is not None and name_of(cls)[0] not in ran:
                abc.ABCMeta.register(new, cls)


def bind_cells(members: Iterable[object], fresh: type, live: type) -> None:
    """Let `super()` and `__class__` in methods of `fresh` mean `live`."""
    for member in members:
        for function in functions_in(member, _SEARCHED):
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                if name == "__class__" and _content(cell) is fresh:
                    cell.cell_contents = live


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return _MISSING


def _instance_dict(value: object) -> object:
    try:
        return object.__getattribute__(value, "__dict__")  # no `__getattr__` of the subject is asked
    except AttributeError:
        return None


def functions_in(value: object, depth: int) -> Iterator[types.FunctionType]:
    """The plain functions behind a class member, through the usual wrappers."""
    if depth == 0:
        return
    kind = type(value)
    parts: Iterable[object] = ()
    if kind is types.FunctionType:
        yield value  # type: ignore[misc]
        cells = (_content(cell) for cell in value.__closure__ or ())  # type: ignore[attr-defined]
        parts = (part for part in cells if not issubclass(type(part), type))
    elif kind in (staticmethod, classmethod, types.MethodType):
        parts = (value.__func__,)  # type: ignore[attr-defined]
    elif kind is property:
        parts = (value.fget, value.fset, value.fdel)  # type: ignore[attr-defined]
    elif kind in (functools.cached_property, functools.partial, functools.partialmethod):
        parts = (value.func,)  # type: ignore[attr-defined]
    elif not issubclass(kind, type):
        space = _instance_dict(value)
        parts = (space.get("__wrapped__"),) if type(space) is dict else ()
    for part in parts:
        if part is not None:
            yield from functions_in(part, depth - 1)


_UNUSED = _references_to_unused()
