"""Plays the editor and the customer of a shop that runs in this process, and checks what it shows.

Touches: a folder for the shop's files; `sys.path` and the modules named `shop` while it runs; a port
on loopback; processes of its own that load the same files afresh.

Guarantees: nothing that is printed is known beforehand: prices come over HTTP, reports from the
watcher, and what a price should be from a fresh process with the same files. Whatever differs from
the promise raises. It ends within `SECONDS`, and takes back all but the files that are to be kept.

Assumes: it is called from the main thread of a process in which nothing else is being watched.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

import hotmod
from hotmod._config import mode
from hotmod._demo.edits import BODY, BROKEN, CONSTANT, FIX, Edit, save, unpack
from hotmod._demo.screen import Lines, Screen
from hotmod._engine.watcher import Watcher
from hotmod._model.errors import ConfigError, HotmodError
from hotmod._model.report import Report

__all__ = ["SECONDS", "run"]

SECONDS = 12.0  # for everything; it needs about one
ITEM, COUNT = "pot", 3
WANTED = f"item={ITEM}&count={COUNT}"
ORACLE = f"""
import json, sys
sys.path.insert(0, sys.argv[1])
from shop.pricing import total
print(json.dumps(total({ITEM!r}, {COUNT})))
"""


def run(keep: pathlib.Path | None, stream: TextIO, *, lines: bool = False) -> None:
    """Run the demo from beginning to end.

    Args:
        keep: a folder for the files, which is empty or does not exist yet; None for a temporary one.
        stream: where to show what happens.
        lines: whether to show it as lines of JSON.

    Raises:
        ConfigError: the folder can't be used, or hotmod is switched off. Nothing was started.
        HotmodError: something was not as promised; the message says what.
    """
    if mode() != "on":
        why = f"HOTMOD={mode()} is set, so no edit would be applied."
        msg = f"{why} Nothing was started; unset it and try again."
        raise ConfigError(msg)
    began = time.monotonic()
    screen = Lines(stream) if lines else Screen(stream)
    with _folder(keep) as folder:
        package = unpack(folder)
        # Patterns that the user's own project has configured are not meant for the shop.
        with (
            _log_of_errors(),
            _program(folder) as port,
            hotmod.watch("shop", include=(), exclude=(), log_only=(), paths=(), depends={}) as watcher,
        ):
            screen.say(f"A shop is running on http://127.0.0.1:{port}, and hotmod watches its files.", "bold")
            screen.fact(f"process {os.getpid()}, files in {package}", "dim")
            _Demo(screen, package, port, watcher, began + SECONDS).play()
        screen.title("Done")
        screen.say(f"All of it was as promised, in {time.monotonic() - began:.1f} s.", "good")
        if keep is not None:
            screen.say(f"The files are in {package}.")
            screen.say("Your turn: start the shop, and edit them.")
            screen.say(
                f"cd {shlex.quote(str(folder))} && {shlex.quote(sys.executable)} -m shop", margin="   "
            )


@contextlib.contextmanager
def _folder(keep: pathlib.Path | None) -> Iterator[pathlib.Path]:
    if keep is not None:
        yield pathlib.Path(os.path.realpath(keep))
        return
    with tempfile.TemporaryDirectory(prefix="hotmod-demo-") as name:
        yield pathlib.Path(os.path.realpath(name))


@contextlib.contextmanager
def _program(folder: pathlib.Path) -> Iterator[int]:
    """Do what `python -m shop` does, in this process; gives the port."""
    others = _take_out_shops()
    sys.path.insert(0, str(folder))
    try:
        server = importlib.import_module("shop.server").start(importlib.import_module("shop.api"))
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()
    finally:
        sys.path.remove(str(folder))
        _take_out_shops()
        sys.modules.update(others)


def _take_out_shops() -> dict[str, Any]:
    names = [name for name in sys.modules if name == "shop" or name.startswith("shop.")]
    return {name: sys.modules.pop(name) for name in names}


@contextlib.contextmanager
def _log_of_errors() -> Iterator[None]:
    """Show on stderr what hotmod logs about errors of its own: the reports are shown anyway."""
    logger, handler = logging.getLogger("hotmod"), logging.StreamHandler()
    handler.addFilter(lambda record: record.exc_info is not None)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Demo:
    """The parts of the demo, in order."""

    def __init__(
        self, screen: Screen, package: pathlib.Path, port: int, watcher: Watcher, deadline: float
    ) -> None:
        self.screen = screen
        self.package = package
        self.port = port
        self.watcher = watcher
        self.deadline = deadline
        self.part = 0
        self.placed: list[dict[str, Any]] = []
        self.memory = sys.modules["shop.orders"].ORDERS
        self.price = 0.0

    def play(self) -> None:
        """Play everything.

        Raises:
            HotmodError: something was not as promised.
        """
        self.price = self.order()
        self.screen.fact(f"a customer orders {COUNT} {ITEM}s over HTTP, for {self.price:.2f}")
        self.applied(BODY)
        before_the_fix = self.applied(CONSTANT)
        self.broken(BROKEN)
        self.applied(FIX)
        self.rolled_back(before_the_fix)
        self.remembered()

    def applied(self, edit: Edit) -> float:
        """An edit that must be in force afterwards, exactly; gives the new price."""
        report = self.edit(edit)
        self.promise(report.status == "applied", f"the report should say applied, not {report.status}")
        self.promise("shop.orders" not in report.executed, "shop.orders ran again: nobody had edited it")
        before, fresh = self.price, self.fresh_price()
        self.price = self.order()
        self.promise(self.price != before, f"the price should have changed from {before:.2f}")
        self.promise(
            self.price == fresh,
            f"the shop asks {self.price:.2f}; a fresh process with the same files asks {fresh:.2f}",
        )
        self.answered(f"{before:.2f} before, {self.price:.2f} now; a fresh process says {fresh:.2f} too")
        return self.price

    def broken(self, edit: Edit) -> None:
        """An edit that must be refused, told by file and line, and change nothing."""
        report = self.edit(edit)
        self.promise(report.status == "rejected", f"the report should say rejected, not {report.status}")
        path, line = self.fault(edit)
        place = report.location
        told = place is not None and os.path.realpath(place.path) == path and place.line == line
        self.promise(told, f"the report should name {path}:{line}")
        status = self.watcher.status
        self.promise(status == "rejected", f"the watcher should stay rejected, not {status}")
        before = self.price
        self.price = self.order()
        self.promise(self.price == before, f"the price became {self.price:.2f}; it was {before:.2f}")
        self.answered(f"{before:.2f} before, {self.price:.2f} now, with the code from before this save")

    def rolled_back(self, wanted: float) -> None:
        """Back to the version before the last edit, whatever the files say."""
        self.title("Back again: watcher.rollback()")
        self.show(self.watcher.rollback())
        before = self.price
        self.price = self.order()
        self.promise(self.price == wanted, f"the price should be {wanted:.2f} again, not {self.price:.2f}")
        self.answered(f"{before:.2f} before, {self.price:.2f} now; the files stay as they are")

    def remembered(self) -> None:
        """All orders, as the shop has them in memory."""
        self.title("The orders in memory")
        for order in self.orders():
            self.screen.fact(f"{order['number']}: {order['count']} {order['item']}s for {order['price']:.2f}")
        self.screen.fact(f"process {os.getpid()} took them all, and has never been restarted")

    def edit(self, edit: Edit) -> Report:
        """Save an edit; show it and the report that comes of it."""
        self.title(edit.title)
        before, after = save(self.package / edit.file, edit)
        self.screen.diff(f"shop/{edit.file}", before, after)
        report = self.await_report(edit)
        self.show(report)
        return report

    def await_report(self, edit: Edit) -> Report:
        """The next report that says more than that nothing differs."""
        while True:
            try:
                report = self.watcher.next_report(timeout=self.left())
            except TimeoutError as error:
                self.fail(f"no report came after shop/{edit.file} was saved", error)
            if report.status != "unchanged":
                return report

    def title(self, text: str) -> None:
        """Begin the next part."""
        self.part += 1
        self.screen.title(f"{self.part}. {text}")

    def show(self, report: Report) -> None:
        """Show a report."""
        self.screen.report(report)

    def order(self) -> float:
        """The price that the shop asks now, for which an order is placed."""
        price = self.ask("GET", f"/price?{WANTED}")["price"]
        placed = self.ask("POST", f"/orders?{WANTED}")
        self.promise(placed["price"] == price, f"the price is {price}, and an order costs {placed['price']}")
        self.placed.append({key: placed[key] for key in ("number", "item", "count", "price")})
        return float(price)

    def answered(self, what: str) -> None:
        """Show what the shop answered, and that it still has everything."""
        self.screen.fact(f"price of {COUNT} {ITEM}s over HTTP: {what}")
        orders = self.orders()
        self.screen.fact(f"orders in memory: {len(orders)}, all still there; same process")

    def orders(self) -> list[dict[str, Any]]:
        """The shop's orders: exactly those that were placed, in the very same list."""
        orders: list[dict[str, Any]] = self.ask("GET", "/orders")["orders"]
        self.promise(orders == self.placed, f"placed were {self.placed}, and the shop has {orders}")
        self.promise(sys.modules["shop.orders"].ORDERS is self.memory, "the list of orders is another one")
        return orders

    def ask(self, method: str, target: str) -> dict[str, Any]:
        """What the shop answers over HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.left())
        try:
            connection.request(method, target)
            response = connection.getresponse()
            said = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.fail(f"the shop gave no answer to {method} {target} ({error!r})", error)
        finally:
            connection.close()
        self.promise(response.status < 300, f"the shop answered {response.status} {said}")  # noqa: PLR2004
        self.promise(said["process"] == os.getpid(), "another process answered")
        return dict(said)

    def fresh_price(self) -> float:
        """The price in a process that has just started, never through a `.pyc` file."""
        folder = self.package.parent
        cache = f"pycache_prefix={folder / 'none'}"
        command = [sys.executable, "-I", "-B", "-X", cache, "-c", ORACLE, str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=self.left())  # noqa: S603
        except subprocess.SubprocessError as error:
            self.fail(f"a fresh process could not load the same files ({error})", error)
        return float(json.loads(done.stdout))

    def fault(self, edit: Edit) -> tuple[str, int]:
        """The file and the line of the mistake: the last line of the edit."""
        path = self.package / edit.file
        text = path.read_text("utf-8")
        end = text.index(edit.new) + len(edit.new.rstrip("\n"))
        return str(path), text.count("\n", 0, end) + 1

    def left(self) -> float:
        """The seconds that are left; never none, so that what waits can say what it waited for."""
        return max(0.01, self.deadline - time.monotonic())

    def promise(self, kept: bool, otherwise: str) -> None:  # noqa: FBT001 - it reads as a sentence
        """Go on only if a promise is kept."""
        if not kept:
            self.fail(otherwise)

    def fail(self, what: str, cause: BaseException | None = None) -> NoReturn:
        """Stop, and say what was not as promised."""
        msg = (
            f"The demo stopped at part {self.part}, because something was not as promised: {what}. "
            "The shop was stopped. Please report it, with everything above."
        )
        raise HotmodError(msg) from cause
