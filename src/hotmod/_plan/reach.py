"""What running a statement depends on, followed until something that changed is met.

Touches: nothing; works on the facts of statements.

Guarantees: if running a statement again could give another result because of a change, the change is
found: a value that it reads, a definition that it uses, code that it calls, through aliases, re-exports,
local functions and those of other modules, constructors, and methods by name where the object is unknown.

Assumes: what `Facts` assume; a name of a function or method that is on no way to a change (`tainted`
does not hold it) need not be followed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from hotmod._plan.program import Place, Program
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Chain, Mode, Region

__all__ = ["Cause", "Changed", "Reach"]

_CONSTRUCTORS = ("__new__", "__init__", "__post_init__", "__attrs_post_init__")


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """Why something runs.

    Attributes:
        module: where it happened.
        line: the line there, in the new text if there is one; 0 when none can be named.
        what: what happened, in words.
        because: what made that happen; None for an edit.
    """

    module: str
    line: int
    what: str
    because: Cause | None = None


@dataclasses.dataclass(slots=True)
class Changed:
    """What is not as it was; grows while a plan is made.

    Attributes:
        values: names that may hold another object.
        functions: names of functions whose signature, defaults or decorators changed; they stay the same objects.
        classes: names of classes whose body changed; they stay the same objects.
        bodies: functions, by module and qualified name, that do something else when they are called.
        modules: modules that came or went.
    """

    values: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    functions: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    classes: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    bodies: dict[tuple[str, str], Cause] = dataclasses.field(default_factory=dict)
    modules: dict[str, Cause] = dataclasses.field(default_factory=dict)

    def words(self) -> set[str]:
        """The words by which code can refer to any of it."""
        found = {name for _, name in (*self.values, *self.functions, *self.classes)}
        for _, qualname in self.bodies:
            parts = qualname.split(".")
            found.update(parts[-1:] if parts[-1].isidentifier() else parts)
            if len(parts) > 1 and _is_special(parts[-1]):
                found.update(parts)
        found.update(part for name in self.modules for part in name.rpartition(".")[2:])
        return found

    def of_module(self, module: str) -> Iterator[Cause]:
        """The causes that have to do with the names of one module."""
        for table in (self.values, self.functions, self.classes):
            for (owner, _), cause in table.items():
                if owner == module:
                    yield cause


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class Reach:
    """Looks from statements for what changed.

    Args:
        program: the new program.
        changed: what changed.
        tainted: words on the way to a change; see `words.tainted`.
        modules: the modules that can see a change.
    """

    def __init__(
        self, program: Program, changed: Changed, tainted: Collection[str], modules: Collection[str]
    ) -> None:
        self._program = program
        self._changed = changed
        self._tainted = tainted
        self._modules = modules
        self._seen: set[tuple[object, ...]] = set()
        self._methods: dict[str, list[tuple[str, str]]] = {}

    def cause(self, module: str, index: int) -> Cause | None:
        """Why a statement has to run again; None if nothing that it depends on changed."""
        self._seen = set()
        facts = self._program.facts(module)[index]
        return self._by_imports(module, facts) or self._region(module, facts.eager)

    def calls_change(self, module: str, qualname: str) -> Cause | None:
        """Why a function does something else when it is called, though its own text is as it was."""
        self._seen = set()
        region = self._function(module, qualname)
        return self._region(module, region) if region is not None else None

    # imports

    def _by_imports(self, module: str, facts: Facts) -> Cause | None:
        for each in facts.imports:
            base = self._program.absolute(module, each)
            if each.name == "*":
                cause = next((c for (owner, _), c in self._changed.values.items() if owner == base), None)
            elif each.name:
                cause = self._changed.values.get((base, each.name)) or self._came_or_went(
                    f"{base}.{each.name}"
                )
            else:
                cause = None
            cause = cause or self._came_or_went(base)
            if cause is not None:
                return cause
        return None

    def _came_or_went(self, name: str) -> Cause | None:
        while name:
            if name in self._changed.modules:
                return self._changed.modules[name]
            name = name.rpartition(".")[0]
        return None

    # regions

    def _region(self, module: str, region: Region, *, called: bool = False) -> Cause | None:
        if region.dynamic:
            cause = next(self._changed.of_module(module), None)
            if cause is not None:
                return cause
        for each in region.imports:
            cause = self._imported_inside(module, each.module and self._program.absolute(module, each))
            if cause is not None:
                return cause
        for chain, mode in region.reads.items():
            stronger = Mode.CALLED if called else self._handed(module, region, chain, mode)
            for place in self._program.places(module, chain, region.imports):
                cause = self._place(place, stronger)
                if cause is not None:
                    return cause
        for name in sorted(region.attributes & set(self._tainted)):
            cause = self._by_name(name)
            if cause is not None:
                return cause
        return None

    def _imported_inside(self, module: str, base: str) -> Cause | None:
        del module
        return self._came_or_went(base) if base else None

    def _handed(self, module: str, region: Region, chain: Chain, mode: Mode) -> Mode:
        """What is done with an argument: a function in scope shows whether it calls what it is given."""
        if mode not in (Mode.HANDED, Mode.STORED, Mode.PLAIN):
            return mode
        for callee, argument in region.handed:
            if argument != chain:
                continue
            places = self._program.places(module, callee, region.imports) if callee else ()
            for place in places:
                found = self._function(place.module, ".".join((place.name, *place.rest)))
                if found is not None and found.calls_parameters:
                    return Mode.CALLED
            if mode is Mode.HANDED and not places:
                return Mode.CALLED  # code of others, whose result is used: it may have called it
        return mode

    def _place(self, place: Place, mode: Mode) -> Cause | None:
        """Something that a dotted name leads to, and what is done with it."""
        key = place.module, place.name
        if not place.name:
            return self._changed.modules.get(place.module)
        cause = self._changed.values.get(key)
        if place.rest:
            mode = max(mode, Mode.USED)
        if cause is None and mode >= Mode.STORED:
            cause = self._changed.classes.get(key)
        if cause is None and mode >= Mode.HANDED:
            cause = self._changed.functions.get(key)
        if cause is not None or mode < Mode.USED:
            return cause
        mark = (place, mode)
        if mark in self._seen:
            return None
        self._seen.add(mark)
        return self._follow(place, mode)

    def _follow(self, place: Place, mode: Mode) -> Cause | None:
        if place.module not in self._program:
            return None
        facts = self._program.facts(place.module)
        for index in self._program.binders(place.module).get(place.name, ()):
            one = facts[index]
            if place.name in one.functions:
                cause = self._called(place, one) if mode is Mode.CALLED else None
            elif place.name in one.classes:
                cause = self._class(place, mode)
            elif any(each.local == place.name for each in one.imports):
                cause = None  # where it comes from is a place of its own
            else:
                cause = self._value(place, one, mode)
            if cause is not None:
                return cause
        return None

    def _called(self, place: Place, facts: Facts) -> Cause | None:
        cause = self._body(place.module, place.name)
        if cause is None and facts.decorated:
            # the decorator's own function is what is called
            cause = self._region(place.module, facts.eager)
        return cause

    def _body(self, module: str, qualname: str) -> Cause | None:
        """The inside of a function that is called."""
        cause = self._changed.bodies.get((module, qualname))
        if cause is not None or (module, qualname) in self._seen:
            return cause
        self._seen.add((module, qualname))
        if qualname.rpartition(".")[2] not in self._tainted:
            return None
        region = self._function(module, qualname)
        return self._region(module, region) if region is not None else None

    def _function(self, module: str, qualname: str) -> Region | None:
        if module not in self._program:
            return None
        facts = self._program.facts(module)
        for index in reversed(self._program.binders(module).get(qualname.partition(".")[0], ())):
            region = facts[index].functions.get(qualname)
            if region is not None:
                return region
        return None

    # classes and values

    def _class(self, place: Place, mode: Mode) -> Cause | None:
        """A class that is called, descended from, operated on, or of which an attribute is used."""
        for module, name in self._lineage(place.module, place.name):
            cause = self._changed.classes.get((module, name)) or self._changed.values.get((module, name))
            if cause is not None:
                return cause
            for method in self._methods_of(module, name):
                last = method.rpartition(".")[2]
                if place.rest:
                    wanted = last == place.rest[0]
                elif mode is Mode.CALLED:
                    wanted = _is_special(last)
                else:
                    wanted = _is_special(last) and last not in _CONSTRUCTORS
                cause = self._body(module, method) if wanted else None
                if cause is not None:
                    return cause
        return None

    def _lineage(self, module: str, name: str) -> Iterator[tuple[str, str]]:
        """A class and its bases in scope."""
        left, seen = [(module, name)], set[tuple[str, str]]()
        while left:
            one = left.pop(0)
            if one in seen:
                continue
            seen.add(one)
            yield one
            owner, qualname = one
            facts = self._program.facts(owner)
            for index in self._program.binders(owner).get(qualname.partition(".")[0], ()):
                described = facts[index].classes.get(qualname)
                for base in described.bases if described is not None else ():
                    left += [
                        (place.module, place.name)
                        for place in self._program.places(owner, base)
                        if place.name and not place.rest and place.module in self._program
                    ]

    def _methods_of(self, module: str, name: str) -> Iterable[str]:
        facts = self._program.facts(module)
        prefix = f"{name}."
        for index in self._program.binders(module).get(name.partition(".")[0], ()):
            for qualname in facts[index].functions:
                if qualname.startswith(prefix) and "." not in qualname[len(prefix) :]:
                    yield qualname

    def _value(self, place: Place, facts: Facts, mode: Mode) -> Cause | None:
        """A value that some statement computed: its class tells what operators and methods do."""
        if not place.rest and mode is Mode.CALLED:
            cause = self._region(place.module, facts.eager, called=True)
            for region in facts.functions.values():
                cause = cause or self._region(place.module, region)
            if cause is not None:
                return cause
        unknown = False
        for callee in facts.eager.unknown:
            if not callee:
                unknown = True
                continue
            if self._program.outside(place.module, callee):
                continue
            for made in self._program.places(place.module, callee):
                if self._is_class(made):
                    cause = self._methods(made, place.rest)
                    if cause is not None:
                        return cause
                elif made.module in self._program:
                    unknown = True
        for name in place.rest[:1] if unknown else ():
            cause = self._by_name(name) if name in self._tainted else None
            if cause is not None:
                return cause
        return None

    def _is_class(self, place: Place) -> bool:
        if place.module not in self._program or place.rest:
            return False
        facts = self._program.facts(place.module)
        binders = self._program.binders(place.module).get(place.name, ())
        return any(place.name in facts[index].classes for index in binders)

    def _methods(self, made: Place, rest: Chain) -> Cause | None:
        """What an instance of a class does when an attribute of it is used, or an operator applied."""
        for module, name in self._lineage(made.module, made.name):
            for method in self._methods_of(module, name):
                last = method.rpartition(".")[2]
                special = _is_special(last) and last not in _CONSTRUCTORS
                if special or last in rest:
                    cause = self._body(module, method)
                    if cause is not None:
                        return cause
        return None

    def _by_name(self, name: str) -> Cause | None:
        """An attribute of an object of unknown kind: every function of that name may be meant."""
        for module, qualname in self._named(name):
            cause = self._body(module, qualname)
            if cause is not None:
                return cause
        return None

    def _named(self, name: str) -> list[tuple[str, str]]:
        if name not in self._methods:
            self._methods[name] = [
                (module, qualname)
                for module in self._modules
                if name in self._program.words(module).bodies
                for facts in self._program.facts(module)
                for qualname in facts.functions
                if qualname.rpartition(".")[2] == name
            ]
        return self._methods[name]
