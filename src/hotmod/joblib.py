"""joblib on a pool whose workers follow this process: `with hotmod.joblib.parallel(pool): Parallel()(...)`.

Touches: the configuration of joblib, as long as the context lasts.

Guarantees: those of the pool.

Assumes: joblib is there, as who imports this uses it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import joblib
from joblib.parallel import ParallelBackendBase

if TYPE_CHECKING:
    from hotmod._engine.workers.pool import HotFuture, Pool

__all__ = ["HotBackend", "parallel"]


class HotBackend(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """A backend of joblib that runs batches in a pool.

    Args:
        pool: where they run. It is not shut down by joblib.
        **options: as joblib passes them on.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = False

    def __init__(self, pool: Pool, **options: Any) -> None:
        super().__init__(**options)
        self._pool = pool
        self._futures: set[Any] = set()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches run at a time: never more than the pool has workers."""
        if n_jobs is None or n_jobs < 0:
            return self._pool.max_workers
        return min(n_jobs, self._pool.max_workers)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], object] | None = None) -> HotFuture:
        """Schedule a batch."""
        future = self._pool.submit(func)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: HotFuture) -> Any:
        """The results of a batch."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - joblib's signature
        """Cancel what has not begun."""
        for future in list(self._futures):
            future.cancel()


@contextlib.contextmanager
def parallel(pool: Pool) -> Iterator[None]:
    """Let `joblib.Parallel` use the workers of a pool within the context.

    Args:
        pool: a `hotmod.workers.HotExecutor`.
    """
    with joblib.parallel_config(backend=HotBackend(pool), n_jobs=pool.max_workers):
        yield
