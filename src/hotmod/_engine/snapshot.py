"""The program before a transaction, as far as running statements can change it, and how it is put back.

Touches: reads the namespaces in scope and what is reachable from them; on an undo writes them.

Guarantees: after an undo every namespace, container, class and closure cell that was seen holds what it
held; changes that other threads made meanwhile to other entries stay.

Assumes: the modules of the plan are the only ones of which anything runs.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from hotmod._engine.loaded import Ledger
from hotmod._engine.others import Others
from hotmod._live import modules, namespaces
from hotmod._live.definitions import Definitions
from hotmod._live.entries import Ties
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_module, space_in
from hotmod._live.lent import Lent
from hotmod._live.parts import resolved
from hotmod._live.registries import Registries
from hotmod._live.state import State
from hotmod._live.takeback import Mine, everything

__all__ = ["Snapshot"]


class Snapshot:
    """The state of the program when this was made.

    Args:
        journal: where it is noted how the state is put back; None for a snapshot of nothing.
        ledger: what is loaded.
        names: the modules to look at; None for all in scope.

    Attributes:
        before: the namespaces, by module.
        entries: what `sys.modules` held.
    """

    def __init__(self, journal: Journal | None, ledger: Ledger, names: Iterable[str] | None = None) -> None:
        self._ledger = ledger
        if names is None:
            found = [(name, module) for name, module in list(sys.modules.copy().items())]
            inside = {
                name: module for name, module in found if is_module(module) and ledger.owns(name, module)
            }
        else:
            inside = {name: module for name in names if is_module(module := sys.modules.get(name))}
        self.entries: dict[str, Any] = dict(inside)
        self.before = {name: dict(space_in(module)) for name, module in inside.items()}
        self._kinds = {name: type(module) for name, module in inside.items()}
        self._states: tuple[State, ...] = ()
        self._others: Others | None = None
        self._lent = Lent((), bool)
        self._definitions = Definitions({}, {})
        self._running: Collection[str] = ()
        self._bound: Mapping[str, Collection[str]] = {}
        if journal is not None:
            journal.record("namespaces and containers", self._restore, lasting=False)

    def deepen(
        self,
        journal: Journal,
        going: Collection[str],
        definitions: Definitions,
        ties: Ties,
        codes: Iterable[types.CodeType],
        bound: Mapping[str, Collection[str]],
    ) -> Registries:
        """Save the containers in scope as well, for statements that may change them.

        Args:
            journal: where it is noted how `sys.modules` is put back.
            going: the modules that run as a whole or are removed.
            definitions: what runs again.
            ties: what statements that run again, or are gone, had registered.
            codes: the code that is going to run.
            bound: by module of which only parts run, the names that they bind or clear.
        """
        inside = self.entries
        owned = self._ledger.scope.owns_name
        self.entries = modules.watch_entries(journal, lambda name: name in inside or owned(name))
        others = State([module for name, module in inside.items() if name not in going], owned)
        own = State([module for name, module in inside.items() if name in going], owned)
        self._states = own, others
        self._lent = Lent((each for state in self._states for each in state.functions), owned)
        self._definitions = definitions
        self._running, self._bound = frozenset(going), bound
        self._others = Others(definitions, codes)
        return Registries(journal, others, definitions, ties)

    def _restore(self) -> None:
        """Abort: put namespaces and the contents of containers back, without losing what others did."""
        mine = self._others is None or self._others.only_mine()
        whole = set(self.before) if mine else set(self._running)
        for undo in self.undos():
            undo()
        for name in whole:
            module = self.entries[name]
            if is_module(module):
                namespaces.restore(module, self.before[name], self._kinds[name])

    def undos(self) -> list[Callable[[], None]]:
        """What takes back, one by one, the changes since this was made."""
        mine = everything if self._others is None else self._others.attribution()
        found = [undo for state in self._states for undo in state.undos(mine)]
        found += self._lent.undos()
        for name, before in self.before.items():
            module = self.entries[name]
            if is_module(module):
                wanted = everything if name in self._running else self._mine_in(name, mine)
                undo = namespaces.undo_of(module, before, self._kinds[name], wanted)
                found += [undo] if undo is not None else []
        return found

    def settle(self) -> None:
        """All have run: give functions that classes share back the names that the last class gave them."""

        def is_later(one: tuple[str, str], two: tuple[str, str]) -> bool:
            # what runs again runs in the order of the texts; a class that is new comes last
            return not self._definitions.runs(*one) and self._had(*one) and self._had(*two)

        self._lent.settle(self._definitions.runs, is_later)

    def _had(self, module: str, name: str) -> bool:
        """Whether there was such a class, or the function that makes it."""
        chain = tuple(name.partition(".<locals>.")[0].split("."))
        return len(resolved(chain, self.before.get(module, {}))) == len(chain)

    def _mine_in(self, name: str, mine: Mine) -> Mine:
        """Which entries of a namespace are the transaction's doing: those that its statements bind, too."""
        bound = self._bound.get(name, ())
        return (lambda key, *values: key in bound or mine(key, *values)) if bound else mine

    def forget(self, kept: Collection[str]) -> None:
        """Let go of what only an abort needs, and of the namespaces of modules that did not run."""
        self._states, self._others, self._lent = (), None, Lent((), bool)
        self.before = {name: space for name, space in self.before.items() if name in kept}

    def spaces(self, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """The saved namespaces of some modules."""
        return {name: self.before[name] for name in names if name in self.before}
