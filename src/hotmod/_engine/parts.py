"""The parts of a plan: modules of which some statements run, or none, and whose functions get new code.

Touches: these modules, through the journal.

Guarantees: only the statements of the plan are executed, in the module's own namespace, compiled through
the module's own loader, with the line numbers of the new text; every other function of the module gets the
code object that stands at its place in the new text.

Assumes: the names that the statements bind, and no others, may change.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from hotmod._engine.hooks import RAN
from hotmod._engine.opening import Prepared, only_defines
from hotmod._engine.undisturbed import undisturbed
from hotmod._live import codes, originals, patch
from hotmod._live.binder import Binder
from hotmod._live.classes import own_dict
from hotmod._live.derived import memories
from hotmod._live.functions import is_forwarding
from hotmod._live.heap import CACHE
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class
from hotmod._live.merge import Merger
from hotmod._live.modules import is_submodule, space_of
from hotmod._live.namespaces import IMPORT_NAMES
from hotmod._live.reach import Running
from hotmod._live.stale import codes_in
from hotmod._plan import Part

__all__ = ["Parts"]


class Parts:
    """The parts of one transaction.

    Args:
        journal: where the changes are noted.
        every: the parts.
        renewed: caches, as `module:name`, that are cleared because of what their functions call.

    Attributes:
        patched: functions that do something else, as `module:qualname`.
        forgotten: caches that were cleared.
        lost: functions whose text is gone, or that can't take their new code.
        running: what the modules run from now on.
    """

    def __init__(self, journal: Journal, every: Iterable[Prepared], renewed: Iterable[str] = ()) -> None:
        self._renewed = tuple(renewed)
        self._memories: list[_Memory] = []
        self._journal = journal
        self._every = {each.part.module: each for each in every}
        self._found = patch.Patch()
        self._later: patch.Patch | None = None
        self.patched: list[str] = []
        self.forgotten: list[str] = []
        self.lost: list[types.FunctionType] = []
        self.running: dict[str, Running] = {}
        self._binders: dict[str, Binder] = {}  # of modules of which the opening ran, and the rest did not yet

    def __contains__(self, module: str) -> bool:
        return module in self._every

    def prepare(self) -> None:
        """Find what gets new code, before anything is changed."""
        first, later = [], []
        for name, each in self._every.items():
            space, runs = vars(sys.modules[name]), {(run.first, run.last) for run in each.part.runs}
            spans = each.part.edits.spans
            stay = [span for span in spans if span[2:] not in runs]
            go = [span for span in spans if span[2:] in runs]
            running = RAN.get(name)
            if each.old is not each.new:
                first.append(patch.Edited(name, space, codes.pair(each.old, each.new, stay), running))
            if go and not all(run.rebinds for run in each.part.runs):  # an import has no code to give
                later.append(patch.Edited(name, space, codes.pair(each.old, each.new, go), running))
        found, late = patch.prepare_in_turn(first, later)
        self._memories = [each for name in self._renewed for each in _memories(name)]
        told = {each.told for each in self._memories if each.told} - set(found.forgotten)
        found = dataclasses.replace(found, caches=(*found.caches, *self._memories))
        self.forgotten += told
        self._later = late if later else None
        self.lost += [*found.lost, *(each.function for each in found.unfit)]
        self._found = found

    def patch(self) -> None:
        """Give new code to every function whose statement does not run; one step for other threads."""
        found, self._found = self._found, patch.Patch()
        # an opening has given these another code already: that of a successor, or what leads to it
        taken = {id(step.function) for step in found.steps if step.function.__code__ is not step.old}
        if taken:
            steps = tuple(step for step in found.steps if id(step.function) not in taken)
            changes = tuple(change for change in found.changes if id(change.target) not in taken)
            found = dataclasses.replace(found, steps=steps, changes=changes)
        patch.commit(self._journal, found, undisturbed)
        self.patched += found.patched
        self.forgotten += found.forgotten
        self.running = dict(found.running)

    def opening(self, order: Iterable[str]) -> list[str]:
        """The modules, of those in this order, whose opening can run before functions get their new code.

        What it imports must not be bound only by statements that run after that.
        """
        found, late = list[str](), set[str]()
        for name in order if not self._is_asked() else ():
            each = self._every[name]
            if each.opening is not None and not any(
                one in late or one not in sys.modules for one in each.imports
            ):
                found.append(name)
                late |= {name} if each.rest is not None else set()
            else:
                late.add(name)
        return found

    def open(
        self, name: str, before: dict[str, Any], merger: Merger, kept: Collection[str], *, young: bool
    ) -> None:
        """Run the opening of a module; `run`, with the same arguments, does the rest."""
        each, space = self._every[name], vars(sys.modules[name])
        binder = self._binders[name] = self._binder(each, before, merger, kept, young=young)
        if each.opening is not None:
            exec(each.opening, space, binder)  # noqa: S102 - executing the user's statements is the task

    def _binder(
        self, each: Prepared, before: dict[str, Any], merger: Merger, kept: Collection[str], *, young: bool
    ) -> Binder:
        """What takes the names that the statements of a part store."""
        name, space = each.part.module, vars(sys.modules[each.part.module])
        self._rebind_stars(each.part, space)
        self._save_annotations(name, space)
        lines = each.part.text.data.splitlines()
        ran = b"\n".join(line for run in each.part.runs for line in lines[run.first - 1 : run.last])
        originals.put_back(self._journal, name, space, ran, surely=True)
        for item in each.part.cleared:
            _clear(space, item)
        fresh = None if young else {bound for run in each.part.runs if run.fresh for bound in run.binds}
        return Binder(space, before, merger.merge, fresh, _leftovers(each.part), kept)

    def run(
        self, name: str, before: dict[str, Any], merger: Merger, kept: Collection[str], *, young: bool
    ) -> None:
        """Run the statements of one module.

        Args:
            name: the module.
            before: its namespace as it was.
            merger: merges what is bound anew with what was there.
            kept: the names that hold on to what they hold.
            young: whether nobody but the module can have seen what its statements make.
        """
        each = self._every[name]
        space = vars(sys.modules[name])
        if each.running is None:
            self._rebind_stars(each.part, space)
            return
        opened = self._binders.pop(name, None)
        binder = opened if opened is not None else self._binder(each, before, merger, kept, young=young)
        code = each.running if opened is None else each.rest
        if code is not None:
            exec(code, space, binder)  # noqa: S102 - executing the user's statements is the task
        bound = {item for run in each.part.runs for item in run.binds if item != "*"}
        gone = bound - binder.bound - IMPORT_NAMES - set(kept)
        for item in gone:
            space.pop(item, None)  # its statement ran, and did not bind it this time
        originals.keep(name, space, before, binder.bound)
        _bind_submodules(name, space, {*gone, *each.part.cleared})
        space.update({item: before[item] for item in kept})  # a function may have bound it

    def _save_annotations(self, name: str, space: dict[str, Any]) -> None:
        """Annotated statements that run write into the dictionary that is there."""
        annotations = space.get("__annotations__")
        if type(annotations) is dict:
            self._journal.record(
                f"annotations of {name}", functools.partial(_refill, annotations, dict(annotations))
            )

    def _rebind_stars(self, part: Part, space: dict[str, Any]) -> None:
        """Bind again the names that star imports had brought and that have changed; no others."""
        for name, bases in part.stars:
            found = [base for base in bases if _exports(base, name)]
            if found:
                space[name] = vars(sys.modules[found[-1]])[name]
            else:
                space.pop(name, None)

    def bound(self, module: str) -> frozenset[str]:
        """The names that statements of a module bound just now."""
        each = self._every.get(module)
        return (
            frozenset() if each is None else frozenset(name for run in each.part.runs for name in run.binds)
        )

    def remove(self, names: Collection[str]) -> None:
        """Clear those of some names that nothing binds any more."""
        for name, each in self._every.items():
            space = vars(sys.modules[name])
            removed = each.part.removed.intersection(names)
            for item in removed:
                _clear(space, item)
            _bind_submodules(name, space, removed)

    def only_define(self) -> bool:
        """Whether the statements that run can't come to any function, not even by an operator.

        Then it does not matter to them whether functions have their new code already.
        """
        running = [each.running for each in self._every.values() if each.running is not None]
        return not self._is_asked() and all(map(only_defines, running))

    def _is_asked(self) -> bool:
        """Whether a module may compute a name that is imported from it."""
        return any("__getattr__" in vars(sys.modules[name]) for name in self._every)

    @property
    def removed(self) -> frozenset[str]:
        """The names that nothing binds any more."""
        return frozenset(name for each in self._every.values() for name in each.part.removed)

    def unseen(self) -> frozenset[str]:
        """The names that nothing binds any more and whose absence nothing that runs can notice.

        They are cleared at the end, so that calls of the old code find them as long as possible.
        """
        removed = self.removed
        words: set[object] = set()
        for each in self._every.values() if removed else ():
            for code in codes_in(each.new):
                words.update(code.co_names)
                words.update(const for const in code.co_consts if type(const) is str)
            if each.part.stars or any(run.stars for run in each.part.runs):
                return frozenset()  # a star import takes what it finds
        return frozenset() if words & _LOOKS else removed - words

    def prune_annotations(self) -> None:
        """Forget the annotations of names that the new text does not annotate.

        CPython 3.14 computes annotations from the code of the module.
        """
        for name, each in self._every.items():
            space = vars(sys.modules[name])
            annotations = space.get("__annotations__")
            if sys.version_info >= (3, 14) or type(annotations) is not dict:
                continue
            gone = {key: annotations[key] for key in annotations if key not in each.part.annotated}
            if not gone:
                continue
            self._journal.record(f"annotations of {name}", functools.partial(annotations.update, gone))
            for key in gone:
                del annotations[key]
            if not annotations:
                del space["__annotations__"]

    def finish(self) -> None:
        """After all ran: what is left of the functions whose statements ran, and names that are gone."""
        for each in self._memories if any(one.running is not None for one in self._every.values()) else ():
            each.cache_clear()  # whatever ran may have filled it before all was in place
        if self._later is not None:
            kept = tuple(step for step in self._later.steps if step.function.__code__ is step.old)
            functions = {id(step.function) for step in kept}
            changes = tuple(change for change in self._later.changes if id(change.target) in functions)
            late = dataclasses.replace(self._later, steps=kept, changes=changes)
            patch.commit(self._journal, late, undisturbed)
            left = [*late.lost, *(each.function for each in late.unfit)]
            self.lost += [each for each in left if not _follows(each, self._every)]
            self._later = None

    def gone(self, before: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
        """(module, name) of every name that was there and is not."""
        for name in self._every:
            space = vars(sys.modules[name])
            for gone in sorted(before.get(name, {}).keys() - space.keys() - IMPORT_NAMES):
                yield name, gone

    @property
    def every(self) -> Mapping[str, Prepared]:
        """The parts by module."""
        return self._every


def _refill(found: dict[str, Any], before: dict[str, Any]) -> None:
    found.clear()
    found.update(before)


_LOOKS = frozenset(("globals", "locals", "vars", "dir", "eval", "exec", "__dict__"))  # at names not said


@dataclasses.dataclass(frozen=True, slots=True)
class _Memory:
    """What an object remembers of functions, under the name by which caches are cleared."""

    forget: Callable[[], object]
    told: str

    def cache_clear(self) -> None:
        """Forget it."""
        self.forget()


def _memories(place: str) -> Iterable[_Memory]:
    """What stands at a place, given as `module:name`, and can be made to forget."""
    module, _, name = place.partition(":")
    value: Any = space_of(sys.modules.get(module)).get(name.partition(".")[0])
    for attribute in name.split(".")[1:]:
        value = own_dict(value).get(attribute) if is_class(value) else None
    for part, forget in memories(value, name):
        filled = part.cache_info().currsize if type(part) is CACHE else 1
        yield _Memory(forget, f"{place} (cache)" if filled else "")


def _clear(space: dict[str, Any], name: str) -> None:
    """Make a name as absent as it is in a module that has just been made."""
    if name == "__doc__":
        space[name] = None
    else:
        space.pop(name, None)


def _bind_submodules(package: str, space: dict[str, Any], names: Iterable[str]) -> None:
    """What no statement binds any more may be bound by the import system: the package's loaded modules."""
    for name in names:
        if name not in space and f"{package}.{name}" in sys.modules:
            space[name] = sys.modules[f"{package}.{name}"]


def _exports(base: str, name: str) -> bool:
    """Whether a star import of a module brings a name."""
    space = space_of(sys.modules.get(base))
    listed: Any = space.get("__all__")
    if type(listed) in (list, tuple):
        return name in listed and name in space
    return name in space and not name.startswith("_")


def _leftovers(part: Part) -> frozenset[str]:
    """Submodules that a star import would bring only because somebody imported them since."""
    found = set[str]()
    for run in part.runs:
        for base, exports in run.stars:
            space = space_of(sys.modules.get(base))
            if "__all__" not in space:
                found.update(
                    name
                    for name, value in space.items()
                    if name not in exports and is_submodule(base, name, value)
                )
    return frozenset(found)


def _follows(function: types.FunctionType, every: Mapping[str, Prepared]) -> bool:
    """Whether a function runs the new text, or leads to one that does."""
    if is_forwarding(function.__code__):
        return True
    each = every.get(function.__module__)
    return each is not None and any(one is function.__code__ for one in codes_in(each.new))
