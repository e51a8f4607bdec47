"""One version: the modules of some packages, loaded from the texts of one moment.

Touches: files and `sys.modules` as any import does; of the packages, only modules of its own.

Guarantees: a module is executed from the text that the version was made of, whenever that happens and
whatever is on disk or in a `.pyc` by then. Code of a version that imports something of the packages gets the
version's own, wherever, whenever and in whichever thread it does so: its builtins have an `__import__` that
knows the version.

Assumes: the code leaves `__builtins__` of its modules alone. A module without source can't be loaded twice:
all versions share it.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hotmod._engine.data import Digests
from hotmod._engine.hooks import compile_text, runs_its_own_way
from hotmod._engine.versions.family import MARK, Family, search
from hotmod._model.changes import SourceText
from hotmod._source.files import read

__all__ = ["Version", "compile_text_of"]

PATIENCE = 60.0  # seconds that an import waits for another thread's
_COMPILING = threading.Lock()


class Version:
    """One version of some packages: `version["agents.graph"]` is its module of that name.

    Attributes:
        number: counted from 1.
    """

    def __init__(
        self, family: Family, number: int, texts: Mapping[str, SourceText], data: Mapping[str, Digests]
    ) -> None:
        self.number = number
        self.family = family
        self.texts = texts
        self.data = data  # what the files held that modules say they read, by module
        self.modules: dict[str, Any] = {}
        self.holds: dict[int, None] = {}  # pins in force, by identity
        self._late: dict[str, SourceText] = {}  # texts of modules that were written after it was made
        self._builtins = {**vars(builtins), "__import__": self._import, MARK: self}
        self._lock = threading.RLock()
        self._loading: set[str] = set()

    def __repr__(self) -> str:
        return f"<version {self.number} of {', '.join(self.family.names)}>"

    def __getitem__(self, name: str) -> Any:
        """The module of this name; it is loaded if that has not been done.

        Raises:
            KeyError: the packages have no such module.
        """
        if not self.has(name):
            raise KeyError(name)
        return self.load(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.has(name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.modules))

    def has(self, name: str) -> bool:
        """Whether there is a module of this name, loaded or not."""
        return (
            name in self.modules or name in self.texts or (self.family.owns(name) and bool(self.find(name)))
        )

    def load(self, name: str) -> Any:
        """The module of this name, executed if that has not been done.

        Raises:
            ModuleNotFoundError: there is none.
        """
        module = self.modules.get(name)
        if module is not None and name not in self._loading:
            return module
        if not self._lock.acquire(timeout=PATIENCE):
            msg = f"{name} of {self!r} is being imported by a thread that has not ended in {PATIENCE:g} s"
            raise ImportError(msg, name=name)
        try:
            parent = name.rpartition(".")[0]
            if name not in self.modules and parent:
                self.load(parent) if self.family.owns(parent) else importlib.import_module(parent)
            if name not in self.modules:
                spec = self.find(name)
                if spec is None:
                    msg = f"No module named {name!r}"
                    raise ModuleNotFoundError(msg, name=name)
                self._execute(name, spec)
            return self.modules[name]  # in an import cycle: as far as it has come
        finally:
            self._lock.release()

    def find(self, name: str) -> importlib.machinery.ModuleSpec | None:
        """How a module is loaded; None where there is none."""
        parent = name.rpartition(".")[0]
        above = self.modules.get(parent) or sys.modules.get(parent)
        path: Sequence[str] | None = getattr(above, "__path__", None) if parent else None
        spec = search(name, path) if path is not None or not parent else None
        text = self.texts.get(name)
        if text is None or (spec is not None and spec.origin == text.path):
            return spec
        # It was deleted since, or has moved.
        package = os.path.basename(text.path) == "__init__.py"
        places = [os.path.dirname(text.path)] if package else None
        return importlib.util.spec_from_file_location(name, text.path, submodule_search_locations=places)

    def _execute(self, name: str, spec: importlib.machinery.ModuleSpec) -> None:
        if isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
            self._share(name, spec)
            return
        module = importlib.util.module_from_spec(spec)
        vars(module)["__builtins__"] = self._builtins
        facade = self.family.show(name)
        self._loading.add(name)  # first: other threads take what is in `modules` and not in here
        self.modules[name] = module
        try:
            self._run(name, spec.loader, module)
            instead = sys.modules.get(name, facade)
            if instead is not facade:  # the module put something else in its own place
                self.modules[name] = instead
                sys.modules[name] = facade
            self._bind(name)
        except BaseException:
            del self.modules[name]
            raise
        finally:
            self._loading.discard(name)

    def _run(self, name: str, loader: Any, module: types.ModuleType) -> None:
        path = module.__spec__.origin if module.__spec__ is not None else None
        if (
            not isinstance(loader, importlib.machinery.SourceFileLoader)
            or runs_its_own_way(loader)
            or not path
        ):
            if loader is not None:
                loader.exec_module(module)
            return
        text = self.texts.get(name) or self._late.setdefault(name, read(path))
        exec(compile_text_of(loader, text), vars(module))  # noqa: S102 - executing the user's module is the task

    def _share(self, name: str, spec: importlib.machinery.ModuleSpec) -> None:
        module = self.family.shared.get(name)
        if module is None:
            module = importlib.util.module_from_spec(spec)
            assert spec.loader is not None, "extension modules have one"  # noqa: S101
            spec.loader.exec_module(module)
            self.family.shared[name] = module
        self.family.show(name)
        self.modules[name] = module
        self._bind(name)

    def _bind(self, name: str) -> None:
        parent, _, child = name.rpartition(".")
        if parent in self.modules:
            setattr(self.modules[parent], child, self.modules[name])
        elif parent:
            setattr(sys.modules[parent], child, self.family.show(name))

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - so it is called
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What `__import__` is for the code of this version."""
        space = globals or {}
        full = name
        if level:
            package = space.get("__package__") or getattr(space.get("__spec__"), "parent", None)
            full = importlib.util.resolve_name("." * level + name, package)
        if not self.family.owns(full):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.load(full)
        if fromlist:
            self._load_named(full, module, fromlist)
            return module
        if level:
            return self.load(full.removesuffix(name.partition(".")[2]).rstrip("."))
        top = name.partition(".")[0]
        return self.load(top) if self.family.owns(top) else importlib.import_module(top)

    def _load_named(self, full: str, module: Any, names: Sequence[str]) -> None:
        """Load those submodules that `from ... import` names."""
        if not hasattr(module, "__path__"):
            return
        if "*" in names:
            names = [*names, *getattr(module, "__all__", ())]
        for name in names:
            if name == "*" or hasattr(module, name):
                continue
            try:
                self.load(f"{full}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{full}.{name}":
                    raise


def compile_text_of(loader: object, text: SourceText) -> types.CodeType:
    """Compile a text through a loader; versions do so in several threads.

    Raises:
        SyntaxError, ValueError: it can't be compiled.
    """
    with _COMPILING:
        return compile_text(loader, text)
