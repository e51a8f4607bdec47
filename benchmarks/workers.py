"""From an edit to the first right answer of every worker of a pool, beside a restart of the pool, in one run.

A package of two modules is edited: a constant that the other module imports. `hotmod` is a `HotExecutor`
that follows the edit; `restart` ends a `ProcessPoolExecutor` and makes a new one, whose workers import
the package again; `loky` gets a new reusable executor with `reuse=False, kill_workers=True`; `loky,
kill_workers` asks for the same one with `kill_workers=True` alone. The time ends when each worker has
answered, and answers that are not those of the edit are counted as stale. It is taken once with a package
that imports nothing else, and once with one that imports networkx and sqlalchemy. With `--kills` workers
are killed at random while tasks run and the package is edited, every third edit broken; it fails if a
task is lost or runs anything that was not committed.

    python benchmarks/workers.py [--edits 10] [--workers 2] [--kills 0]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import logging
import multiprocessing
import pathlib
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # workers take it over

HEAVY = "import networkx, sqlalchemy.orm\n"
PATIENCE = 120.0  # seconds


def held(package: str, address: tuple[str, int]) -> int:
    """Answer, and keep the worker until all others have answered, too."""
    answer: int = importlib.import_module(f"{package}.cart").total()
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        connection.recv(1)
    return answer


class Subject:
    """A package on disk that is edited."""

    def __init__(self, folder: pathlib.Path, name: str, imports: str, workers: int) -> None:
        self.name, self.workers, self.number = name, workers, 0
        self._tax = folder / name / "tax.py"
        self._tax.parent.mkdir()
        (folder / name / "__init__.py").write_text("", "utf-8")
        cart = f"{imports}from {name}.tax import TAX\n\n\ndef total():\n    return TAX\n"
        (folder / name / "cart.py").write_text(cart, "utf-8")
        self.edit()

    def edit(self) -> None:
        """Save another constant."""
        self.number += 1
        self._tax.write_text(f"TAX = {self.number}\n", "utf-8")

    def stale(self, pool: concurrent.futures.Executor) -> int:
        """Ask every worker, and count the wrong answers."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(PATIENCE)
            address = server.getsockname()
            futures = [pool.submit(held, self.name, address) for _ in range(self.workers)]
            connections = [server.accept()[0] for _ in futures]
            for connection in connections:
                connection.close()
        return sum(future.result(PATIENCE) != self.number for future in futures)


Step = Callable[[], concurrent.futures.Executor]


def timed(subject: Subject, edits: int, step: Step) -> tuple[list[float], int]:
    """The seconds of each edit, and how many answers were stale."""
    seconds, stale = [], 0
    for _ in range(edits):
        subject.edit()
        begin = time.perf_counter()
        stale += subject.stale(step())
        seconds.append(time.perf_counter() - begin)
    return seconds, stale


def hot(subject: Subject, edits: int) -> tuple[list[float], int]:
    """A pool that follows."""
    import hotmod  # noqa: PLC0415 - workers of the others, which import this file, need not load it
    from hotmod.workers import HotExecutor  # noqa: PLC0415 - the same

    importlib.import_module(f"{subject.name}.cart")
    reloader = hotmod.Reloader(subject.name)
    with HotExecutor(reloader, max_workers=subject.workers) as pool:
        subject.stale(pool)

        def step() -> HotExecutor:
            reloader.reload(check=True)
            return pool

        return timed(subject, edits, step)


def restart(subject: Subject, edits: int) -> tuple[list[float], int]:
    """A pool that is ended and made anew."""
    context = multiprocessing.get_context("spawn")
    pools = [concurrent.futures.ProcessPoolExecutor(subject.workers, context)]
    subject.stale(pools[0])

    def step() -> concurrent.futures.Executor:
        pools.pop().shutdown()
        pools.append(concurrent.futures.ProcessPoolExecutor(subject.workers, context))
        return pools[0]

    result = timed(subject, edits, step)
    pools.pop().shutdown()
    return result


def loky(subject: Subject, edits: int, *, reuse: str | bool) -> tuple[list[float], int]:
    """A new reusable executor, or one that is asked to kill its workers."""
    from loky import get_reusable_executor  # noqa: PLC0415 - who has none can run the rest

    subject.stale(get_reusable_executor(max_workers=subject.workers, reuse=False, kill_workers=True))
    result = timed(
        subject,
        edits,
        lambda: get_reusable_executor(max_workers=subject.workers, reuse=reuse, kill_workers=True),
    )
    get_reusable_executor(max_workers=subject.workers).shutdown(kill_workers=True)
    return result


def killing(folder: pathlib.Path, edits: int, kills: int, workers: int) -> None:
    """Kill workers at random, and tell what became of the tasks."""
    from tests.services.pool_load import under_load  # noqa: PLC0415 - needs the repository

    outcome = under_load(folder, edits=edits, per_edit=20, kills=kills, seed=kills, workers=workers)
    print(outcome)
    if outcome.lost or outcome.uncommitted or outcome.mixed or outcome.early:
        sys.exit("a task was lost, or ran what was not committed")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    logging.getLogger("hotmod").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sys.path.insert(0, name)
        if options.kills:
            killing(folder, options.edits, options.kills, options.workers)
            return
        print(f"{'package':<8} {'pool':<20} {'median ms':>10} {'ratio':>7} {'stale':>9}")
        for kind, imports in {"light": "", "heavy": HEAVY}.items():
            rows = {
                "hotmod": hot,
                "restart": restart,
                "loky": lambda subject, edits: loky(subject, edits, reuse=False),
                "loky, kill_workers": lambda subject, edits: loky(subject, edits, reuse="auto"),
            }
            base = 0.0
            for number, (title, run) in enumerate(rows.items()):
                subject = Subject(folder, f"{kind}{number}", imports, options.workers)
                seconds, stale = run(subject, options.edits)
                median = statistics.median(seconds)
                base = base or median
                asked = options.edits * options.workers
                print(f"{kind:<8} {title:<20} {median * 1e3:>10.1f} {median / base:>7.1f} {stale:>4}/{asked}")


if __name__ == "__main__":
    main()
