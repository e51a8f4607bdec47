"""Old object and new object of one name become one: the old one, with what is new.

Touches: functions, classes, enum members and the usual wrappers around them, through the journal.

Guarantees: what is returned is the old object exactly when it now behaves like the new one; otherwise it
is the new one, and why is in `hazards`. An old object lives on in one place only: two new objects never
become the same one.

Assumes: a merger serves one transaction.
"""

from __future__ import annotations

import enum
import functools
import types
import weakref
from collections.abc import Callable, Collection, Container, Mapping
from typing import Any

from hotmod._live import adapters, classes, enums, functions
from hotmod._live.definitions import top_level
from hotmod._live.heap import Heap
from hotmod._live.homes import is_counterpart, module_given, name_of, place_of
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_function
from hotmod._live.state import instance_dict
from hotmod._live.twins import twins_for
from hotmod._model.hazards import Hazard

__all__ = ["UNNAMED", "Handler", "Merger"]

_MISSING = object()
_METHODS = {types.FunctionType: "plain method", staticmethod: "static method", classmethod: "class method"}
# functions that were merged away, and that somebody refers to weakly, by the one that lives on
_SEEN: weakref.WeakKeyDictionary[types.FunctionType, list[types.FunctionType]] = weakref.WeakKeyDictionary()
UNNAMED = "_"  # what is registered elsewhere and needs no name: two of it are not the same definition


