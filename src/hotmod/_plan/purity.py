"""Whether running statements again can do anything but bind names.

If not, nothing but namespaces has to be saved before they run, and no registry has to be put in order.

Touches: nothing.

Guarantees: a statement is called pure only if all it calls is known to keep to itself, and nothing but
`type` sees the classes that it builds.
"""

from __future__ import annotations

import builtins

from hotmod._plan.program import Place, Program
from hotmod._source.facts import Facts

__all__ = ["is_plain_base", "is_pure", "is_quiet", "is_quiet_base"]

_BUILTINS = frozenset(
    (
        *("abs", "bool", "bytearray", "bytes", "chr", "complex", "dict", "divmod", "enumerate", "float"),
        *("frozenset", "hasattr", "hash", "hex", "id", "int", "isinstance", "issubclass", "len", "list"),
        *("memoryview", "object", "oct", "ord", "range", "repr", "reversed", "round", "set", "slice", "str"),
        *("sum", "tuple", "type", "zip", "any", "all", "property", "classmethod", "staticmethod", "super"),
    )
)
# Modules of the standard library whose functions and classes keep to themselves when they are called.
_QUIET = frozenset(
    (
        *(
            "abc",
            "collections",
            "collections.abc",
            "contextvars",
            "dataclasses",
            "datetime",
            "decimal",
            "enum",
        ),
        *("fractions", "functools", "itertools", "math", "operator", "os.path", "pathlib", "re", "string"),
        *("struct", "textwrap", "time", "types", "typing", "typing_extensions", "uuid", "weakref"),
    )
)
_QUIET_NAMES = frozenset(
    (
        *("contextlib.contextmanager", "contextlib.asynccontextmanager", "logging.getLogger", "os.getenv"),
        *("os.environ.get", "threading.Lock", "threading.RLock", "threading.local", "threading.Event"),
        *("threading.Condition", "threading.Semaphore", "warnings.deprecated", "importlib.metadata.version"),
    )
)
_CALL_BACK = frozenset(("functools.reduce", "itertools.accumulate", "itertools.starmap", "re.sub", "re.subn"))
_BASES = frozenset(
    (
        *("typing.Generic", "typing.Protocol", "typing.NamedTuple", "typing.TypedDict", "abc.ABC"),
        *("enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag", "threading.local"),
        *("typing_extensions.Protocol", "typing_extensions.TypedDict", "typing_extensions.NamedTuple"),
        *("collections.OrderedDict", "collections.UserDict", "collections.UserList", "collections.deque"),
        *("threading.Thread", "json.JSONEncoder", "logging.Handler", "logging.Formatter", "logging.Filter"),
    )
)
_LETTING_BE = frozenset(
    (
        "abc.ABC",
        "typing.Generic",
        "threading.Thread",
        "threading.local",
        "json.JSONEncoder",
        "logging.Handler",
    )
)
_BASE_MODULES = ("collections.abc.", "typing.", "contextlib.Abstract")


def is_pure(program: Program, module: str, facts: Facts) -> bool:
    """Whether running a statement can do nothing but bind names of its module.

    That its imports find their modules loaded is for the caller to see.
    """
    if facts.eager.dynamic:
        return False
    for chain in facts.eager.changes:
        places = program.places(module, chain)
        if not places or any(place.module != module for place in places):
            return False
    calls = all(is_quiet(program, module, callee) for callee in facts.eager.unknown)
    return calls and all(
        described.plain and all(is_quiet_base(program, module, base) for base in described.bases)
        for described in facts.classes.values()
    )


def is_quiet(program: Program, module: str, callee: tuple[str, ...]) -> bool:
    """Whether a function or class outside of the scope is known to keep to itself when it is called."""
    if not callee:
        return False
    name = program.outside(module, callee)
    if name.startswith("builtins."):
        return name.removeprefix("builtins.") in _BUILTINS
    if name in _CALL_BACK:
        return False
    return name in _QUIET_NAMES or any(
        name.rpartition(".")[0] == each or name.startswith(f"{each}.") for each in _QUIET
    )


def is_quiet_base(program: Program, module: str, base: tuple[str, ...], depth: int = 12) -> bool:
    """Whether a class built upon this base is seen by nothing but `type`, `ABCMeta` and `EnumType`."""
    if not base or depth == 0:
        return False
    name = program.outside(module, base)
    if name.startswith("builtins."):
        found = getattr(builtins, name.removeprefix("builtins."), None)
        return isinstance(found, type) and type(found) is type
    if name:
        return name in _BASES or name.startswith(_BASE_MODULES)
    places = [place for place in program.places(module, base) if place.name and not place.rest]
    described = [each for place in places for each in _described(program, place)]
    return (
        bool(described)
        and all(described)
        and all(
            is_quiet_base(program, place.module, each, depth - 1)
            for place in places
            for facts in _facts_at(program, place)
            for each in facts.classes[place.name].bases
        )
    )


def is_plain_base(name: str) -> bool:
    """Whether a base outside of the scope computes nothing of its heirs from what they inherit."""
    if name.startswith("builtins."):
        found = getattr(builtins, name.removeprefix("builtins."), None)
        return isinstance(found, type) and type(found) is type and not issubclass(found, type)
    return name in _LETTING_BE or name.startswith(_BASE_MODULES[0])


def _facts_at(program: Program, place: Place) -> list[Facts]:
    if place.module not in program:
        return []
    facts = program.facts(place.module)
    binders = program.binders(place.module).get(place.name, ())
    return [facts[index] for index in binders if place.name in facts[index].classes]


def _described(program: Program, place: Place) -> list[bool]:
    """Per definition of a base in scope: whether it sees its heirs being built by nothing of its own."""
    return [
        facts.classes[place.name].plain and "__init_subclass__" not in facts.classes[place.name].functions
        for facts in _facts_at(program, place)
    ]
