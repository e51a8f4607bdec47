"""Notes what modules are imported from while a watch has begun, and the engine is not loaded yet.

Touches: `sys.meta_path` (one finder, first in line); reads the files of modules in scope at their import.

Guarantees: nothing about an import changes but the order of finders. Of a module that is noted the text is
the one on disk when its import began, as with the import hook, which follows. Nothing is noted for a view
that nobody keeps.

Assumes: the other finders follow PEP 451.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Sequence

from hotmod._engine.sightings import SOURCE, View, bytes_of
from hotmod._engine.weak import WeakList

__all__ = ["WITNESS", "found_by_others"]


class Witness:
    """The finder."""

    def __init__(self) -> None:
        self._views: WeakList[View] = WeakList()

    def attend(self, view: View) -> None:
        """Note imports for a view until it is dismissed."""
        self._views.add(view)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def dismiss(self, view: View) -> None:
        """Note nothing more for a view.

        The finder stays in its place: an import of another thread may be going through the list, and passes
        over a finder when one before it is removed.
        """
        self._views.discard(view)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of a scope through the other finders; None for all other modules."""
        asking = [each for each in self._views if each.scope.asks_for_paths or each.scope.owns_name(name)]
        # one that is loaded is looked for by somebody who does not import it
        if not asking or name in sys.modules:
            return None
        spec = found_by_others(self, name, path, target)
        origin = spec.origin if spec is not None and spec.has_location else None
        if origin and origin.endswith(SOURCE):
            for view in asking:
                data = bytes_of(origin) if view.scope.owns(name, origin) else None
                if data is not None:
                    view.noted[name] = origin, data
        return spec


def found_by_others(
    own: object, name: str, path: Sequence[str] | None, target: types.ModuleType | None
) -> importlib.machinery.ModuleSpec | None:
    """What the finders behind one of hotmod's find, another one of hotmod's among them."""
    finders = sys.meta_path.copy()
    places = [place for place, finder in enumerate(finders) if finder is own]
    for finder in finders[places[-1] + 1 :] if places else finders:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path, target) if find is not None else None
        if spec is not None:
            return spec  # type: ignore[no-any-return]
    return None


WITNESS = Witness()
