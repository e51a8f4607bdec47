"""A pool under load: edits, broken ones among them, and workers that are killed at random."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import random
import signal

import hotmod
from hotmod.workers import HotExecutor
from tests.oracle.project import Project

__all__ = ["Outcome", "under_load"]

PATIENCE = 120.0  # seconds
CART = "import os\nfrom silo.tax import TAX\n\n\ndef ask():\n    return TAX, os.getpid()\n"


@dataclasses.dataclass
class Outcome:
    """What became of the tasks.

    Attributes:
        tasks: how many there were.
        kills: how many workers were killed.
        refused: how many edits were rejected.
        lost: how many tasks have no result.
        uncommitted: results of code that was never committed.
        mixed: results that do not belong to the generation that the future tells.
        early: tasks that ran in a generation before that of their submitter.
    """

    tasks: int = 0
    kills: int = 0
    refused: int = 0
    lost: int = 0
    uncommitted: int = 0
    mixed: int = 0
    early: int = 0


def under_load(
    folder: pathlib.Path, edits: int, per_edit: int, kills: int, seed: int, workers: int = 2
) -> Outcome:
    """Submit tasks all the time, edit the package, and kill workers.

    Args:
        folder: where to write the package.
        edits: how many; every third is broken.
        per_edit: how many tasks between two edits.
        kills: how many workers to kill, at random moments.
        seed: of what is random.
        workers: how many processes.
    """
    project, draw, outcome = Project(folder), random.Random(seed), Outcome()  # noqa: S311 - no secret
    project.write({"silo/__init__.py": "", "silo/tax.py": "TAX = 0\n", "silo/cart.py": CART})
    cart = project.load("silo", "silo.tax", "silo.cart")
    reloader = hotmod.Reloader("silo")
    committed = {reloader.generation: 0}
    moments = set(draw.sample(range(edits * per_edit), kills))
    futures = []
    with HotExecutor(reloader, max_workers=workers, retries=kills) as pool:
        for number in range(1, edits + 1):
            broken = number % 3 == 0
            project.write({"silo/tax.py": f"TAX = {-number}\n1 / 0\n" if broken else f"TAX = {number}\n"})
            report = reloader.reload()
            outcome.refused += report.status == "rejected"
            if not broken:
                committed[reloader.generation] = number
            for _ in range(per_edit):
                futures.append((reloader.generation, pool.submit(cart.ask)))
                if len(futures) - 1 in moments:
                    outcome.kills += kill_one(pool, draw)
            futures[-per_edit // 2][1].exception(PATIENCE)  # the other half is under way at the next edit
        for generation, future in futures:
            outcome.tasks += 1
            if future.exception(PATIENCE) is not None:
                outcome.lost += 1
                continue
            value, _ = future.result()
            outcome.uncommitted += value not in committed.values()
            outcome.mixed += committed.get(future.generation or 0) != value
            outcome.early += (future.generation or 0) < generation
    project.forget()
    return outcome


def kill_one(pool: HotExecutor, draw: random.Random) -> bool:
    """Kill one of the workers that there are, if it lives."""
    executors = [lane.executor for lane in pool._lanes if lane.executor is not None]
    pids = [pid for each in executors for pid in list(each._processes or ())]
    try:
        os.kill(draw.choice(pids), getattr(signal, "SIGKILL", signal.SIGTERM))
    except (ProcessLookupError, IndexError):
        return False
    return True
