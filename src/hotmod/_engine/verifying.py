"""Memory compared with disk: what differs in the modules of a scope, by name and why.

Touches: files, namespaces and the heap, read only; `cold=True` starts interpreters that import the modules.

Guarantees: nothing of the program is changed, and none of its code runs in this process.

Assumes: the caller holds the lock of the reloader, so that no transaction is under way.
"""

from __future__ import annotations

import gc
import sys
import time
import types
from collections.abc import Iterable, Iterator, Mapping

from hotmod._config import Config
from hotmod._engine.comparing import Comparison, Subject
from hotmod._engine.foreign import sets_attribute
from hotmod._engine.hooks import compile_text, runs_its_own_way
from hotmod._engine.loaded import Ledger, Loaded
from hotmod._engine.paranoid import Look, differing, root_of
from hotmod._live.functions import is_forwarding, same_code
from hotmod._live.heap import Heap
from hotmod._live.kinds import is_class, is_module, space_in
from hotmod._live.survey import holders
from hotmod._model.changes import SourceText
from hotmod._model.errors import SourceError
from hotmod._model.report import Report
from hotmod._model.verification import Difference, Verification, Why
from hotmod._source.keeping import declared

__all__ = ["verify"]

_BROKEN = (SourceError, SyntaxError, ValueError, RecursionError, MemoryError)


def verify(ledger: Ledger, config: Config, history: Iterable[Report], *, cold: bool) -> Verification:
    """Compare every function, class and plain constant of a scope with what the files would give.

    Args:
        ledger: what is loaded.
        config: the options, for the names that are kept.
        history: the reports so far, for what was kept.
        cold: whether to ask a fresh process as well.
    """
    started = time.perf_counter()
    work = _Verifying(ledger, config, history)
    work.compare()
    work.look_for_held()
    if cold:
        work.compare_with_fresh()
    return Verification(
        str(ledger.scope),
        tuple(sorted(work.found, key=lambda each: (each.module, each.line, each.name))),
        tuple(work.compared),
        tuple(work.skipped),
        cold,
        time.perf_counter() - started,
        tuple(work.unknown),
    )


