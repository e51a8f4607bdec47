"""What happens inside a process under observation: import, hold, reload, roll back, look.

A `Player` is one program. It answers calls that come as JSON, so that the same program runs in a process
of its own (`tests.oracle.processes`) or here.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from tests.oracle.describe import describe, identities, owned_modules
from tests.oracle.snapshot import Snapshot, take

__all__ = ["Player"]


class Player:
    """One program: the modules of some top-level packages below a folder, and who holds what of them."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = {"__name__": "client"}
        self.root = ""
        self.tops: tuple[str, ...] = ()
        self.tool: Any = None
        self.events: list[str] = []
        self._held: dict[str, Any] = {}

    def owned(self, name: str) -> bool:
        """Whether a module belongs to the program."""
        return any(name == top or name.startswith(f"{top}.") for top in self.tops)

    def load(
        self, root: str, imports: Sequence[str], tops: Sequence[str], *, bytecode: bool = True
    ) -> list[str]:
        """Import the program; gives the names of what failed to import."""
        self.root, self.tops = os.path.realpath(root), tuple(tops)
        sys.dont_write_bytecode = not bytecode
        sys.path.insert(0, self.root)
        importlib.invalidate_caches()
        failed = []
        for name in imports:
            try:
                importlib.import_module(name)
            except ImportError as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
        self._name_tops()
        return failed

    def _name_tops(self) -> None:
        for top in self.tops:
            if top in sys.modules:
                self.space[top] = sys.modules[top]

    def attach(
        self,
        tool: str,
        targets: Sequence[str],
        strategy: str = "modules",
        verify: str = "",
        *,
        paranoid: bool = False,
    ) -> None:
        """Make what will reload the program."""
        check = (lambda: eval(verify, self.space)) if verify else None
        self.tool = _TOOLS[tool](self, targets, strategy, check, paranoid)

    def run(self, code: str) -> None:
        """Run statements of somebody who uses the program."""
        exec(compile(code, "<client>", "exec", dont_inherit=True), self.space)
        if code:
            importlib.invalidate_caches()

    def reload(self, *, watched: bool = True) -> dict[str, Any]:
        """Apply what is on disk; if `watched`, look for changes by a dry run or a refused attempt."""
        broken: list[str] = []
        before = take(self.owned, self.root) if watched else None
        if before is not None:
            self.tool.plan()
            broken += [f"plan() changed {what}" for what in before.differences(take(self.owned, self.root))]
        started = time.perf_counter()
        report = self.tool.reload()
        seconds = time.perf_counter() - started
        if before is not None and report["status"] not in ("applied", "unchanged"):
            after = take(self.owned, self.root)
            broken += [f"{report['status']} changed {what}" for what in before.differences(after)]
        self._name_tops()
        return {**report, "broken": broken, "took": seconds}

    def rollback(self) -> dict[str, Any]:
        """Go back to the version before the last applied one."""
        report: dict[str, Any] = self.tool.rollback()
        self._name_tops()
        return report

    def verified(self) -> list[str]:
        """What `verify()` tells that was not done on purpose."""
        found: list[str] = self.tool.verified()
        return found

    def look(self, *, sources: bool = True) -> dict[str, Any]:
        """Everything about the program that a fresh process must agree with."""
        return {
            "modules": list(owned_modules(self.owned)),
            "facts": describe(self.owned, self.root, sources=sources),
            "identities": identities(self.owned),
        }

    def evaluate(self, expressions: Sequence[str]) -> list[str]:
        """The repr of each expression, or the exception that it raises."""
        found = []
        for expression in expressions:
            try:
                found.append(repr(eval(expression, self.space)).replace(self.root, "<root>"))
            except Exception as error:
                found.append(f"raised {type(error).__name__}: {error}")
        return found

    def keep(self, expressions: Sequence[str]) -> None:
        """Take the objects that some expressions give, for `kept`."""
        self._held = {each: eval(each, self.space) for each in expressions}

    def kept(self, expressions: Sequence[str]) -> list[tuple[str, str]]:
        """By expression, whether it gives the `same` object as when `keep` was called, or which `other`."""
        found = []
        for each in expressions:
            try:
                same = eval(each, self.space) is self._held[each]
                found.append((each, "same" if same else "other"))
            except Exception as error:
                found.append((each, f"raised {type(error).__name__}: {error}"))
        self._held = {}
        return found

    def traces(self, expressions: Sequence[str]) -> list[str]:
        """The text of the traceback of each expression, from the program's first frame on."""
        found = []
        for expression in expressions:
            try:
                eval(expression, self.space)
            except Exception as error:
                text = "".join(traceback.format_exception(error))
                found.append(text[text.find(self.root) :].replace(self.root, "<root>"))
            else:
                found.append("nothing was raised")
        return found

    def remember(self) -> None:
        """Note the state by identity, for `compare`."""
        self._remembered: Snapshot = take(self.owned, self.root)

    def compare(self) -> list[str]:
        """What is no longer what `remember` saw."""
        return self._remembered.differences(take(self.owned, self.root))


