"""Refusals ready to go out: a refused call must cost a fraction of an answered one."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import grpc
from grpc_status import rpc_status

from allocator.gateway.errors import ApiError, draining, to_proto
from allocator.runtime.worth import Worth

if TYPE_CHECKING:
    from google.rpc import status_pb2

    Trailers = tuple[tuple[str, str], ...]

RETRY_S: Final = (1.0, 0.5, 0.25)
"""When to come back after a refusal, by worth, seconds; told between half and three halves of it, by lot, so that those
refused together do not come back together."""
VARIANTS: Final = 32
"""Refusals made beforehand of each kind, with as many times to come back."""
RATE_RETRY_MAX_S: Final = 60.0
RATE_STEP_S: Final = 0.01
"""Times until a token is there are told in steps of this, rounded up."""

_WHAT: Final = ("reads are refused first", "new holds are refused before what settles", "everything is refused now")


class Ended(grpc.Status):
    """A rich status with our trailers beside it."""

    def __init__(self, status: status_pb2.Status, trailers: Trailers) -> None:
        rich = rpc_status.to_status(status)
        self.code = rich.code
        self.details = rich.details
        self.trailing_metadata = (*rich.trailing_metadata, *trailers)


class Refusals:
    """The refusals of one gateway.

    Args:
        trailers: what goes out with each.
    """

    def __init__(self, trailers: Trailers) -> None:
        self._trailers = trailers
        self.draining = self._ended(draining())
        self._late = tuple(self._variants(worth, f"too much to do here; {_WHAT[worth]}") for worth in Worth)
        self._full = tuple(self._variants(worth, f"too many calls are under way; {_WHAT[worth]}") for worth in Worth)
        self._limited = lru_cache(maxsize=int(2 * RATE_RETRY_MAX_S / RATE_STEP_S))(self._rate_limited)

    def late(self, worth: Worth) -> Ended:
        """Work waits too long."""
        return self._late[worth][int(random.random() * VARIANTS)]  # noqa: S311  # nobody gains by guessing it

    def full(self, worth: Worth) -> Ended:
        """The table of calls or streams has no room for this worth."""
        return self._full[worth][int(random.random() * VARIANTS)]  # noqa: S311  # as above

    def rate_limited(self, wait_s: float) -> Ended:
        """The client's next token comes in `wait_s`; it is told that and up to a quarter more."""
        told_s = min(wait_s * (1 + random.random() / 4), RATE_RETRY_MAX_S)  # noqa: S311  # as above
        return self._limited(int(told_s / RATE_STEP_S) + 1)

    def _variants(self, worth: Worth, message: str) -> tuple[Ended, ...]:
        lots = (0.5 + n / VARIANTS for n in range(VARIANTS))
        return tuple(self._ended(ApiError("OVERLOADED", message, retry_after_s=RETRY_S[worth] * lot)) for lot in lots)

    def _rate_limited(self, steps: int) -> Ended:
        message = "this client makes more calls than it may; see x-client-id"
        return self._ended(ApiError("RATE_LIMITED", message, retry_after_s=steps * RATE_STEP_S))

    def _ended(self, error: ApiError) -> Ended:
        return Ended(to_proto(error), self._trailers)