class _Verifying:
    """One comparison; for one use."""

    def __init__(self, ledger: Ledger, config: Config, history: Iterable[Report]) -> None:
        self._ledger, self._config = ledger, config
        self._were_kept = {name for report in history for name in report.kept}
        self.found: list[Difference] = []
        self.compared: list[str] = []
        self.skipped: list[str] = []
        self.unknown: list[str] = []
        self._comparisons: dict[str, Comparison] = {}
        self._set: dict[str, bool] = {}

    def compare(self) -> None:
        """Compare each module with its file."""
        for loaded, text in self._ledger.on_disk():
            module = sys.modules.get(loaded.name)
            known = loaded.text
            if known is None or not is_module(module):
                continue
            if getattr(space_in(module).get("__spec__"), "_initializing", False):
                self.skipped.append(f"{loaded.name}: it is being imported at this moment")
                continue
            now = self._readable(loaded, known, text)
            for each in self._ledger.data.changes(loaded.name, loaded.data):
                said = f"{each}; what read it did not run again"
                self.found.append(Difference(loaded.name, "", "edited", said, each.path))
            subject = self._subject(loaded, known, now, module)
            if subject is None:
                continue
            try:
                comparison = Comparison(subject)
                found = comparison.differences()
            except _BROKEN as error:
                self.skipped.append(f"{loaded.name}: {type(error).__name__}: {error}")
                continue
            self.compared.append(loaded.name)
            self._comparisons[loaded.name] = comparison
            self.unknown += [f"{loaded.name}:{name}" for name in dict.fromkeys(comparison.unknown)]
            self.found += [*found, *self._kept(subject)]
        self.skipped += [
            f"{name}: it has no Python source"
            for name, loaded in self._ledger.modules.items()
            if loaded.text is None and loaded.path
        ]

    def _readable(
        self, loaded: Loaded, known: SourceText, text: SourceText | SourceError | None
    ) -> SourceText:
        """What to compare with; tells of a file that is not the one that the module runs."""
        if isinstance(text, SourceError):
            self._edited(loaded, f"{text.reason}; the text from before still runs", text.line)
            return known
        if text is None:
            self._edited(loaded, "the file is gone; the module still runs")
            return known
        if text.digest == known.digest and text.path == known.path:
            return known
        try:
            compile_text(_loader(loaded.name), text)
        except _BROKEN as error:
            line = getattr(error, "lineno", 0) or 0
            said = f"{type(error).__name__}: {getattr(error, 'msg', error)}; the text from before still runs"
            self._edited(loaded, said, line)
            return known
        if text.path != known.path:
            self._edited(loaded, f"the module is now {text.path}; it runs the text of {known.path}")
        elif self._ledger.refused(loaded.name):
            self._edited(loaded, "this version was rejected or rolled back; retry() attempts it again")
        else:
            self._edited(loaded, "the next reload applies this version")
        return text

    def _edited(self, loaded: Loaded, message: str, line: int = 0) -> None:
        self.found.append(Difference(loaded.name, "", "edited", message, loaded.path, line))

    def _subject(
        self, loaded: Loaded, known: SourceText, text: SourceText, module: types.ModuleType
    ) -> Subject | None:
        loader = _loader(loaded.name)
        if runs_its_own_way(loader) and loaded is not self._ledger.main:
            self.skipped.append(f"{loaded.name}: its loader executes it in a way of its own")
            return None
        try:
            code, known_code = compile_text(loader, text), compile_text(loader, known)
            kept = declared(text) | self._config.kept().get(loaded.name, frozenset())
        except _BROKEN as error:
            self.skipped.append(f"{loaded.name}: {error}")
            return None
        return Subject(
            loaded.name,
            dict(space_in(module)),
            text,
            code,
            known,
            known_code,
            witnessed=loaded.witnessed and loaded.certain,
            kept=frozenset(kept),
            set_elsewhere=self._is_set,
            modules=self._ledger.modules.keys(),
            usual=type(module) is types.ModuleType,
        )

    def _is_set(self, name: str) -> bool:
        """Whether a text of the scope sets an attribute of that name: then a fresh process has it so, too."""
        if name not in self._set:
            texts = [each.text.data for each in self._ledger.modules.values() if each.text is not None]
            self._set[name] = any(sets_attribute(data, name.encode()) for data in texts)
        return self._set[name]

    def _kept(self, subject: Subject) -> Iterator[Difference]:
        told = {(each.module, each.name) for each in self.found}
        for name in sorted(subject.kept):
            if f"{subject.name}:{name}" in self._were_kept and (subject.name, name) not in told:
                message = "what makes it did not run with the last edit that concerned it"
                yield Difference(subject.name, name, "kept", message, subject.text.path)

    def look_for_held(self) -> None:
        """Functions and classes of earlier versions that no name leads to and that somebody holds."""
        # Others may compile text of their own under a file's name. Only where there was another version, or
        # where the module itself shows it, a function that the file does not give is an earlier one.
        unseen = {each.module for each in self.found if each.why == "unseen-edit"}
        known = {name for name in self._comparisons if (each := self._ledger.loaded(name)) and each.again}
        places: dict[str, Comparison] = {}
        homes = {name: each for name, each in self._comparisons.items() if name in known | unseen}
        for comparison in homes.values():
            places[comparison.subject.text.path] = places[comparison.subject.known.path] = comparison
        functions: list[tuple[Comparison, types.FunctionType]] = []
        classes: list[tuple[Comparison, type]] = []
        for one in gc.get_objects() if homes else ():
            if type(one) is types.FunctionType:
                place = places.get(one.__code__.co_filename)
                if place is not None and _is_old(place, one):
                    functions.append((place, one))
            elif is_class(one):
                home = homes.get(str(type.__getattribute__(one, "__module__")))
                if home is not None and _is_twin(home, one):
                    classes.append((home, one))
        twins = [cls for _, cls in classes]
        with Heap() as heap:
            instances = [*heap.instances(set(map(id, twins))), *heap.untracked(twins)]
        held = holders([*(one for _, one in functions), *twins, *instances])
        self._tell_functions(functions, held)
        for comparison, cls in classes:
            mine = [one for one in instances if type(one) is cls and id(one) in held]
            ways = [*held.get(id(cls), ()), *(way for one in mine for way in held[id(one)])]
            if ways:
                count = f"; {len(mine)} live instance{'' if len(mine) == 1 else 's'}" if mine else ""
                said = f"another class of this name than the module's is in use{count}"
                self._held(comparison, type.__dict__["__qualname__"].__get__(cls), said, ways)

    def _tell_functions(
        self, functions: Iterable[tuple[Comparison, types.FunctionType]], held: Mapping[int, list[str]]
    ) -> None:
        groups: dict[tuple[str, str], list[types.FunctionType]] = {}
        for comparison, function in functions:
            if id(function) in held:
                key = comparison.subject.name, function.__code__.co_qualname
                groups.setdefault(key, []).append(function)
        for (module, name), group in groups.items():
            one = len(group) == 1
            said = f"{len(group)} function{' runs' if one else 's run'} code that the file does not give"
            ways = sorted({way for each in group for way in held[id(each)]})
            self._held(self._comparisons[module], name, said, ways)

    def _held(self, comparison: Comparison, name: str, message: str, ways: Iterable[str]) -> None:
        subject = comparison.subject
        if any(each.module == subject.name and each.name == name for each in self.found):
            return
        line = next((code.co_firstlineno for code in comparison.wanted.get(name, ())), 0)
        why: Why = "held" if subject.witnessed else "unseen-edit"
        self.found.append(
            Difference(subject.name, name, why, message, subject.text.path, line, tuple(ways)[:3])
        )

    # The fresh process

    def compare_with_fresh(self) -> None:
        """Tell what this process has thanks to its history: what a fresh one lacks, or has otherwise."""
        look = Look(self._ledger, on_disk=True)
        fresh, failed, problem = look.ask()
        if problem:
            self.skipped.append(f"a fresh process: {problem}")
            self.compared.clear()
            return
        for name, why in failed.items():
            path = self._ledger.modules[name].path
            said = f"a fresh process can't import it: {why}"
            self.found.append(Difference(name, "", "history", said, path))
        suspects = [path for path in differing(look.facts, fresh) if path.partition(":")[0] not in failed]
        again = look.ask()[0] if suspects else {}
        told = {f"{each.module}:{each.name.partition('.')[0]}" for each in self.found}
        by_name: dict[str, list[str]] = {}
        for path in suspects:
            # what two fresh processes do not agree about is not ours to judge
            if again.get(path) == fresh.get(path) and root_of(path) not in told:
                by_name.setdefault(root_of(path), []).append(path)
        self.found += [_fresh_difference(name, paths, look.facts, fresh) for name, paths in by_name.items()]


