"""One module compared with its file: each function, class and plain constant, without executing anything.

Touches: namespaces, classes and functions, read only.

Guarantees: no code of the subject runs: no `==`, `repr`, property or `__getattr__` of its classes. What is
told to be set from outside is bound once by the text, undecorated, and no text of the scope sets such an
attribute.

Assumes: the loader compiles texts as it did when the module was imported.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import os
import types
from abc import ABCMeta
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hotmod._live.classes import bases_of, own_dict
from hotmod._live.functions import is_forwarding, same_code
from hotmod._live.kinds import is_class
from hotmod._live.modules import children, is_submodule
from hotmod._live.namespaces import foreign_names
from hotmod._live.stale import codes_in
from hotmod._live.state import instance_dict
from hotmod._model.changes import SourceText
from hotmod._model.verification import Difference, Why
from hotmod._source.definitions import bindings
from hotmod._source.outline import Definition, outline

__all__ = ["Comparison", "Subject", "codes_by_name"]

_MISSING = object()
_DEPTH = 6
_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_FLAT = (str, bytes, int, float, complex, type(None))
_WRAPPED_BY_TYPE = ("__new__", "__init_subclass__", "__class_getitem__")
_LEAVE_MEMBERS = (type, ABCMeta, enum.EnumMeta)  # metaclasses that leave methods as they are
_FOLLOWED = (functools.partial, functools.partialmethod, functools.cached_property)

Codes = Mapping[str, list[types.CodeType]]


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """A module, and what there is to compare it with.

    Attributes:
        name: the module.
        space: its namespace.
        text: what its file holds.
        code: the same, compiled.
        known: the text that the module is known to run; equal to `text` when the file was not edited.
        known_code: the same, compiled.
        witnessed: whether hotmod saw the module run that text.
        kept: the names that were kept by name.
        set_elsewhere: whether a text of the scope sets an attribute of that name on something.
        modules: the names of all modules of the scope.
        usual: whether the module is a plain module object, which has nothing but what its text gave it.
    """

    name: str
    space: Mapping[str, Any]
    text: SourceText
    code: types.CodeType
    known: SourceText
    known_code: types.CodeType
    witnessed: bool
    kept: Collection[str]
    set_elsewhere: Callable[[str], bool]
    modules: Collection[str]
    usual: bool = True

    @property
    def is_edited(self) -> bool:
        """Whether the file holds another text than the one that is known to run."""
        return self.text.digest != self.known.digest


def codes_by_name(tree: types.CodeType) -> Codes:
    """The code objects nested in a module's, by qualified name."""
    found: dict[str, list[types.CodeType]] = {}
    for code in codes_in(tree):
        if code is not tree:
            found.setdefault(code.co_qualname, []).append(code)
    return found


