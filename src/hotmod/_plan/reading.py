"""Which statements of a module read another file: those that run again when that file is not what it was.

Touches: nothing; works on the texts and the facts of statements.

Guarantees: a statement that names the file and calls something runs again, and so does one that opens or
reads a file, itself or in a function in scope that it calls. Where no statement names the file, each one
runs that calls something of which it is not known that it reads no file; where there is none, the module
runs as a whole. Who calls a function of the module that reads the file runs again as well, and a cache of its
results is cleared.

Assumes: where a statement names the file, no other one reads it by a function that is out of scope and that
is not called like one that reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from hotmod._model.changes import DataChange
from hotmod._plan.changed import Cause
from hotmod._plan.lineage import Classes
from hotmod._plan.program import Place, Program, Unreadable
from hotmod._plan.purity import is_quiet, is_quiet_base
from hotmod._plan.spread import Spread
from hotmod._source.facts import Kind
from hotmod._source.regions import Chain, Region

__all__ = ["read_again"]

# How functions are called that read files, or tell which there are.
_READS = re.compile(
    "(?:^|_)(?:open|read|load|parse|from_?file|r?glob|iterdir|listdir|scandir|walk|get_data|exists|is_?file)"
)
_CONSTRUCTORS = ("__new__", "__init__", "__post_init__", "__call__", "__enter__", "__iter__")
# What the built-in containers and texts can do: it reads no file.
_PLAIN = frozenset(
    name
    for kind in (dict, list, set, tuple, str, bytes, int)
    for name in dir(kind)
    if not name.startswith("_")
)


def read_again(spread: Spread, module: str, data: Iterable[DataChange]) -> None:
    """Let the statements of a module run again that read some files, and forget what caches have of them."""
    for each in data:
        if module in spread.whole:
            return
        cause = Cause(module, 0, str(each))
        try:
            found = _Readers(spread.program, module, each.path)
        except Unreadable:
            spread.run_whole(module, cause)
            return
        for index in found.statements:
            spread.run(module, index, cause)
        for owner, qualname in found.called:
            if (
                owner == module and qualname in found.functions
            ):  # whoever calls it in another module reads the file as well
                spread.changed.bodies.setdefault((owner, qualname), cause)
            else:
                spread.forget(owner, qualname, cause)
        if not found.statements:
            spread.run_whole(module, cause)


class _Readers:
    """What of a module reads a file.

    Attributes:
        statements: those that run again.
        called: what they and others call to read it, as module and qualified name.
        functions: the functions of the module.
    """

    def __init__(self, program: Program, module: str, path: str) -> None:
        every = program.facts(module)
        looks = {
            index: _Look(program, path).at(module, index)
            for index, facts in enumerate(every)
            if facts.kind not in (Kind.IMPORT, Kind.INERT, Kind.CONSTANT)
            and (facts.eager.unknown or facts.eager.dynamic or facts.decorated)
        }
        functions = [
            _Look(program, path).inside(module, index, qualname)
            for index, facts in enumerate(every)
            for qualname in sorted(facts.functions)
        ]
        named = any(each.names for each in looks.values())
        self.statements = [index for index, each in looks.items() if each.may_read(named)]
        may = [each for each in (*looks.values(), *functions) if each.may_read(named)]
        self.functions = {qualname for facts in every for qualname in facts.functions}
        self.called = sorted({place for each in may for place in each.called})


class _Look:
    """A look at all that running a statement, or calling a function, calls and refers to.

    Attributes:
        names: whether it names the file.
        reads: whether it calls something that is called like what reads.
        unknown: whether it calls something of which it is not known what it does.
        called: what it calls in scope, as module and qualified name.
    """

    def __init__(self, program: Program, path: str) -> None:
        self._program, self._classes = program, Classes(program)
        name = os.path.basename(path)
        stem = re.escape(name.partition(".")[0])
        self._named = re.compile(rf"{re.escape(name)}|[\"'/]{stem}[\"']")
        self.names = self.reads = self.unknown = False
        self.called: set[tuple[str, str]] = set()
        self._seen: set[Place] = set()
        self._left: list[tuple[str, Region]] = []

    def may_read(self, named: bool) -> bool:  # noqa: FBT001 - the only question
        """Whether it may read the file.

        Args:
            named: whether some statement names it: then what does nothing of the kind does not read it.
        """
        return self.names or self.reads or (self.unknown and not named)

    def at(self, module: str, index: int) -> _Look:
        """Look at a statement."""
        self._text(module, index)
        return self._follow_all(module, self._program.facts(module)[index].eager)

    def inside(self, module: str, index: int, qualname: str) -> _Look:
        """Look at a function of a statement."""
        region = self._program.region(module, index, qualname)
        if region is None:
            return self
        self.called.add((module, qualname))
        return self._follow_all(module, region)

    def _follow_all(self, module: str, region: Region) -> _Look:
        self._left.append((module, region))
        while self._left:
            self._region(*self._left.pop())
        return self

    def _text(self, module: str, index: int) -> None:
        if self._named.search(self._program.statements(module)[index].text):
            self.names = True

    def _region(self, module: str, region: Region) -> None:
        self.unknown |= region.dynamic
        self.reads |= any(map(_READS.search, region.attributes))
        for callee in region.unknown:
            self._call(module, callee, region)
        for chain in region.reads:
            for place in self._program.places(module, chain, region.imports):
                self._place(place)

    def _call(self, module: str, callee: Chain, region: Region) -> None:
        self.reads |= bool(callee) and _READS.search(callee[-1]) is not None
        if is_quiet(self._program, module, callee):
            return
        if not callee:  # of what another call gives
            self.unknown = True
            return
        outside = self._program.outside(module, callee, region.imports)
        places = () if outside else self._program.places(module, callee, region.imports)
        known = [self._follow(place) for place in places]
        self.called.update((each.module, each.name) for each in places if each.name and not each.rest)
        self.unknown |= not any(known) and not (callee[-1] in _PLAIN and len(callee) > 1)

    def _place(self, place: Place) -> None:
        """What is referred to: by its text it may be the name of the file, or where to look for it."""
        if place in self._seen or place.module not in self._program:
            return
        self._seen.add(place)
        for index in self._program.binders(place.module).get(place.name, ()):
            self._text(place.module, index)
            facts = self._program.facts(place.module)[index]
            if facts.kind in (Kind.OTHER, Kind.CONSTANT, Kind.CLASS):
                for chain in facts.eager.reads:
                    for other in self._program.places(place.module, chain):
                        self._place(other)

    def _follow(self, place: Place) -> bool:
        """Look into what is called, if it is a function or a class in scope; whether it is."""
        functions = list(self._functions(place))
        for module, index, qualname in functions:
            if (module, qualname) not in self.called:
                self.called.add((module, qualname))
                region = self._program.region(module, index, qualname)
                if region is not None:
                    self._left.append((module, region))
        return self._is_plain_class(place) if self._classes.is_class(place) else bool(functions)

    def _is_plain_class(self, place: Place) -> bool:
        """Whether all that makes the instances of a class is in scope, or known to read nothing."""
        for owner, name in self._classes.lineage(place.module, place.name):
            described = self._classes.described(owner, name)
            bases = [*described.bases, *described.keywords] if described is not None else [()]
            if not all(is_quiet_base(self._program, owner, base) for base in bases):
                return False
        return True

    def _functions(self, place: Place) -> Iterator[tuple[str, int, str]]:
        if place.module not in self._program:
            return
        qualname = ".".join((place.name, *place.rest))
        if self._classes.is_class(place) and not place.rest:
            for owner, name in self._classes.lineage(place.module, place.name):
                yield from self._methods(owner, name, _CONSTRUCTORS)
            return
        for index in self._program.binders(place.module).get(place.name, ()):
            facts = self._program.facts(place.module)[index]
            if qualname in facts.functions:
                yield place.module, index, qualname
            for made in facts.eager.unknown if place.rest and facts.kind is Kind.OTHER else ():
                for cls in self._program.places(place.module, made):  # a method of what a class made
                    for owner, name in self._classes.lineage(cls.module, cls.name):
                        yield from self._methods(owner, name, place.rest[-1:])

    def _methods(self, module: str, name: str, wanted: Iterable[str]) -> Iterator[tuple[str, int, str]]:
        for method in self._classes.methods_of(module, name):
            if method.rpartition(".")[2] in wanted:
                for index in self._program.binders(module).get(name.partition(".")[0], ()):
                    if method in self._program.facts(module)[index].functions:
                        yield module, index, method
