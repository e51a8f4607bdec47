"""From imports as written to the modules that they name.

Touches: text, and the names of the modules in scope.

Guarantees: a link leads to a module in scope; where the exact target is not one, to the nearest package
in scope that could provide it. Between a package's attribute and its submodule of the same name, both are
linked unless the package plainly doesn't bind the name.

Assumes: the names in scope are all that can be found under them.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, NamedTuple

from hotmod._source.imports import ImportKind, Scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from hotmod._model.changes import SourceText
    from hotmod._source.imports import ImportStatement

__all__ = ["Facade", "Link", "ModuleSource", "Resolver", "ancestors", "mentioned", "spelled"]

_NO_SCAN = Scan()
_DEFINES = (b"", b"def", b"class", b"async def")


@dataclasses.dataclass(frozen=True, slots=True)
class ModuleSource:
    """The text of one module.

    Attributes:
        text: the bytes of its file.
        is_package: whether that file is the `__init__` of a package.
    """

    text: SourceText
    is_package: bool = False

    @classmethod
    def at(cls, path: str, text: SourceText) -> ModuleSource:
        """The text of a file whose name says whether it is a package."""
        return cls(text, os.path.basename(path).startswith("__init__."))


class Link(NamedTuple):
    """One import, resolved: an edge of the graph before anyone asks for it."""

    imported: str
    line: int
    kind: ImportKind
    names: tuple[str, ...]
    star: bool
    where: str
    deferred: bool


class Facade(NamedTuple):
    """What the resolution of other modules has asked of one module."""

    is_package: bool
    exports: tuple[str, ...] | None
    lazy: tuple[object, ...]
    binds: tuple[tuple[str, bool], ...]


def ancestors(name: str) -> Iterator[str]:
    """The packages around a module, innermost first."""
    end = name.rfind(".")
    while end > 0:
        name = name[:end]
        yield name
        end = name.rfind(".")


class Resolver:
    """Resolves imports against one set of modules.

    Args:
        sources: the modules in scope; None for those without a source (extensions, namespace packages).
        scans: what their texts import.
    """

    def __init__(self, sources: Mapping[str, ModuleSource | None], scans: Mapping[str, Scan]) -> None:
        self._sources = sources
        self._scans = scans
        self._known = set(sources)
        for name in sources:
            self._known.update(ancestors(name))
        self._binds: dict[str, dict[str, bool]] = {}
        self._starred: dict[str, None] = {}  # modules that others were asked for

    def links(self, module: str) -> tuple[Link, ...]:
        """The modules in scope that a module imports, by line."""
        source = self._sources[module]
        if source is None:
            return ()
        package = module if source.is_package else module.rpartition(".")[0]
        scan = self._scans.get(module, _NO_SCAN)
        found: list[Link] = []
        for statement in scan.statements:
            base = _base(statement, module, package)
            if base is None:
                continue
            if statement.is_from:
                self._from(statement, base, module, found)
            else:
                self._plain(statement, base, module, found)
        if scan.lazy:
            self._table(scan, package, module, found)
        return tuple(found)

    def facade(self, module: str) -> Facade:
        """What was asked of `module` so far: while it stays equal, nobody else's links change."""
        source, scan = self._sources[module], self._scans.get(module, _NO_SCAN)
        asked = self._binds.get(module, {})
        lazy = (scan.getattr_module, scan.lazy, _getattr_imports(scan))
        return Facade(source is not None and source.is_package, scan.exports, lazy, tuple(asked.items()))

    def refreshed(
        self,
        sources: Mapping[str, ModuleSource | None],
        scans: Mapping[str, Scan],
        changed: Collection[str],
    ) -> Resolver:
        """A resolver for newer texts of some modules, which has been asked the same questions."""
        newer = Resolver.__new__(Resolver)
        newer._sources, newer._scans, newer._known = sources, scans, self._known  # noqa: SLF001 - its own kind
        again = [name for name in {**dict.fromkeys(changed), **self._starred} if name in self._binds]
        newer._starred = {}  # noqa: SLF001
        newer._binds = self._binds.copy()  # noqa: SLF001
        for module in again:
            del newer._binds[module]  # noqa: SLF001
        for module in again:
            for name in self._binds[module]:
                newer.binds(module, name)
        return newer

    def binds(self, module: str, name: str) -> bool:
        """Whether the body of `module` may bind `name` to something else than its submodule."""
        asked = self._binds.setdefault(module, {})
        if name not in asked:
            asked[name] = False  # the answer for a module that is reached again through star imports
            asked[name] = self._binds_now(module, name)
        return asked[name]

    def _binds_now(self, module: str, name: str) -> bool:
        source = self._sources.get(module)
        if source is None:
            return False
        package = module if source.is_package else module.rpartition(".")[0]
        for statement in self._scans.get(module, _NO_SCAN).statements:
            if statement.where:
                continue
            if statement.star:
                base = _base(statement, module, package)
                self._starred[module] = None
                if base is not None and base != module and self.binds(base, name):
                    return True
            elif name in statement.bound and not self._is_submodule(statement, module, package, name):
                return True
        return _assigns(source.text.data, name.encode())

    def _is_submodule(self, statement: ImportStatement, module: str, package: str, name: str) -> bool:
        """Whether a statement binds `name` to the submodule `module.name`: `from . import name`."""
        base = _base(statement, module, package)
        if base is None:
            return False
        if statement.is_from:
            return base == module and not {(name, None), (name, name)}.isdisjoint(statement.names)
        return base == f"{module}.{name}"

    def _nearest(self, name: str) -> str:
        """The module itself or the innermost package around it that is in scope; empty if none is."""
        if name in self._sources:
            return name
        if name in self._known:  # a package that nobody listed: it has no text of its own
            return ""
        return next((each for each in ancestors(name) if each in self._sources), "")

    def _plain(self, statement: ImportStatement, base: str, module: str, found: list[Link]) -> None:
        """`import a.b.c`: without alias `a` is bound, and `a`, `a.b` and `a.b.c` are reached by it."""
        names = statement.bound
        aliased = statement.names != ((statement.module, None),)
        targets = [self._nearest(base)] if aliased else [*[*ancestors(base)][::-1], base]
        found += [
            _link(statement, target, names)
            for target in targets
            if target in self._sources and target != module
        ]

    def _from(self, statement: ImportStatement, base: str, module: str, found: list[Link]) -> None:
        if base not in self._known:
            base = self._nearest(base)
            if not base:
                return
        if statement.star:
            self._star(statement, base, module, found)
            return
        sources = self._sources
        of_base: list[str] = []
        target = statement.target  # of a dynamic import, which binds nothing else
        for name, alias in statement.names:
            full = f"{base}.{name}"
            bound = target or alias or name
            if full in sources:
                if full != module:
                    found.append(_link(statement, full, (bound,)))
                if base in sources and base != module and self.binds(base, name):
                    of_base.append(bound)
            elif full not in self._known:
                of_base.append(bound)
                self._on_demand(statement, base, (name, bound), module, found)
        if of_base and base != module and base in sources:
            found.append(_link(statement, base, tuple(dict.fromkeys(of_base))))

    def _star(self, statement: ImportStatement, base: str, module: str, found: list[Link]) -> None:
        """A star takes what `__all__` lists, submodules included."""
        if base in self._sources and base != module:
            found.append(_link(statement, base, ()))
        for name in self._scans.get(base, _NO_SCAN).exports or ():
            full = f"{base}.{name}"
            if full in self._sources and full != module:
                found.append(_link(statement, full, (name,)))
            self._on_demand(statement, base, (name, name), module, found)

    def _on_demand(
        self, statement: ImportStatement, base: str, name: tuple[str, str], module: str, found: list[Link]
    ) -> None:
        """What `from base import name` makes a module-level `__getattr__` of `base` import."""
        scan = self._scans.get(base, _NO_SCAN)
        if not scan.getattr_module:
            return
        source = self._sources.get(base)
        package = base if source is not None and source.is_package else base.rpartition(".")[0]
        targets = [self._row(row.module, package) for row in scan.lazy if row.name == name[0]]
        for inner in _getattr_imports(scan):
            if name[0] in inner.bound:
                root = _base(inner, base, package)
                targets.append("" if root is None else self._nearest(root))
        for target in dict.fromkeys(targets):
            if target and target not in {module, base}:
                link = _link(statement, target, (name[1],))
                found.append(link._replace(kind=ImportKind.DYNAMIC, star=False))

    def _table(self, scan: Scan, package: str, module: str, found: list[Link]) -> None:
        for row in scan.lazy:
            target = self._row(row.module, package)
            if target and target != module:
                names = (row.name,) if row.name else ()
                found.append(
                    Link(target, row.line, ImportKind.DYNAMIC, names, False, "__getattr__", True)  # noqa: FBT003
                )

    def _row(self, path: str, package: str) -> str:
        """The module that a row of a lazy table names: relative first, then absolute; else empty."""
        path = path.partition(":")[0]
        bare = path.lstrip(".")
        level = len(path) - len(bare)
        if level:
            base = _up(package, level)
            candidates = [f"{base}.{bare}"] if base else []
        else:
            candidates = [f"{package}.{bare}", bare]
        for candidate in candidates:
            for each in (candidate, *ancestors(candidate)):
                if each in self._sources and each != package and not package.startswith(each + "."):
                    return each
        return ""