class Hotmod:
    """`hotmod.Reloader`."""

    def __init__(
        self,
        player: Player,
        targets: Sequence[str],
        strategy: str,
        verify: Callable[[], object] | None,
        paranoid: bool,
    ) -> None:
        import hotmod

        self.hotmod = hotmod
        self.reloader = hotmod.Reloader(
            *(os.path.join(player.root, target) if "/" in target else target for target in targets),
            strategy=strategy,
            verify=verify,
            paranoid=paranoid,
        )

    def plan(self) -> object:
        """The dry run, which may find that a text can't be read."""
        try:
            return self.reloader.plan().as_dict()
        except self.hotmod.SourceError as error:
            return str(error)

    def reload(self) -> dict[str, Any]:
        """One attempt, as values; what a report promises about itself holds."""
        try:
            report = self.reloader.reload()
        except KeyboardInterrupt:
            report = self.reloader.history[-1]
        return _told(report)

    def rollback(self) -> dict[str, Any]:
        """One step back."""
        return _told(self.reloader.rollback())

    def verified(self) -> list[str]:
        """What differs from the files and was not kept."""
        answer = self.reloader.verify()
        if json.loads(json.dumps(answer.as_dict())) != answer.as_dict():
            raise AssertionError(f"as_dict() is not JSON-ready: {answer.as_dict()}")
        return [str(each) for each in answer.differences if each.why != "kept"]


class Late(Hotmod):
    """A reloader that is made when the first save has come, as that of a watcher that has just begun."""

    def __init__(
        self,
        player: Player,
        targets: Sequence[str],
        strategy: str,
        verify: Callable[[], object] | None,
        paranoid: bool,
    ) -> None:
        import hotmod
        from hotmod._config import configure
        from hotmod._engine.beginning import Beginning
        from hotmod._scope import scope_of

        self.hotmod = hotmod
        places = [os.path.join(player.root, target) if "/" in target else target for target in targets]
        self.beginning = Beginning(
            configure(strategy=strategy, paranoid=paranoid), scope_of(places, (), ()), verify
        )

    @property
    def reloader(self) -> Any:
        """The reloader."""
        return self.beginning.reloader()


def _told(report: Any) -> dict[str, Any]:
    """A report as JSON-ready values."""
    values: dict[str, Any] = report.as_dict()
    if json.loads(json.dumps(values)) != values:
        raise AssertionError(f"as_dict() is not JSON-ready: {values}")
    again = pickle.loads(pickle.dumps(report))
    if (again.status, again.changed, str(again)) != (report.status, report.changed, str(report)):
        raise AssertionError(f"{report!r} is not the same after pickling: {again!r}")
    return {**values, "text": str(report)}


class Importlib:
    """`importlib.reload` of the modules whose files changed: what people do by hand."""

    def __init__(self, player: Player, *_: object) -> None:
        self.player = player
        self.texts = self._read()

    def _read(self) -> dict[str, bytes]:
        texts = {}
        for name, module in owned_modules(self.player.owned).items():
            path = getattr(module, "__file__", None)
            if path and os.path.exists(path):
                with open(path, "rb") as file:
                    texts[name] = file.read()
        return texts

    def plan(self) -> None:
        """It has no dry run."""

    def reload(self) -> dict[str, Any]:
        """Reload in the order of import; an exception ends it."""
        now = self._read()
        changed = [name for name, text in self.texts.items() if now.get(name) != text]
        self.texts = now
        try:
            for name in changed:
                importlib.reload(sys.modules[name])
        except BaseException as error:
            words = {"type": type(error).__name__, "message": str(error)}
            return {"status": "rejected", "error": words, "text": repr(error), "hazards": []}
        return {"status": "applied" if changed else "unchanged", "error": None, "text": "", "hazards": []}


_TOOLS: dict[str, Callable[..., Any]] = {"hotmod": Hotmod, "late": Late, "importlib": Importlib}
