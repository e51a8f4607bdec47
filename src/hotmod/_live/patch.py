"""New code for the functions of a module whose text differs inside its functions only.

Nothing is executed: each live function gets the code object that now stands at its place in the text.

Touches: functions, docstrings of what stands around them, caches, docstrings and line numbers of classes;
through the journal.

Guarantees: `prepare` changes nothing. `commit` makes all changes of all modules by one call in C, so that
other threads see none of them or all (on builds with a global lock); so does its undo.

Assumes: between `prepare` and `commit` nobody else changes the code of functions. A call under way that
makes closures goes on making them of the old code.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from hotmod._live import functions as code_of
from hotmod._live import held
from hotmod._live.classes import functions_in, own_dict
from hotmod._live.codes import Pairs, class_facts, docstring
from hotmod._live.journal import Journal, SavedCode, Together, at_once
from hotmod._live.reach import LRU, Reach, Running, complete
from hotmod._live.state import instance_dict

__all__ = [
    "Change",
    "Edited",
    "Patch",
    "Running",
    "Step",
    "Unfit",
    "commit",
    "prepare",
    "prepare_in_turn",
]

_DEPTH = 4  # how many wrappers a cache may have inside


@dataclasses.dataclass(frozen=True, slots=True)
class Edited:
    """A module that is to run another text.

    Attributes:
        name: its name.
        space: its namespace.
        pairs: what takes the place of its code objects.
        running: what is known of the code that it runs, as the last patch told; None costs a pass over the
            heap, which all modules of a patch share.
    """

    name: str
    space: dict[str, Any]
    pairs: Pairs
    running: Running | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A live function that gets new code.

    Attributes:
        function: the function.
        old: the code that it runs before.
        successor: leads to the code that it is to run. A patch that somebody keeps must not hold that itself:
            the next one would find references that it can't explain.
    """

    function: types.FunctionType
    old: types.CodeType
    successor: weakref.ref[types.CodeType]

    @property
    def new(self) -> types.CodeType:
        """The code that the function is to run."""
        code = self.successor()
        if code is None:
            msg = f"the new code of {self.function.__qualname__} is gone: its module's was not kept"
            raise ReferenceError(msg)
        return code


