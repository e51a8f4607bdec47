"""The program compared with a fresh process after each reload (`HOTMOD_PARANOID=1`).

What agreed with a fresh process of the old texts before the reload has to agree with one of the new texts
after it. What did not is state of the program, and is left out; so is what two fresh processes do not agree
about.

Touches: starts interpreters that import the modules of the scope, from the texts that it hands them.

Guarantees: the program is only looked at. A difference is a hazard, and so is a fresh process that fails.

Assumes: importing the modules in a process of its own does no harm; `HOTMOD=off` is set there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from hotmod._engine.loaded import Ledger, Loaded
from hotmod._live.facts import facts_of
from hotmod._model.changes import SourceText
from hotmod._model.hazards import Hazard

__all__ = ["Look", "differing", "drift", "root_of"]

PATIENCE = 120.0  # seconds that a fresh process may take
SHOWN = 20  # names that are told
_CHILD = "import json, sys; job = json.load(sys.stdin); sys.path[:] = job['path']; "
_CHILD += "from hotmod._engine.freshly import answer; answer(job)"

Facts = Mapping[str, str]


class Look:
    """The program at one moment, and what a fresh process needs to become it.

    Attributes:
        facts: what the modules are.
        modules: their names in the order of their first import.

    Args:
        ledger: what is loaded.
        on_disk: whether the fresh process is to import what the files hold now, as far as it can, and not
            the texts that run.
    """

    def __init__(self, ledger: Ledger, *, on_disk: bool = False) -> None:
        ledger.refresh()
        self.modules = [name for name, loaded in ledger.modules.items() if loaded.text is not None]
        texts: dict[str, tuple[Loaded, SourceText]] = {
            name: (loaded, loaded.text) for name, loaded in ledger.modules.items() if loaded.text is not None
        }
        if on_disk:
            found = [(loaded, text) for loaded, text in ledger.on_disk() if loaded.name in texts]
            texts = {each.name: (each, text) for each, text in found if isinstance(text, SourceText)}
        self._texts = {
            name: [text.path, os.path.basename(text.path).startswith("__init__."), text.data.hex()]
            for name, (_, text) in texts.items()
        }
        self._all = on_disk
        self.facts: Facts = facts_of(
            {name: sys.modules[name] for name in self.modules if name in sys.modules}
        )

    def start(self) -> subprocess.Popen[str]:
        """Start a fresh process that imports the same modules from the same texts."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("HOTMOD")}
        return subprocess.Popen(  # noqa: S603 - our own interpreter and our own text
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**env, "HOTMOD": "off", "PYTHONIOENCODING": "utf-8"},
        )

    def job(self) -> str:
        """What the process is to do."""
        job = {"path": sys.path, "texts": self._texts, "modules": self.modules, "all": self._all}
        return json.dumps(job)

    def ask(self) -> tuple[Facts, Mapping[str, str], str]:
        """What a fresh process is, which modules it can't import and why, and why it told nothing."""
        answer, problem = _answer(self.start(), self.job())
        return answer.get("facts", {}), answer.get("failed", {}), problem


def drift(before: Look, after: Look, kept: Iterable[str]) -> Iterator[Hazard]:
    """Where the program is not what a fresh process is, and was before.

    Args:
        before: the program before the reload.
        after: the program now.
        kept: the names that were kept on purpose, as `module:name`.
    """
    old, new = before.start(), after.start()
    then, problem = _answer(old, before.job())
    fresh, failure = _answer(new, after.job())
    if problem or failure:
        yield _failed(after, failure or problem, is_new=bool(failure))
        return
    was, now = then["facts"], fresh["facts"]
    names = frozenset(kept)
    suspects = [path for path in differing(after.facts, now) if root_of(path) not in names]
    suspects = [path for path in suspects if before.facts.get(path) == was.get(path)]
    if suspects:
        again, _, failure = after.ask()
        suspects = (
            [path for path in suspects if again.get(path) == now.get(path)] if not failure else suspects
        )
    by_name: dict[str, list[str]] = {}
    for path in suspects:
        by_name.setdefault(root_of(path), []).append(path)
    for name, paths in list(by_name.items())[:SHOWN]:
        yield _told(name, paths, after.facts, now, len(by_name))


def differing(one: Facts, two: Facts) -> list[str]:
    """The facts that are not the same on both sides."""
    return sorted(path for path in one.keys() | two.keys() if one.get(path) != two.get(path))


def root_of(path: str) -> str:
    """`module:name` of a path."""
    module, _, rest = path.partition(":")
    end = next((index for index, char in enumerate(rest) if char in "/[."), len(rest))
    return f"{module}:{rest[:end]}"


def _told(name: str, paths: Collection[str], live: Facts, fresh: Facts, count: int) -> Hazard:
    module, _, attribute = name.partition(":")
    path = next(iter(paths))
    here, there = live.get(path, "nothing"), fresh.get(path, "nothing")
    more = f", and so do {len(paths) - 1} more facts about it" if len(paths) > 1 else ""
    if count > SHOWN:
        more += f" ({count} names differ)"
    return Hazard(
        "drift",
        module,
        attribute,
        message=f"{path} differs from a fresh process: {here} here, {there} there{more}",
        advice="Please report this with the edit; restart the process to be sure of it.",
    )


def _failed(look: Look, why: str, *, is_new: bool) -> Hazard:
    which = "the texts that run now" if is_new else "the texts that ran before"
    return Hazard(
        "drift",
        look.modules[0] if look.modules else "",
        message=f"a fresh process can't import {which}: {why}",
        advice="The comparison could not be made; see what the program has that a fresh process lacks.",
    )


def _answer(process: subprocess.Popen[str], job: str) -> tuple[dict[str, Any], str]:
    """What a fresh process is; or why it did not tell."""
    try:
        said, errors = process.communicate(job, PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {}, f"it took longer than {PATIENCE:.0f} s"
    if process.returncode:
        return {}, errors.strip().rpartition("\n")[2] or f"it ended with {process.returncode}"
    answer: dict[str, Any] = json.loads(said.rpartition("\n")[2])
    return answer, ""
