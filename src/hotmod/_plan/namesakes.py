"""Which functions and methods an attribute of an object of unknown kind may mean: those of that name.

Touches: nothing; works on the facts of statements.

Guarantees: a function is left out only if its module can't have been imported by the one that is looked
from, or if no text near names its class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from hotmod._plan.lineage import Classes
from hotmod._plan.program import Program

__all__ = ["Namesakes"]


class Namesakes:
    """The functions of a program by name.

    Args:
        program: the program.
        classes: its classes.
        modules: the modules that are looked into.
        importers: gives the modules that import one, directly or not.
        index: by name of a function or method, the modules that have one, where that is known.

    Attributes:
        asked_for: the names that were asked for.
    """

    def __init__(
        self,
        program: Program,
        classes: Classes,
        modules: Collection[str],
        importers: Callable[[str], frozenset[str]],
        index: Mapping[str, Iterable[str]] | None,
    ) -> None:
        self._program, self._classes = program, classes
        self._modules, self._importers, self._index = modules, importers, index
        self.asked_for: set[str] = set()
        self._visible: dict[str, frozenset[str]] = {}
        self._near: dict[tuple[str, str], bool] = {}
        self._named: dict[str, list[tuple[str, str]]] = {}
        self._related: dict[tuple[tuple[str, str], tuple[str, str]], bool] = {}

    def named(self, name: str, origin: str) -> Iterator[tuple[str, str]]:
        """(module, qualified name) of the functions of a name of which one module can have objects."""
        self.asked_for.add(name)
        if name not in self._named:
            self._named[name] = list(self._functions(name))
        return (each for each in self._named[name] if self._sees(origin, each[0]))

    def _functions(self, name: str) -> Iterator[tuple[str, str]]:
        for module in self._modules if self._index is None else self._index.get(name, ()):
            for facts in self._program.facts(module) if name in self._program.words(module).bodies else ():
                for qualname in facts.functions:
                    if qualname.rpartition(".")[2] == name:
                        yield module, qualname

    def _sees(self, origin: str, module: str) -> bool:
        """Whether objects of a module can be there when one runs: that imports it."""
        if module not in self._visible:
            self._visible[module] = self._importers(module) | {module}
        return origin in self._visible[module]

    def is_near(self, qualname: str, origin: str, where: str) -> bool:
        """Whether there may be an instance of a method's class: a text near the look-up names the class.

        Near are the texts of the module that is looked from, of those that it imports from, and of the
        look-up.
        """
        cls, _, method = qualname.partition(".")
        if not method:
            return True
        key = origin, cls
        if key not in self._near:
            texts = {origin, *(self._imported(origin))}
            self._near[key] = any(self._program.spells(text, cls) for text in texts)
        return self._near[key] or self._program.spells(where, cls)

    def _imported(self, module: str) -> Iterator[str]:
        for facts in self._program.facts(module):
            for each in facts.imports:
                base = self._program.absolute(module, each)
                yield base
                yield f"{base}.{each.name}"

    def are_related(self, one: tuple[str, str], two: tuple[str, str]) -> bool:
        """Whether one of two classes descends from the other."""
        if not (one[1] and two[1]):
            return True  # not a method as they are usually written: any may be meant
        key = one, two
        if key not in self._related:
            self._related[key] = two in self._classes.lineage(*one) or one in self._classes.lineage(*two)
        return self._related[key]
