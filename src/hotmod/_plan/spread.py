"""From edits to the statements that have to run: the change spreads until nothing more depends on it.

Touches: nothing; a pure function of the old and the new program, the edits and the import graph.

Guarantees: a statement that is not in `runs` would give what it gave when it ran last: nothing that it
reads, uses or calls has changed. Where that can't be told, the module is in `whole`.

Assumes: what `Reach` assumes.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Collection, Iterable, Mapping

from hotmod._plan.changed import Cause, Changed
from hotmod._plan.derived import CallTime, hits
from hotmod._plan.disposing import is_disposed, used_by_hook
from hotmod._plan.importtime import ImportTime
from hotmod._plan.keeping import Keeping
from hotmod._plan.program import Program, Unreadable
from hotmod._plan.reach import Reach
from hotmod._plan.registering import registered_by, registries_of
from hotmod._plan.taint import Taint
from hotmod._source.blocks import differing_names
from hotmod._source.diff import Edit, EditKind, Edits
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import Chain, ClassFacts
from hotmod._source.statements import parsed

__all__ = ["Spread"]

# Decorators after which a name holds the same object as before, with what is new.
_IN_PLACE = frozenset(
    (
        *("functools.lru_cache", "functools.cache", "functools.wraps", "functools.singledispatch"),
        *("functools.total_ordering", "dataclasses.dataclass", "contextlib.contextmanager"),
        *("contextlib.asynccontextmanager", "typing.overload", "typing.final", "typing.runtime_checkable"),
        *(
            "typing_extensions.overload",
            "typing_extensions.final",
            "abc.abstractmethod",
            "builtins.staticmethod",
        ),
        *("typing.no_type_check", "enum.unique", "attr.s", "attr.attrs", "attrs.define", "attrs.frozen"),
    )
)


class Spread:
    """What follows from the edits of some modules.

    Args:
        program: the program with the new texts.
        before: the program with the texts that are loaded.
        edits: the edits by module.
        region: the modules that can see a change, in the order in which they are to run.
        importers: gives the modules that import one, directly or not.
        keeping: the names that keep what they hold.
        import_time: what is known of the functions that imports call.
        made: (module, name) of objects that are made anew when a statement that called them changes.
        call_time: what is known of what functions call.
        derived: tells what a name of a module, dotted for a method, holds of a function that was changed:
            `"cache"` for results that can be forgotten, `"compiled"` for what has to be made again. The third
            argument is whether the name is that of the function: if not, something handed it to a call.

    Attributes:
        runs: by module, the statements to run (by index in the new text), and why.
        whole: the modules to run as a whole, and why.
        cleared: by module, names that are to be absent when its statements begin to run.
        removed: by module, names that nothing binds any more.
        stars: by module, names that star imports bring anew, and the modules that may bring each, in order.
        spared: by module, the names that would be made anew if they were not kept.
        registered: by module, definitions that are withdrawn wherever they were registered, since all statements
            that hand them to others run again.
        disposing: the modules that are asked to close what they opened.
        withdrawn: (module, name) of the registries that statements which changed or are gone had filled.
        foreign: (module, dotted name, line) of changes to objects of modules that do not make them anew.
        changed: what is not as it was.
        renewed: (module, name) of the caches that are cleared because of what the function calls, and why.
    """

    def __init__(
        self,
        program: Program,
        before: Program,
        edits: Mapping[str, Edits],
        region: Collection[str],
        importers: Callable[[str], frozenset[str]],
        keeping: Keeping,
        import_time: ImportTime,
        made: Collection[tuple[str, str]] = (),
        call_time: CallTime | None = None,
        derived: Callable[[str, str, bool], str] = lambda _module, _name, _own: "",
    ) -> None:
        self._made = frozenset(made)
        self._call_time = call_time or CallTime()
        self._derived = derived
        self.renewed: dict[tuple[str, str], Cause] = {}
        self.program = program
        self.before = before
        self.runs: dict[str, dict[int, Cause]] = {}
        self.whole: dict[str, Cause] = {}
        self.cleared: dict[str, set[str]] = {}
        self.removed: dict[str, set[str]] = {}
        self.stars: dict[str, dict[str, tuple[str, ...]]] = {}
        self.registered: dict[str, set[str]] = {}
        self.disposing: set[str] = set()
        self.withdrawn: set[tuple[str, str]] = set()
        self.foreign: list[tuple[str, str, int]] = []
        self.changed = Changed()
        self._edits = edits
        self._region = region
        self._importers = importers
        self._keeping = keeping
        self.spared: dict[str, set[str]] = {}
        self._import_time = import_time
        self._light: set[tuple[str, int]] = set()
        self._edited = {
            name: {each.new: each for each in found.edits if each.new is not None}
            for name, found in edits.items()
        }

    # where the change begins

    def came_or_went(self, module: str, what: str) -> None:
        """A module was added or deleted."""
        cause = Cause(module, 0, f"{module} was {what}")
        self.changed.modules[module] = cause
        package, _, name = module.rpartition(".")
        if package and name not in self.program.binders(package):
            self.changed.values[package, name] = cause  # the import system binds it there

    def seed(self, module: str) -> None:
        """Take in the edits of a module."""
        edits = self._edits[module]
        if edits.whole:
            self.run_whole(module, Cause(module, 1, edits.whole))
        position = {each: index for index, each in enumerate(self.program.statements(module))}
        for edit in edits.edits:
            index = position[edit.new] if edit.new is not None else -1
            self._seed(module, edit, index)
        for name in sorted(self._keeping.released(module)):
            for index in self.program.binders(module).get(name, ()):
                self.run(module, index, Cause(module, 0, f"{name} is not kept any more"))

    def _seed(self, module: str, edit: Edit, index: int) -> None:
        line = edit.new.first if edit.new is not None else 0
        if edit.kind in (EditKind.UNCHANGED, EditKind.MOVED):
            if edit.reordered:
                self._reordered(module, edit, index)
            return
        for name in edit.bodies:
            self.changed.bodies[module, name] = Cause(module, line, f"{name}() has changed inside")
        if edit.kind is EditKind.BODY:
            self._documented(module, edit, index)
            return
        if edit.kind is EditKind.REMOVED:
            self._removed(module, edit)
            return
        names = self.program.facts(module)[index].binds
        gone = self._old_names(module, edit).difference(names)
        self._gone(module, gone)
        self._withdrawn(module, edit)
        verb = "was added" if edit.kind is EditKind.ADDED else "changed"
        self.run(module, index, Cause(module, line, f"{_named(edit)} {verb}"), edit)

    def _documented(self, module: str, edit: Edit, index: int) -> None:
        """A decorator that nobody knows may have copied the docstring of a function."""
        facts = self.program.facts(module)[index]
        if facts.kind is Kind.FUNCTION and facts.decorated and edit.old is not None and edit.new is not None:
            docs = [[ast.get_docstring(node) for node in parsed(each.text)] for each in (edit.old, edit.new)]  # type: ignore[arg-type]
            if docs[0] != docs[1] and not self._stays(module, facts):
                cause = Cause(module, edit.new.first, f"the docstring of {_named(edit)} changed")
                self.run(module, index, cause, edit)

    def overwrite(self, module: str, name: str) -> None:
        """Something else than its definition has a name: if the definition is edited, it takes the name back."""
        for index in self.program.binders(module).get(name, ()):
            statement = self.program.statements(module)[index]
            edit = self._edited.get(module, {}).get(statement)
            if (
                edit is not None
                and edit.kind is EditKind.BODY
                and not self.program.facts(module)[index].decorated
            ):
                self.run(
                    module, index, Cause(module, statement.first, f"{name} is not what its definition made")
                )

    def held(self, module: str) -> tuple[tuple[str, frozenset[str]], ...]:
        """By class of which only methods changed, the data of its body, which stays."""
        facts = self.program.facts(module)
        found = []
        for owner, index in sorted(self._light):
            if owner == module:
                found += [(name, each.data) for name, each in facts[index].classes.items() if "." not in name]
        return tuple(found)

    def kept(self, module: str) -> frozenset[str]:
        """The names of a module that keep what they hold."""
        return self._keeping.names(module)

    def _reordered(self, module: str, edit: Edit, index: int) -> None:
        """An identical statement stands elsewhere: that is nothing, unless the order matters to somebody."""
        facts = self.program.facts(module)[index]
        if facts.kind in (Kind.INERT, Kind.CONSTANT, Kind.IMPORT) or (
            facts.kind is Kind.FUNCTION and not facts.decorated
        ):
            alone = all(len(self.program.binders(module).get(name, ())) <= 1 for name in facts.binds)
            if alone and not self._out_of_order(module, index, facts):
                return
        line = edit.new.first if edit.new is not None else 0
        self.run(module, index, Cause(module, line, f"{_named(edit)} moved"), edit)

    def _out_of_order(self, module: str, index: int, facts: Facts) -> bool:
        """Whether a statement reads what is bound only below it now, or binds what is read above it."""
        binders = self.program.binders(module)
        if any(other >= index for name in self._roots(module, facts) for other in binders.get(name, ())):
            return True
        every, bound = self.program.facts(module), set(facts.binds)
        return any(not bound.isdisjoint(self._roots(module, each)) for each in every[:index])

    def _old_names(self, module: str, edit: Edit) -> set[str]:
        if edit.old is None:
            return set()
        facts = self._facts_before(module, edit)
        return set(facts.binds) if facts is not None else set()

    def _facts_before(self, module: str, edit: Edit) -> Facts | None:
        if module not in self.before:
            return None
        for statement, facts in zip(self.before.statements(module), self.before.facts(module), strict=True):
            if statement == edit.old:
                return facts
        return None

    def _removed(self, module: str, edit: Edit) -> None:
        if edit.docstring:
            self._gone(module, ["__doc__"])
        self._gone(module, self._old_names(module, edit))
        self._withdrawn(module, edit)

    def _gone(self, module: str, names: Iterable[str]) -> None:
        """Names that a removed or changed statement bound: others may still bind them."""
        binders = self.program.binders(module)
        for name in sorted(set(names) - {"__annotations__"} - self._keeping.names(module)):
            cause = Cause(module, 0, f"{name} was removed from {module}")
            if name == "*":
                self.run_whole(module, Cause(module, 1, "a star import was removed"))
            elif name not in binders:
                self.removed.setdefault(module, set()).add(name)
                self.changed.values.setdefault((module, name), cause)
                for star in binders.get("*", ()):
                    self.run(module, star, cause)
            else:
                self.changed.values.setdefault((module, name), cause)
                for index in binders[name]:
                    self.run(module, index, cause)

    def _withdrawn(self, module: str, edit: Edit) -> None:
        """What a removed or changed statement did to objects is undone by making them anew."""
        if edit.old is None:
            return
        facts = self._facts_before(module, edit)
        line = edit.new.first if edit.new is not None else edit.old.first
        if facts is None:
            return
        self._made_anew(module, facts, Cause(module, line, f"{_named(edit)} changed"))
        for chain in facts.eager.changes:
            self._rebuilt(
                module, chain, line, Cause(module, line, f"{_named(edit)} changed {'.'.join(chain)}")
            )
        verb = "changed" if edit.new is not None else "was removed"
        cause = Cause(module, line, f"{_named(edit)} {verb}")
        self._register_again(self.before, module, facts, cause)
        self._dispose(self.before, module, facts, cause)

    # what a statement that runs brings with it

    def run(self, module: str, index: int, cause: Cause, edit: Edit | None = None) -> None:
        """A statement runs again."""
        runs = self.runs.setdefault(module, {})
        if index in runs:
            return
        facts = self.program.facts(module)[index]
        if self._keeping.spares(module, facts):
            self.spared.setdefault(module, set()).update(set(facts.binds) - {"__annotations__"})
            return
        if module in self.whole:  # it runs anyway; what matters is what that changes
            runs[index] = cause
            edit = edit or self._edited.get(module, {}).get(self.program.statements(module)[index])
            self._mark(module, index, facts, cause, edit)
            return
        if facts.kind is Kind.INERT and not facts.binds:
            if not self._is_docstring(module, index):
                return
            self._value(module, "__doc__", cause)
        edit = edit or self._edited.get(module, {}).get(self.program.statements(module)[index])
        if "*" in facts.binds and facts.kind is Kind.IMPORT and _is_as_it_was(edit):
            self._stars_again(module, index, facts)
            return
        runs[index] = cause
        if facts.eager.dynamic:
            self.run_whole(module, cause)
        self._mark(module, index, facts, cause, edit)
        if module in self.whole:
            return
        for name in self._made_by(module, index, facts):
            for other in self.program.touchers(module, name):
                self.run(module, other, cause)
        for chain in facts.eager.changes:
            self._rebuilt(module, chain, self.program.statements(module)[index].first, cause)
        self._register_again(self.program, module, facts, cause)
        self._made_anew(module, facts, cause)
        self._dispose(self.program, module, facts, cause)
        self._leftovers(module, index, facts, cause)

    def _made_anew(self, module: str, facts: Facts, cause: Cause) -> None:
        """Objects that remember each call, and refuse a second one, are made anew, wherever that is."""
        for chain in facts.eager.unknown if self._made else ():
            places = self.program.places(module, chain[:-1]) if len(chain) > 1 else ()
            for place in places if any((each.module, each.name) in self._made for each in places) else ():
                if place.name:
                    for index in self.program.binders(place.module).get(place.name, ()):
                        self.run(place.module, index, cause)

    def _bound_by(self, module: str, index: int, facts: Facts) -> list[str]:
        """The names that a statement binds, by calling a function of the module as well."""
        if not any(len(chain) == 1 for chain in facts.eager.unknown):
            return [name for name in facts.binds if name not in ("*", "__annotations__")]
        binders = self.program.binders(module).items()
        return [name for name, found in binders if index in found and name not in ("*", "__annotations__")]

    def _made_by(self, module: str, index: int, facts: Facts) -> list[str]:
        """The names that hold something else after a statement has run."""
        kept = self._keeping.names(module)
        bound = self._bound_by(module, index, facts)
        self.spared.setdefault(module, set()).update(kept.intersection(bound))
        return [name for name in bound if name not in kept]

    def _is_docstring(self, module: str, index: int) -> bool:
        return index == 0 and self.program.has_docstring(module)

    def _mark(self, module: str, index: int, facts: Facts, cause: Cause, edit: Edit | None) -> None:
        """Note which names of a statement that runs are not as they were."""
        edited = edit is not None and edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED)
        for name in set(self._bound_by(module, index, facts)).difference(facts.binds):
            self._value(module, name, cause)
        if edited and edit is not None and edit.kind is EditKind.ADDED:
            for name in facts.binds:
                self._value(module, name, cause)
            for each in facts.imports:
                if each.name == "*":
                    self._star(module, self.program.absolute(module, each), cause)
        elif (
            edited
            and edit is not None
            and edit.kind is EditKind.CHANGED
            and self._is_of_another_kind(module, edit, facts)
        ):
            for name in facts.binds:
                self._value(module, name, cause)
        elif facts.kind is Kind.IMPORT:
            self._imports(module, facts, cause, edit)
        elif facts.kind is Kind.FUNCTION:
            self._function(module, facts, cause)
        elif facts.kind is Kind.CLASS:
            self._class(module, index, facts, cause, edit if edited else None)
        elif facts.kind is not Kind.CONSTANT or edited:
            names: Iterable[str] = facts.binds
            if edited and edit is not None and edit.old is not None and edit.new is not None:
                names = differing_names(edit.old.text, edit.new.text)
            for name in names:
                self._value(module, name, cause)

    def _is_of_another_kind(self, module: str, edit: Edit, facts: Facts) -> bool:
        """Whether a definition has taken the place of something else."""
        before = self._facts_before(module, edit)
        return facts.kind in (Kind.FUNCTION, Kind.CLASS) and (before is None or before.kind is not facts.kind)

    def _value(self, module: str, name: str, cause: Cause) -> None:
        if name not in ("*", "__annotations__") and name not in self._keeping.names(module):
            self.changed.values.setdefault((module, name), self._caused(module, name, cause))

    def _caused(self, module: str, name: str, cause: Cause) -> Cause:
        line = next(
            (
                self.program.statements(module)[index].first
                for index in reversed(self.program.binders(module).get(name, ()))
            ),
            0,
        )
        if cause.module == module and cause.line == line:
            return cause
        return Cause(module, line, f"{name} changed", cause)

    def _imports(self, module: str, facts: Facts, cause: Cause, edit: Edit | None) -> None:
        """The names that an import binds to something else than before."""
        before = self._facts_before(module, edit) if edit is not None and edit.old is not None else facts
        had = {each.local: each for each in before.imports} if before is not None else {}
        for each in facts.imports:
            base = self.program.absolute(module, each)
            if each.name == "*":
                self._star(module, base, cause)
            elif each.local and (
                had.get(each.local) != each
                or (base, each.name) in self.changed.values
                or any(name in self.changed.modules for name in (base, f"{base}.{each.name}"))
            ):
                self._value(module, each.local, cause)

    def _star(self, module: str, base: str, cause: Cause) -> None:
        """A star import runs: whatever it brings is new, and what the module binds below it is bound again."""
        binders = self.program.binders(module)
        for name in self.program.exports(base):
            self._value(module, name, cause)
            for index in binders.get(name, ()) if name != "*" else ():
                self.run(module, index, cause)

    def _stars_again(self, module: str, index: int, facts: Facts) -> None:
        """Of what a star import brought, only what has changed is bound again."""
        binders = self.program.binders(module)
        for each in facts.imports:
            base = self.program.absolute(module, each)
            for (owner, name), why in list(self.changed.values.items()):
                if owner == base and not any(other > index for other in binders.get(name, ())):
                    self.stars.setdefault(module, {})[name] = tuple(self.program.stars(module))
                    self._value(module, name, why)
            cause = self.changed.modules.get(base) or self.changed.values.get((base, "__all__"))
            for name in self.program.exports(base) if cause is not None else ():
                self.stars.setdefault(module, {})[name] = tuple(self.program.stars(module))
                self._value(module, name, cause)

    def _function(self, module: str, facts: Facts, cause: Cause) -> None:
        for name in facts.binds:
            if facts.decorated and not self._stays(module, facts):
                self._value(module, name, cause)
            self.changed.functions.setdefault((module, name), self._caused(module, name, cause))

    def _stays(self, module: str, facts: Facts) -> bool:
        """Whether decorators leave a definition the object that it was."""
        return all(
            self.program.outside(module, callee) in _IN_PLACE for callee in facts.eager.unknown if callee
        )

    def _class(self, module: str, index: int, facts: Facts, cause: Cause, edit: Edit | None) -> None:
        name = facts.binds[0] if facts.binds else ""
        described = facts.classes.get(name)
        if edit is not None and described is not None and self._is_light(edit, described.plain):
            self._light.add((module, index))
            for member in edit.members:
                self.changed.bodies.setdefault(
                    (module, f"{name}.{member.name}"),
                    Cause(module, edit.new.first if edit.new else 0, f"{name}.{member.name} changed"),
                )
            return
        if (
            (edit is not None and (edit.header or any(member.name == "__slots__" for member in edit.members)))
            or (facts.decorated and (not self._stays(module, facts) or "slots" in facts.keywords))
            or (described is not None and self._has_another_base(module, described))
        ):
            self._value(module, name, cause)
        self.changed.classes.setdefault((module, name), self._caused(module, name, cause))

    def _has_another_base(self, module: str, described: ClassFacts) -> bool:
        """Whether a class is built upon another object than before: it may have to be another object itself."""
        return any(
            (place.module, place.name) in self.changed.values
            for base in (*described.bases, *described.keywords)
            for place in self.program.places(module, base)
        )

    def _is_light(self, edit: Edit, plain: bool) -> bool:  # noqa: FBT001 - a fact about the class
        """Whether only ordinary methods of a class came, went or changed, which nothing else looks at."""
        return (
            plain
            and not edit.header
            and bool(edit.members)
            and all(
                member.is_function and not member.decorated and not member.name.startswith("__")
                for member in edit.members
            )
        )

    def _rebuilt(self, module: str, chain: Chain, line: int, cause: Cause) -> None:
        """An object that a statement changes is made anew before, if its module makes it."""
        own = False
        for place in self.program.places(module, chain):
            if place.module != module or not place.name:
                continue
            if place.name in self._keeping.names(module):
                own = True  # it stays the object that it is, with what it holds
                continue
            binders = self.program.binders(module).get(place.name, ())
            facts = self.program.facts(module)
            if any(place.name in each.classes or each.imports for each in map(facts.__getitem__, binders)):
                continue
            own = True
            for index in binders:
                self.run(module, index, cause)
            for index, each in enumerate(facts):
                if any(other[0] == place.name for other in each.eager.changes):
                    self.run(module, index, cause)
        if not own and self.program.places(module, chain):
            self.foreign.append((module, ".".join(chain), line))

    def _register_again(self, program: Program, module: str, facts: Facts, cause: Cause) -> None:
        """What a statement hands to others is withdrawn there, and handed to them anew by all who do so."""
        known = self.registered.setdefault(module, set())
        names = registered_by(program, module, facts)
        if names:
            self.withdrawn |= registries_of(program, module, facts)
        names -= known
        known |= names
        every = self.program.facts(module) if names else ()
        for index, each in enumerate(every):
            if not names.isdisjoint(registered_by(self.program, module, each)):
                self.run(module, index, cause)

    def _dispose(self, program: Program, module: str, facts: Facts, cause: Cause) -> None:
        """The hook closes all that it knows of; so all that is made again."""
        used = used_by_hook(self.before, module)
        if used is None or module in self.disposing or not is_disposed(program, module, facts, used):
            return
        self.disposing.add(module)
        for index, each in enumerate(self.program.facts(module)):
            if is_disposed(self.program, module, each, used):
                self.run(module, index, cause)

    def _leftovers(self, module: str, index: int, facts: Facts, cause: Cause) -> None:
        """What a statement reads before it is bound must be as absent as in a fresh process."""
        for name in self._roots(module, facts):
            if name not in self.program.binders(module) or name in self._keeping.names(module):
                continue
            touchers = self.program.touchers(module, name)
            if any(other >= index for other in touchers):
                self.cleared.setdefault(module, set()).add(name)
                for other in touchers:
                    self.run(module, other, cause)

    def _roots(self, module: str, facts: Facts) -> set[str]:
        """The names of its module that a statement reads, also in functions of the module that it calls."""
        found = {chain[0] for chain in facts.eager.reads}
        left, seen = [chain[0] for chain in facts.eager.reads], set[str]()
        every = self.program.facts(module)
        called = {chain[0] for chain in facts.eager.unknown if chain}
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            for index in self.program.binders(module).get(name, ()):
                if name in every[index].functions and name in called:
                    region = self.program.region(module, index, name)
                    found.update(chain[0] for chain in region.reads) if region is not None else None
        return found

    def run_whole(self, module: str, cause: Cause) -> None:
        """A module runs from top to bottom."""
        if module in self.whole:
            return
        self.whole[module] = cause
        try:
            every = self.program.facts(module)
        except Unreadable:
            every = ()
        edited = self._edited.get(module, {})
        for index, facts in enumerate(every):
            edit = edited.get(self.program.statements(module)[index])
            if facts.kind is Kind.OTHER:
                for name in facts.binds:
                    self._value(module, name, cause)
            elif "*" in facts.binds or facts.decorated or not _is_as_it_was(edit):
                self.run(module, index, cause, edit)
        if any(facts.eager.dynamic for facts in every):
            self._unspelled(module, cause)
        if module in self.before:
            kinds, had = _kinds(every), _kinds(self.before.facts(module))
            for name in had.keys() - self._keeping.names(module):
                if had[name] != kinds.get(name):
                    self.changed.values.setdefault((module, name), cause)

    def _unspelled(self, module: str, cause: Cause) -> None:
        """Names that others take from a module though its text does not bind them: it computes them."""
        known = self.program.binders(module)
        for importer in self._region:
            for facts in self.program.facts(importer) if importer in self._importers(module) else ():
                for each in facts.imports:
                    if (
                        each.name
                        and each.name not in known
                        and self.program.absolute(importer, each) == module
                    ):
                        self._value(module, each.name, cause)
                for chain in facts.eager.reads:
                    for place in self.program.places(importer, chain):
                        if (
                            place.module == module
                            and place.name not in known
                            and not hasattr(builtins, place.name)
                        ):
                            self._value(module, place.name, cause)

    def run_anew(self, module: str, cause: Cause) -> None:
        """A module runs as a whole, and what it ran before is not known: nothing of it is as it was."""
        self.run_whole(module, cause)
        try:
            every = self.program.facts(module)
        except Unreadable:
            every = ()
        for facts in every:
            for name in facts.binds:
                self._value(module, name, cause)
            for name in facts.functions:
                self.changed.bodies.setdefault((module, name), cause)
        self._unspelled(module, cause)

    # the fixed point

    def spread(self) -> None:
        """Follow the changes through all modules that can see them, until nothing more has to run."""
        self._spread()
        while self._renew():
            self._spread()

    def _renew(self) -> bool:
        """What was made of functions that do something else now is made again; whether anything has to run."""
        count = sum(map(len, self.runs.values()))
        found = hits(self.program, self._region, self.changed, self._call_time, self._importers)
        for module, index, name, own, cause in list(found):
            if module in self.whole or index in self.runs.get(module, ()):
                continue
            kind = self._derived(module, name, own)
            if kind == "cache":
                self.renewed[module, name] = cause
            elif kind:
                self.run(module, index, cause)
        return sum(map(len, self.runs.values())) > count

    def _spread(self) -> None:
        """Follow the changes.

        What was found to have nothing to do with the changes of one round is not asked about them again.
        """
        done = Changed()
        if self.changed.is_inside_only() and not self.runs and not self.whole:
            met = self._call_time.met(self.changed.bodies)
            self._call_time.rewire(self.program, self._edits, [each for each in met if self._is_rewired(*each)])
            # the usual edit: it is something to others only if an import calls what was edited
            met = self._import_time.met(self.changed.bodies)
            rewired = [each for each in met if self._is_rewired(*each)]
            self._import_time.rewire(self.program, self._edits, rewired)
            if self._called().isdisjoint(self.changed.bodies):
                return
        while self.changed.size() != done.size():
            fresh, done = self.changed.since(done), self.changed.copy()
            taint = Taint(self.program, self._region, fresh.names(), fresh.methods(), self._called())
            reach = Reach(self.program, fresh, taint.words, self._region, self._importers)
            for module in self._region:
                self._look_at(module, taint.words, reach)
                self._look_for_computed(module, reach)

    def _is_rewired(self, module: str, qualname: str) -> bool:
        """Whether a function reads or calls others than before."""
        regions = []
        for program in (self.before, self.program):
            index = program.binders(module).get(qualname.partition(".")[0], (-1,))[-1]
            regions.append(program.region(module, index, qualname) if index >= 0 else None)
        return regions[0] is None or regions[0] != regions[1]

    def _called(self) -> frozenset[tuple[str, str]]:
        return self._import_time.called(self.program, self._region, self._importers)

    def _is_hit(self, module: str, known: Collection[str]) -> bool:
        words = self.program.words(module)
        return words.star or not (words.eager.isdisjoint(known) and words.imported.isdisjoint(known))

    def _look_at(self, module: str, known: Collection[str], reach: Reach) -> None:
        if not self._is_hit(module, known):
            return
        try:
            every = self.program.facts(module)
        except Unreadable:
            self.run_whole(module, Cause(module, 0, f"{module} can't be looked at statement by statement"))
            return
        ran = self.runs.get(module, {})
        for index, facts in enumerate(every):
            if (module, index) in self._light:
                self._recheck(module, index, facts, reach)
            if index in ran or facts.kind is Kind.INERT:
                continue
            star = "*" in facts.binds
            if star or facts.eager.dynamic or not facts.words.isdisjoint(known):
                cause = reach.cause(module, index)
                if cause is not None:
                    self.run(module, index, cause)

    def _look_for_computed(self, module: str, reach: Reach) -> None:
        """A function that binds computed names, as lazy imports do, and would bind others now: no text tells which."""
        if module in self.whole:
            return
        for name, words in self.program.words(module).bodies.items():
            for index in self.program.binders(module).get(name, ()) if "globals" in words else ():
                region = self.program.region(module, index, name)
                if region is not None and "*" in region.stores:
                    cause = self.changed.bodies.get((module, name)) or reach.calls_change(module, name)
                    if cause is not None:
                        self.run_whole(module, cause)

    def _recheck(self, module: str, index: int, facts: Facts, reach: Reach) -> None:
        """The data of a class stays only if nothing that it is computed from has changed."""
        cause = reach.cause(module, index)
        if cause is not None:
            self._light.discard((module, index))
            self._class(module, index, facts, cause, None)


def _is_as_it_was(edit: Edit | None) -> bool:
    return edit is None or (edit.kind in (EditKind.UNCHANGED, EditKind.MOVED) and not edit.reordered)


def _kinds(every: Iterable[Facts]) -> dict[str, set[Kind]]:
    """By name, what kinds of statements bind it; those that run anew whenever the module does count as one."""
    found: dict[str, set[Kind]] = {}
    for facts in every:
        for name in facts.binds:
            found.setdefault(name, set()).add(Kind.OTHER if facts.kind is Kind.CONSTANT else facts.kind)
    return found


def _named(edit: Edit) -> str:
    names = [name for name in edit.names if name not in ("*", "__annotations__")]
    if names:
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
    statement = edit.new or edit.old
    return statement.text.partition("\n")[0][:60] if statement is not None else "a statement"