def _assigns(data: bytes, word: bytes) -> bool:
    """Whether a text may bind a name by a definition or an assignment, judged by its lines."""
    at = data.find(word)
    while at >= 0:
        end = at + len(word)
        start = max(data.rfind(b"\n", 0, at), data.rfind(b"\r", 0, at)) + 1
        before, after = data[start:at], data[end : end + 80].lstrip(b" \t")
        bare = before.strip(b" \t")
        if bare in _DEFINES and (not bare or not before[:1].isspace()) and not _is_word(data[end : end + 1]):
            if bare or (after[:1] in (b"=", b":", b",") and after[:2] != b"=="):
                return True
        elif before.endswith(b" as ") and after[:1] == b":":
            return True
        at = data.find(word, end)
    return False


def _is_word(character: bytes) -> bool:
    return character.isalnum() or character == b"_" or character >= b"\x80"


def _link(statement: ImportStatement, imported: str, names: tuple[str, ...]) -> Link:
    return Link(
        imported,
        statement.line,
        statement.kind,
        names,
        statement.star,
        statement.where,
        statement.deferred,
    )


def _getattr_imports(scan: Scan) -> tuple[ImportStatement, ...]:
    if not scan.getattr_module:
        return ()
    return tuple(statement for statement in scan.statements if statement.where == "__getattr__")


