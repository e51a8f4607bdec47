"""Where our graph of a package differs from grimp's, and why.

Every import that grimp finds is an edge of ours. The other way round, each class of difference has its
reason here; `docs/explanation/import-graph.md` tells the numbers.
"""

from __future__ import annotations

import collections

import grimp
import pytest

from hotmod._source.files import graph_of
from hotmod._source.graph import DirectImport
from hotmod._source.imports import ImportKind
from tests.source.programs import folder_of

# The package and what grimp doesn't have of it, with the number of pairs (importer, imported) at the time of
# writing. Other versions have other numbers, and no other classes.
NAMESPACE = "lies in a folder without `__init__.py`, which grimp leaves out"
DYNAMIC = "imported by a call with a literal, or by a lazy table"
STAR = "a submodule that `__all__` lists, taken by a star"
DOTTED = "a package that `import package.module` binds and reaches through"
SHADOWED = "a package that binds the name of its submodule to something else, or may"


def why(edges: list[DirectImport], importer_imports: tuple[DirectImport, ...], known: set[str]) -> str | None:
    """The class of a pair of modules that only our graph has; None for one that nothing explains."""
    importer, imported = edges[0].importer, edges[0].imported
    if not {importer, imported} <= known:
        return NAMESPACE
    if {edge.kind for edge in edges} == {ImportKind.DYNAMIC}:
        return DYNAMIC
    if all(edge.star for edge in edges):
        return STAR
    inside = [edge for edge in importer_imports if edge.imported.startswith(f"{imported}.")]
    for line in {edge.line for edge in edges} & {edge.line for edge in inside}:
        names = {name for edge in edges if edge.line == line for name in edge.names}
        return DOTTED if names == {imported.partition(".")[0]} else SHADOWED
    return None


@pytest.mark.parametrize("program", ["flask", "django", "sqlalchemy"])
def test_every_difference_to_grimp_has_a_reason(program: str) -> None:
    """We have every import that grimp has, and what we have beyond belongs to a class with a reason."""
    ours = graph_of({program: [folder_of(program)]})
    theirs = grimp.build_graph(program, cache_dir=None)
    known = set(theirs.modules)
    assert known <= set(ours)

    their_pairs = {
        (importer, imported)
        for importer in theirs.modules
        for imported in theirs.find_modules_directly_imported_by(importer)
    }
    our_pairs: dict[tuple[str, str], list[DirectImport]] = {}
    for module in ours:
        for edge in ours.imports(module):
            our_pairs.setdefault((module, edge.imported), []).append(edge)
    assert their_pairs - our_pairs.keys() == set()

    reasons = {
        pair: why(our_pairs[pair], ours.imports(pair[0]), known) for pair in our_pairs.keys() - their_pairs
    }
    print(f"{program}: {len(their_pairs)} pairs in both;", dict(collections.Counter(reasons.values())))
    assert {pair for pair, reason in reasons.items() if reason is None} == set()


@pytest.mark.parametrize("program", ["flask", "django", "sqlalchemy"])
def test_lines_agree_with_grimp(program: str) -> None:
    """For the pairs that both have, the lines that grimp names are among ours."""
    ours = graph_of({program: [folder_of(program)]})
    theirs = grimp.build_graph(program, cache_dir=None)
    for importer in sorted(theirs.modules):
        lines: dict[str, set[int]] = {}
        for edge in ours.imports(importer):
            lines.setdefault(edge.imported, set()).add(edge.line)
        for imported in theirs.find_modules_directly_imported_by(importer):
            details = theirs.get_import_details(importer=importer, imported=imported)
            assert {detail["line_number"] for detail in details} <= lines[imported], (importer, imported)
