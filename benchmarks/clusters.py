"""From an edit to the right answer of every worker of a cluster, beside a restart of its workers, in one run.

A package of two modules is edited: a constant that the other module imports. With Dask, `hotmod` is the
plug-in and its `reload()`; `restart` is `client.restart()`, after which the workers import the package again;
`cluster` is a new `LocalCluster`. With Ray, two actors and a task answer: `hotmod` is `HotReload.reload()`
and the same actors; `cluster` is `ray.shutdown()`, `ray.init()` and new actors. The time ends with the last
answer; wrong answers are counted as stale. It is taken once with a package that imports nothing else, and
once with one that imports networkx and sqlalchemy.

    python benchmarks/clusters.py [--edits 5] [--restarts 2] [--only dask|ray]
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

HEAVY = "import networkx, sqlalchemy.orm\n"
PATIENCE = 120.0  # seconds
WORKERS = 2


class Subject:
    """A package on disk that is edited."""

    def __init__(self, folder: pathlib.Path, name: str, imports: str) -> None:
        self.name, self.number, self.stale, self.asked = name, 0, 0, 0
        self._tax = folder / name / "tax.py"
        self._tax.parent.mkdir()
        (folder / name / "__init__.py").write_text("", "utf-8")
        cart = "def total():\n    return TAX\n\n\nclass Till:\n    def total(self):\n        return TAX\n"
        (folder / name / "cart.py").write_text(f"{imports}from {name}.tax import TAX\n\n\n{cart}", "utf-8")
        self.edit()
        self.cart = importlib.import_module(f"{name}.cart")

    def edit(self) -> None:
        """Save another constant."""
        self.number += 1
        self._tax.write_text(f"TAX = {self.number}\n", "utf-8")

    def check(self, answers: list[int]) -> None:
        """Count the wrong ones."""
        self.asked += len(answers)
        self.stale += sum(answer != self.number for answer in answers)

    def timed(self, edits: int, step: Callable[[], list[int]]) -> float:
        """The median of some edits, in milliseconds."""
        seconds = []
        for _ in range(edits):
            self.edit()
            begin = time.perf_counter()
            answers = step()
            seconds.append(time.perf_counter() - begin)
            self.check(answers)
        return statistics.median(seconds) * 1e3


def total(name: str) -> int:
    """What a worker makes of the package."""
    answer: int = importlib.import_module(f"{name}.cart").total()
    return answer


def dask(subjects: list[Subject], edits: int, restarts: int) -> dict[str, float]:
    """The rows of Dask."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - who has none can run the rest

    import hotmod.dask  # noqa: PLC0415 - the same

    hot, restarted, renewed = subjects

    def cluster() -> Any:
        return LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0")

    def answers(client: Any, subject: Subject) -> list[int]:
        return list(client.run(total, subject.name).values())

    found = {}
    with cluster() as running, Client(running) as client:
        plugin = hotmod.dask.HotReload(hot.name)
        client.register_plugin(plugin)
        hot.check(answers(client, hot))

        def follow() -> list[int]:
            plugin.reload(client)
            return answers(client, hot)

        found["hotmod"] = hot.timed(edits, follow)
    with cluster() as running, Client(running) as client:
        restarted.check(answers(client, restarted))

        def restart() -> list[int]:
            client.restart(timeout=PATIENCE)
            return answers(client, restarted)

        found["restart"] = restarted.timed(restarts, restart)
    running = cluster()
    client = Client(running)
    renewed.check(answers(client, renewed))

    def renew() -> list[int]:
        nonlocal running, client
        client.close()
        running.close()
        running = cluster()
        client = Client(running)
        return answers(client, renewed)

    found["cluster"] = renewed.timed(restarts, renew)
    client.close()
    running.close()
    return found


def ray(subjects: list[Subject], edits: int, restarts: int) -> dict[str, float]:
    """The rows of Ray."""
    import ray as library  # noqa: PLC0415 - who has none can run the rest

    import hotmod.ray  # noqa: PLC0415 - the same

    hot, renewed = subjects
    temporary = tempfile.mkdtemp(prefix="ray")

    def begin() -> None:
        options = {"num_cpus": WORKERS, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        library.init(**options, log_to_driver=False, configure_logging=False, _temp_dir=temporary)

    def answers(actors: list[Any], task: Any) -> list[int]:
        answered = [actor.total.remote() for actor in actors] + [task.remote()]
        found: list[int] = library.get(answered, timeout=PATIENCE)
        return found

    found = {}
    begin()
    reload = hotmod.ray.HotReload(hot.name)
    task = reload.remote(hot.cart.total)
    actors = [reload.remote(hot.cart.Till).options(num_cpus=0).remote() for _ in range(WORKERS)]
    hot.check(answers(actors, task))

    def follow() -> list[int]:
        reload.reload()
        return answers(actors, task)

    found["hotmod"] = hot.timed(edits, follow)
    library.shutdown()

    def renew() -> list[int]:
        if library.is_initialized():
            library.shutdown()
        begin()
        task = library.remote(total)
        till = library.remote(num_cpus=0)(renewed.cart.Till)
        tills = [till.remote() for _ in range(WORKERS)]
        asked = [each.total.remote() for each in tills] + [task.remote(renewed.name)]
        found: list[int] = library.get(asked, timeout=PATIENCE)
        return found

    renewed.check(renew())
    found["cluster"] = renewed.timed(restarts, renew)
    library.shutdown()
    shutil.rmtree(temporary, ignore_errors=True)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edits", type=int, default=5)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--only", choices=["dask", "ray"])
    options = parser.parse_args()
    logging.getLogger("hotmod").addHandler(logging.NullHandler())
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # workers that are ended complain
    engines = {"dask": (dask, 3), "ray": (ray, 2)}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sys.path.insert(0, name)
        os.environ["PYTHONPATH"] = name  # for the workers that import the package from the disk
        print(f"{'package':<8} {'engine':<6} {'way':<10} {'median ms':>10} {'ratio':>7} {'stale':>7}")
        for kind, imports in {"light": "", "heavy": HEAVY}.items():
            for engine, (run, ways) in engines.items():
                if options.only in (None, engine):
                    subjects = [Subject(folder, f"{kind}_{engine}{each}", imports) for each in range(ways)]
                    rows = run(subjects, options.edits, options.restarts)
                    for subject, (way, median) in zip(subjects, rows.items(), strict=True):
                        ratio, stale = median / rows["hotmod"], f"{subject.stale}/{subject.asked}"
                        print(f"{kind:<8} {engine:<6} {way:<10} {median:>10.1f} {ratio:>7.1f} {stale:>7}")


if __name__ == "__main__":
    main()
