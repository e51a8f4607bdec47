"""Identity across a transaction: what exists before and after is the same object.

Touches: `builtins.__build_class__` while modules run, and what `_live.merge` touches.

Guarantees: classes of the modules that run are merged when they are built, so that decorators, subclasses
and instances made later in the run see the class that lives on; everything else is merged when its module
has run. Classes that others build meanwhile, in other threads or modules, are not touched.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import functools
import gc
import inspect
import sys
import threading
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._engine.migration import Migration, Shape
from hotmod._live import adapters, aliases, bodies, classes, originals, stale
from hotmod._live.behind import class_behind
from hotmod._live.classes import own_dict
from hotmod._live.heap import Heap
from hotmod._live.homes import learn
from hotmod._live.journal import Journal
from hotmod._live.kinds import is_class, is_function
from hotmod._live.merge import UNNAMED, Merger
from hotmod._live.modules import space_of
from hotmod._live.namespaces import IMPORT_NAMES
from hotmod._live.reach import Running
from hotmod._live.remembered import forget_checks
from hotmod._live.survey import definitions_in, holders
from hotmod._live.wrappers import HANDLERS
from hotmod._model.changes import SourceText
from hotmod._source.diff import Edits

__all__ = ["Identity", "Leftovers", "learn_homes"]

_MISSING = object()


@dataclasses.dataclass(slots=True)
class Leftovers:
    """What could not become one; looked at once, after the commit, and forgotten.

    Attributes:
        lost: functions that still have old code.
        kept: instances of classes that are no longer in force, with their class.
        members: members of enumerations that are gone.
        lacking: instances that do not fit the new constructor; see `Migration`.
        is_current: whether a function or class is in force, under whatever name.
        nested: classes in classes that were replaced or are gone: module, qualified name and class.
    """

    lost: list[types.FunctionType] = dataclasses.field(default_factory=list)
    kept: list[tuple[Any, type]] = dataclasses.field(default_factory=list)
    members: list[Any] = dataclasses.field(default_factory=list)
    lacking: list[tuple[Any, Shape, tuple[str, ...], tuple[str, ...]]] = dataclasses.field(
        default_factory=list
    )
    is_current: Callable[[object], bool] = bool
    nested: list[tuple[str, str, type]] = dataclasses.field(default_factory=list)


def learn_homes(module: str, text: SourceText | None) -> None:
    """Find out which classes of a module go by another one's name, as packages do with what they export."""
    if text is not None:
        code = functools.partial(compile, text.data, text.path, "exec", dont_inherit=True)
        learn(module, space_of(sys.modules.get(module)), text.data, code)


