"""Edits of texts by lines, at random: what an editor shows between two good states, and worse."""

from __future__ import annotations

from hypothesis import strategies as st

FRAGMENTS = [
    *(
        "",
        "#c",
        "x = 1 \\",
        "\\",
        "  \\",
        "    b",
        "\ty",
        "else:",
        "elif y:",
        "try:",
        "except E:",
        "finally:",
    ),
    *("'''", '"""', ")", "(", "@dec", "@(", "@\\", "if x:", "\x0c", "  \x0cq = 1", "; z", "a; b; \\", "'a\\"),
    *("async def f():", "    pass", "    def m(self): pass", "    class N:", "        return 1", "class A:"),
    *("class A: x = 1; \\", "from __future__ import annotations", "\ufeff", "match x:", "    case 1: pass"),
    *(
        '"doc"',
        "    '''",
        "    @dec",
        "    x = 'a\\",
        "        '''",
        "    else:",
        "    x = [",
        "    a; b; \\",
        "    @a",
    ),
]
TAILS = [" \\", ";", "; q", "  # c", "(", ")", "'''", "\\"]
Operation = tuple[str, int, int, int]
OPERATIONS = st.tuples(
    st.sampled_from(["delete", "insert", "repeat", "swap", "append", "replace", "indent"]),
    st.integers(0, 2**16),
    st.integers(0, 7),
    st.integers(0, len(FRAGMENTS) - 1),
)


def operate(lines: list[str], operation: Operation) -> None:
    """Edit lines at random."""
    what, number, count, choice = operation
    at = number % len(lines)
    if what == "delete":
        del lines[at : at + count]
    elif what == "insert":
        lines.insert(at, FRAGMENTS[choice])
    elif what == "repeat":
        lines[at:at] = lines[at : at + count]
    elif what == "swap":
        other = (at + count * choice) % len(lines)
        lines[at], lines[other] = lines[other], lines[at]
    elif what == "append":
        lines[at] += TAILS[choice % len(TAILS)]
    elif what == "indent":
        lines[at : at + count] = [f"    {line}" for line in lines[at : at + count]]
    else:
        lines[at] = FRAGMENTS[choice]
    if not lines:
        lines.append("")
