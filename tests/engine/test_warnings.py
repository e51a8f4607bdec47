"""What the compiler warns of in a text that is reloaded."""

from __future__ import annotations

import warnings

import hotmod
from tests.oracle.project import Project

TEXT = """\
import os


class Price:
    def words(self):
        return "\\d" + "{}"


def words():
    return Price().words()
"""


def warned(project: Project, text: str) -> list[tuple[str, int]]:
    """The file and the line of each warning that an edit and its reload lead to."""
    project.write({"shop/prices.py": text})
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()  # which takes hotmod's own filter away as well
        assert hotmod.reload("shop").status == "applied"
    return [(each.filename, each.lineno) for each in caught]


def test_the_compiler_is_heard_once_and_about_the_file(project: Project) -> None:
    """An edit of code with an invalid escape warns as often as an import does, whatever hotmod looks at."""
    project.write({"shop/__init__.py": "", "shop/prices.py": TEXT.format(1)})
    with warnings.catch_warnings(action="ignore"):
        project.load("shop.prices")
        hotmod.reload("shop")
    warned(project, TEXT.format(2))  # the old text is compiled as well, where nobody saw the import
    path = str(project.folder / "shop" / "prices.py")
    assert warned(project, TEXT.format(3)) == [(path, 6)]
    assert warned(project, "X = 1\n" + TEXT.format(4)) == [(path, 7)]
    # what runs is compiled by itself
    assert set(warned(project, TEXT.format(5).replace("class Price", "class Price(object)"))) == {(path, 6)}
