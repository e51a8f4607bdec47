"""The program as text: the statements of the modules in scope, who binds a name, what a dotted name means.

Touches: nothing; works on texts.

Guarantees: every place that a dotted name may lead to within the scope is given, re-exports included.

Assumes: names are bound where a statement of the module spells them, by a star import, or not at all.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._source.facts import Facts, facts_in, functions_of
from hotmod._source.regions import Chain, NameImport, Region
from hotmod._source.resolve import ModuleSource, ancestors
from hotmod._source.statements import Statement, parsed
from hotmod._source.words import Words, words_of

__all__ = ["Place", "Program", "Unreadable"]

MAX_HOPS = 40  # re-exports that are followed
_SURELY_BIND = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.Import,
    ast.ImportFrom,
)


class Unreadable(Exception):  # noqa: N818 - not told to anybody: the module runs as a whole
    """A statement that can't be looked at by itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a dotted name leads.

    Attributes:
        module: a module in scope.
        name: the name there, empty for the module itself.
        rest: the attributes that are looked up on what stands there.
    """

    module: str
    name: str
    rest: Chain = ()


class Program:
    """The modules in scope with the texts that they are to run with.

    Args:
        sources: the texts by module.
        others: modules in scope without a text (compiled ones, namespace packages).
    """

    def __init__(self, sources: Mapping[str, ModuleSource], others: Iterable[str] = ()) -> None:
        self._sources = sources
        self._others = frozenset(others)
        self._binders: dict[str, dict[str, tuple[int, ...]]] = {}
        self._storing: dict[str, dict[str, set[str]]] = {}
        self._known: dict[str, tuple[tuple[Statement, ...], tuple[Facts, ...]]] = {}
        self._places: dict[tuple[str, Chain], tuple[Place, ...]] = {}
        self._met: dict[str, ModuleSource | None] = {}  # which is asked for more often than all else
        self._words: dict[str, Words] = {}
        self._spelled: dict[tuple[str, str], bool] = {}

    def __contains__(self, module: str) -> bool:
        return self._source(module) is not None

    def _source(self, module: str) -> ModuleSource | None:
        try:
            return self._met[module]
        except KeyError:
            found = self._met[module] = self._sources.get(module)
            return found

    @property
    def modules(self) -> Collection[str]:
        """The modules that have a text."""
        return self._sources.keys()

    def has_module(self, name: str) -> bool:
        """Whether a module of that name is in scope."""
        return self._source(name) is not None or name in self._others

    def words(self, module: str) -> Words:
        """The words of a module's text."""
        found = self._words.get(module)
        if found is None:
            source = self._source(module)
            found = self._words[module] = words_of(source.text) if source is not None else Words()
        return found

    def spells(self, module: str, word: str) -> bool:
        """Whether a word is anywhere in the code of a module."""
        key = module, word
        if key not in self._spelled:
            self._spelled[key] = self.words(module).names(word)
        return self._spelled[key]

    def text(self, module: str) -> SourceText:
        """The text of a module that has one."""
        return self._sources[module].text

    def digest(self, module: str) -> str:
        """The digest of a module's text; empty for one without."""
        source = self._source(module)
        return source.text.digest if source is not None else ""

    def statements(self, module: str) -> tuple[Statement, ...]:
        """The statements of a module; none where there is no readable text.

        Raises:
            Unreadable: the text nests too deeply.
        """
        return self._read(module)[0]

    def facts(self, module: str) -> tuple[Facts, ...]:
        """The facts of each statement of a module.

        Raises:
            Unreadable: the text nests too deeply.
        """
        return self._read(module)[1]

    def _read(self, module: str) -> tuple[tuple[Statement, ...], tuple[Facts, ...]]:
        found = self._known.get(module)
        if found is None:
            source = self._source(module)
            try:
                if source is None:
                    found = (), ()
                else:
                    statements, facts = facts_in(source.text)
                    found = statements.statements, facts
            except SourceError:
                found = (), ()
            except (RecursionError, MemoryError) as error:
                raise Unreadable(module) from error
            self._known[module] = found
        return found

    def has_docstring(self, module: str) -> bool:
        """Whether the first statement of a module is its docstring."""
        source = self._source(module)
        return source is not None and bool(self.statements(module)) and facts_in(source.text)[0].docstring

    def region(self, module: str, index: int, qualname: str) -> Region | None:
        """What a function of a statement does when it is called."""
        try:
            statements, facts = self._read(module)
            return functions_of(statements[index].text, facts[index]).get(qualname)
        except (SourceError, RecursionError, MemoryError) as error:
            raise Unreadable(module) from error

    def binders(self, module: str) -> Mapping[str, tuple[int, ...]]:
        """By name, the statements of a module that bind it, in order; `*` for star imports."""
        found = self._binders.get(module)
        if found is None:
            lists: dict[str, list[int]] = {}
            every = self.facts(module)
            stores = self.stores(module)
            for index, facts in enumerate(every):
                called = [chain[0] for chain in facts.eager.unknown if len(chain) == 1]
                for name in dict.fromkeys(
                    (*facts.binds, *(n for each in called for n in stores.get(each, ())))
                ):
                    lists.setdefault(name, []).append(index)
            if self.has_docstring(module):
                lists["__doc__"] = [0, *lists.get("__doc__", ())]
            found = self._binders[module] = {name: tuple(listed) for name, listed in lists.items()}
        return found

    def stores(self, module: str) -> Mapping[str, set[str]]:
        """By function of a module, the names that a call of it binds at module level."""
        found = self._storing.get(module)
        if found is None:
            found = self._storing[module] = self._stores(module)
        return found

    def _stores(self, module: str) -> dict[str, set[str]]:
        statements, facts = self._read(module)
        found: dict[str, set[str]] = {}
        for index, each in enumerate(facts):
            if "global " in statements[index].text:
                for name in each.functions:
                    region = self.region(module, index, name)
                    if region is not None and region.stores and "." not in name:
                        found[name] = set(region.stores) - {"*"}
        size = 0
        while found and size != (size := sum(map(len, found.values()))):
            for index, each in enumerate(facts):
                for name in each.functions if any(one in statements[index].text for one in found) else ():
                    region = self.region(module, index, name)
                    for chain in region.unknown if region is not None and "." not in name else ():
                        if len(chain) == 1 and chain[0] in found:
                            found.setdefault(name, set()).update(found[chain[0]])
        return found

    def exports(self, module: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """The names that a star import of a module may bind, and some more."""
        if module not in self or module in seen:
            return set()
        found = {name for name in self.binders(module) if name != "*" and not name.startswith("__")}
        found.update(each.removeprefix(f"{module}.").partition(".")[0] for each in self._below(module))
        for star in self.stars(module):
            found |= self.exports(star, seen | {module})
        return found

    def _below(self, package: str) -> set[str]:
        """The submodules of a package that are imported when it is."""
        found, left = set[str](), [package]
        while left:
            module = left.pop()
            for facts in self.facts(module) if module in self else ():
                for each in facts.imports:
                    base = self.absolute(module, each)
                    for name in (base, f"{base}.{each.name}"):
                        if name.startswith(f"{package}.") and self.has_module(name) and name not in found:
                            found.add(name)
                            left.append(name)
        return found

    def absolute(self, module: str, imported: NameImport) -> str:
        """The absolute name of the module that an import statement of `module` names."""
        if not imported.level:
            return imported.module
        source = self._source(module)
        package = module if source is not None and source.is_package else module.rpartition(".")[0]
        for _ in range(imported.level - 1):
            package = package.rpartition(".")[0]
        return ".".join(part for part in (package, imported.module) if part)

    def places(self, module: str, chain: Chain, imports: tuple[NameImport, ...] = ()) -> tuple[Place, ...]:
        """Every place in scope on the way of a dotted name that `module` spells.

        Args:
            module: where it is spelled.
            chain: the name.
            imports: what a function binds by imports of its own.
        """
        if not chain:
            return ()
        own = [each for each in imports if each.local == chain[0]]
        if own:
            walk = _Walk(self)
            for each in own:
                walk.imported(module, each, chain[1:])
            return tuple(walk.found)
        key = module, chain
        if key not in self._places:
            walk = _Walk(self)
            walk.name(module, chain)
            self._places[key] = tuple(walk.found)
        return self._places[key]

    def imported_from(self, module: str, local: str) -> Iterator[NameImport]:
        """The imports at module level that bind a name."""
        facts = self.facts(module)
        for index in self.binders(module).get(local, ()):
            for each in facts[index].imports:
                if each.local == local:
                    yield each

    def outside(self, module: str, chain: Chain, imports: tuple[NameImport, ...] = ()) -> str:
        """The absolute dotted name of something outside of the scope; empty if it is inside, or unknown."""
        if not chain:
            return ""
        found = [each for each in imports if each.local == chain[0]]
        binders = self.binders(module).get(chain[0], ())
        found = found or list(self.imported_from(module, chain[0]))
        if not found:
            return "" if binders or "*" in self.binders(module) else f"builtins.{'.'.join(chain)}"
        each = found[-1]
        base = self.absolute(module, each)
        if self.has_module(base.partition(".")[0]) or self.has_module(base):
            return ""
        return ".".join((base, *([each.name] if each.name else []), *chain[1:]))

    def is_lazy(self, package: str) -> bool:
        """Whether a package has a `__getattr__`, which may answer with what its modules define."""
        source = self._source(package)
        if source is None or not source.is_package or b"__getattr__" not in source.text.data:
            return False
        return "__getattr__" in self.binders(package)

    def lazy_packages(self, module: str) -> Iterator[str]:
        """The packages above a module that may answer with what it defines."""
        return (each for each in ancestors(module) if self.is_lazy(each))

    def answering(self, package: str, name: str) -> Iterator[str]:
        """The modules of a lazy package that define a name."""
        for module, source in self._sources.items() if self.is_lazy(package) else ():
            spelled = module.startswith(f"{package}.") and name.encode() in source.text.data
            if spelled and len(self.binders(module).get(name, ())) > len(
                list(self.imported_from(module, name))
            ):
                yield module

    def stars(self, module: str) -> Iterator[str]:
        """The modules from which a module imports everything."""
        return (base for _, base in self.star_imports(module))

    def star_imports(self, module: str) -> Iterator[tuple[int, str]]:
        """The statements of a module that import everything from another one, each with that one's name."""
        facts = self.facts(module)
        for index in self.binders(module).get("*", ()):
            for each in facts[index].imports:
                if each.name == "*":
                    yield index, self.absolute(module, each)

    def overrides(self, module: str, name: str, star: int) -> bool:
        """Whether nobody can come by what a star import brings under a name, as a statement below binds it.

        Args:
            module: the module.
            name: the name.
            star: which statement is the star import.
        """
        below = next((index for index in self.binders(module).get(name, ()) if index > star), None)
        if below is None:
            return False
        statements, facts = self._read(module)
        spelled = re.compile(rf"\b{re.escape(name)}\b")
        return (
            name in facts[below].binds
            and all(isinstance(node, _SURELY_BIND) for node in parsed(statements[below].text))
            and not any(name in chain for chain in facts[below].eager.reads)
            and not any(spelled.search(each.text) for each in statements[:below])
        )


class _Walk:
    """One walk from a dotted name through imports to the places that it may mean."""

    def __init__(self, program: Program) -> None:
        self.found: dict[Place, None] = {}
        self._program = program
        self._seen: set[tuple[str, Chain]] = set()

    def name(self, module: str, chain: Chain) -> None:
        """A name spelled in a module, or looked up on it."""
        if module not in self._program or (module, chain) in self._seen or len(self._seen) > MAX_HOPS:
            return
        self._seen.add((module, chain))
        root, rest = chain[0], chain[1:]
        binders = self._program.binders(module)
        if root in binders:
            self.found[Place(module, root, rest)] = None
            for each in self._program.imported_from(module, root):
                self.imported(module, each, rest)
            return
        self.found[Place(module, root, rest)] = None  # a builtin, or a name that is gone
        for star in self._program.stars(module):
            self.name(star, chain)

    def imported(self, module: str, each: NameImport, rest: Chain) -> None:
        """What an import of a module binds, and what is looked up on it."""
        base = self._program.absolute(module, each)
        self.attribute(base, (each.name, *rest) if each.name else rest)

    def attribute(self, module: str, chain: Chain) -> None:
        """A dotted name looked up on a module object."""
        if not chain:
            self.found[Place(module, "")] = None
            return
        known = module in self._program
        if known and (chain[0] in self._program.binders(module) or any(self._program.stars(module))):
            self.name(module, chain)
        below = f"{module}.{chain[0]}"
        if self._program.has_module(below):
            self.attribute(below, chain[1:])
        elif known:
            self.found[Place(module, chain[0], chain[1:])] = None  # by `__getattr__`, or set from outside
            for each in self._program.answering(module, chain[0]):
                self.name(each, chain)
