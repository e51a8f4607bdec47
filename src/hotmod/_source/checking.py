"""What the text of a program shows that reloading it will find hard.

Touches: texts, through their trees. Runs no code of the user's.

Guarantees: what a module declares (`__hotmod_keep__`, `__hotmod_dispose__`) is heard; what stands below
`if __name__ == "__main__"`, or in a function, is not looked at, since a reload does not run it.

Assumes: the usual names mean the usual things.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from hotmod._model.errors import SourceError
from hotmod._model.hazards import Hazard
from hotmod._source.definitions import bindings
from hotmod._source.effects import effects, is_main_guard, running_calls
from hotmod._source.hazardous import aliases_in, long_loop, resource_of, slow_call, spelled
from hotmod._source.keeping import declared
from hotmod._source.parse import parse

if TYPE_CHECKING:
    from hotmod._model.changes import SourceText
    from hotmod._source.graph import ImportGraph

__all__ = ["Code", "check"]

Code = Literal[
    "import-cycle", "star-import", "dynamic-import", "heavy-import", "repeated-effect", "unsafe-singleton"
]


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DISPOSE = "__hotmod_dispose__"


def check(graph: ImportGraph) -> tuple[Hazard, ...]:
    """The hazards of the modules of a graph, by file and line.

    Modules whose text can't be parsed are left out: the graph's `errors` name them.
    """
    found = [*_cycles(graph), *_stars(graph), *_unsure(graph)]
    for module in graph:
        text = graph.text(module)
        if text is not None:
            found += _in_text(module, text)
    return tuple(sorted(found, key=lambda hazard: (hazard.path, hazard.line, hazard.code)))


def _cycles(graph: ImportGraph) -> Iterator[Hazard]:
    for cycle in graph.cycles():
        edge = next(
            edge
            for module in cycle
            for edge in graph.imports(module)
            if edge.at_import and edge.imported in cycle and edge.imported != module
        )
        text = graph.text(edge.importer)
        others = [module for module in cycle if module not in (edge.importer, edge.imported)]
        yield Hazard(
            "import-cycle",
            edge.importer,
            message=f"it imports {edge.imported}, which imports it again"
            + (f" by way of {_listed(others)}" if others else "")
            + ", all while they are imported",
            advice="Let one of them import inside of a function, or move what both need into a third module.",
            path=text.path if text is not None else "",
            line=edge.line,
        )


def _stars(graph: ImportGraph) -> Iterator[Hazard]:
    for edge in (edge for module in graph for edge in graph.imports(module) if edge.star):
        text, taken = graph.text(edge.importer), graph.text(edge.imported)
        if text is None or taken is None or not _binds_unspelled(taken):
            continue
        yield Hazard(
            "star-import",
            edge.importer,
            message=f"it takes all names of {edge.imported}, which binds some that its text does not spell",
            advice="Name what you import.",
            path=text.path,
            line=edge.line,
        )


def _binds_unspelled(text: SourceText) -> bool:
    try:
        return bindings(text).unsure
    except SourceError:
        return False


def _listed(names: list[str], most: int = 4) -> str:
    more = len(names) - most
    return f"{', '.join(names[:most])} and {more} more" if more > 0 else ", ".join(names)


def _unsure(graph: ImportGraph) -> Iterator[Hazard]:
    for module, note in graph.unsure:
        text = graph.text(module)
        yield Hazard(
            "dynamic-import",
            module,
            message=f"{note.text} {note.reason}: who depends on what can't be told from the text",
            advice="Import by name where you can; else name what is imported so as a target too.",
            path=text.path if text is not None else "",
            line=note.line,
        )


def _in_text(module: str, text: SourceText) -> Iterator[Hazard]:
    try:
        tree, kept = parse(text), declared(text)
    except SourceError:
        return
    disposes = any(isinstance(node, ast.FunctionDef) and node.name == DISPOSE for node in tree.body)
    if not disposes:
        yield from _effects(module, text)
    aliases = aliases_in(tree)
    for node in tree.body:
        names = _names(node)
        if not kept.intersection(names):
            yield from _slow(module, text, node, aliases)
            if not disposes:
                yield from _singletons(module, text, node, aliases)


def _effects(module: str, text: SourceText) -> Iterator[Hazard]:
    for effect in effects(text):
        if not effect.owner:  # registrations are found and taken back
            yield Hazard(
                "repeated-effect",
                module,
                message=f"{effect.call} {effect.what} each time that this statement runs",
                advice=f"Call it from a function, or undo it in {DISPOSE}().",
                path=text.path,
                line=effect.line,
            )


def _names(node: ast.stmt) -> list[str]:
    """The names that an assignment binds."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _slow(module: str, text: SourceText, node: ast.stmt, aliases: Mapping[str, str]) -> Iterator[Hazard]:
    found = [(call.lineno, slow_call(call, aliases)) for call in running_calls([node])]
    found += [(line, long_loop(each)) for line, each in _loops([node])]
    for line, does in found:
        if does:
            yield Hazard(
                "heavy-import",
                module,
                message=f"{does} each time that this statement runs",
                advice="Do it in a function that is called when it is needed (functools.cache keeps what it "
                "gives), or keep what it makes by __hotmod_keep__.",
                path=text.path,
                line=line,
            )


def _loops(body: list[ast.stmt]) -> Iterator[tuple[int, ast.AST]]:
    """The loops that run with statements of a module body, each with its line."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and is_main_guard(node.test):
            todo += node.orelse
            continue
        if isinstance(node, (ast.For, ast.While)):
            yield node.lineno, node
        if isinstance(node, _COMPREHENSIONS):
            yield from ((node.lineno, each) for each in node.generators)
        todo += ast.iter_child_nodes(node)


def _singletons(
    module: str, text: SourceText, node: ast.stmt, aliases: Mapping[str, str]
) -> Iterator[Hazard]:
    """Objects of which there is to be one, and that are made anew when their statement runs again."""
    if isinstance(node, ast.ClassDef):
        for decorator in node.decorator_list:
            if spelled(decorator).rpartition(".")[2].lower() == "singleton":
                what = f"@{spelled(decorator)} forgets its instance"
                advice = "Hold the instance in a variable of the module, which stays as it is."
                yield _singleton(module, text, node.name, decorator.lineno, what, advice)
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    if isinstance(value, ast.Call) and (makes := resource_of(value, aliases)):
        name = next(iter(_names(node)), "")
        advice = f'Keep it: __hotmod_keep__ = ("{name}",); or close it in {DISPOSE}().'
        yield _singleton(module, text, name, node.lineno, f"{makes} anew", advice)


def _singleton(module: str, text: SourceText, name: str, line: int, what: str, advice: str) -> Hazard:
    return Hazard(
        "unsafe-singleton",
        module,
        name,
        message=f"{what} each time that this statement runs; the one before goes on where it is held",
        advice=advice,
        path=text.path,
        line=line,
    )
