"""Large mappings of which a few entries are replaced again and again.

Touches: nothing.

Guarantees: `layered` gives a mapping equal to `{**base, **changes}`, in the same order, and changes neither;
its cost does not depend on the size of a large base, on the average.

Assumes: nobody changes the base as long as the result is in use.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar, cast

__all__ = ["layered"]

SMALL = 200  # entries of which a copy is made at once
V = TypeVar("V")


class _Layers(ChainMap[str, V]):
    """Two layers, which tell their size without being put together."""

    def __len__(self) -> int:
        above, below = self.maps
        return len(below) + sum(key not in below for key in above)


def layered(base: Mapping[str, V], changes: Mapping[str, V]) -> Mapping[str, V]:
    """A mapping with some entries replaced or added."""
    if not changes:
        return base
    below, above = (base.maps[1], base.maps[0]) if isinstance(base, _Layers) else (base, {})
    if len(below) <= SMALL or len(above) + len(changes) > SMALL:
        return {**below, **above, **changes}
    return _Layers({**above, **changes}, cast("MutableMapping[str, Any]", below))
