from __future__ import annotations

import ast
import pathlib
import re

from tests.identity.table import FOLDER

HERE = pathlib.Path(__file__).parent
CLAIMS = [
    tuple(part.strip() for part in line.split("|"))
    for line in (HERE / "claims.txt").read_text(encoding="utf-8").partition("\nclaim |")[2].splitlines()[1:]
]


def known() -> dict[str, str]:
    """The text of every case and the name of every test function of this folder, by how claims name them."""
    found = {}
    for path in FOLDER.glob("*.txt"):
        for block in ("\n" + path.read_text(encoding="utf-8")).split("\n=== ")[1:]:
            found[f"{path.stem}: {block.partition(chr(10))[0]}"] = block
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = ""
    return found


def named(column: str, names: dict[str, str]) -> list[str]:
    """The tests that a column names; a title may itself hold the semicolon that parts them."""
    found, rest = [], column
    while rest:
        fitting = [name for name in names if rest == name or rest.startswith(f"{name}; ")]
        assert fitting, f"no such test: {rest!r}"
        longest = max(fitting, key=len)
        found.append(longest)
        rest = rest[len(longest) + 2 :]
    return found


def test_every_claim_has_its_tests() -> None:
    """Each promise about identity names tests that exist, at least one of which holds where it is kept."""
    names = known()
    assert len(CLAIMS) > 50
    for claim, kept, told in CLAIMS:
        assert named(kept, names), claim
        named(told, names)


def test_what_is_not_possible_is_told_there() -> None:
    """A case that a claim names as not possible expects a hazard."""
    names = known()
    for claim, _, told in CLAIMS:
        for name in named(told, names):
            if ":" in name:
                assert re.search(r"\n--- told\n\S", names[name]), f"{claim}: {name} tells nothing"


def test_every_file_of_cases_has_a_claim() -> None:
    """No file of cases is without a claim."""
    claimed = " ".join(kept + told for _, kept, told in CLAIMS)
    for path in FOLDER.glob("*.txt"):
        if path.stem != "rich":  # these are interrupted at every step
            assert f"{path.stem}: " in claimed
