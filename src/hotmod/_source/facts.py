"""What one top-level statement binds, reads and calls: the facts that propagation is worked out from.

Touches: text, through its syntax tree, which is not kept.

Guarantees: what running the statement reads by a spelled name is in `Facts.eager`; what a function
defined in it reads when it is called is told by `functions_of`.

Assumes: names are spelled. What is looked up by a computed name (`globals()`, `exec`, `getattr` of a
module) makes the region `dynamic`.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence

from hotmod._model.changes import SourceText
from hotmod._source.diff import EditKind, diff
from hotmod._source.memory import Memory
from hotmod._source.regions import Builder, ClassFacts, Mode, NameImport, Region
from hotmod._source.statements import Statement, Statements, parsed, resplit, split_nodes
from hotmod._source.visitor import Visitor

__all__ = [
    "ClassFacts",
    "Facts",
    "Kind",
    "Mode",
    "NameImport",
    "Region",
    "facts_in",
    "facts_of",
    "functions_of",
    "statements_known",
]


class Kind(enum.Enum):
    """What kind of statement it is, as far as identity goes."""

    FUNCTION = "function"
    CLASS = "class"
    IMPORT = "import"
    CONSTANT = "constant"  # binds immutable literals only: running it again changes nothing
    INERT = "inert"  # nothing happens when it runs: a docstring, `pass`, imports for type checkers
    OTHER = "other"


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What one statement does.

    Attributes:
        kind: its kind.
        binds: the names it binds (or deletes) at module level when it runs; `*` for a star import.
        eager: what runs when it runs.
        functions: the qualified names of the functions that it defines; `<lambda>` if there are any. What
            they do when they are called is told by `functions_of`.
        classes: the classes it defines, by qualified name.
        imports: what its import statements bind, or just import.
        decorated: whether a function or class at its top has decorators.
        keywords: the names of the keywords that its decorators are called with.
        annotates: the names of the module that it annotates.
        words: every word in what runs.
        inside: what `functions_of` found, once it was asked: it is kept for as long as the facts are.
    """

    kind: Kind
    binds: tuple[str, ...]
    eager: Region
    functions: frozenset[str]
    classes: Mapping[str, ClassFacts]
    imports: tuple[NameImport, ...]
    decorated: bool
    annotates: tuple[str, ...]
    words: frozenset[str]
    keywords: frozenset[str] = frozenset()
    inside: list[Mapping[str, Region]] = dataclasses.field(default_factory=list, compare=False, repr=False)


def facts_of(nodes: Sequence[ast.stmt], *, postponed: bool = False) -> Facts:
    """The facts of a statement, or of several that share a line.

    Args:
        nodes: its tree.
        postponed: whether annotations are not evaluated when it runs.

    Raises:
        RecursionError: it nests too deeply.
    """
    eager = Builder()
    visitor = Visitor(eager, postponed=postponed, inside=False)
    visitor.block(nodes)
    top = nodes[0] if len(nodes) == 1 else None
    return Facts(
        kind=_kind(nodes, visitor),
        binds=tuple(dict.fromkeys(visitor.binds)),
        eager=eager.done(),
        functions=frozenset(visitor.functions),
        classes=dict(visitor.classes),
        imports=tuple(visitor.imports),
        decorated=isinstance(top, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and bool(top.decorator_list),
        annotates=tuple(visitor.annotates),
        words=_words(eager.done(), visitor.imports),
        keywords=frozenset(
            keyword.arg
            for decorator in getattr(top, "decorator_list", ())
            if isinstance(decorator, ast.Call)
            for keyword in decorator.keywords
            if keyword.arg
        ),
    )


def _words(region: Region, imports: Iterable[NameImport]) -> frozenset[str]:
    found = {part for chain in (*region.reads, *region.unknown, *region.changes) for part in chain}
    found |= region.attributes
    for each in imports:
        found.update((each.name, *each.module.split(".")))
    return frozenset(found)


def functions_of(text: str, facts: Facts) -> Mapping[str, Region]:
    """What each function of a statement does when it is called, by its qualified name.

    Args:
        text: the text of the statement.
        facts: its facts.

    Raises:
        SourceError, RecursionError: the text is no statement by itself, or nests too deeply.
    """
    if not facts.inside:
        visitor = Visitor(Builder(), postponed=True, inside=True)
        visitor.block(parsed(text))
        facts.inside.append({name: builder.done() for name, builder in visitor.functions.items()})
    return facts.inside[0]


_KNOWN = Memory[tuple[Statements, tuple[Facts, ...]]]()


def facts_in(text: SourceText) -> tuple[Statements, tuple[Facts, ...]]:
    """The statements of a text and the facts of each; remembered.

    Of another text of the file that is remembered, what is in both is taken over.

    Raises:
        SourceError, RecursionError: the text can't be read, or nests too deeply.
    """
    found = _KNOWN.get(text)
    if found is None:
        near = _KNOWN.latest(text.path)
        found = _KNOWN.put(text, _facts_anew(text) if near is None else _facts_after(*near, text))
    return found


def statements_known(text: SourceText) -> tuple[Statement, ...] | None:
    """The statements of a text, if `facts_in` was asked for it; costs nothing."""
    found = _KNOWN.get(text)
    return None if found is None else found[0].statements


def _facts_anew(text: SourceText) -> tuple[Statements, tuple[Facts, ...]]:
    statements, nodes = split_nodes(text)
    postponed = "annotations" in statements.future
    return statements, tuple(facts_of(each, postponed=postponed) for each in nodes)


def _facts_after(
    before: Statements, known: Iterable[Facts], text: SourceText
) -> tuple[Statements, tuple[Facts, ...]]:
    statements = resplit(before, text)
    if statements.future != before.future:
        return _facts_anew(text)
    postponed = "annotations" in statements.future
    taken = {each.text: facts for each, facts in zip(before.statements, known, strict=True)}
    for edit in diff(before, statements).edits:
        if edit.old and edit.new and edit.kind is EditKind.BODY:  # it does what it did when it runs
            # what its functions do when they are called is another matter
            taken.setdefault(edit.new.text, dataclasses.replace(taken[edit.old.text], inside=[]))
    return statements, tuple(
        taken.get(each.text) or facts_of(parsed(each.text), postponed=postponed)
        for each in statements.statements
    )


def _kind(nodes: Sequence[ast.stmt], visitor: Visitor) -> Kind:
    if len(nodes) == 1 and isinstance(nodes[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return Kind.FUNCTION
    if len(nodes) == 1 and isinstance(nodes[0], ast.ClassDef):
        return Kind.CLASS
    if all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in nodes):
        return Kind.IMPORT
    if not visitor.ran:
        return Kind.INERT
    if all(isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_constant(node) for node in nodes):
        return Kind.CONSTANT
    return Kind.OTHER


def _is_constant(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return node.value is not None and is_literal(node.value) and all(isinstance(t, ast.Name) for t in targets)


def is_literal(node: ast.expr) -> bool:
    """Whether an expression is an immutable value that its text alone determines."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Tuple):
        return all(map(is_literal, node.elts))
    if isinstance(node, ast.UnaryOp):
        return is_literal(node.operand)
    if isinstance(node, ast.BinOp):
        return is_literal(node.left) and is_literal(node.right)
    return False