class Comparison:
    """Compares one module.

    Attributes:
        wanted: the code that its file gives, by qualified name.
        known: the code that it is known to run.
        reached: ids of the functions of the module that a name leads to.
        classes: the classes that a name leads to, by qualified name: those that are bound once, undecorated.
        unknown: the names of definitions of which nothing can be compared: the text does not say plainly what
            stands there, and what stands there leads to no code of the file.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.wanted = codes_by_name(subject.code)
        self.known = codes_by_name(subject.known_code)
        self.reached: set[int] = set()
        self.classes: dict[str, type] = {}
        self.unknown: list[str] = []
        self._file = os.path.basename(subject.text.path)
        self._before = {each.name: each for each in outline(subject.known).definitions}
        self._found: dict[str, type] = {}  # every class below which members are compared

    def differences(self) -> list[Difference]:
        """Everything that differs, in the order of the text; then what the text does not have."""
        found = list(self._differences())
        if any(each.why == "unseen-edit" for each in found):  # then this is the likelier reason for all
            constants = {
                each.name for each in outline(self.subject.text).definitions if each.kind == "constant"
            }
            return [
                dataclasses.replace(each, why="unseen-edit")
                if each.why == "patched" and each.name in constants
                else each
                for each in found
            ]
        return found

    def _differences(self) -> Iterator[Difference]:
        definitions = outline(self.subject.text).definitions
        for each in definitions:
            space = self._space_around(each)
            if space is not None:
                yield from self._definition(each, space)
        yield from self._added()
        for name, cls in self._found.items():
            if name in self.classes and _is_simple(cls) and _is_left_alone(cls):
                yield from self._added_members(name, cls)

    def _space_around(self, definition: Definition) -> Mapping[str, Any] | None:
        around = definition.name.rpartition(".")[0]
        if not around:
            return self.subject.space
        return own_dict(self._found[around]) if around in self._found else None

    def _definition(self, definition: Definition, space: Mapping[str, Any]) -> Iterator[Difference]:
        value = space.get(definition.key, _MISSING)
        if value is _MISSING:
            if definition.sure:
                yield from self._unless_set(definition, self._missing(definition))
        elif definition.kind == "constant":
            yield from self._constant(definition, value)
        elif definition.kind == "class":
            yield from self._class(definition, value)
        else:
            yield from self._function(definition, value)

    # Functions

    def _function(self, definition: Definition, value: Any) -> Iterator[Difference]:
        mine = [each for each in _functions_behind(value, _DEPTH) if self._is_of(each, definition.name)]
        self.reached.update(map(id, mine))
        claim = self._claims(definition)
        if not mine:
            if claim:
                told = self._told(definition, "patched", f"its name leads to {_described(value)}")
                yield from self._unless_set(definition, told)
            else:
                self.unknown.append(definition.name)
            return
        wanted = self.wanted.get(definition.name, ())
        stale = [each for each in mine if not any(same_code(each.__code__, code) for code in wanted)]
        if stale:
            yield self._other_code(definition, stale[0])
        elif claim and _unwrapped(definition, value) is not mine[0]:
            told = self._told(definition, "patched", f"it is wrapped: its name leads to {_described(value)}")
            yield from self._unless_set(definition, told)
        elif claim and definition.defaults is not None:
            yield from self._defaults(definition, mine[0])

    def _claims(self, definition: Definition) -> bool:
        """Whether the text says so plainly what stands under a name that anything else is news."""
        if not (definition.plain and definition.sure):
            return False
        around = definition.name.rpartition(".")[0]
        if not around:
            return True
        # A metaclass may put anything in place of any member.
        usual = type(self._found[around]) in _LEAVE_MEMBERS
        simple = around in self.classes and _is_simple(self.classes[around])
        return simple or (usual and not definition.key.startswith("__"))

    def _unless_set(self, definition: Definition, told: Difference) -> Iterator[Difference]:
        """A difference, unless the program itself makes it when it is imported."""
        plain = self.subject.usual and not self.subject.set_elsewhere(definition.key)
        value = self.subject.space.get(definition.name)
        plain = plain and not is_submodule(self.subject.name, definition.name, value)
        if plain or told.why == "edited":
            yield told

    def _is_of(self, function: types.FunctionType, name: str) -> bool:
        code = function.__code__
        return code.co_qualname == name and os.path.basename(code.co_filename) == self._file

    def _other_code(self, definition: Definition, function: types.FunctionType) -> Difference:
        code = function.__code__
        place = f"it runs the code of line {code.co_firstlineno} of another text"
        if self.subject.is_edited and any(
            same_code(code, each) for each in self.known.get(definition.name, ())
        ):
            return self._told(definition, "edited", "it runs the code from before the edit")
        if not self.subject.witnessed:
            return self._told(definition, "unseen-edit", f"{place} than the file's")
        return self._told(definition, "held", f"{place} than the module's")

    def _defaults(self, definition: Definition, function: types.FunctionType) -> Iterator[Difference]:
        here, there = function.__defaults__ or (), definition.defaults or ()
        if _is_same(here, there):
            return
        said = f"other default values: {_plainly(here)} here, {_plainly(there)} in the file"
        was = self._before.get(definition.name)
        if self.subject.is_edited and was is not None and _is_same(here, was.defaults):
            yield self._told(definition, "edited", said)
            return
        yield self._told(definition, "patched" if self.subject.witnessed else "unseen-edit", said)

    # Classes and constants

    def _class(self, definition: Definition, value: Any) -> Iterator[Difference]:
        if (
            not is_class(value) or _qualname(value) != definition.name
        ):  # `__module__` may be set by its module
            if definition.plain and definition.sure and (not is_class(value) or _is_simple(value)):
                told = self._told(definition, "patched", f"its name leads to {_described(value)}")
                yield from self._unless_set(definition, told)
            else:
                self.unknown.append(definition.name)
            return
        self._found[definition.name] = value
        if definition.plain and definition.sure:
            self.classes[definition.name] = value
        for base in definition.bases:
            meant: Any = self.subject.space.get(base)
            if is_class(meant) and not any(each is meant for each in bases_of(value)):
                module, name = type.__getattribute__(meant, "__module__"), _qualname(meant)
                if any(_is_class_of(each, module, name) for each in bases_of(value)):
                    yield self._told(definition, "held", f"it inherits from an earlier {module}.{name}")
                elif self.subject.is_edited and base not in getattr(
                    self._before.get(definition.name), "bases", (base,)
                ):
                    yield self._told(definition, "edited", f"it does not inherit from {base} yet")

    def _constant(self, definition: Definition, value: Any) -> Iterator[Difference]:
        if _is_same(value, definition.value):
            return
        said = f"{_plainly(value)} here, {_plainly(definition.value)} in the file"
        was = self._before.get(definition.name)
        if self.subject.is_edited and (was is None or _is_same(value, was.value)):
            yield self._told(definition, "edited", said)
        else:
            more = "" if self.subject.witnessed else " (unless the file was edited before hotmod looked)"
            yield from self._unless_set(definition, self._told(definition, "patched", said + more))

    # What is there and should not be, or the reverse

    def _missing(self, definition: Definition) -> Difference:
        if self.subject.is_edited and definition.name not in self._before:
            return self._told(definition, "edited", "the file defines it, and the program has not got it yet")
        why: Why = "patched" if self.subject.witnessed else "unseen-edit"
        return self._told(definition, why, "the file defines it, and the program has not got it")

    def _added(self) -> Iterator[Difference]:
        """Functions and classes under names that the text does not bind."""
        subject = self.subject
        bound, before = bindings(subject.text), bindings(subject.known)
        if (
            bound.unsure
            or before.unsure
            or any(b"import *" in each.data for each in (subject.text, subject.known))
        ):
            return
        submodules = children(subject.name, subject.modules)
        for name in sorted(foreign_names(subject.space, bound.names, submodules)):
            value = subject.space[name]
            if not (type(value) is types.FunctionType or is_class(value)) or name.startswith("__"):
                continue
            told = Definition(name, "added", 0)
            if name in before.names:
                yield self._told(told, "edited", "the file does not have it any more")
            elif _home(value) != subject.name or subject.witnessed:
                said = f"the file does not have it: it is {_described(value)}"
                yield from self._unless_set(told, self._told(told, "patched", said))
            elif self._is_from_here(value):
                yield self._told(told, "unseen-edit", "the file does not have it")

    def _is_from_here(self, value: Any) -> bool:
        """Whether a function or class was made by the module's file."""
        parts = own_dict(value).values() if is_class(value) else (value,)
        codes = (part.__code__ for part in parts if type(part) is types.FunctionType)
        return any(os.path.basename(code.co_filename) == self._file for code in codes)

    def _added_members(self, around: str, cls: type) -> Iterator[Difference]:
        bodies = [*self.wanted.get(around, ()), *self.known.get(around, ())]
        bound = {name for code in bodies for name in code.co_names}
        for name, value in own_dict(cls).items():
            if type(value) is types.FunctionType and name not in bound:
                told = Definition(f"{around}.{name}", "added", 0)
                said = f"the file does not have it: it is {_described(value)}"
                yield from self._unless_set(told, self._told(told, "patched", said))

    def _told(self, definition: Definition, why: Why, message: str) -> Difference:
        if definition.name.partition(".")[0] in self.subject.kept:
            why = "kept"
        return Difference(
            self.subject.name, definition.name, why, message, self.subject.text.path, definition.line
        )