class Identity:
    """The merging of one transaction.

    Args:
        journal: where the changes are noted.
        before: the namespaces of the modules that run again, as they were.
        texts: their old and their new text.
        ran: what is known of the code that modules run.
        edits: how the texts of modules that do not run as a whole differ.
        names: by module of which only some statements run, the names that these bind or that are gone.
    """

    def __init__(
        self,
        journal: Journal,
        before: Mapping[str, Mapping[str, Any]],
        texts: Mapping[str, tuple[SourceText | None, SourceText]],
        ran: Mapping[str, Running],
        edits: Mapping[str, Edits] = types.MappingProxyType({}),
        names: Mapping[str, Collection[str]] = types.MappingProxyType({}),
    ) -> None:
        self._ran = ran
        self._texts = texts
        self._names = names
        spaces = {name: before.get(name) or space_of(sys.modules.get(name)) for name in texts}
        self.migration = Migration(texts, spaces, edits)
        self.merger = Merger(journal, before, HANDLERS)
        self.merger.whole |= before.keys() - names.keys()
        for name, (old, _) in texts.items():
            learn_homes(name, old)
        for module, going in names.items():
            self.merger.leave(module, before.get(module, {}), going)
        self.left = Leftovers()
        self._current: set[int] = set()
        self._journal = journal
        self._before = before
        self._codes: dict[str, types.CodeType] = {}
        self._made: list[weakref.ref[type]] = []
        self._ambiguous: set[tuple[str, str]] = set()
        self._places: dict[str, list[originals.Place]] = {}
        self._is_merged = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Merge the classes that are built by the current thread in this context."""
        for module in self.merger.whole:
            text = self._texts[module][0] if module in self._texts else None
            if text is not None:
                space = self._before[module]
                self._places[module] = originals.put_back(self._journal, module, space, text.data)
        modules: set[str] = set()  # of which libraries ask for more than a difference in methods
        for module, name, value in definitions_in(self._before):
            if is_class(value) and name in self._names.get(module, (name,)):
                adapters.withdraw(self._journal, value)
                keeps = adapters.keeps(value) and (module, name) not in self.merger.held
                modules |= {module} if keeps else set()
        self.merger.keeping = all(self._differs_in_functions(module) for module in modules)
        build, thread = builtins.__build_class__, threading.get_ident()

        def build_and_merge(body: Callable[..., Any], name: str, /, *bases: Any, **options: Any) -> Any:
            built = build(body, name, *bases, **options)
            if threading.get_ident() != thread or not is_class(built):
                return built
            if body.__globals__.get("__name__") in self._before:
                self._made.append(weakref.ref(built))
            return self._built(built, body)

        # Metaclasses look for the names around a class in the frame that builds it: those of a module, they
        # think, where the frame is called so. Ours has no names that mean anything to a class.
        build_and_merge.__code__ = build_and_merge.__code__.replace(co_name="<module>")
        functools.update_wrapper(build_and_merge, build)
        builtins.__build_class__ = build_and_merge
        try:
            yield
        finally:
            builtins.__build_class__ = build

    def _differs_in_functions(self, module: str) -> bool:
        """Whether the old and the new text of a module differ in the inside of functions at most."""
        old, new = self._texts[module]
        if old is None or old.digest == new.digest:
            return old is not None
        codes = [compile(text.data, text.path, "exec", dont_inherit=True) for text in (old, new)]
        return bodies.same_statements(*codes)

    def runs(self, module: str, code: types.CodeType) -> None:
        """A module is about to run this code."""
        self._codes[module] = code
        seen: set[str] = set()
        for one in stale.codes_in(code):
            if not one.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
                if one.co_qualname in seen:
                    self._ambiguous.add((module, one.co_qualname))
                seen.add(one.co_qualname)

    def _built(self, built: type, body: Callable[..., Any]) -> type:
        module = body.__globals__.get("__name__")
        name = type.__dict__["__qualname__"].__get__(built)
        if module not in self._before or type.__getattribute__(built, "__module__") != module:
            return built
        if "<locals>" in name or (module, name) in self._ambiguous:
            return built  # which of several classes of one name is which shows only at the end
        old = self._old(module, name)
        if not is_class(old) or self.merger.is_taken(old):
            return built
        # a decorator may build the final class from this one (slots): then only the two final ones match
        merged = self.merger.try_class(old, built)
        return merged if is_class(merged) else built

    def retire(self) -> None:
        """After an undo: let bases forget the classes that the run made, unless somebody uses them."""
        self.merger.close()
        made = [cls for ref in self._made if (cls := ref()) is not None and classes.is_heir(cls)]
        self._made.clear()
        held = holders(made, depth=2)
        used = {id(type(one)) for one in gc.get_objects()} if made else set()
        for cls in made:
            if id(cls) not in held and id(cls) not in used:
                classes.detach(cls)

    def _old(self, module: str, name: str) -> object:
        """What a class that is built was before, also where a decorator put something in its place."""
        first, *rest = name.split(".")
        value = self._before[module].get(first, _MISSING)
        for part in rest:
            value = own_dict(value).get(part, _MISSING) if is_class(value) else _MISSING
        return value if is_class(value) else class_behind(value, module, name)

    def ran(self, module: str, space: dict[str, Any]) -> None:
        """A module has run: merge the classes that no `class` statement made.

        Functions wait for the end of the run: until then all that runs refers to the new ones alike, in
        names, tables and registries, just as in a fresh process.
        """
        self.merger.whole.discard(module)
        if module in self._places:
            originals.settle(self._places.pop(module), self._texts[module][1].data)
        self.merger.finish()
        self._merge(module, space, classes_only=True)

    def _merge(self, module: str, space: dict[str, Any], *, classes_only: bool) -> None:
        """Merge what the names of a module hold with what they held."""
        before = self._before.get(module, {})
        for name, new in list(space.items()):
            old = before.get(name, _MISSING)
            if name == UNNAMED or (classes_only and not is_class(new)):
                continue
            if old is not _MISSING and old is not new and name not in (*IMPORT_NAMES, UNNAMED):
                mine = self.merger.merge(old, new)
                if mine is not new:
                    space[name] = mine

    def merge_names(self) -> None:
        """All has run: whoever holds a function of before calls new code from now on. Twice is once."""
        for module in () if self._is_merged else self._codes:
            if module in self._before and module in sys.modules:
                self._merge(module, vars(sys.modules[module]), classes_only=False)
        self.merger.finish_names()
        self._is_merged = True

    def settle(
        self,
        modules: Iterable[types.ModuleType],
        owned: Callable[[str], bool],
        spaces: Mapping[str, dict[str, Any]],
    ) -> None:
        """Let every reference lead to the object that lives on, and every old function run new code.

        Args:
            modules: the modules in scope.
            owned: whether a module of that name is in scope.
            spaces: the namespaces of the modules that ran, by file.
        """
        self.merge_names()
        self.merger.rebase()
        replaced = [old for old, _ in self.merger.replaced]
        with Heap() as heap:
            self.merger.give_twins(heap)
            aliases.exchange(modules, owned, self.merger.kept)
            wanted = [*replaced, *self.merger.dropped, *self._gone(replaced)]
            moved, kept = stale.move(self._journal, heap, self.merger.moved(), wanted)
            refreshed = stale.refresh(
                self._journal, heap, self._codes.values(), spaces, self.merger.functions(), self._superseded()
            )
        self.merger.patched += refreshed.patched
        self.merger.forgotten += refreshed.cleared
        self._current = refreshed.current | {id(old) for old in self.merger.kept.values()}
        self.migration.run(self._journal, moved, kept)
        self.left = Leftovers(
            refreshed.lost,
            kept,
            list(self.merger.removed),
            self.migration.lacking,
            self.is_current,
            [
                (cls.__module__, cls.__qualname__, cls)
                for cls in (*replaced, *self.merger.dropped)
                if "." in cls.__qualname__ and "<locals>" not in cls.__qualname__
            ],
        )
        self._finish_classes()

    def settle_parts(self, known: Iterable[types.CodeType]) -> bool:
        """Finish the merging where only parts of modules ran, which did nothing but bind names.

        Args:
            known: the code that the modules run from now on.

        Returns:
            Whether all lives on, so that nobody has to be looked for who holds something old.
        """
        self.merger.finish()
        self.merger.rebase()
        if self.merger.hazards or self.merger.dropped or self._gone(()):
            return False
        self._current = {id(code) for code in known} | {id(old) for old in self.merger.kept.values()}
        self.migration.run(self._journal, (), ())
        self.left = Leftovers(
            members=list(self.merger.removed), lacking=self.migration.lacking, is_current=self.is_current
        )
        self._finish_classes()
        return True

    def _finish_classes(self) -> None:
        if self.merger.reshaped:
            forget_checks()
            self._journal.record("what abstract classes remember", forget_checks)
        self.merger.finish_classes()
        self.merger.close()

    def _superseded(self) -> list[types.CodeType] | None:
        """All code that the modules ran before; None if that of some module is not known."""
        if not self._before.keys() <= self._ran.keys():
            return None
        trees = [tree for name in self._before for tree in self._ran[name].trees]
        return [code for tree in trees for code in stale.codes_in(tree)]

    @property
    def codes(self) -> Mapping[str, types.CodeType]:
        """The code that each module runs from now on."""
        return self._codes

    def _gone(self, replaced: Iterable[type]) -> list[type]:
        """The classes that no longer stand where they did, and have no successor."""
        known = set(map(id, replaced))
        return [
            value
            for module, name, value in definitions_in(self._before)
            if is_class(value)
            and id(value) not in known
            and space_of(sys.modules.get(module)).get(name) is not value
        ]

    def is_current(self, value: object) -> bool:
        """Whether a function or class of the modules that ran is the one that is in force."""
        if is_function(value):
            return id(value.__code__) in self._current
        return id(value) in self._current or id(value) in self.merger.staying
