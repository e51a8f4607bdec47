"""Programs that only a grammar could write: whatever compiles can be looked at, and nothing is lost.

`SOURCE_EXAMPLES=2000 python -m pytest tests/source/test_any_program.py` looks at more of them.
"""

from __future__ import annotations

import ast
import os

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hotmod._model.errors import SourceError
from hotmod._source.definitions import bindings
from hotmod._source.diff import diff
from hotmod._source.facts import facts_in
from hotmod._source.outline import outline
from hotmod._source.scan import scanned
from hotmod._source.statements import parsed, resplit, split
from tests.source.edits import check_whole, source

hypothesmith = pytest.importorskip("hypothesmith")

EXAMPLES = int(os.environ.get("SOURCE_EXAMPLES", "15"))
pytestmark = [
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),  # texts of all kinds: `1 is 1`
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
# How a text is generated is not our business: no time limit, no complaints about how many are thrown away.
PATIENT = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
PROGRAMS = st.one_of(hypothesmith.from_node(auto_target=False), hypothesmith.from_grammar(auto_target=False))


def is_text(text: str) -> bool:
    """Whether a text can be a file that compiles."""
    try:
        compile(text.encode(), "x.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@given(PROGRAMS)
@PATIENT
def test_whatever_compiles_can_be_looked_at(text: str) -> None:
    """Of any program that compiles, all statements are found, each parses by itself, and has its facts."""
    assume(is_text(text))
    each = source(text)
    statements = split(each).statements
    nodes = [node for one in statements for node in parsed(one.text)]
    assert [type(node) for node in nodes] == [type(node) for node in ast.parse(text.encode()).body]
    assert len(facts_in(each)[1]) == len(statements)
    assert scanned(each)
    assert bindings(each)
    assert outline(each)


@given(PROGRAMS, PROGRAMS)
@PATIENT
def test_any_two_programs_can_be_compared(old: str, new: str) -> None:
    """Between any two programs the edits hold every statement once, in order."""
    assume(is_text(old) and is_text(new))
    before = split(source(old))
    check_whole(diff(before, resplit(before, source(new))))


@given(st.one_of(PROGRAMS, st.text()), st.integers(0, 400), st.text(max_size=3))
@PATIENT
def test_a_broken_program_is_a_source_error(text: str, place: int, more: str) -> None:
    """A program with something put into its middle can be looked at, or is a SourceError."""
    each = source(text[:place] + more + text[place:])
    for look in (split, scanned, bindings, outline, facts_in):
        try:
            assert look(each) is not None
        except SourceError as error:
            assert error.reason  # noqa: PT017 - either is right
