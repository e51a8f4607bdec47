"""The block that runs on one version.

Touches: the context, through a pin.

Guarantees: a block inside of another one has the version of that one, and counts for nothing.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING

from hotmod._engine.versions.pins import held, pinned
from hotmod._model.errors import HotmodError

if TYPE_CHECKING:
    from hotmod._engine.versions.service import Service
    from hotmod._engine.versions.version import Version

__all__ = ["Pin"]


class Pin:
    """One block on one version, `with` or `async with`; `Service.pin` makes one for each block."""

    __slots__ = ("_block", "_outer", "_service", "_version")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._block: pinned | None = None

    def __enter__(self) -> Version:
        if self._block is not None:
            msg = "This pin is in force already: write pin() in each `with`."
            raise HotmodError(msg)
        hold = held(self._service.family)
        self._outer = hold is not None
        hold = hold or self._service.begin()
        self._version: Version | None = hold.version
        self._block = pinned(hold)
        self._block.__enter__()
        return hold.version

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        block, self._block = self._block, None
        version, self._version = self._version, None
        assert block is not None and version is not None, "entered before"  # noqa: S101, PT018
        block.__exit__()
        if not self._outer:
            del block
            self._service.end(version, error)

    async def __aenter__(self) -> Version:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)
