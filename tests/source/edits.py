"""What the tests of edits share: cases from text files, edits in one line each, the files of the library."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import os
import pathlib
import random
import re
import sys
import sysconfig
import warnings
from collections import Counter

from hotmod._model.changes import SourceText
from hotmod._source.diff import Edit, EditKind, Edits, diff
from hotmod._source.statements import Statements, split

FOLDER = pathlib.Path(__file__).with_name("cases") / "edits"
STDLIB = pathlib.Path(sysconfig.get_path("stdlib"))
LEFT_OUT = {"test", "tests", "idlelib", "site-packages", "dist-packages", "bad_coding"}
SAMPLE = 25


@dataclasses.dataclass(frozen=True)
class Case:
    """A text before and after an edit, and what the edit is told to be."""

    name: str
    before: str
    after: str
    told: list[str]


def source(text: str) -> SourceText:
    return SourceText.of("/shop/cart.py", text.encode("utf-8", "surrogatepass"))


def statements(text: str) -> Statements:
    return split(source(text))


def compared(before: str, after: str) -> Edits:
    return diff(statements(before), statements(after))


def cases() -> list[Case]:
    """The cases that this Python can read; a title ends with `since 3.12` where that matters."""
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("\n=== ")[1:]:
            title, _, rest = block.partition("\n")
            name, _, since = title.partition(" since 3.")
            before, after, told = re.split(r"^---\n", rest, flags=re.MULTILINE)
            if sys.version_info[1] >= int(since or 11):
                lines = [line for line in told.splitlines() if line]
                found.append(Case(f"{path.stem}: {name}", before, after, lines))
    return found


def check_whole(edits: Edits) -> None:
    """What holds for the edits between any two texts."""
    news = [edit.new for edit in edits.edits if edit.new]
    olds = [edit.old for edit in edits.edits if edit.old]
    assert tuple(news) == edits.new.statements
    assert Counter(olds) == Counter(edits.old.statements)
    spans = [
        (edit.old.first, edit.old.last, edit.new.first, edit.new.last)
        for edit in edits.edits
        if edit.old and edit.new and not edit.reordered
    ]
    for (_, old_last, _, new_last), (old_first, _, new_first, _) in itertools.pairwise(spans):
        assert old_last < old_first
        assert new_last < new_first
    assert set(spans) <= set(edits.spans)
    for edit in edits.edits:
        assert (edit.kind is EditKind.ADDED) == (edit.old is None)
        assert (edit.kind is EditKind.REMOVED) == (edit.new is None)
        told = edit.bodies or edit.docs
        assert bool(told) or edit.kind is not EditKind.BODY
        if edit.kind in {EditKind.UNCHANGED, EditKind.MOVED} and edit.old and edit.new:
            assert edit.old.text == edit.new.text or _dumped(edit.old.text) == _dumped(edit.new.text)


def _dumped(text: str) -> str:
    return ast.dump(ast.parse(f"{text}\n")).replace(", kind='u'", "")


def in_words(edits: Edits) -> list[str]:
    """The edits, one a line."""
    reason = [f"whole {edits.whole}"] if edits.whole else []
    return reason + [_line(edit) for edit in edits.edits]


def _line(edit: Edit) -> str:
    words = [edit.kind.value, ",".join(edit.names) or "-"]
    words += ["reordered"] if edit.reordered else []
    words += ["inside", ",".join(edit.bodies)] if edit.bodies else []
    words += ["docs", ",".join(edit.docs)] if edit.docs else []
    words += ["header"] if edit.header else []
    words += ["with"] if edit.members else []
    for member in edit.members:
        marks = [member.name or "-", member.kind.value]
        marks += ["function"] if member.is_function else []
        marks += ["decorated"] if member.decorated else []
        words.append(":".join(marks))
    return " ".join(words)


def library() -> list[pathlib.Path]:
    """Files of the standard library: a sample, or all if HOTMOD_WHOLE_LIBRARY is set."""
    files = [
        path
        for path in sorted(STDLIB.rglob("*.py"))
        if not LEFT_OUT.intersection(path.relative_to(STDLIB).parts)
    ]
    if os.environ.get("HOTMOD_WHOLE_LIBRARY"):
        return files
    return random.Random(1).sample(files, SAMPLE)  # noqa: S311 - the same sample every time is the point


def library_name(path: pathlib.Path) -> str:
    return path.relative_to(STDLIB).as_posix()


def library_text(path: pathlib.Path) -> SourceText | None:
    """The text of a file, None if it is no Python of this version (templates, data of lib2to3)."""
    text = SourceText.of(str(path), path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text.data, text.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return None
    return text
