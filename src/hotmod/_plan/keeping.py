"""Which names keep the objects that they hold, whatever runs: declared by the module, or by the options.

Touches: nothing; a pure function of the texts before and after, the options and the names that are bound.

Guarantees: a name is kept only if it is bound now, and if the new text gives it no function, class or import.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard
from hotmod._plan.plan import Keep
from hotmod._source.diff import EditKind, diff
from hotmod._source.facts import Facts, facts_in
from hotmod._source.keeping import declared, defined_in, is_readable, makers_in, only_makes, rest_of
from hotmod._source.statements import names_bound

__all__ = ["ADVICE", "Keeping", "Texts"]

Texts = Callable[[str], SourceText | None]
_SAME = (EditKind.UNCHANGED, EditKind.MOVED, EditKind.BODY)
ADVICE = (
    "Set it by hand, or save the module once without the name in `__hotmod_keep__`: then it is made anew."
)


class Keeping:
    """The names that are kept, module by module.

    Args:
        after: gives the text that a module is to have.
        before: gives the text that it has.
        options: the names that the options list, by module.
        held: gives the names that are bound in a module now; None where the old text tells.
    """

    def __init__(
        self,
        after: Texts,
        before: Texts,
        options: Mapping[str, frozenset[str]],
        held: Callable[[str], Collection[str]] | None = None,
    ) -> None:
        self._after, self._before, self._options = after, before, options
        self._held = held or self._bound_before
        self._known: dict[str, frozenset[str]] = {}

    def names(self, module: str) -> frozenset[str]:
        """The names of a module that keep what they hold.

        Raises:
            SourceError: the new text declares something else than names.
        """
        if module not in self._known:
            text = self._after(module)
            names = self._declared(text, module)
            if text is None or not (names and is_readable(text)):
                names = frozenset()
            else:
                names -= defined_in(facts_in(text)[1])
                names &= set(self._held(module))
            self._known[module] = names
        return self._known[module]

    def _declared(self, text: SourceText | None, module: str) -> frozenset[str]:
        return (declared(text) if text is not None else frozenset()) | self._options.get(module, frozenset())

    def _bound_before(self, module: str) -> set[str]:
        text = self._before(module)
        every = facts_in(text)[1] if text is not None else ()
        return {name for facts in every for name in facts.binds}

    def released(self, module: str) -> frozenset[str]:
        """The names that were kept by the old text and are not any more."""
        before, after = self._before(module), self._after(module)
        if before is None or after is None or before.digest == after.digest:
            return frozenset()
        return self._declared(before, module) - self._declared(after, module)

    def spares(self, module: str, facts: Facts) -> bool:
        """Whether a statement need not run, as all that it makes is kept."""
        names = self.names(module)
        return bool(names) and only_makes(facts, names)

    def keep(self, module: str, told: Collection[str] | None = None) -> Keep | None:
        """What is kept of a module of which something runs; None if that is nothing.

        Args:
            module: the module.
            told: the names that would have been made anew; None for all.
        """
        names, text = self.names(module), self._after(module)
        if not names or text is None:
            return None
        statements, every = facts_in(text)
        pairs = list(zip(statements.statements, every, strict=True))
        spared = [statement for statement, facts in pairs if only_makes(facts, names)]
        mixed = any(
            (facts.eager.dynamic or not names.isdisjoint(facts.binds)) and not only_makes(facts, names)
            for facts in every
        )
        return Keep(
            module,
            names,
            tuple((each.first, each.last, rest_of(each)) for each in spared),
            mixed,
            makers_in(text, names),
            tuple(sorted(names if told is None else told)),
        )

    def misfits(self, module: str) -> Iterator[Hazard]:
        """The kept names of a module whose initialiser was edited."""
        before, after = self._before(module), self._after(module)
        if before is None or after is None or before.digest == after.digest or not self.names(module):
            return
        told: set[str] = set()
        for edit in diff(facts_in(before)[0], facts_in(after)[0]).edits:
            if edit.kind in _SAME:
                continue
            bound = {
                name for each in (edit.old, edit.new) if each is not None for name in names_bound(each.text)
            }
            for name in sorted(bound.intersection(self.names(module)) - told):
                told.add(name)
                now = "is gone" if edit.new is None else "was edited"
                yield Hazard(
                    "kept-state",
                    module,
                    name,
                    message=f"its initialiser {now}; it keeps what the earlier one made",
                    advice=ADVICE,
                    path=after.path,
                    line=edit.new.first if edit.new is not None else 0,
                )