@dataclasses.dataclass(frozen=True, slots=True)
class Unfit:
    """A live function that can't take its new code.

    Attributes:
        function: the function.
        module: the module that its text belongs to.
        name: its qualified name in the text.
        code: the code of the hazard.
        reason: why it can't.
    """

    function: types.FunctionType
    module: str
    name: str
    code: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """An attribute that is set: how, on what, its name, and its values before and after."""

    setter: Callable[[Any, str, Any], None]
    target: Any
    name: str
    old: Any
    new: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """What `commit` will do, and what can't be done.

    Attributes:
        steps: the functions that get new code, if only for its line numbers.
        patched: those whose program differs, as `module:qualname`.
        unfit: the functions that can't take their new code; they are not in `steps`.
        lost: functions with code of the old text for which the new one has no place.
        unfit_docs: classes whose docstring differs in the text, and that have another than the text gave.
        forgotten: the caches that are cleared, as they are reported.
        running: what to hand to the next patch of each module after the commit.
        changes: every attribute that is set, beside code.
        caches: every cache that is cleared.
        holders: containers that hold code that gets a successor.
        succeeded: that code, each with what leads to its successor.
    """

    steps: tuple[Step, ...] = ()
    patched: tuple[str, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    lost: tuple[types.FunctionType, ...] = ()
    unfit_docs: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    running: Mapping[str, Running] = dataclasses.field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    caches: tuple[Any, ...] = ()
    holders: tuple[Any, ...] = ()
    succeeded: tuple[tuple[types.CodeType, weakref.ref[types.CodeType]], ...] = ()

    def exchanges(self, *, back: bool = False) -> list[Callable[[], object]]:
        """The calls that let containers hold the new code instead of the old, or the other way round."""
        pairs = [(old, new) for old, ref in self.succeeded if (new := ref()) is not None]
        kept = {id(new): old for old, new in pairs} if back else {id(old): new for old, new in pairs}
        return held.calls(self.holders, kept) if kept else []


def prepare(modules: Iterable[Edited]) -> Patch:
    """Find what is to be changed in some modules; changes nothing."""
    return prepare_in_turn(modules)[0]


def prepare_in_turn(*groups: Iterable[Edited]) -> list[Patch]:
    """Find what is to be changed in some modules, by several patches of which each is committed by itself.

    All functions are found before any patch is made: what is in a patch refers to code that is counted.
    """
    listed = [list(group) for group in groups]
    reaches: dict[str, Reach] = {}
    for each in (each for group in listed for each in group):
        if each.name not in reaches:
            reaches[each.name] = Reach(each.name, each.space, each.running)
    complete(reaches.values())
    return [_patch([_Draft(each, reaches[each.name]) for each in group]) for group in listed]


def _patch(drafts: list[_Draft]) -> Patch:
    return Patch(
        tuple(step for draft in drafts for step in draft.steps),
        tuple(sorted({name for draft in drafts for name in draft.patched})),
        tuple(unfit for draft in drafts for unfit in draft.unfit),
        tuple(function for draft in drafts for function in draft.lost),
        tuple(sorted({name for draft in drafts for name in draft.unfit_docs})),
        tuple(sorted(_told(cache) for draft in drafts for cache in draft.caches if _is_filled(cache))),
        {draft.name: draft.running() for draft in drafts},
        tuple(change for draft in drafts for change in draft.changes),
        tuple(cache for draft in drafts for cache in draft.caches),
        tuple({id(each): each for draft in drafts for each in draft.reach.holders}.values()),
        tuple(pair for draft in drafts for pair in draft.succeeded()),
    )


def commit(journal: Journal, patch: Patch, together: Together = contextlib.nullcontext) -> None:
    """Do what was prepared, in one step for other threads. If it raises, the journal takes it back.

    Args:
        journal: takes it back, in one step too.
        patch: what was prepared.
        together: see `at_once`.
    """
    redo: list[Callable[[], object]] = [
        functools.partial(setattr, step.function, "__code__", step.new) for step in patch.steps
    ]
    redo += [functools.partial(each.setter, each.target, each.name, each.new) for each in patch.changes]
    redo += patch.exchanges()
    what = f"code of {len(patch.steps)} functions of {', '.join(patch.running)}"
    journal.record(what, _undo(patch, together))
    # what a cache held may run code of its own when it is let go: last
    at_once([*redo, *(cache.cache_clear for cache in patch.caches)], together)


def _undo(patch: Patch, together: Together) -> Callable[[], None]:
    """What takes the changes back. It keeps no function alive: only references by others count."""
    back = [(_reference(each.target), each.setter, each.name, each.old) for each in reversed(patch.changes)]
    functions = [weakref.ref(step.function) for step in patch.steps]
    saved = SavedCode(*(step.old for step in patch.steps))
    filled = [_reference(cache) for cache in patch.caches]
    holders, succeeded = tuple(map(held.remember, patch.holders)), patch.succeeded

    def undo() -> None:
        left = tuple(each for ref in holders if (each := ref()) is not None)
        calls: list[Callable[[], object]] = [
            functools.partial(setter, target, name, old)
            for ref, setter, name, old in back
            if (target := ref()) is not None
        ]
        calls += [
            functools.partial(setattr, function, "__code__", code)
            for ref, code in zip(functions, saved.codes, strict=True)
            if (function := ref()) is not None
        ]
        calls += Patch(holders=left, succeeded=succeeded).exchanges(back=True)
        calls += [cache.cache_clear for ref in filled if (cache := ref()) is not None]
        at_once(calls, together)

    return undo


def _reference(target: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(target)
    except TypeError:  # a property, which lives as long as its class
        return lambda: target


class _Fate(NamedTuple):
    """The code that is to be run instead of some other, or why not; empty for code to be left alone."""

    new: types.CodeType | None = None
    why: tuple[str, str] | None = None
    docs: tuple[str | None, str | None] = (None, None)
    is_lost: bool = False
    differs: bool = False


class _Draft:
    """The part of a patch that is about one module."""

    def __init__(self, edited: Edited, reach: Reach) -> None:
        self.name, self.pairs, self.reach = edited.name, edited.pairs, reach
        self.steps: list[Step] = []
        self.patched: list[str] = []
        self.unfit: list[Unfit] = []
        self.lost: list[types.FunctionType] = []
        self.unfit_docs: list[str] = []
        self.changes: list[Change] = []
        self.caches: list[Any] = []
        self._docs: dict[int, tuple[str | None, str | None]] = {}  # before and after, by the id of the owner
        self._copies: list[types.CodeType] = []  # new code with a mark that the live one has
        self._fates: dict[int, _Fate] = {}  # by the id of the code, of which many functions may be made
        self._differing: set[int] = set()  # ids of the functions whose program differs
        for function in reach.functions:
            self._function(function)
        for value in reach.wrappers if self._differing else ():
            if type(value) is LRU and not self._differing.isdisjoint(map(id, functions_in(value, _DEPTH))):
                self.caches.append(value)
        while self._docs and any([self._copied(value) for value in reach.wrappers]):  # noqa: C419 - all of them
            pass
        self._classes()

    def _function(self, function: types.FunctionType) -> None:
        code = function.__code__
        fate = self._fate_of(code)
        if fate.is_lost:
            self.lost.append(function)
        new = fate.new
        if new is None or new is code:
            return
        if fate.why is not None:
            self.unfit.append(Unfit(function, self.name, new.co_qualname, *fate.why))
            return
        self.steps.append(Step(function, code, weakref.ref(new)))
        if fate.differs:
            self._differing.add(id(function))
            self.patched.append(f"{self.name}:{new.co_qualname}")
        before, after = fate.docs
        if before != after and _same(function.__doc__, before) and not _is_copy(function):
            self._set_doc(function, after)

    def running(self) -> Running:
        """What the module runs after the commit."""
        holders = tuple(map(held.remember, self.reach.holders))
        return Running((self.pairs.new, *self._copies), self.reach.hidden, holders)

    def succeeded(self) -> list[tuple[types.CodeType, weakref.ref[types.CodeType]]]:
        """The code that others than functions hold and that gets a successor.

        Where functions run one version of it, the earlier ones that somebody holds stay what they are: an
        undo could not tell one from the other.
        """
        codes = {id(code): code for code in held.codes_held(self.reach.holders)}
        fates = [(code, self._fate_of(code)) for code in codes.values()]
        run: dict[int, set[int]] = {}
        for step in self.steps:
            run.setdefault(id(step.new), set()).add(id(step.old))
        return [
            (code, weakref.ref(fate.new))
            for code, fate in fates
            if fate.new is not None and fate.new is not code and fate.why is None
            if id(code) in run.get(id(fate.new), (id(code),))
        ]

    def _fate_of(self, code: types.CodeType) -> _Fate:
        return self._fates.get(id(code)) or self._fates.setdefault(id(code), self._fate(code))

    def _fate(self, code: types.CodeType) -> _Fate:
        """What is to become of the functions that run some code."""
        pairs = self.pairs
        if not pairs.is_old(code) and (
            code_of.is_forwarding(code) or not pairs.is_from_here(code) or pairs.is_current(code)
        ):
            return _Fate()
        old, new = pairs.counterpart(code), pairs.successor(code)
        if new is None:
            return _Fate(is_lost=old is None or pairs.is_covered(old))
        differs = not code_of.same_code(old or code, new)
        marked = code_of.marked_like(code, new)
        if marked is not new:
            self._copies.append(marked)
            new = marked
        return _Fate(new, code_of.fits(code, new), (docstring(code), docstring(new)), differs=differs)

    def _set_doc(self, owner: Any, doc: str | None) -> None:
        self._docs[id(owner)] = owner.__doc__, doc
        self.changes.append(Change(setattr, owner, "__doc__", owner.__doc__, doc))

    def _copied(self, value: Any) -> bool:
        """Whether something has a copy of a docstring that changes; it changes as well."""
        docs = self._docs.get(id(_inner(value)))
        if docs is None or id(value) in self._docs or not _same(value.__doc__, docs[0]):
            return False
        self._set_doc(value, docs[1])
        return True

    def _classes(self) -> None:
        bodies: dict[str, list[tuple[types.CodeType, types.CodeType]]] = {}
        for old, new in self.pairs.classes:
            bodies.setdefault(old.co_qualname, []).append((old, new))
        for cls in self.reach.classes:
            space = own_dict(cls)
            named = bodies.get(type.__dict__["__qualname__"].__get__(cls), [])
            found = named if len(named) == 1 else [each for each in named if _is_body(each[0], space)]
            if len(found) == 1:
                self._class(cls, space, *found[0])
                continue
            for old, new in named:  # several classes of one name
                if class_facts(old).doc != class_facts(new).doc:
                    self.unfit_docs.append(f"{self.name}:{new.co_qualname}")

    def _class(self, cls: type, space: Mapping[str, Any], old: types.CodeType, new: types.CodeType) -> None:
        if old == new:  # its place in the text included
            return
        before, after = class_facts(old), class_facts(new)
        if before.doc != after.doc:
            if _same(space.get("__doc__"), before.doc):
                self._set_on_class(cls, space, "__doc__", after.doc)
            else:
                self.unfit_docs.append(f"{self.name}:{new.co_qualname}")
        if space.get("__firstlineno__", after.firstlineno) != after.firstlineno:
            self._set_on_class(cls, space, "__firstlineno__", after.firstlineno)
        if after.static_attributes is not None and space.get("__static_attributes__") not in (
            None,
            after.static_attributes,
        ):
            self._set_on_class(cls, space, "__static_attributes__", after.static_attributes)

    def _set_on_class(self, cls: type, space: Mapping[str, Any], name: str, value: Any) -> None:
        self.changes.append(Change(type.__setattr__, cls, name, space.get(name), value))


def _is_body(code: types.CodeType, space: Mapping[str, Any]) -> bool:
    """Whether a class was built by this body: CPython 3.13 notes its line."""
    facts = class_facts(code)
    line = space.get("__firstlineno__", facts.firstlineno)
    return bool(line == facts.firstlineno) and _same(space.get("__doc__"), facts.doc)


def _inner(value: Any) -> Any:
    """What something that stands around a function has its docstring from."""
    kind = type(value)
    if kind is property:
        return value.fget
    if kind in (staticmethod, classmethod):
        return value.__func__
    return (
        value.func if kind is functools.cached_property else (instance_dict(value) or {}).get("__wrapped__")
    )


def _is_copy(function: types.FunctionType) -> bool:
    """Whether a function has its docstring from the one that it wraps."""
    inner = function.__dict__.get("__wrapped__")
    return type(inner) in (types.FunctionType, LRU) and _same(inner.__doc__, function.__doc__)


def _same(one: object, two: object) -> bool:
    """Whether two docstrings are the same; one that is no string may have an `==` of its own."""
    return one is two or (type(one) is str and type(two) is str and one == two)


def _is_filled(cache: Any) -> bool:
    return bool(cache.cache_info().currsize)


def _told(cache: Any) -> str:
    return f"{cache.__module__}:{cache.__qualname__} (cache)"
