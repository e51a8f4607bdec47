"""How the statements of a part are run: the code for it, and those that other threads see first.

Touches: nothing.

Guarantees: what is run is compiled through the module's own loader, with the line numbers of the new text,
and stores its names through its locals. The opening of a part can come to no function of the program.
"""

from __future__ import annotations

import dataclasses
import dis
import inspect
import itertools
import re
import types
from collections.abc import Iterable, Sequence

from hotmod._engine.hooks import compile_text
from hotmod._engine.keeping import masked, with_codes_of
from hotmod._live.stale import codes_in
from hotmod._model.changes import SourceText
from hotmod._plan import Part, Run

__all__ = ["Prepared", "only_defines", "prepared"]


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A part with its code.

    Attributes:
        part: the part.
        old: the code of the text that the module has.
        new: the code of the text that it is to have.
        running: the code of the statements that run; None if none does.
        opening: the code of the first of these, as far as they do nothing but define; None if there is none.
        rest: the code of those after the opening; None if there is none.
        imports: the modules that the opening imports.
    """

    part: Part
    old: types.CodeType
    new: types.CodeType
    running: types.CodeType | None
    opening: types.CodeType | None = None
    rest: types.CodeType | None = None
    imports: tuple[str, ...] = ()


def prepared(part: Part, old: SourceText, loader: object) -> Prepared:
    """Compile what a part needs.

    Raises:
        SyntaxError, SourceError, ValueError, RecursionError, MemoryError: it can't be compiled.
    """
    before, after = compile_text(loader, old), compile_text(loader, part.text)
    if not part.runs:
        return Prepared(part, before, after, None)

    def code_of(runs: Sequence[Run]) -> types.CodeType:
        lines = masked(part.edits.new, [(run.first, run.last) for run in runs])
        text = SourceText.of(part.text.path, "\n".join(lines).encode())
        return _stored_in_locals(with_codes_of(after, compile_text(loader, text)))

    running = code_of(part.runs)
    opening = () if part.cleared or part.stars else _opening(part.runs, running)
    imports = tuple(name for run in opening for name in run.imports)
    if not opening:
        return Prepared(part, before, after, running, None, running)
    if len(opening) == len(part.runs):
        return Prepared(part, before, after, running, running, None, imports)
    rest = code_of(part.runs[len(opening) :])
    return Prepared(part, before, after, running, code_of(opening), rest, imports)


def _opening(runs: Sequence[Run], running: types.CodeType) -> Sequence[Run]:
    """The first statements of a part, as far as they do nothing but define."""
    bodies = [list(dis.get_instructions(code)) for code in _bodies(running)]

    def opens(run: Run) -> bool:
        lines = range(run.first, run.last + 1)
        return not run.acts and not run.stars and all(_all_define(_within(body, lines)) for body in bodies)

    return list(itertools.takewhile(opens, runs))


def _within(body: Iterable[dis.Instruction], lines: range) -> list[dis.Instruction]:
    """The instructions of some lines, and those of none, in case that they belong there."""
    placed = [(each, each.positions.lineno if each.positions is not None else None) for each in body]
    return [each for each, line in placed if line is None or line in lines]


# What module-level code does that makes and binds definitions, imports and constants.
_DEFINES = frozenset(
    (
        *("RESUME", "NOP", "CACHE", "EXTENDED_ARG", "COPY_FREE_VARS", "MAKE_CELL", "PUSH_NULL", "POP_TOP"),
        *("LOAD_CONST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLOSURE", "LOAD_FAST", "LOAD_LOCALS", "LOAD_DEREF"),
        *("STORE_NAME", "STORE_GLOBAL", "MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE", "SETUP_ANNOTATIONS"),
        *("IMPORT_NAME", "IMPORT_FROM", "LOAD_BUILD_CLASS", "BUILD_TUPLE", "BUILD_LIST", "BUILD_MAP"),
        *("BUILD_SET", "BUILD_CONST_KEY_MAP", "LIST_EXTEND", "RETURN_VALUE", "RETURN_CONST", "PRECALL"),
        *("CALL", "KW_NAMES", "COPY", "STORE_DEREF", "LOAD_FROM_DICT_OR_DEREF", "LOAD_SMALL_INT"),
    )
)


def only_defines(tree: types.CodeType) -> bool:
    """Whether module-level code can't come to any function, not even by an operator."""
    return all(_all_define(list(dis.get_instructions(code))) for code in _bodies(tree))


def _all_define(steps: Iterable[dis.Instruction]) -> bool:
    names = [
        _NAMED.get(str(each.argval), each.opname) if each.opname == "LOAD_NAME" else each.opname
        for each in steps
    ]
    left = _KNOWN.sub("LOAD_CONST ", "".join(f"{name} " for name in names)).split()
    return left.count("CALL") == left.count("LOAD_BUILD_CLASS") and _DEFINES.issuperset(left)


# What of the interpreter's own calls nothing. That the names mean that is known where the plan finds that a
# statement does nothing but bind names.
_NAMED = {
    **dict.fromkeys(("classmethod", "staticmethod", "property"), "DECORATOR"),
    "__annotations__": "ANNOTATIONS",
}
_KNOWN = re.compile(
    "DECORATOR (PUSH_NULL )?"
    "(LOAD_CONST LOAD_NAME |(LOAD_CONST|LOAD_CLOSURE|LOAD_FAST|EXTENDED_ARG|BUILD_[A-Z_]+) )*"
    "MAKE_FUNCTION (SET_FUNCTION_ATTRIBUTE )*(PRECALL )?CALL "
    "|ANNOTATIONS LOAD_CONST STORE_SUBSCR "
)


def _bodies(tree: types.CodeType) -> list[types.CodeType]:
    """The code of a module, and of the bodies of its classes."""
    return [code for code in codes_in(tree) if not code.co_flags & inspect.CO_OPTIMIZED]


_THROUGH_LOCALS = {
    dis.opmap["STORE_GLOBAL"]: dis.opmap["STORE_NAME"],
    dis.opmap["DELETE_GLOBAL"]: dis.opmap["DELETE_NAME"],
}


def _stored_in_locals(code: types.CodeType) -> types.CodeType:
    """Module-level code that stores all its names through its locals.

    CPython stores those directly that the module declares as global somewhere at its top level. What takes
    the place of such an instruction has the same argument, and no cache.
    """
    steps = bytearray(code.co_code)
    for place in range(0, len(steps), 2):
        steps[place] = _THROUGH_LOCALS.get(steps[place], steps[place])
    return code if bytes(steps) == code.co_code else code.replace(co_code=bytes(steps))
