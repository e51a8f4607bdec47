"""What running a statement depends on, followed until something that changed is met.

Touches: nothing; works on the facts of statements.

Guarantees: if running a statement again could give another result because of a change, the change is
found: a value that it reads, a definition that it uses, code that it calls, through aliases, re-exports,
local functions and those of other modules, constructors, and methods by name where the object is unknown.

Assumes: what `Facts` assume; a name of a function or method that is on no way to a change (`tainted`
does not hold it) need not be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from hotmod._plan.changed import Cause, Changed, is_special
from hotmod._plan.lineage import Classes
from hotmod._plan.namesakes import Namesakes
from hotmod._plan.program import Place, Program
from hotmod._plan.purity import is_plain_base
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Chain, Mode, Region

__all__ = ["Reach"]

_CONSTRUCTORS = frozenset(("__new__", "__init__", "__post_init__", "__attrs_post_init__"))
_WHEN_CALLED = _CONSTRUCTORS | {"__set_name__"}
_WHEN_APPLIED = _WHEN_CALLED | {"__call__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__get__"}
_WHEN_HANDED = frozenset(("__call__", "__lt__", "__gt__"))  # to what may call it, or sort it
_HOOKS = frozenset(("__init_subclass__", "__class_getitem__", "__mro_entries__"))
_ACCESSORS = frozenset(
    ("get", "items", "pop", "popitem", "setdefault", "values")
)  # give what a container holds
_OF_METACLASSES = _WHEN_APPLIED | _HOOKS | {"__prepare__", "__setattr__", "__getattr__"}


class Reach:
    """Looks from statements for what changed.

    Args:
        program: the new program.
        changed: what changed.
        tainted: words on the way to a change; see `Taint`.
        modules: the modules that can see a change.
        importers: gives the modules that import one, directly or not.
        index: by name of a function or method, the modules that have one, where that is known.

    Attributes:
        looked_at: the modules in which something was looked for.
    """

    def __init__(
        self,
        program: Program,
        changed: Changed,
        tainted: set[str],
        modules: Collection[str],
        importers: Callable[[str], frozenset[str]],
        index: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self._program = program
        self._classes = Classes(program)
        self._changed = changed
        self._tainted = tainted
        self._namesakes = Namesakes(program, self._classes, modules, importers, index)
        self._seen: set[tuple[object, ...]] = set()
        self._left: list[tuple[str, Region, Mode, str]] = []
        self._clean: dict[tuple[str, bool], set[tuple[object, ...]]] = {}
        self._met: set[tuple[str, str]] = set()
        self.looked_at = self._classes.looked_at
        self._origin = ""  # the module of the statement that is looked from
        self._heirs_matter = self._notes_matter = True

    @property
    def asked_for(self) -> set[str]:
        """The names of methods that were looked for in all modules."""
        return self._namesakes.asked_for

    def cause(self, module: str, index: int) -> Cause | None:
        """Why a statement has to run again; None if nothing that it depends on changed."""
        facts = self._program.facts(module)[index]
        self._origin = module
        self._heirs_matter = not all(self._is_looked_at_by_type_only(module, name) for name in facts.classes)
        self._notes_matter = self._heirs_matter and not all(
            self._is_looked_at_by_type_only(module, name, decorated=True) for name in facts.classes
        )
        return self._by_imports(module, facts) or self._search(module, facts.eager)

    def calls_change(self, module: str, qualname: str) -> Cause | None:
        """Why a function does something else when it is called, though its own text is as it was."""
        self._origin = module
        region = self._function(module, qualname)
        return self._search(module, region) if region is not None else None

    def met_by(self, module: str, qualname: str) -> frozenset[tuple[str, str]]:
        """Every function that a call of one may come to; to be asked where nothing has changed."""
        self._begin(module)
        self._clean.clear()
        self.calls_change(module, qualname)
        return frozenset(self._met)

    def all_met(self, module: str) -> frozenset[tuple[str, str]]:
        """Every function that running a module may call; to be asked where nothing has changed."""
        self._begin(module)
        for index, facts in enumerate(self._program.facts(module)):
            if facts.eager.reads or facts.eager.attributes:
                self.cause(module, index)
        return frozenset(self._met)

    def _begin(self, module: str) -> None:
        self._met, self._namesakes.asked_for = set(), set()
        self.looked_at = self._classes.looked_at = {module}

    def _search(self, module: str, region: Region) -> Cause | None:
        """Follow a region and all that it calls. Not recursive: programs are deeper than the stack."""
        # what was met on the way from a statement of this module, and led nowhere, need not be met again
        self._seen = self._clean.setdefault((self._origin, self._heirs_matter), set())
        self._left = [(module, region, Mode.PLAIN, "")]
        while self._left:
            owner, one, mode, qualname = self._left.pop()
            cause = self._region(owner, one, mode) or self._own(owner, one, qualname)
            if cause is not None:
                self._seen.clear()
                return cause
        return None

    # What is reached by imports

    def _by_imports(self, module: str, facts: Facts) -> Cause | None:
        for each in facts.imports:
            base = self._program.absolute(module, each)
            if each.name == "*":
                cause = next((c for (owner, _), c in self._changed.values.items() if owner == base), None)
                if not each.local:  # imported by a call: what is done with it is not followed
                    cause = cause or next(self._changed.of_module(base), None)
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

    def _region(self, module: str, region: Region, least: Mode) -> Cause | None:
        """What a region reads and calls.

        Args:
            module: its module.
            region: the region.
            least: `CALLED` if whatever it refers to may be called, `APPLIED` if what it calls is applied,
                `USED` if what it gives another name is.
        """
        if region.dynamic:
            cause = next(self._changed.of_module(module), None)
            if cause is not None:
                return cause
        for each in region.imports:
            base = self._program.absolute(module, each)
            cause = self._came_or_went(base)
            if cause is None and each.name == "*":
                cause = next(self._changed.of_module(base), None)
            if cause is not None:
                return cause
        for chain, mode in region.reads.items():
            if not region.imports and self._tainted.isdisjoint(chain):
                continue  # by no name on this way can a change be met
            stronger = self._handed(module, region, chain, mode)
            if Mode.CALLED in (least, stronger) or (least is Mode.USED and mode is Mode.PLAIN):
                stronger = max(stronger, least)
            for part, use in ((chain, stronger), *_elements(chain, stronger, region, least)):
                for place in self._program.places(module, part, region.imports):
                    self.looked_at.add(place.module)
                    cause = self._place(place, use)
                    if cause is not None:
                        return cause
            cause = self._asked(module, region, chain)
            if cause is not None:
                return cause
        for name in self._on_the_way(region.attributes):
            cause = self._by_name(name, module)
            if cause is not None:
                return cause
        return None

    def _on_the_way(self, names: Iterable[str]) -> list[str]:
        return sorted(name for name in names if name in self._tainted)

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

    def _asked(self, module: str, region: Region, chain: Chain) -> Cause | None:
        """What an object does that syntax asks by its special methods."""
        if chain not in region.asked:
            return None
        for place in self._program.places(module, chain, region.imports):
            every = self._program.facts(place.module) if place.module in self._program else ()
            binders = self._program.binders(place.module).get(place.name, ()) if every else ()
            if all(every[index].kind not in (Kind.FUNCTION, Kind.CLASS) for index in binders):
                cause = self._place(place, Mode.USED)
                if cause is not None:
                    return cause
        return None

    def _place(self, place: Place, mode: Mode) -> Cause | None:
        """Something that a dotted name leads to, and what is done with it."""
        key = place.module, place.name
        if not place.name:
            return self._changed.modules.get(place.module) or next(
                self._changed.of_module(place.module), None
            )
        cause = self._changed.values.get(key)
        if place.rest:
            mode = max(mode, Mode.USED)
        if cause is None and self._is_matter_of_classes(mode):
            cause = self._changed.classes.get(key)
        if cause is None and mode >= Mode.HANDED:
            cause = self._changed.functions.get(key)
        if cause is not None or mode < Mode.BASE:
            return cause
        if place.name not in self._tainted and self._tainted.isdisjoint(place.rest):
            return None
        mark = (place, mode)
        if mark in self._seen:
            return None
        self._seen.add(mark)
        return self._follow(place, mode)

    def _is_matter_of_classes(self, mode: Mode) -> bool:
        """Whether another body of a class that stays the same object is something to who refers to it so."""
        if mode is Mode.NOTED:
            return self._notes_matter
        return mode >= Mode.STORED and (mode is not Mode.BASE or self._heirs_matter)

    def _follow(self, place: Place, mode: Mode) -> Cause | None:
        if place.module not in self._program:
            return None
        facts = self._program.facts(place.module)
        for index in self._program.binders(place.module).get(place.name, ()):
            one = facts[index]
            if place.name in one.functions:
                cause = self._called(place, one, mode) if mode >= Mode.CALLED else None
            elif place.name in one.classes:
                cause = self._class(place, mode)
            elif any(each.local == place.name for each in one.imports):
                cause = None  # where it comes from is a place of its own
            else:
                cause = self._value(place, index, mode)
            if cause is not None:
                return cause
        return None

    def _called(self, place: Place, facts: Facts, mode: Mode) -> Cause | None:
        if facts.decorated:  # the decorator's own function is what is called
            self._left.append((place.module, facts.eager, Mode.PLAIN, ""))
        return self._body(place.module, place.name, mode)

    def _body(self, module: str, qualname: str, mode: Mode = Mode.CALLED) -> Cause | None:
        """The inside of a function that is called; if it is applied, so is what it makes."""
        cause = self._changed.bodies.get((module, qualname))
        if cause is not None or (module, qualname, mode) in self._seen:
            return cause
        self._seen.add((module, qualname, mode))
        self._met.add((module, qualname))
        if qualname.rpartition(".")[2] not in self._tainted:
            return None
        region = self._function(module, qualname)
        if region is not None:
            self._left.append(
                (module, region, Mode.APPLIED if mode is Mode.APPLIED else Mode.PLAIN, qualname)
            )
        return None

    def _function(self, module: str, qualname: str) -> Region | None:
        if module not in self._program:
            return None
        facts = self._program.facts(module)
        for index in reversed(self._program.binders(module).get(qualname.partition(".")[0], ())):
            if qualname in facts[index].functions:
                return self._program.region(module, index, qualname)
        return None

    # classes and values

    def _class(self, place: Place, mode: Mode) -> Cause | None:
        """A class that is called, descended from, operated on, or of which an attribute is used."""
        for module, name in self._classes.lineage(place.module, place.name):
            cause = self._changed.values.get((module, name))
            if cause is None and (mode is not Mode.BASE or self._heirs_matter):
                cause = self._changed.classes.get((module, name))
            if cause is not None:
                return cause
            wanted = _HOOKS
            if place.rest:
                wanted = frozenset(place.rest[:1])
            elif mode >= Mode.CALLED:
                wanted = _WHEN_APPLIED if mode is Mode.APPLIED else _WHEN_CALLED
            elif self._classes.is_metaclass(module, name):
                wanted = _OF_METACLASSES
            for method in self._classes.methods_of(module, name):
                last = method.rpartition(".")[2]
                if last in wanted or (mode is Mode.APPLIED and not place.rest and is_special(last)):
                    cause = self._body(module, method)
                    if cause is not None:
                        return cause
            cause = self._by_metaclass(module, name) if mode >= Mode.CALLED else None
            if cause is not None:
                return cause
        return None

    def _by_metaclass(self, module: str, name: str) -> Cause | None:
        """What makes the instances of a class that has a metaclass."""
        described = self._classes.described(module, name)
        for keyword in described.keywords if described is not None else ():
            for place in self._program.places(module, keyword):
                for owner, meta in (
                    self._classes.lineage(place.module, place.name) if place.module in self._program else ()
                ):
                    for method in self._classes.methods_of(owner, meta):
                        cause = self._body(owner, method) if method.endswith(".__call__") else None
                        if cause is not None:
                            return cause
        return None

    def _is_looked_at_by_type_only(self, module: str, name: str, *, decorated: bool = False) -> bool:
        """Whether nothing but `type` (or `ABCMeta`) looks at what a class inherits while it is built.

        Then the class need not be built again when a base changes in place: it looks things up there. Of what
        it annotates, decorators such as `dataclass` see the names alone: `decorated` passes them over.
        """
        if self._classes.shows_itself(module, name):
            return False
        for owner, each in self._classes.lineage(module, name):
            described = self._classes.described(owner, each)
            if described is None or described.keywords or "__init_subclass__" in described.functions:
                return False
            if (owner, each) == (module, name) and not (described.plain or decorated):
                return False
            for base in described.bases:
                outside = self._program.outside(owner, base)
                if outside and not is_plain_base(outside):
                    return False
                if not outside and not self._program.places(owner, base):
                    return False
        return True

    def _value(self, place: Place, index: int, mode: Mode) -> Cause | None:
        """A value that some statement computed: its class tells what operators and methods do."""
        facts = self._program.facts(place.module)[index]
        if not place.rest and mode >= Mode.CALLED:
            self._left.append((place.module, facts.eager, Mode.CALLED, ""))
            for qualname in facts.functions:
                region = self._program.region(place.module, index, qualname)
                self._left += [(place.module, region, Mode.PLAIN, "")] if region is not None else []
        unknown = Mode.PLAIN in facts.eager.reads.values()  # it may be one of these, under another name
        if unknown and (mode is Mode.USED or place.rest):
            self._left.append((place.module, facts.eager, Mode.USED, ""))
        for callee in facts.eager.unknown:
            if not callee:
                unknown = True
                continue
            if self._program.outside(place.module, callee):
                continue
            for made in self._program.places(place.module, callee):
                if self._classes.is_class(made):
                    cause = self._methods(made, place.rest, mode)
                    if cause is not None:
                        return cause
                elif made.module in self._program:
                    unknown = True
        for name in place.rest[:1] if unknown else ():
            cause = self._by_name(name, place.module) if name in self._tainted else None
            if cause is not None:
                return cause
        return None

    def _methods(self, made: Place, rest: Chain, mode: Mode) -> Cause | None:
        """What an instance of a class does when an attribute of it is used, or an operator applied."""
        for module, name in self._classes.lineage(made.module, made.name):
            for method in self._classes.methods_of(module, name):
                last = method.rpartition(".")[2]
                if rest:
                    wanted = last == rest[0] or last in ("__getattr__", "__getattribute__")
                elif mode >= Mode.CALLED:
                    wanted = last in _WHEN_HANDED
                else:
                    wanted = is_special(last) and last not in _CONSTRUCTORS
                if wanted:
                    cause = self._body(module, method)
                    if cause is not None:
                        return cause
        return None

    def _own(self, module: str, region: Region, qualname: str) -> Cause | None:
        """What a method looks up on its own instance: attributes of its class, its bases and its heirs."""
        cls = (module, qualname.rpartition(".")[0])
        for name in self._on_the_way(region.own):
            for owner, each in self._namesakes.named(name, self._origin):
                if self._namesakes.are_related(cls, (owner, each.rpartition(".")[0])):
                    cause = self._body(owner, each)
                    if cause is not None:
                        return cause
        return None

    def _by_name(self, name: str, where: str) -> Cause | None:
        """An attribute of an object of unknown kind: every function of that name may be meant."""
        for module, qualname in self._namesakes.named(name, self._origin):
            if self._namesakes.is_near(qualname, self._origin, where):
                cause = self._body(module, qualname)
                if cause is not None:
                    return cause
        return None


def _elements(chain: Chain, mode: Mode, region: Region, least: Mode) -> Iterator[tuple[Chain, Mode]]:
    """The container that a method is asked for what it holds, and what is done with that."""
    if len(chain) > 1 and chain[-1] in _ACCESSORS and mode >= Mode.CALLED:
        called = mode is Mode.APPLIED or least is Mode.CALLED or () in region.unknown
        yield chain[:-1], Mode.CALLED if called else Mode.USED
