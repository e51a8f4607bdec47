"""Random small packages, and random edits of them.

A package is a list of modules, each a list of statements; a later module may import from earlier ones. All
functions take one number and give one, so that any two may call each other, and nothing but the texts decides
what a fresh process has. How many entries a registry has is asked by nobody: that depends on when it is
asked, and a statement that runs again asks later than a fresh process does.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from hypothesis import strategies as st

__all__ = ["Package", "edited", "packages"]

TOP = "shop"


@dataclasses.dataclass(frozen=True)
class Statement:
    """One statement: what it binds, of what kind that is, and its text."""

    name: str
    kind: str  # number, function, class, instance, decorator, registry, list; empty for none of these
    text: str


Module = tuple[Statement, ...]
Package = tuple[Module, ...]
Draw = Callable[[st.SearchStrategy], object]


def files(package: Package) -> dict[str, str]:
    """The texts of a package by path."""
    found = {f"{TOP}/__init__.py": ""}
    for number, module in enumerate(package):
        found[f"{TOP}/m{number}.py"] = "\n".join(each.text for each in module) + "\n"
    return found


class _Names:
    """What can be referred to at some place of a module, by kind."""

    def __init__(self, draw: st.DrawFn, statements: Module) -> None:
        self.draw = draw
        self.known: dict[str, list[str]] = {}
        for each in statements:
            if each.kind:
                # what a name was bound to last is what it is
                for names in self.known.values():
                    if each.name in names:
                        names.remove(each.name)
                self.known.setdefault(each.kind, []).append(each.name)

    def one(self, kind: str) -> str:
        """A name of a kind; empty if there is none."""
        names = self.known.get(kind, [])
        return self.draw(st.sampled_from(names)) if names else ""

    def literal(self) -> str:
        return str(self.draw(st.integers(0, 9)))

    def number(self) -> str:
        """An expression that gives a number."""
        ways = [self.literal]
        if self.known.get("number"):
            ways += [lambda: self.one("number")] * 2
        if self.known.get("function"):
            ways += [lambda: f"{self.one('function')}({self.literal()})"] * 2
        if self.known.get("instance"):
            ways += [lambda: f"{self.one('instance')}.total()", lambda: f"{self.one('instance')}.size"]
        if self.known.get("class"):
            ways += [lambda: f"{self.one('class')}().total()", lambda: f"{self.one('class')}.rate"]
        if self.known.get("list"):
            ways.append(lambda: f"sum({self.one('list')})")
        return self.draw(st.sampled_from(ways))()


def _constant(names: _Names, name: str) -> list[Statement]:
    return [Statement(name, "number", f"{name} = {names.literal()}")]


def _derived(names: _Names, name: str) -> list[Statement]:
    return [Statement(name, "number", f"{name} = {names.number()} + {names.literal()}")]


def _function(names: _Names, name: str) -> list[Statement]:
    default, body = names.number(), names.number()
    text = f"def {name}(x={default}):\n    return x % 100 + {body} + {names.literal()}\n"
    return [Statement(name, "function", text)]


def _class(names: _Names, name: str) -> list[Statement]:
    base = names.one("class") if names.draw(st.booleans()) else ""
    first = "super().__init__()" if base else "pass"
    text = (
        f"class {name}{f'({base})' if base else ''}:\n    rate = {names.number()}\n\n"
        f"    def __init__(self):\n        {first}\n        self.size = self.rate + {names.number()}\n\n"
        f"    def total(self):\n        return self.size % 100 + {names.number()}\n"
    )
    return [Statement(name, "class", text)]


def _light_class(names: _Names, name: str) -> list[Statement]:
    base = names.one("class")
    if not base:
        return _class(names, name)
    text = f"class {name}({base}):\n    def total(self):\n        return super().total() + {names.number()}\n"
    return [Statement(name, "class", text)]


def _instance(names: _Names, name: str) -> list[Statement]:
    cls = names.one("class")
    return [Statement(name, "instance", f"{name} = {cls}()")] if cls else _constant(names, name)


def _decorator(names: _Names, name: str) -> list[Statement]:
    text = (
        f"def {name}(function):\n    def inner(x=1):\n        return function(x) + {names.number()}\n\n"
        f"    return inner\n"
    )
    return [Statement(name, "decorator", text)]


def _registry(names: _Names, name: str) -> list[Statement]:
    add = f"add_{name}"
    text = f"def {add}(function):\n    {name}[function.__name__] = function\n    return function\n"
    return [Statement(name, "registry", f"{name} = {{}}"), Statement(add, "decorator", text)]


def _decorated(names: _Names, name: str) -> list[Statement]:
    decorator = names.one("decorator")
    (made,) = _function(names, name)
    return [Statement(name, "function", f"@{decorator}\n{made.text}" if decorator else made.text)]


def _alias(names: _Names, name: str) -> list[Statement]:
    kind = names.draw(st.sampled_from(["function", "class", "number", "instance"]))
    found = names.one(kind)
    return [Statement(name, kind, f"{name} = {found}")] if found else _constant(names, name)


def _augmented(names: _Names, name: str) -> list[Statement]:
    return [
        Statement(name, "number", f"{name} = {names.literal()}"),
        Statement(name, "number", f"{name} += {names.number()}"),
    ]


def _list(names: _Names, name: str) -> list[Statement]:
    return [
        Statement(name, "list", f"{name} = [{names.number()}]"),
        Statement("", "", f"{name}.append({names.number()})"),
    ]


def _filled(names: _Names, name: str) -> list[Statement]:
    fill = f"fill_{name}"
    return [
        Statement(name, "list", f"{name} = []"),
        Statement(fill, "", f"def {fill}():\n    {name}.append({names.number()})\n"),
        Statement("", "", f"{fill}()"),
    ]


def _comprehension(names: _Names, name: str) -> list[Statement]:
    text = f"{name} = [each + {names.number()} for each in range({names.literal()})]"
    return [Statement(name, "list", text)]


def _condition(names: _Names, name: str) -> list[Statement]:
    text = (
        f"if {names.number()} % 2:\n    {name} = {names.number()}\nelse:\n    {name} = {names.number()} + 1\n"
    )
    return [Statement(name, "number", text)]


def _attempt(names: _Names, name: str) -> list[Statement]:
    text = (
        f"try:\n    {name} = 10 // ({names.number()} % 3)\n"
        f"except ZeroDivisionError:\n    {name} = {names.number()}\n"
    )
    return [Statement(name, "number", text)]


def _lambda(names: _Names, name: str) -> list[Statement]:
    return [Statement(name, "function", f"{name} = lambda x=1: x % 100 + {names.number()}")]


def _text(names: _Names, name: str) -> list[Statement]:
    return [Statement(name, "", f'{name} = f"{{{names.number()}}}!"')]


_MAKERS = (
    *(_constant, _derived, _derived, _function, _function, _function, _class, _class, _light_class),
    _instance,
    *(_decorator, _registry, _decorated, _decorated, _alias, _augmented, _list, _filled, _comprehension),
    *(_condition, _attempt, _lambda, _text),
)


def _exported(module: Module) -> list[Statement]:
    return list({each.name: each for each in module if each.name and each.kind}.values())


def _imports(draw: st.DrawFn, number: int, earlier: Package, fresh: Callable[[], str]) -> list[Statement]:
    """Imports of a module from those before it, in all the ways that there are."""
    found = []
    for other in range(number):
        exported = _exported(earlier[other])
        way = draw(st.sampled_from(["names", "as", "module", "star", "none", "attribute"]))
        home = f"{TOP}.m{other}"
        chosen = draw(st.lists(st.sampled_from(exported), max_size=3, unique=True)) if exported else []
        if way == "names":
            found += [Statement(each.name, each.kind, f"from {home} import {each.name}") for each in chosen]
        elif way == "as":
            found += [
                Statement(local, each.kind, f"from {home} import {each.name} as {local}")
                for each in chosen
                for local in [fresh()]
            ]
        elif way == "star":
            found.append(Statement("", "", f"from {home} import *"))
            found += [Statement(each.name, each.kind, "") for each in exported]
        elif way in ("module", "attribute"):
            text = f"import {home} as m{other}" if way == "module" else f"from {TOP} import m{other}"
            found.append(Statement("", "", text))
            found += [
                Statement(f"m{other}.{each.name}", each.kind, "") for each in exported if "." not in each.name
            ]
    return [each for each in found if each.kind or each.text]


@st.composite
def packages(draw: st.DrawFn) -> Package:
    """A package of two to four modules."""
    count = 0

    def fresh() -> str:
        nonlocal count
        count += 1
        return f"n{count}"

    package: list[Module] = []
    for number in range(draw(st.integers(2, 4))):
        module = _imports(draw, number, tuple(package), fresh)
        for _ in range(draw(st.integers(1, 6))):
            maker = draw(st.sampled_from(_MAKERS))
            module += maker(_Names(draw, tuple(module)), fresh())
        package.append(tuple(module))
    return tuple(package)


def _is_used(package: Package, place: tuple[int, int]) -> bool:
    """Whether another statement spells the name that a statement binds."""
    name = package[place[0]][place[1]].name
    spelled = re.compile(rf"\b{re.escape(name.rpartition('.')[2])}\b")
    return any(
        spelled.search(each.text)
        for number, module in enumerate(package)
        for index, each in enumerate(module)
        if (number, index) != place
    )


@st.composite
def edited(draw: st.DrawFn, package: Package, serial: int) -> Package:
    """The package after one to three edits."""
    modules = [list(module) for module in package]
    for turn in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(modules) - 1))
        module = modules[number]
        places = [index for index, each in enumerate(module) if each.text]
        ways = ["number", "number", "number", "add", "remove", "again", "comment", "swap"]
        way = draw(st.sampled_from(ways))
        if way == "add" or not places:
            index = draw(st.integers(0, len(module)))
            maker = draw(st.sampled_from(_MAKERS))
            made = maker(_Names(draw, tuple(module[:index])), f"a{serial}_{turn}")
            module[index:index] = made
            continue
        index = draw(st.sampled_from(places))
        each = module[index]
        if way == "number":
            numbers = list(re.finditer(r"(?<![\w.])\d(?![\w.])", each.text))
            if numbers:
                found = draw(st.sampled_from(numbers))
                new = draw(st.integers(1, 9))
                text = f"{each.text[: found.start()]}{new}{each.text[found.end() :]}"
                if "% 0" not in text:
                    module[index] = dataclasses.replace(each, text=text)
        elif way == "remove" and not (each.name and _is_used(tuple(map(tuple, modules)), (number, index))):
            if "import" not in each.text:
                del module[index]
        elif way == "again" and each.kind and "import" not in each.text:
            makers = {
                "number": [_constant, _derived, _condition],
                "function": [_function, _decorated, _lambda],
            }
            makers |= {"class": [_class, _light_class], "list": [_comprehension], "instance": [_instance]}
            if each.kind in makers:
                maker = draw(st.sampled_from(makers[each.kind]))
                made = maker(_Names(draw, tuple(module[:index])), each.name)
                if made[-1].kind == each.kind:
                    module[index : index + 1] = made
        elif way == "comment":
            module[index] = dataclasses.replace(each, text=f"# note {serial}\n{each.text}")
        elif way == "swap" and index + 1 < len(module) and module[index + 1].text:
            module[index], module[index + 1] = module[index + 1], module[index]
    return tuple(map(tuple, modules))