def _fresh_difference(
    name: str, paths: list[str], here: Mapping[str, str], there: Mapping[str, str]
) -> Difference:
    module, _, attribute = name.partition(":")
    more = f", and {len(paths) - 1} more" if len(paths) > 1 else ""
    why: Why = "history"
    if name not in there:
        return Difference(module, attribute, why, "a fresh process does not have it")
    if name not in here:
        return Difference(module, attribute, why, "only a fresh process has it")
    if not here[name].startswith(("function ", "class ")):
        why = "state"
    path = paths[0]
    said = f"{path} is {here.get(path, 'nothing')} here, {there.get(path, 'nothing')} in a fresh process"
    return Difference(module, attribute, why, said + more)


def _is_old(comparison: Comparison, function: types.FunctionType) -> bool:
    """Whether no text that runs or is to run gives the code of a function."""
    code = function.__code__
    if id(function) in comparison.reached or is_forwarding(code) or not code.co_flags & 1:
        return False
    known = (*comparison.wanted.get(code.co_qualname, ()), *comparison.known.get(code.co_qualname, ()))
    return not any(same_code(code, each) for each in known)


def _is_twin(comparison: Comparison, cls: type) -> bool:
    """Whether a class has the name of one that its module binds once, and is another."""
    standing = comparison.classes.get(type.__dict__["__qualname__"].__get__(cls))
    return standing is not None and standing is not cls


def _loader(name: str) -> object:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
