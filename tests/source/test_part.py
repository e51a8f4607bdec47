"""The part of a class among whose members an edit lies: where it begins and ends, and when there is none."""

from __future__ import annotations

import pytest

from hotmod._source.part import Part, edited_part, parse_part

HEAD = "class A(B):\n    x = 1\n    def f(self): pass\n"

FOUND = {
    "between": (f"{HEAD}    def g(self): OLD\n    def h(self): pass", (2, 4, 4, False)),
    "grows": (f"{HEAD}    def g(self): OLD\n    def h(self): pass", (2, 4, 6, False)),
    "last": (f"{HEAD}    def g(self):\n        OLD\n        return", (3, 6, 6, True)),
    "head-of-method": (f"{HEAD}    def OLD(self): pass\n    def h(self): pass", (2, 4, 4, False)),
    "decorated": (f"@a\n@b\n{HEAD}    async def g(self): OLD\n    x = 1", (4, 7, 7, True)),
    "nested-class": (
        f"{HEAD}    class C:\n        def g(self): pass\n        def h(self): OLD\n    def i(self): pass",
        (3, 6, 6, False),
    ),
    "only-in-nested-class": (
        "class A:\n    class C:\n        def g(self): pass\n        def h(self): OLD",
        (1, 4, 4, True),
    ),
    "string-looks-like-method": (
        f'{HEAD}    y = """\n    def g(self): pass\n    """\n    z = OLD\n    def h(self): pass',
        (2, 7, 7, False),
    ),
    "continued-string-looks-like-method": (
        f"{HEAD}    y = 'a\\\n    def g(self): f'  # '\n    z = OLD\n    def h(self): pass",
        (2, 6, 6, False),
    ),
}


@pytest.mark.parametrize("form", FOUND)
def test_a_part_lies_between_definitions(form: str) -> None:
    """A part begins at the last definition above the edit and ends at the first one below it."""
    text, expected = FOUND[form]
    lines = "NEW\n        1\n        2" if form == "grows" else "NEW"
    begin, old_end, new_end, is_last = expected
    found = edited_part(text.split("\n"), text.replace("OLD", lines).split("\n"))
    assert found == Part("A", 4, begin, old_end, new_end, is_last)


NONE = {
    "no-class": "def f():\n    def g(): pass\n    def h(): OLD",
    "no-class-but-a-string": 'def f():\n    """\nclass A:\n    """\n    def g(): pass\n    def h(): OLD',
    "no-class-but-a-decorator": '@a("""\nclass A:\n""")\ndef f():\n    def g(): pass\n    def h(): OLD',
    "condition": "if a:\n    class A:\n        def f(self): OLD",
    "above-all-methods": "class A:\n    x = OLD\n    def f(self): pass",
    "bases": f"{HEAD.replace('B', 'OLD')}",
    "first-head": "class A:\n    def OLD(self): pass\n    def g(self): pass",
    "tabs": "class A:\n    def f(self):\n\tdef g(): pass\n\tdef h(): OLD",
    "type-parameters": HEAD.replace("A", "A[T]") + "    def g(self): OLD\n    def h(self): pass",
}


@pytest.mark.parametrize("form", NONE)
def test_what_is_not_surely_among_members_is_no_part(form: str) -> None:
    """No part is found where an edit touches more than members, or where the text leaves doubt."""
    text = NONE[form]
    assert edited_part(text.split("\n"), text.replace("OLD", "NEW").split("\n")) is None


REFUSED = {
    "open-string": "'''",
    "open-bracket": "(",
    "continued": "1; \\",
    "continued-alone": "1\n    \\",
    "decorator": "1\n    @a",
    "ends-the-class": "1\nx = 1",
    "goes-on-elsewhere": "1\nelse:",
    "indented": "1\n            2",
    "no-suite": "1\n    if a:",
}


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize("below", ["    def h(self): pass", ""], ids=["followed", "last"])
def test_what_is_no_part_by_itself_is_refused(form: str, below: str) -> None:
    """A part that leaves something open, or closes more than itself, is not parsed by itself."""
    old = f"{HEAD}    def g(self): 1\n{below or '    # c'}".split("\n")
    new = f"{HEAD}    def g(self): {REFUSED[form]}\n{below or '    # c'}".split("\n")
    found = edited_part(old, new)
    assert found is not None
    assert parse_part(new, found, found.new_end) is None
