"""Registries: containers of modules that do not run again, filled by modules that do.

A module that registers its functions and classes elsewhere when it runs (`@app.route`, a metaclass
that lists its classes, `HANDLERS.append`) would register them a second time when it runs again: the
registry refuses, keeps the old object, or grows. So what the modules about to run had put there is
*withdrawn* first, and *settled* afterwards: an entry that came back takes its old place, one that did
not come back holds the new object of the same name, and one whose object is gone is dropped.

Objects of a library that hold such a definition (a route, a command), and tuples, are treated in the same
way; what a framework keeps in a form of its own is known to the adapters in `frameworks`.

Touches: containers, closure cells, class attributes and instance attributes that `State` found and can
put back.

Guarantees: entries that hold anything else than functions, classes and code objects of the modules
about to run (so: all data) stay untouched.
"""

from __future__ import annotations

import collections
import itertools
import types
from typing import Any

from hotmod._live.classes import own_dict
from hotmod._live.definitions import MISSING, Definitions, Key
from hotmod._live.entries import Ties, line_of
from hotmod._live.facts import origin_of
from hotmod._live.frameworks import Taken
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_definition
from hotmod._live.parts import PLAIN, WRAPPING, all_parts, parts_of
from hotmod._live.registrars import Registrars
from hotmod._live.state import State
from hotmod._live.takeback import contents, put_back, remove, set_item

__all__ = ["Registries"]

_TEXTS = (str, bytes, int, float, bool)
MAX_LISTED = 2_000  # a longer container is data: nobody has so many routes


