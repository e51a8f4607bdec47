"""Play a case in a live process and in a fresh one, and say where they disagree.

Tests and benchmarks use this one function, so that a time is never told of a result that is wrong.
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from typing import Any

from tests.oracle.cases import Case, Version, fields
from tests.oracle.processes import Program, server

__all__ = ["Played", "differences", "fresh", "play", "write"]

_SHOWN = 25


@dataclasses.dataclass
class Played:
    """What came of one case.

    Attributes:
        problems: where the live process was not what it should be, in words; empty when all is right.
        reports: the report of each save.
        took: the seconds of each reload.
        fresh: the seconds that a fresh process needed to import the same.
    """

    problems: list[str] = dataclasses.field(default_factory=list)
    reports: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    took: list[float] = dataclasses.field(default_factory=list)
    fresh: list[float] = dataclasses.field(default_factory=list)


def write(root: pathlib.Path, version: Version) -> None:
    """Make the folder hold exactly these files; those that are the same are not touched."""
    stale = {path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for path, data in version.files.items():
        file = root / path
        stale.discard(file)
        if not file.is_file() or file.read_bytes() != data:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    for file in stale:
        file.unlink()
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        caches = [path for path in folder.iterdir() if path.name == "__pycache__"]
        if len(caches) == len(list(folder.iterdir())) and folder.name != "__pycache__" and folder != root:
            for cache in caches:
                for file in cache.iterdir():
                    file.unlink()
                cache.rmdir()
            folder.rmdir()


def differences(live: dict[str, Any], other: dict[str, Any], allowed: tuple[str, ...] = ()) -> list[str]:
    """Where two looks disagree; `allowed` are places (`module:name`) that may."""

    def excused(path: str) -> bool:
        return any(
            path == place or path.startswith((f"{place}/", f"{place}.", f"{place}[")) for place in allowed
        )

    have, want = live["facts"], other["facts"]
    found, told = [], "\0"
    for path in sorted(have.keys() | want.keys()):
        if have.get(path) != want.get(path) and not excused(path) and not path.startswith(told):
            found.append(
                f"{path}: live {have.get(path, 'has nothing')}, fresh {want.get(path, 'has nothing')}"
            )
            told = f"{path}" if path[-1] != ":" else told  # what is below a difference is no news
    groups, wanted = (
        [
            kept
            for group in look["identities"]
            if len(kept := [place for place in group if not excused(place)]) > 1
        ]
        for look in (live, other)
    )
    found += [f"one object only in the live process: {group}" for group in groups if group not in wanted]
    found += [f"one object only in a fresh process: {group}" for group in wanted if group not in groups]
    return found


def fresh(
    root: pathlib.Path, version: Version, loaded: list[str], tops: list[str]
) -> tuple[Program, list[str], float]:
    """A process that imports the modules that are loaded in the live one, from the files of a version."""
    root.mkdir(parents=True)
    write(root, version)
    program = server().program()
    started = time.perf_counter()
    failed = program.load(str(root), loaded, tops)
    return program, failed, time.perf_counter() - started


def play(
    case: Case,
    folder: pathlib.Path,
    *,
    strategy: str = "modules",
    tool: str = "hotmod",
    bytecode: bool = True,
    back: bool = False,
    paranoid: bool = False,
    verified: bool = False,
) -> Played:
    """Play one case.

    Args:
        case: the case.
        folder: an empty folder for its files.
        strategy: the reloader's strategy.
        tool: who reloads: `hotmod`, or `importlib` for comparison.
        bytecode: whether the interpreter writes `.pyc` files.
        back: whether every applied save is rolled back and applied again.
        paranoid: whether hotmod compares itself with a fresh process, too.
        verified: whether `verify()` has to find nothing where the oracle finds nothing.
    """
    played = Played()
    root = folder / "live"
    root.mkdir()
    write(root, case.versions[0])
    tops = sorted({name.partition(".")[0] for version in case.versions for name in version.names})
    with server().program() as live:
        failed = live.load(str(root), case.imports, tops, bytecode=bytecode)
        played.problems += [f"version 1 does not import: {what}" for what in failed]
        live.attach(tool, case.targets, strategy, case.verify, paranoid=paranoid)
        live.run(case.hold)
        for number, version in enumerate(case.versions[1:], 2):
            refused = version.expected.status not in ("applied", "unchanged")
            before = live.look() if back or refused else {}
            live.keep((*version.expected.survives, *version.expected.renewed))
            write(root, version)
            played.reports.append(live.reload())
            found = _report_problems(played.reports[-1], version, strategy if tool == "hotmod" else "")
            if back and played.reports[-1]["status"] == "applied":
                live.rollback()
                found += [f"after rollback(): {what}" for what in differences(live.look(), before)][:_SHOWN]
                played.reports[-1] |= {"again": live.reload(watched=False)}
            found += _identity_problems(live, version)
            if refused:
                found += [f"though refused: {what}" for what in differences(live.look(), before)][:_SHOWN]
            if tool == "hotmod" and version.expected.status == "applied":
                found += _second_look(live)
            held = live.evaluate(version.expected.held)
            found += [
                f"held: {what} is {value}"
                for what, value in zip(version.expected.held, held, strict=True)
                if value != "True"
            ]
            if not refused:
                found += _against_fresh(live, folder / f"fresh{number}", version, (case, tops), played)
            if (
                verified
                and not refused
                and not played.reports[-1]["hazards"]
                and not version.expected.lists.get("differs")
            ):
                found += [f"verify(): {what}" for what in live.verified()]
            played.took.append(played.reports[-1]["took"])
            played.problems += [f"version {number}: {what}" for what in found]
    return played


def _identity_problems(live: Program, version: Version) -> list[str]:
    """What should have stayed the same object and did not, or the other way round."""
    survives, renewed = version.expected.survives, version.expected.renewed
    same = dict(live.kept((*survives, *renewed)))
    found = [f"did not survive: {each} ({same[each]})" for each in survives if same[each] != "same"]
    return found + [f"was not renewed: {each} ({same[each]})" for each in renewed if same[each] != "other"]


def _second_look(live: Program) -> list[str]:
    again = live.reload(watched=False)
    return [] if again["status"] == "unchanged" else [f"a second reload is not 'unchanged': {again['text']}"]


def _report_problems(report: dict[str, Any], version: Version, strategy: str) -> list[str]:
    expected = version.expected
    found = list(report.get("broken", ()))
    if report["status"] != expected.status:
        found.append(f"status {report['status']}, not {expected.status}: {report['text']}")
    error = report["error"]
    words = f"{error['type']}: {error['message']}" if error else ""
    if expected.error not in words or (words and not expected.error and expected.status == "applied"):
        found.append(f"error {words!r}, not {expected.error!r}")
    for field, names in fields(expected, strategy) if strategy else ():
        if field == "differs":
            continue
        have = (
            [hazard["code"] for hazard in report["hazards"]] if field == "hazards" else report.get(field, [])
        )
        ordered = field == "executed"
        if have != list(names) if ordered else sorted(set(have)) != sorted(names):
            found.append(f"{field} {have}, not {list(names)}")
    return found


def _against_fresh(
    live: Program, root: pathlib.Path, version: Version, asked_for: tuple[Case, list[str]], played: Played
) -> list[str]:
    expected = version.expected
    case, tops = asked_for
    look = live.look()
    first = [name for name in case.imports if name in look["modules"]]
    program, failed, seconds = fresh(root, version, list(dict.fromkeys([*first, *look["modules"]])), tops)
    played.fresh.append(seconds)
    with program:
        found = [f"loaded, but a fresh process can't import {what}" for what in failed]
        found += differences(
            look, program.look(), (*expected.lists.get("differs", ()), *expected.lists.get("kept", ()))
        )
        asked = [expression for expression, _ in expected.values]
        for who, values in (("live", live.evaluate(asked)), ("fresh", program.evaluate(asked))):
            found += [
                f"{who}: {expression} is {value}, not {wanted}"
                for (expression, wanted), value in zip(expected.values, values, strict=True)
                if value != wanted
            ]
        traces = zip(
            expected.traces, live.traces(expected.traces), program.traces(expected.traces), strict=True
        )
        found += [f"trace of {what}:\n{one}is not\n{two}" for what, one, two in traces if one != two]
    return found[:_SHOWN]
