"""Which location is the home of a sourced reservation: rendezvous hashing of its request id.

D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking
6(1), 1998: every location gets a score from its name and the request id, and the greatest wins. So every gateway finds
the same home without asking, and a location that comes or goes moves only the requests that it wins or won.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MASK: Final = (1 << 64) - 1
_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_FACTOR_1, _FACTOR_2 = np.uint64(_MIX_1), np.uint64(_MIX_2)


class Rendezvous:
    """The homes of requests among `locations` (ids; at least one; their order does not matter).

    Raises:
        ValueError: there is no location.
    """

    __slots__ = ("_keys", "locations")

    def __init__(self, locations: Iterable[str]) -> None:
        self.locations = sorted(set(locations))
        if not self.locations:
            raise ValueError("a home needs at least one location")
        self._keys = np.array([_key(location) for location in self.locations], dtype=np.uint64)

    def home(self, request_id: str) -> str:
        """The location that decides the fate of what `request_id` reserves; the first one of equal scores."""
        return self.locations[int(np.argmax(_scores(self._keys ^ np.uint64(_key(request_id)))))]


def rendezvous(request_id: str, locations: Iterable[str]) -> str:
    """`Rendezvous(locations).home(request_id)`, for few locations or a single request."""
    key = _key(request_id)
    return min(locations, key=lambda location: (-_score(_key(location) ^ key), location))


def _scores(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One step of splitmix64 for each of `keys`: uint64 of their shape, evenly spread.

    G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = keys + np.uint64(_GAMMA)
    z = (z ^ (z >> _SHIFT_1)) * _FACTOR_1
    z = (z ^ (z >> _SHIFT_2)) * _FACTOR_2
    return z ^ (z >> _SHIFT_3)


def _score(key: int) -> int:
    """The same step for one key."""
    z = (key + _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return z ^ (z >> 31)


def _key(name: str) -> int:
    """64 bits of BLAKE2b that stand for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