class Registries:
    """The containers of some modules from which definitions were withdrawn."""

    def __init__(self, journal: Journal, state: State, definitions: Definitions, ties: Ties) -> None:
        self._state = state
        self._definitions = definitions
        self._ties = ties
        self._attributes = {id(space) for space in state.attribute_dicts}
        self._withdrawn: list[tuple[Any, list[Any], list[Any]]] = []
        self._waiting: list[tuple[Any, list[Any], list[Any]]] = []  # the same, until all have run
        self._dropped: list[Key] = []
        self._refilled: set[tuple[int, str]] = set()
        self._hooks: dict[int, frozenset[int]] = {}
        self._ours: dict[tuple[int, int], bool] = {}
        taken = Taken(self._ties.holds, state.found)
        self._registrars = Registrars(journal, state.instances, taken)

    def _is_ours(self, root: int, item: Any, *, pair: bool) -> bool:
        parts = item if pair else (item,)
        return any(self._is_direct(root, part) or self._is_entry(root, part) for part in parts)

    def _is_tied(self, root: int, value: Any) -> bool:
        """Whether a statement that runs again, or is gone, had put a value into a registry of this object."""
        if self._ties.tied(root, value):
            return True
        key = self._definitions.key(value) if self._definitions.is_filled(root) else None
        return key is not None and self._definitions.had_filled(root, key) and self._ties.holds(value)

    def _is_direct(self, root: int, value: Any) -> bool:
        return self._is_tied(root, value) or self._definitions.key(value) is not None

    def _is_entry(self, root: int, value: Any) -> bool:
        """Whether an object of a library, or a tuple, stands for a definition of ours."""
        if type(value) in PLAIN and type(value) is not tuple:
            return False  # it has no parts
        known = root, id(value)
        if known not in self._ours:
            self._ours[known] = bool(self._definitions_in(root, value))
        return self._ours[known]

    def _definitions_in(self, root: int, entry: Any) -> list[Any]:
        """The functions that an entry holds and that run again, or that were handed to its registry."""
        parts = [part for part in parts_of(entry) if type(part) is not types.CodeType]
        parts += [inner for part in parts if type(part) in WRAPPING for inner in parts_of(part)]
        found = [part for part in parts if self._is_tied(root, part)]
        return found + [
            part
            for part in parts
            if type(part) is types.FunctionType and self._definitions.key(part) is not None
        ]

    def withdraw(self) -> None:
        """Take the definitions of the modules about to run out of the containers of the others.

        Entry by entry, so that what other threads put there meanwhile stays. `State.undos` takes it back.
        Where nothing is going to be handed anew, that waits until all have run: they may look at it.
        """
        self._registrars.begin()
        for container, items in self._state.containers:
            if id(container) in self._attributes:
                continue
            pair, root = issubclass(type(container), dict), self._state.roots[id(container)]
            if len(items) > MAX_LISTED:
                left = [item for item in items if not self._has_key(item, pair=pair)]
            else:
                left = [item for item in items if not self._is_ours(root, item, pair=pair)]
            if len(left) != len(items):
                have = set(map(id, left))
                mine = [item for item in items if id(item) not in have]
                parts = [part for item in mine for part in (item if pair else (item,))]
                self._hooks.update((id(part), _hooks_of(part)) for part in parts)
                entry = container, items, left
                if any(self._is_handed_anew(root, part) for part in parts):
                    self._take_out(*entry)
                else:
                    self._waiting.append(entry)

    def _take_out(self, container: Any, items: list[Any], left: list[Any]) -> None:
        self._withdrawn.append((container, items, left))
        have = set(map(id, left))
        for item in items:
            if id(item) not in have:
                remove(container, item[0] if issubclass(type(container), dict) else item)

    def _is_handed_anew(self, root: int, part: Any) -> bool:
        found = [part, *(self._definitions_in(root, part) if self._is_entry(root, part) else ())]
        keys = map(self._definitions.key, found)
        return any(key is not None and self._definitions.is_handed_anew(key) for key in keys) or any(
            self._is_tied(root, each) for each in found
        )

    def _has_key(self, item: Any, *, pair: bool) -> bool:
        return any(self._definitions.key(part) is not None for part in (item if pair else (item,)))

    def settle(self) -> list[str]:
        """Put the containers in order after the modules ran; gives the keys of what was dropped.

        `State.undos` takes it back.
        """
        self._find_refilled()
        for entry in self._waiting:
            self._take_out(*entry)
        emptied = set()
        for container, before, left in self._withdrawn:
            now = contents(container)
            if now is None:
                continue
            root = self._state.roots[id(container)]
            if issubclass(type(container), dict):
                self._put_pairs(container, self._merged_pairs(root, before, now), now)
            else:
                self._put_items(container, self._merged_items(root, before, left, now), now)
            if not left and not contents(container):
                emptied.add(id(container))
        self._place_added()
        self._drop_emptied(emptied)
        self._registrars.finish()
        self._substitute()
        for memory, _ in self._state.memories if self._withdrawn else ():
            memory.clear()
        gone = {key for key in self._dropped if self._definitions.current(key) is MISSING}
        return sorted({f"{module}:{name}" for module, name, label in gone if label != "code"})

    def _place_added(self) -> None:
        """Put entries that came to a list from which nothing was withdrawn where their text stands.

        A function or class that was there already was handed to it once more, by a call that ran again.
        """
        withdrawn = {id(container) for container, *_ in self._withdrawn}
        for container, items in self._state.containers:
            if not issubclass(type(container), list) or id(container) in withdrawn or len(items) > MAX_LISTED:
                continue
            now = contents(container) or []
            if len(now) > len(items) and all(one is two for one, two in zip(items, now, strict=False)):
                root, merged = self._state.roots[id(container)], list(items)
                known = {id(item) for item in items if is_definition(item)}
                added = [
                    item for item in now[len(items) :] if id(item) not in known or not self._ties.holds(item)
                ]
                for item in added:
                    self._insert(root, merged, item)
                self._put_items(container, self._in_order(root, items, merged, added), now)

    def _put_items(self, container: Any, merged: list[Any], now: list[Any]) -> None:
        """Write a list, deque or set; what other threads appended since `now` was read stays."""
        if issubclass(type(container), list):
            list.__setitem__(container, slice(0, len(now)), merged)
        elif len(merged) != len(now) or any(a is not b for a, b in zip(merged, now, strict=True)):
            have, wanted = {id(item) for item in now}, {id(item) for item in merged}
            if issubclass(type(container), set):
                set.update(container, [item for item in merged if id(item) not in have])
                set.difference_update(container, [item for item in now if id(item) not in wanted])
            else:
                put_back(container, merged)

    def _put_pairs(self, container: Any, merged: list[Any], now: list[Any]) -> None:
        """Write a dict, in the old order where nothing was added meanwhile."""
        if list(map(id, dict.keys(container))) == [id(key) for key, _ in now]:
            put_back(container, merged)
            return
        for key, value in merged:
            set_item(container, key, value)

    def _find_refilled(self) -> None:
        """Which module filled which registry again: what it did not put back, it no longer registers."""
        for container, _, left in self._withdrawn:
            have = {id(item) for item in left}
            root = self._state.roots[id(container)]
            for item in contents(container) or []:
                if id(item) not in have:
                    parts = item if issubclass(type(container), dict) else (item,)
                    keys = (self._definitions.key(part) for part in parts)
                    self._refilled |= {(root, key[0]) for key in keys if key is not None}

    def _remaining(self, root: int, value: object) -> object:
        """What stands in the place of a withdrawn entry that did not come back; `MISSING` if nothing."""
        key = self._definitions.key(value)
        if key is None:
            return MISSING if self._is_tied(root, value) else value
        if self._is_tied(root, value):
            self._dropped.append(key)
            return MISSING
        filled = (root, key[0]) in self._refilled or self._definitions.had_filled(root, key)
        filled = filled and self._definitions.is_handed_anew(key)
        if not filled and self._definitions.has_name(value):
            # no import that ran again filled this registry: it goes on with the new object
            found = self._definitions.successor(value)
            if found is not MISSING and self._hooks.get(id(value), _NO_HOOKS) <= _hooks_of(found):
                return found
        self._dropped.append(key)
        return MISSING

    def _merged_items(self, root: int, before: list[Any], left: list[Any], now: list[Any]) -> list[Any]:
        have = {id(item) for item in left}
        added = [item for item in now if id(item) not in have]
        came = {id(item) for item in added}
        kept = {id(item) for item in now}
        merged, placed = [], collections.Counter[int]()
        same, wanted = self._repeated(root, before, added), collections.Counter(map(id, added))
        for item in before:
            if id(item) in same:
                merged.append(same.pop(id(item)))
                placed[id(merged[-1])] += 1
                continue
            if not self._is_ours(root, item, pair=False):
                merged += [item] if id(item) in kept else []
                continue
            if not self._is_direct(root, item):
                taken = {*placed, *map(id, same.values())}
                new = self._renewed(root, item, [each for each in added if id(each) not in taken])
            else:
                new = self._definitions.successor(item)
                if id(new) not in came:
                    new = self._remaining(root, item)
            if new is not MISSING and placed[id(new)] < max(wanted[id(new)], 1):
                merged.append(new)
                placed[id(new)] += 1
        for item in added:
            if placed[id(item)] < wanted[id(item)]:
                self._insert(root, merged, item)
                placed[id(item)] += 1
        return self._in_order(root, before, merged, added)

    def _in_order(self, root: int, before: list[Any], merged: list[Any], added: list[Any]) -> list[Any]:
        """The entries of a list in the order in which the texts register them, if they were so before."""
        if not self._ties.ordering.is_kept(root, before):
            return merged
        return self._ties.ordering.merged(root, merged, added)

    def _repeated(self, root: int, before: list[Any], added: list[Any]) -> dict[int, Any]:
        """The new entries that say of the same functions what old ones said, by id of these."""
        left = list(added)
        found = dict[int, Any]()
        for item in before if left else ():
            key = self._definitions.key(item)
            has_name = key is not None and "<" not in key[1]  # no lambda, and made by no function
            if has_name or not self._is_ours(root, item, pair=False):
                continue
            names, said = _names_in(item), _said(item)
            for each in left if names else ():
                if said == _said(each) and not names.isdisjoint(_names_in(each)):
                    found[id(item)] = each
                    left = [other for other in left if other is not each]
                    break
        return found

    def _renewed(self, root: int, entry: Any, added: list[Any]) -> Any:
        """The new entry that stands for what an old one stood for, the old one if it stays, or `MISSING`."""
        found = self._definitions_in(root, entry)
        marks = self._marks(found)
        for each in added:
            if not marks.isdisjoint(self._marks(self._definitions_in(root, each))):
                return each
        keys = [key for part in found if (key := self._definitions.key(part)) is not None]
        gone = [key for key in keys if not self._definitions.is_named(key)]
        if any(self._is_tied(root, part) for part in found) or len(gone) == len(keys):
            self._dropped += gone
            return MISSING
        return entry

    def _successor(self, root: int, entry: Any, added: list[Any]) -> Any:
        """What came back of an entry, or of what it stands for."""
        if self._is_direct(root, entry) or not self._is_entry(root, entry):
            return self._definitions.successor(entry)
        return self._renewed(root, entry, added)

    def _marks(self, found: list[Any]) -> set[Any]:
        return {self._mark(part) for part in found}

    def _mark(self, part: Any) -> Any:
        """What a definition and the one that comes in its place have in common."""
        key = self._definitions.key(part)
        if key is not None:
            return key
        return origin_of(part) if type(part) is types.FunctionType else id(part)

    def _insert(self, root: int, merged: list[Any], item: Any) -> None:
        """Put a new entry where its text stands among the others of its file, if these are in that order."""
        place = line_of(item, self._has_own_key)
        others = [(index, line_of(each, self._is_function)) for index, each in enumerate(merged)]
        same = [(index, at[1]) for index, at in others if at is not None and place and at[0] == place[0]]
        after = next((index for index, line in same if place and line > place[1]), None)
        in_order = all(one[1] <= two[1] for one, two in itertools.pairwise(same))
        if after is None or not in_order or self._is_direct(root, item):
            merged.append(item)
        else:
            merged.insert(after, item)

    def _has_own_key(self, value: Any) -> bool:
        return self._definitions.key(value) is not None

    def _is_function(self, value: Any) -> bool:
        return value.__module__ in self._definitions.modules

    def _merged_pairs(self, root: int, before: list[Any], now: list[Any]) -> list[Any]:
        current = dict(now)
        had = {id(value) for _, value in before}
        holding = {id(part) for pair in now for part in pair}
        added = [value for _, value in now if id(value) not in had]
        merged: dict[Any, Any] = {}
        under: dict[int, list[Any]] = {}  # the new keys, by what stands there
        known = dict(before)
        for key, value in now:
            if key not in known:
                under.setdefault(id(value), []).append(key)
        for key, value in before:
            if not self._is_ours(root, (key, value), pair=True):
                if key in current:
                    merged[key] = current[key]
                continue
            new_key = self._definitions.successor(key)
            if new_key is not MISSING and new_key in current:
                merged[new_key] = current[new_key]
                continue
            renamed = under.get(id(self._successor(root, value, added)), [])
            if renamed:  # its statement registered it under another key, in the same place
                new_key = renamed.pop(0)
                merged[new_key] = current[new_key]
                continue
            new_key, new = self._remaining(root, key), self._remaining(root, value)
            if self._is_entry(root, value) and not self._is_direct(root, value):
                new = self._renewed(root, value, added)
                new = new if new is value else MISSING
            if new_key is not MISSING and new is not MISSING and id(new) not in holding:
                merged[new_key] = new
        merged.update((key, value) for key, value in now if key not in merged)
        return list(merged.items())

    def _drop_emptied(self, emptied: set[int]) -> None:
        """A list per name that held only withdrawn entries is an entry itself, and goes with them."""
        for container, items in self._state.containers if emptied else ():
            if id(container) in self._attributes:
                continue
            if issubclass(type(container), dict) and any(id(value) in emptied for _, value in items):
                now = contents(container) or []
                put_back(container, [pair for pair in now if id(pair[1]) not in emptied])

    def _substitute(self) -> None:
        """Let attributes and closures that still hold an old definition hold the new one."""
        for space in self._state.attribute_dicts:
            for name, value in list(space.items()):
                new = self._definitions.successor(value)
                if new is not MISSING and new is not value:
                    space[name] = new
        for cell, held in self._state.cells:
            new = self._definitions.successor(held)
            if new is not MISSING and new is not held:
                cell.cell_contents = new
        for cls, members in self._state.classes:
            for name, value in members.items():
                new = self._definitions.successor(value)
                if new is not MISSING and new is not value and not _own(cls, value):
                    type.__setattr__(cls, name, new)


_NO_HOOKS: frozenset[int] = frozenset()


def _said(entry: Any) -> list[tuple[type, Any]]:
    """The texts and numbers in an entry."""
    return [(type(part), part) for part in parts_of(entry) if type(part) in _TEXTS]


def _names_in(entry: Any) -> set[tuple[str, str]]:
    """The functions and classes that an entry is, or holds, by module and qualified name."""
    return {origin_of(part) for part in all_parts(entry) if is_definition(part)}


def _hooks_of(value: object) -> frozenset[int]:
    """Ids of what sees a class being made, and may register it: hooks of its bases and its metaclass."""
    if not is_class(value):
        return _NO_HOOKS
    bases = (
        base for base in type.__dict__["__mro__"].__get__(value) if "__init_subclass__" in own_dict(base)
    )
    return frozenset(id(each) for each in (*bases, type(value)) if each is not object)


def _own(cls: type, value: object) -> bool:
    """Whether a class attribute is a definition of the class itself, which lives and dies with it."""
    name = getattr(value, "__qualname__", "")
    return isinstance(name, str) and name.startswith(f"{cls.__qualname__}.")
