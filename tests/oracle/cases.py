"""Cases as data: a package before an edit, the edit, and what is expected of the program after it.

A case is one text file below `tests/cases`; its README says how to write one.
"""

from __future__ import annotations

import codecs
import collections
import dataclasses
import pathlib
import re
from collections.abc import Iterator

__all__ = ["CASES", "Case", "Expected", "Version", "all_cases", "parse"]

CASES = pathlib.Path(__file__).resolve().parents[1] / "cases"
_HEADING = re.compile(r"^--- (.+)$", re.MULTILINE)
_LISTS = ("changed", "executed", "cleared", "kept", "rebound", "hazards", "differs")


@dataclasses.dataclass(frozen=True)
class Expected:
    """What must hold after one version was written and the program was asked to reload.

    Attributes:
        status: the report's status.
        lists: fields of the report that must be exactly this, by name.
        values: (expression, its repr), in the live and in the fresh process alike.
        held: expressions over the references taken before the edit; each must be true.
        traces: expressions that raise; the traceback's text must be the fresh process's.
        error: a part of the report's error, as `NameError: ...`.
        survives: expressions that give the same object before and after.
        renewed: expressions that give another object after than before.
    """

    status: str = "applied"
    lists: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    values: tuple[tuple[str, str], ...] = ()
    held: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    error: str = ""
    survives: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Version:
    """The files after one save; None for a file that is gone."""

    files: dict[str, bytes]
    expected: Expected

    @property
    def names(self) -> list[str]:
        """The modules that the files make, in the order in which they are written down."""
        return [name for path in self.files if (name := module_name(path))]


@dataclasses.dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: folder and file name without suffix.
        rule: the sentence that the case stands for.
        versions: what is on disk at first and after each save; the first has no expectation.
        targets: what the reloader is asked to look after.
        imports: the modules that the program imports at first.
        hold: statements that run before the first edit, with all top-level packages at hand.
        verify: an expression that `verify=` evaluates; empty for none.
        strategies: the strategies that the case is about.
    """

    name: str
    rule: str
    versions: tuple[Version, ...]
    targets: tuple[str, ...]
    imports: tuple[str, ...]
    hold: str = ""
    verify: str = ""
    strategies: tuple[str, ...] = ("modules", "minimal")


def module_name(path: str) -> str:
    """The dotted name of the module that a file makes; empty for other files."""
    if not path.endswith(".py"):
        return ""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def all_cases(folder: pathlib.Path = CASES) -> list[Case]:
    """Every case of a folder, by name."""
    files = sorted(path for path in folder.rglob("*.txt") if path.name[0].isalpha())
    return [
        parse(path.relative_to(folder).with_suffix("").as_posix(), path.read_text("utf-8")) for path in files
    ]


def parse(name: str, text: str) -> Case:
    """Read one case.

    Raises:
        ValueError: a heading or a line of an expectation is not known.
    """
    rule, *sections = _HEADING.split(text)
    options: dict[str, str] = {}
    saves: list[dict[str, bytes | None]] = [{}]
    expected: list[Expected] = []
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        word, _, rest = heading.strip().partition(" ")
        content = body.removeprefix("\n")
        if word == "expect":
            expected.append(_expected(content))
        elif word in ("hold", "imports", "targets", "verify", "strategies") and not rest:
            options[word] = content
        elif re.fullmatch(r"v\d+", word):
            number = int(word[1:])
            while len(saves) < number:
                saves.append({})
            path, *how = rest.split()
            saves[number - 1][path] = _content(content, how)
        else:
            msg = f"case {name}: what is '--- {heading}'?"
            raise ValueError(msg)
    return _case(name, " ".join(rule.split()), saves, expected, options)


def _case(
    name: str,
    rule: str,
    saves: list[dict[str, bytes | None]],
    expected: list[Expected],
    options: dict[str, str],
) -> Case:
    if not rule.endswith(".") or len(expected) != len(saves) - 1 or not expected:
        msg = (
            f"case {name}: needs a rule that ends with a full stop and one 'expect' per save after the first"
        )
        raise ValueError(msg)
    files: dict[str, bytes] = {}
    versions = []
    for save, outcome in zip(saves, [Expected(), *expected], strict=True):
        files = {path: data for path, data in {**files, **save}.items() if data is not None}
        versions.append(Version(files, outcome))
    names = versions[0].names
    return Case(
        name,
        rule,
        tuple(versions),
        tuple(options.get("targets", "").split()) or tuple(dict.fromkeys(n.partition(".")[0] for n in names)),
        tuple(options.get("imports", "").split()) or tuple(names),
        options.get("hold", ""),
        options.get("verify", "").strip(),
        tuple(options.get("strategies", "").split()) or Case.strategies,
    )


def _content(text: str, how: list[str]) -> bytes | None:
    """The bytes of a file; `how` says how they differ from UTF-8 with plain line ends."""
    text = text.rstrip("\n") + "\n" if text.strip() else ""
    encoding = "utf-8"
    for word in how:
        if word == "deleted":
            return None
        if word == "crlf":
            text = text.replace("\n", "\r\n")
        elif word == "bom":
            text = "\ufeff" + text
        elif word == "unended":
            text = text.rstrip("\n")
        else:
            encoding = codecs.lookup(word).name
    return text.encode(encoding)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, colon, rest = line.partition(":")
            if not colon:
                msg = f"no key in {line!r}"
                raise ValueError(msg)
            yield key.strip(), rest.strip()


def _expected(text: str) -> Expected:
    single = {"status": "applied", "error": ""}
    lists: dict[str, tuple[str, ...]] = {}
    values, expressions = [], collections.defaultdict[str, list[str]](list)
    for key, rest in _lines(text):
        if key in single:
            single[key] = rest
        elif key.partition("[")[0] in _LISTS:
            lists[key] = tuple(rest.split())
        elif key == "value":
            expression, arrow, result = rest.rpartition("=>")
            if not arrow:
                msg = f"no '=>' in {rest!r}"
                raise ValueError(msg)
            values.append((expression.strip(), result.strip()))
        elif key in ("held", "trace", "survives", "renewed"):
            expressions[key].append(rest)
        else:
            msg = f"what is {key!r}?"
            raise ValueError(msg)
    return Expected(
        single["status"],
        lists,
        tuple(values),
        tuple(expressions["held"]),
        tuple(expressions["trace"]),
        single["error"],
        tuple(expressions["survives"]),
        tuple(expressions["renewed"]),
    )


def fields(expected: Expected, strategy: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The report's fields that must be exactly so under a strategy."""
    for key, names in expected.lists.items():
        field, bracket, only = key.partition("[")
        if not bracket or only.rstrip("]") == strategy:
            yield field, names