def _up(package: str, level: int) -> str:
    """The package that `level` dots mean in `package`; empty beyond the top."""
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return package


def _base(statement: ImportStatement, module: str, package: str) -> str | None:
    """The absolute name that a statement imports (from); None for a relative one beyond the top."""
    if not statement.level:
        return statement.module
    start = package
    if statement.anchor:
        start = module if statement.anchor == "__name__" else statement.anchor
    base = _up(start, statement.level)
    if not base:
        return None
    return f"{base}.{statement.module}" if statement.module else base


def spelled(module: str, source: ModuleSource, scan: Scan) -> set[str]:
    """The absolute names of all modules that a text may import when it runs, whether there are such or not.

    Args:
        module: the name of the module.
        source: its text.
        scan: what that imports.
    """
    package = module if source.is_package else module.rpartition(".")[0]
    found = set[str]()
    for statement in scan.statements:
        base = None if statement.deferred else _base(statement, module, package)
        if base is not None:
            found.update((base, *ancestors(base)))
            found.update(f"{base}.{name}" for name, _ in statement.names if statement.is_from)
    return found


def mentioned(source: ModuleSource, path: str) -> bool:
    """Whether a text names the function at `path` anywhere but in its definition.

    A method with a special name is called without being named: then its class has to be.
    """
    parts = path.split(".")
    special = len(parts) > 1 and parts[-1].startswith("__")
    name = parts[-2] if special else parts[-1]
    return source.text.data.count(name.encode()) > 1
