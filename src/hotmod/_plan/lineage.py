"""The classes of a program: what they descend from, and which methods they have.

Touches: nothing; works on the facts of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hotmod._plan.program import Place, Program
from hotmod._source.regions import ClassFacts

__all__ = ["Classes"]


class Classes:
    """Answers questions about the classes in scope.

    Attributes:
        looked_at: the modules in which a class was looked for.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self.looked_at: set[str] = set()  # the modules of all classes that were asked for

    def is_metaclass(self, module: str, name: str) -> bool:
        described = self.described(module, name)
        return described is not None and any(
            self._program.outside(module, base).rpartition(".")[2]
            in ("type", "ABCMeta", "EnumMeta", "EnumType")
            for base in described.bases
        )

    def described(self, module: str, name: str) -> ClassFacts | None:
        facts = self._program.facts(module)
        for index in self._program.binders(module).get(name.partition(".")[0], ()):
            if name in facts[index].classes:
                return facts[index].classes[name]
        return None

    def lineage(self, module: str, name: str) -> Iterator[tuple[str, str]]:
        """A class and its bases in scope."""
        left, seen = [(module, name)], set[tuple[str, str]]()
        while left:
            one = left.pop(0)
            if one in seen:
                continue
            seen.add(one)
            self.looked_at.add(one[0])
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

    def methods_of(self, module: str, name: str) -> Iterable[str]:
        facts = self._program.facts(module)
        prefix = f"{name}."
        for index in self._program.binders(module).get(name.partition(".")[0], ()):
            for qualname in facts[index].functions:
                if qualname.startswith(prefix) and "." not in qualname[len(prefix) :]:
                    yield qualname

    def shows_itself(self, module: str, name: str) -> bool:
        """Whether a class makes descriptors in its body that are told whose they are: they may look at it."""
        facts = self._program.facts(module)
        return any(
            method.endswith(".__set_name__")
            for index in self._program.binders(module).get(name.partition(".")[0], ())
            for callee in facts[index].eager.unknown
            for place in self._program.places(module, callee)
            if self.is_class(place)
            for owner, each in self.lineage(place.module, place.name)
            for method in self.methods_of(owner, each)
        )

    def is_class(self, place: Place) -> bool:
        if place.module not in self._program or place.rest:
            return False
        facts = self._program.facts(place.module)
        binders = self._program.binders(place.module).get(place.name, ())
        return any(place.name in facts[index].classes for index in binders)
