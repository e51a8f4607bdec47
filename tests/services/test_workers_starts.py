"""Worker processes of all kinds: how they are started, and who starts them, makes no difference."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

PATIENCE = 120.0  # seconds

PROGRAM = """\
import multiprocessing, os, pathlib, sys
import joblib, loky
import depot.cart
import hotmod, hotmod.joblib
from hotmod.workers import HotExecutor

TAX = pathlib.Path(depot.__file__).with_name("tax.py")


def begin():
    import depot.cart
    depot.cart.BEGAN = depot.cart.total(0)


def main(kind):
    reloader = hotmod.Reloader("depot")
    TAX.write_text("TAX = 2\\n")
    reloader.reload(check=True)
    TAX.write_text("TAX = 3\\n")  # saved before the workers begin, and not applied
    kinds = {"base": loky.get_reusable_executor} if kind == "loky" else {}
    context = None if kind in ("loky", "joblib") else multiprocessing.get_context(kind)
    first = {} if kind == "loky" else {"initializer": begin}
    with HotExecutor(reloader, max_workers=1, mp_context=context, **kinds, **first) as pool:
        if kind == "joblib":
            def ask(net):
                with hotmod.joblib.parallel(pool):
                    return joblib.Parallel()(joblib.delayed(depot.cart.total)(net) for _ in range(3))[2]
        else:
            def ask(net):
                return pool.submit(depot.cart.total, net).result()
        print(ask(1), pool.submit(depot.cart.began).result())
        reloader.reload(check=True)
        print(ask(1), pool.submit(os.getpid).result() != os.getpid())


if __name__ == "__main__":
    main(sys.argv[1])
"""


@pytest.mark.parametrize("kind", ["spawn", "forkserver", "fork", "joblib", "loky"])
def test_a_worker_that_starts_runs_what_is_committed(kind: str, tmp_path: pathlib.Path) -> None:
    """Though the main module of the worker imported the package from a disk that was ahead."""
    if kind.startswith("fork") and not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    (tmp_path / "depot").mkdir()
    cart = """
        from depot.tax import TAX

        BEGAN = None

        def total(net):
            return net + TAX

        def began():
            return BEGAN
        """
    files = {"__init__.py": "", "tax.py": "TAX = 1\n", "cart.py": textwrap.dedent(cart)}
    for name, text in files.items():
        (tmp_path / "depot" / name).write_text(text, "utf-8")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    done = subprocess.run(
        [sys.executable, str(program), kind],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    began = None if kind == "loky" else 2
    assert done.stdout.splitlines() == [f"3 {began}", "4 True"], done.stderr
