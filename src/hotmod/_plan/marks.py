"""What changes when a statement runs again: which of the names that it binds hold another object.

Touches: nothing; works on the facts of statements.

Guarantees: a name that may hold another object, or a definition that is another one, is noted in `changed`.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterable, Mapping

from hotmod._plan.changed import Cause, Changed
from hotmod._plan.contents import Key
from hotmod._plan.derived import CallTime
from hotmod._plan.handing import Handing
from hotmod._plan.importtime import ImportTime
from hotmod._plan.keeping import Keeping
from hotmod._plan.mutations import Touchers
from hotmod._plan.program import Program
from hotmod._source.blocks import differing_names
from hotmod._source.diff import Edit, EditKind, Edits
from hotmod._source.facts import Facts, Kind
from hotmod._source.regions import ClassFacts
from hotmod._source.resolve import ancestors

__all__ = ["Marks", "is_as_it_was", "named"]

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


class Marks(abc.ABC):
    """The state of a plan in the making, and the marks that running statements leave in it; see `Spread`."""

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
        self.touchers = Touchers(program)
        self.handing = Handing(before, importers)
        self.disposing: set[str] = set()
        self.withdrawn: set[tuple[str, str]] = set()
        self._called_to_register: tuple[set[tuple[str, str]], ...] = set(), set()  # now, and before
        self.foreign: list[tuple[str, str, int]] = []
        self._filled: dict[str, dict[Key, Cause]] = {}  # by the module of the statements that do so
        self._called_to_fill: dict[tuple[str, bool], set[tuple[str, str]]] = {}  # now, or before
        self._after: dict[str, frozenset[str]] = {}  # by deleted module, those that imported it
        self.changed = Changed()
        self._edits = edits
        self._region = region
        self.importers = importers
        self._keeping = keeping
        self.spared: dict[str, set[str]] = {}
        self._import_time = import_time
        self._light: set[tuple[str, int]] = set()
        self._edited = {
            name: {each.new: each for each in found.edits if each.new is not None}
            for name, found in edits.items()
        }

    @abc.abstractmethod
    def run(self, module: str, index: int, cause: Cause, edit: Edit | None = None) -> None:
        """A statement runs again."""

    @abc.abstractmethod
    def run_whole(self, module: str, cause: Cause) -> None:
        """A module runs as a whole."""

    def _mark(self, module: str, index: int, facts: Facts, cause: Cause, edit: Edit | None) -> None:
        """Note which names of a statement that runs are not as they were."""
        edited = edit is not None and edit.kind not in (EditKind.UNCHANGED, EditKind.MOVED)
        for name in set(self._bound_by(module, index, facts)).difference(facts.binds):
            self._value(module, name, cause)
        for callee in facts.eager.unknown:
            for place in self.program.places(module, callee) if callee else ():
                if place.module != module and place.module in self.program and not place.rest:
                    for name in self.program.stores(place.module).get(place.name, ()):
                        self._value(place.module, name, cause)
        if edited and edit is not None and edit.kind is EditKind.ADDED:
            for name in facts.binds:
                self._value(module, name, cause)
            for each in facts.imports:
                if each.name == "*":
                    self._star(module, self.program.absolute(module, each), cause)
        elif (
            edited
            and edit is not None
            and edit.kind in (EditKind.CHANGED, EditKind.REDEFINED)
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

    def _bound_by(self, module: str, index: int, facts: Facts) -> list[str]:
        """The names that a statement binds, by calling a function of the module as well."""
        if not any(len(chain) == 1 for chain in facts.eager.unknown):
            return [name for name in facts.binds if name not in ("*", "__annotations__")]
        binders = self.program.binders(module).items()
        return [name for name, found in binders if index in found and name not in ("*", "__annotations__")]

    def _facts_before(self, module: str, edit: Edit) -> Facts | None:
        if module not in self.before:
            return None
        for statement, facts in zip(self.before.statements(module), self.before.facts(module), strict=True):
            if statement == edit.old:
                return facts
        return None

    def _is_of_another_kind(self, module: str, edit: Edit, facts: Facts) -> bool:
        """Whether a definition has taken the place of something else, such as what a decorator made."""
        if facts.kind not in (Kind.FUNCTION, Kind.CLASS):
            return False
        before = self._facts_before(module, edit)
        return (
            before is None
            or before.kind is not facts.kind
            or (before.decorated and not self._stays(self.before, module, before))
        )

    def _value(self, module: str, name: str, cause: Cause) -> None:
        if name not in ("*", "__annotations__") and name not in self._keeping.names(module):
            cause = self._caused(module, name, cause)
            self.changed.values.setdefault((module, name), cause)
            for package in self.program.lazy_packages(module):
                if name not in self.program.binders(package):
                    self.changed.values.setdefault((package, name), cause)

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
        """A star import runs: what it brings is new, and what the module binds below it is bound again."""
        binders = self.program.binders(module)
        lost = {name for owner, name in self.changed.values if owner == base}
        for name in self.program.exports(base) | self.before.exports(base) | lost:
            self._value(module, name, cause)
            for index in binders.get(name, ()) if name != "*" else ():
                self.run(module, index, cause)

    def _stars_again(self, module: str, index: int, facts: Facts) -> None:
        """Of what a star import brought, only what has changed is bound again."""
        for each in facts.imports:
            base = self.program.absolute(module, each)
            for (owner, name), why in list(self.changed.values.items()):
                if owner == base and name != "__all__":
                    self._bring(module, index, name, why)
            gone = next((each for each in (base, *ancestors(base)) if each in self.changed.modules), None)
            if gone is not None:  # whether it can be imported is for the import to see
                self.run_whole(module, self.changed.modules[gone])
                return
            cause = self.changed.values.get((base, "__all__"))
            if cause is not None:
                for name in self.program.exports(base):
                    self._bring(module, index, name, cause)

    def _bring(self, module: str, star: int, name: str, cause: Cause) -> None:
        """A star import brings another object of that name."""
        if self.program.overrides(module, name, star):
            return
        if name in self.program.binders(module):  # which of them is read where is a matter of their order
            self.run_whole(module, cause)
        else:
            self.stars.setdefault(module, {})[name] = tuple(self.program.stars(module))
        self._value(module, name, cause)

    def _function(self, module: str, facts: Facts, cause: Cause) -> None:
        for name in facts.binds:
            if facts.decorated and not self._stays(self.program, module, facts):
                self._value(module, name, cause)
            self.changed.functions.setdefault((module, name), self._caused(module, name, cause))

    def _stays(self, program: Program, module: str, facts: Facts) -> bool:
        """Whether decorators leave a definition the object that it was."""
        return all(program.outside(module, callee) in _IN_PLACE for callee in facts.eager.unknown if callee)

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
            or (facts.decorated and "slots" in facts.keywords)
            or (facts.decorated and not self._stays(self.program, module, facts))
            or (described is not None and self._has_another_base(module, described))
        ):
            self._value(module, name, cause)
        self.changed.classes.setdefault((module, name), self._caused(module, name, cause))

    def _has_another_base(self, module: str, described: ClassFacts) -> bool:
        """Whether a class is built upon another object than before, and may have to be another itself."""
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


def is_as_it_was(edit: Edit | None) -> bool:
    return edit is None or (edit.kind in (EditKind.UNCHANGED, EditKind.MOVED) and not edit.reordered)


def named(edit: Edit) -> str:
    names = [name for name in edit.names if name not in ("*", "__annotations__")]
    if names:
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
    statement = edit.new or edit.old
    return statement.text.partition("\n")[0][:60] if statement is not None else "a statement"