def _functions_behind(value: Any, depth: int) -> Iterator[types.FunctionType]:
    """The functions that a value leads to, through wrappers and what they hold in cells."""
    kind = type(value)
    if depth == 0 or value is None:
        return
    parts: list[Any] = []
    if kind is types.FunctionType:
        if not is_forwarding(value.__code__):
            yield value
        parts = [*_contents(value), value.__dict__.get("__wrapped__")]
        parts = [part for part in parts if not is_class(part)]
    elif kind in (staticmethod, classmethod, types.MethodType):
        parts = [value.__func__]
    elif kind is property:
        parts = [value.fget, value.fset, value.fdel]
    elif kind in _FOLLOWED:
        parts = [value.func]
    elif not issubclass(kind, (type, types.ModuleType, *_FLAT)):
        parts = list((instance_dict(value) or {}).values())[:20]
    for part in parts:
        yield from _functions_behind(part, depth - 1)


def _contents(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell
            continue


def _unwrapped(definition: Definition, value: Any) -> Any:
    """What is in the wrapper that the text puts around a function, or that its class does by itself."""
    name, kind = definition.name.rpartition(".")[2], type(value)
    if kind is property:
        return value.fget if definition.wrapper == "property" else value
    if kind in (staticmethod, classmethod):
        meant = definition.wrapper == kind.__name__ or name in _WRAPPED_BY_TYPE
        return value.__func__ if meant else value
    return None if definition.wrapper else value


def _is_simple(cls: type) -> bool:
    return type(cls) in (type, ABCMeta)


def _is_left_alone(cls: type) -> bool:
    """Whether nobody but its own text has a say in what its members are."""
    line = type.__dict__["__mro__"].__get__(cls)
    named_tuple = tuple in line and "_fields" in own_dict(cls)
    return not named_tuple and not any("__init_subclass__" in own_dict(each) for each in line[1:-1])


def _is_class_of(value: Any, module: object, name: str) -> bool:
    return is_class(value) and _home(value) == module and _qualname(value) == name


def _home(value: Any) -> object:
    return type.__getattribute__(value, "__module__") if is_class(value) else value.__module__


def _qualname(cls: type) -> str:
    return str(type.__dict__["__qualname__"].__get__(cls))


def _is_same(one: Any, two: Any) -> bool:
    """Whether two plain values are the same, in kind as well; what is not plain is something else."""
    if type(one) is not type(two):
        return False
    if type(one) is tuple:
        return len(one) == len(two) and all(map(_is_same, one, two))
    return type(one) in _PLAIN and repr(one) == repr(two)


def _plainly(value: Any) -> str:
    if type(value) is tuple:
        return f"({', '.join(map(_plainly, value))}{',' if len(value) == 1 else ''})"
    if type(value) not in _PLAIN:
        return _described(value)
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."  # noqa: PLR2004 - a line's worth


def _described(value: Any) -> str:
    """What something is, for people, without its `repr`."""
    if type(value) is types.FunctionType:
        code = value.__code__
        name = f"{value.__module__}.{value.__qualname__}"
        return f"{name} ({os.path.basename(code.co_filename)}:{code.co_firstlineno})"
    if is_class(value):
        return f"the class {_home(value)}.{_qualname(value)}"
    kind = type(value)
    return f"an instance of {_home(kind)}.{_qualname(kind)}"
