"""Which statements read what others have put into a container, when a module is imported.

Touches: nothing; works on the facts of statements.

Guarantees: a statement is named only if its module imports the one that fills the container, directly or
not, so that a fresh process runs it afterwards.

Assumes: a container is a name of a module, or an attribute of a class, that is bound to a display, or to what
a container type of the standard library makes.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator

from hotmod._plan.program import Program
from hotmod._source.facts import Facts
from hotmod._source.regions import Mode
from hotmod._source.statements import parsed

__all__ = ["Key", "containers", "readers"]

Key = tuple[str, str, str]  # a module, a name in it, and an attribute if that is a class

_MAKERS = frozenset(
    (
        "dict",
        "list",
        "set",
        "defaultdict",
        "OrderedDict",
        "deque",
        "Counter",
        "WeakSet",
        "WeakValueDictionary",
    )
)
_ACCESSORS = frozenset(("items", "keys", "values", "get", "copy", "index", "count", "__len__"))
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)


def containers(program: Program, module: str, name: str) -> set[Key]:
    """The containers that a name stands for: itself, or those among the attributes of a class."""
    found: set[Key] = set()
    for index in program.binders(module).get(name, ()) if module in program else ():
        for node in parsed(program.statements(module)[index].text):
            if isinstance(node, ast.ClassDef) and node.name == name:
                attributes = {word for each in node.body for word in _bound_to_container(each)}
                found |= {(module, name, each) for each in attributes}
            elif name in _bound_to_container(node):
                found.add((module, name, ""))
    return found


def readers(program: Program, filled: Container[Key], modules: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The statements of some modules, by index, that use what is in containers and put nothing there."""
    for module in modules:
        for index, facts in enumerate(program.facts(module)):
            if any(key in filled for key in _used_by(program, module, facts)):
                yield module, index


def _used_by(program: Program, module: str, facts: Facts) -> Iterator[Key]:
    for chain, mode in facts.eager.reads.items():
        used = mode >= Mode.USED and chain not in facts.eager.changes
        for place in program.places(module, chain) if used else ():
            rest = place.rest[0] if place.rest and place.rest[0] not in _ACCESSORS else ""
            yield place.module, place.name, rest


def _bound_to_container(node: ast.AST) -> set[str]:
    match node:
        case ast.Assign(targets=targets, value=value):
            pass
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            targets = [target]
        case _:
            return set()
    return {each.id for each in targets if isinstance(each, ast.Name)} if _is_container(value) else set()


def _is_container(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        made = value.func
        return (made.attr if isinstance(made, ast.Attribute) else getattr(made, "id", "")) in _MAKERS
    return isinstance(value, _DISPLAYS)