class Merger:
    """Merges the objects of one transaction.

    Args:
        journal: where the changes are noted.
        before: the namespaces, as they were, of the modules that run again; classes of others are never
            changed.
        handlers: how objects are merged, by their kind; see `wrappers.HANDLERS`.

    Attributes:
        kept: the old object that lives on, by the id of the new one that it took over.
        patched: the functions whose code changed, as `module:qualname`.
        hazards: what could not be merged.
        forgotten: the caches that were cleared, as they are reported.
        reshaped: whether the members of some class differ by name.
        removed: the members of enumerations that are gone.
        dropped: the nested classes that are gone.
        held: by module and name of a class, the attributes that stay as they are when it is merged.
        staying: ids of objects that stay under their names; see `leave`.
        keeping: whether nothing differs but the inside of functions where libraries ask for it.
        whole: the modules that are going to run as a whole: names that these gave, they give anew.
        before_removal: called with the names of members that a class is about to lose.
    """

    def __init__(
        self,
        journal: Journal,
        before: Mapping[str, Mapping[str, Any]],
        handlers: Mapping[type, Handler] | None = None,
    ) -> None:
        self.journal = journal
        self._before = before
        self._modules: Container[str] = before.keys()
        self._handlers = handlers or {types.FunctionType: Merger.function, type: Merger.class_}
        self.forgotten: list[str] = []
        self.reshaped = False
        self.keeping = False
        self.staying: set[int] = set()
        self.removed: list[Any] = []
        self.dropped: list[type] = []
        self.held: dict[tuple[str, str], frozenset[str]] = {}
        self.kept: dict[int, Any] = {}
        self.patched: list[str] = []
        self.hazards: list[Hazard] = []
        self.whole: set[str] = set()
        self.before_removal: Callable[[Collection[str]], object] = bool
        self._taken: dict[int, Any] = {}
        self._replaced: dict[int, tuple[Any, Any]] = {}
        self._alive: list[Any] = []  # the ids in `kept` are good only while the new objects live
        self._pinned: list[Any] = []
        self._unused: set[int] = set()  # ids of classes that were merged away before they could be used
        self._members: list[tuple[type, dict[str, Any]]] = []

    def close(self) -> None:
        """Forget the new objects; call it when nothing refers to them any more."""
        merged = [new for _, new in self._pairs()]
        for table in (self.kept, self._taken, self._unused, self._replaced):
            table.clear()
        for listed in (self._alive, self._pinned, self._members, self.removed, self.dropped):
            listed.clear()
        classes.discard(merged)

    def finish_names(self) -> None:
        """All has run: functions go by the names that new ones got after these had been merged."""
        for old, new in zip(self._alive[::2], self._alive[1::2], strict=True):
            if type(new) is types.FunctionType and module_given(new) not in (None, module_given(old)):
                functions.take_names(self.journal, old, new)

    def finish_classes(self) -> None:
        """Let abstract classes know their virtual subclasses, and libraries bring their classes to use."""
        for old, new in self.replaced:
            classes.hand_on_registrations(old, new, self._modules)
        for old, _ in self._pairs():
            adapters.finish(old)

    def merge(self, old: Any, new: Any) -> Any:
        """The object to use from now on in place of `new`, where `old` stood before."""
        if old is new or not self.staying.isdisjoint((id(old), id(new))):
            return new
        if id(new) in self.kept:
            return self.kept[id(new)]
        mine = old.__func__ if type(old) in (staticmethod, classmethod) else old
        if type(mine) is types.FunctionType and functions.is_lent(mine, self._before):
            return new  # it has not gone: it goes on where it belongs
        handler = self._handler(type(new))
        if handler is None and type(old) is type(new):
            self._attributes(old, new)
        if type(old) in _METHODS and type(new) in _METHODS and type(old) is not type(new):
            return self._forward_method(old, new)
        if type(old) is types.FunctionType and type(new) is not types.FunctionType:
            return self._forward(old, new)
        if handler is None or (type(old) is not type(new) and not _both_classes(old, new)):
            return new
        if id(old) in self._taken:
            return old if self._taken[id(old)] is new else new
        return handler(self, old, new)

    def _handler(self, kind: type) -> Handler | None:
        found = self._handlers.get(kind)
        return Merger.class_ if found is None and issubclass(kind, type) else found

    def _forward(self, old: types.FunctionType, new: Any) -> Any:
        """Let a function lead to the callable of another kind that took its name."""
        if id(old) in self._taken or self.is_replaced(old) or not callable(new):
            return new
        if is_class(new):
            module, name = name_of(new)
        else:
            dressed = instance_dict(new) or {}
            module, name = dressed.get("__module__"), dressed.get("__qualname__")
            if not name or "." in name:
                return new  # what is handed to it as `self` differs
        if (module, name) != place_of(old) or module not in self._modules:
            return new
        functions.forward(self.journal, old, new)
        kind = "class" if is_class(new) else type(new).__name__
        return self.refuse(old, new, ("kind-change", f"it was a plain function and is a {kind}"))

    def _forward_method(self, old: Any, new: Any) -> Any:
        """Let a method lead to the one of another kind that took its name: what it is bound to differs."""
        mine, other = (each if type(each) is types.FunctionType else each.__func__ for each in (old, new))
        if type(mine) is not types.FunctionType or id(mine) in self._taken or self.is_replaced(mine):
            return new
        if not is_counterpart(mine, other) or place_of(other)[0] not in self._modules:
            return new
        functions.forward(self.journal, mine, functions.looked_up(old, new))
        why = f"it was a {_METHODS[type(old)]} and is a {_METHODS[type(new)]}"
        return self.refuse(mine, new, ("kind-change", why))

    def _attributes(self, old: Any, new: Any) -> None:
        """Merge the functions that two objects of one kind carry; the objects themselves stay two."""
        mine, other = instance_dict(old) or {}, instance_dict(new) or {}
        for name, value in list(other.items()):
            if type(value) is types.FunctionType and type(mine.get(name)) is types.FunctionType:
                other[name] = self.merge(mine[name], value)

    def take(self, old: Any, new: Any) -> Any:
        """Note that `old` lives on in place of `new`."""
        self._taken[id(old)] = new
        self.kept[id(new)] = old
        self._alive += (old, new)
        return old

    def leave(self, module: str, space: Mapping[str, Any], going: Container[str]) -> None:
        """What stays under its name is not for another name to live on: that was an alias for it.

        Args:
            module: a module of which only some statements run.
            space: its namespace.
            going: the names that these bind.
        """
        for name, value in space.items():
            home, own = top_level(value)
            if name not in going and home in (module, None) and own not in going:
                self.staying.add(id(value))

    def is_taken(self, old: Any) -> bool:
        """Whether an old object already lives on in place of some new one."""
        return id(old) in self._taken

    def is_replaced(self, old: Any) -> bool:
        """Whether an old object was found to be impossible to change."""
        return id(old) in self._replaced

    def refuse(self, old: Any, new: Any, why: tuple[str, str]) -> Any:
        """Note that `new` has to replace `old`; `new` is used."""
        code, reason = why
        if self.is_replaced(old):
            return new
        self._replaced[id(old)] = old, new
        if is_function(old) and old.__code__.co_filename.startswith("<"):
            return new  # made by a library, as the `__init__` of a dataclass is: no text of the user's
        module, name = getattr(old, "__module__", ""), getattr(old, "__qualname__", "")
        advice = (
            "Calls through old references are forwarded to the new function."
            if is_function(old)
            else "References to the old object that others hold stay old; restart if they matter."
        )
        self.hazards.append(
            Hazard(code, str(module), str(name), message=f"replaced: {reason}", advice=advice)
        )
        return new

    def rebase(self) -> None:
        """Let heirs of classes that were merged away descend from those that live on.

        A base that was not made by a `class` statement (a named tuple, say) is merged after its heirs.
        """
        for old, new in self._pairs():
            heirs: list[type] = type.__subclasses__(new)
            for heir in heirs:
                had = classes.bases_of(heir)
                bases = tuple(old if base is new else base for base in had)
                if id(heir) in self.kept or all(a is b for a, b in zip(bases, had, strict=True)):
                    continue
                self.journal.record("bases of a class", functools.partial(classes.set_bases, heir, had))
                classes.set_bases(heir, bases)

    def give_twins(self, heap: Heap) -> None:
        """Copy instances made in this run that can't change their class into the class that lives on."""
        for value, twin in twins_for(self._pairs(), heap):
            self.kept[id(value)] = twin
            self._pinned += (value, twin)

    def _pairs(self) -> list[tuple[type, type]]:
        """The classes that live on, each with the one that it took over."""
        pairs = zip(self._alive[::2], self._alive[1::2], strict=True)
        return [(old, new) for old, new in pairs if is_class(old) and is_class(new)]

    @property
    def replaced(self) -> list[tuple[type, type]]:
        """The classes that had to be replaced, each with its successor."""
        pairs = self._replaced.values()
        return [(old, new) for old, new in pairs if is_class(old) and is_class(new)]

    def functions(self) -> list[types.FunctionType]:
        """The functions of before that run new code, or lead to new ones."""
        every = [*self.kept.values(), *(old for old, _ in self._replaced.values())]
        return [each for each in every if type(each) is types.FunctionType]

    def moved(self) -> dict[int, type]:
        """Where instances of some classes belong now, by the id of their class.

        Instances of a class that was merged away were made while its module ran; those of a class that
        had to be replaced may be from long before.
        """
        merged = {id(new): old for old, new in self._pairs() if id(new) not in self._unused}
        replaced = {id(old): new for old, new in self.replaced if not classes.misread(old, new)}
        return {**replaced, **merged}

    def finish(self) -> None:
        """Merge class members that decorators made anew after their class was built."""
        for cls, before in self._members:
            now = classes.own_dict(cls)
            for name, old in before.items():
                new = now.get(name, _MISSING)
                if new is old or new is _MISSING or name in ("__dict__", "__weakref__", UNNAMED):
                    continue
                mine = self.merge(old, new)
                if mine is not new:
                    type.__setattr__(cls, name, mine)
        self._members.clear()

    def function(self, old: types.FunctionType, new: types.FunctionType) -> Any:
        """Merge two plain functions or closures."""
        module, name = place_of(new)
        if not is_counterpart(old, new) or self.is_replaced(old):
            return new
        why = functions.obstacle(old, new)
        if why is None and old.__globals__ is not new.__globals__:
            why = "closure-shape", "another module's decorator makes it now"
        if why is not None:
            if module not in self._modules:
                return new
            functions.forward(self.journal, old, new)
            return self.refuse(old, new, why)
        self.take(old, new)
        if not functions.same_code(old.__code__, new.__code__):
            self.patched.append(f"{module}:{name}")
        attributes = {
            name: self.merge(old.__dict__[name], value) if name in old.__dict__ else value
            for name, value in new.__dict__.items()
        }
        new.__dict__.update(attributes)
        functions.take_over(self.journal, old, new, keeps_name=module_given(old) not in self.whole)
        if weakref.getweakrefcount(new):  # a registry that refers to it weakly has seen it: it goes on
            _SEEN.setdefault(old, []).append(new)
        for mine, other in zip(old.__closure__ or (), new.__closure__ or (), strict=True):
            self._cell(mine, other)
        return old

    def _cell(self, mine: types.CellType, other: types.CellType) -> None:
        """Let a closure cell hold what the new one holds, merged with what it held."""
        if mine is other:
            return
        before, now = _content(mine), _content(other)
        if now is _MISSING or before is now:
            return
        self.journal.record("closure cell", functools.partial(_set_cell, mine, before))
        if type(before) is dict and type(now) is dict:  # what a dispatcher chooses from
            for key, value in list(now.items()):
                now[key] = self.merge(before.get(key, value), value)
        mine.cell_contents = self.merge(before, now)

    def class_(self, old: type, new: type) -> Any:
        """Merge two classes, member by member."""
        if name_of(old) != name_of(new) or name_of(old)[0] not in self._modules:
            return new
        if self.is_replaced(old):
            return new
        bases = tuple(self.kept.get(id(base), base) for base in type.__dict__["__bases__"].__get__(new))
        is_enum = issubclass(old, enum.Enum) and issubclass(new, enum.Enum)
        why = classes.obstacle(old, new, bases) or adapters.obstacle(old, new)
        if why is not None:
            return self.refuse(old, new, why)
        self.take(old, new)
        if module_given(old) in self.whole:
            classes.take_back_name(self.journal, old)
        before = dict(classes.own_dict(old))
        _exchange_owner(new, old)
        if is_enum:
            self._members_gone(old, new)
            adopted = enums.adopt_members(self.journal, old, new)
            self.kept.update(adopted)
            self._pinned += enums.values_of(new)
            body = enums.translated(new, adopted)
        else:
            body = dict(classes.own_dict(new))
        if not is_enum:
            classes.add_members(self.journal, old, new, body)
        kept = {*self.held.get(name_of(old), ()), *(adapters.kept(old, new) if self.keeping else ())}
        members = {
            name: before[name]
            if name in before and name in kept
            else self.merge(before[name], value)
            if name in before and name != UNNAMED
            else value
            for name, value in body.items()
        }
        if module_given(old) is not None and "__firstlineno__" not in before:
            members.pop("__firstlineno__", None)  # who gave the class its name has dropped it (3.13)
        self.reshaped = self.reshaped or before.keys() != members.keys()
        own = f"{name_of(old)[1]}."
        self.dropped += [
            value
            for name, value in before.items()
            if name not in members and is_class(value) and name_of(value)[1] == own + name
        ]
        self.before_removal(before.keys() - members.keys())
        classes.take_over(self.journal, old, new, bases, members)
        self._members.append((old, before))
        adapters.rebuild(old, new)
        return old

    def _members_gone(self, old: type, new: type) -> None:
        """Note the members of an enumeration that are gone, or are other objects from now on."""
        module, name = name_of(old)
        members = classes.own_dict(old)["_member_map_"]
        other = enums.revalued(old, new)
        self.removed += [
            members[each] for each in sorted((enums.names_of(old) - enums.names_of(new)) | other.keys())
        ]
        self.hazards += [
            Hazard(
                "enum-members",
                module,
                f"{name}.{member}",
                message=f"replaced: {reason}",
                advice="Who holds the old member holds the old value; all other members are what they were.",
            )
            for member, reason in other.items()
        ]

    def try_class(self, old: type, new: type) -> Any:
        """Merge two classes if that is possible now; say nothing if it isn't."""
        told = len(self.hazards)
        merged = self.merge(old, new)
        if merged is not old:
            del self.hazards[told:]
            self._replaced.pop(id(old), None)
        elif type(new) is type and not any(
            "__init_subclass__" in classes.own_dict(base) for base in _heritage(new)
        ):
            self._unused.add(id(new))  # nobody has seen it, so it has no instances
        return merged


def _heritage(cls: type) -> list[type]:
    """The classes that a class descends from, `object` left out."""
    return [base for base in type.__dict__["__mro__"].__get__(cls)[1:] if base is not object]


def _exchange_owner(new: type, old: type) -> None:
    """Let descriptors and tables in a class body that refer to the class refer to the one that lives on.

    Metaclasses and `__set_name__` put such references there before anyone could merge the class, and the
    bodies of heirs rely on them.
    """
    for value in list(classes.own_dict(new).values()):
        space = value if type(value) is dict else None if is_class(value) else instance_dict(value)
        for name, part in list((space or {}).items()):
            if part is new:
                space[name] = old  # type: ignore[index]  # it is not None where it has items


Handler = Callable[[Merger, Any, Any], Any]


def _both_classes(old: Any, new: Any) -> bool:
    return is_class(old) and is_class(new)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return _MISSING


def _set_cell(cell: types.CellType, value: Any) -> None:
    if value is _MISSING:
        del cell.cell_contents
    else:
        cell.cell_contents = value
