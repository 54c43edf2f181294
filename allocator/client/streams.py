"""Streams that outlive their connection: what to send again after a break. Pure; the clients do the I/O."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from allocator.client import wire
from allocator.client.call import Call
from allocator.client.errors import ErrorDetails, RequestError, Unavailable, invalid
from allocator.client.retry import Attempts, RetryPolicy
from allocator.client.types.availability import WatchUpdate
from allocator.client.types.inventory import RecordResult
from allocator.v1 import availability_pb2

IN_FLIGHT_MAX: Final = 64
"""Most batches of movements sent and not answered."""


class Recovery:
    """The failed attempts since a stream last told anything; each success forgets them."""

    def __init__(self, policy: RetryPolicy, *, writes: bool) -> None:
        self._policy, self._writes = policy, writes
        self._attempts: Attempts | None = None

    def attempts(self, now_s: float) -> Attempts:
        """Those since the last success."""
        if self._attempts is None:
            self._attempts = Attempts(self._policy, "", now_s, writes=self._writes)
        return self._attempts

    def succeeded(self) -> None:
        """Forget the failures."""
        self._attempts = None


class Watch:
    """A watch: what it has seen, and the request that goes on from there."""

    def __init__(self, call: Call[WatchUpdate]) -> None:
        self.call = call
        self._request = availability_pb2.WatchAvailabilityRequest()
        self._request.CopyFrom(call.request)  # type: ignore[arg-type]  # `calls.watch` makes this message
        self._versions = wire.versions_of(self._request.resume_versions)

    def request(self) -> availability_pb2.WatchAvailabilityRequest:
        """The request that goes on after everything seen so far."""
        request = availability_pb2.WatchAvailabilityRequest()
        request.CopyFrom(self._request)
        del request.resume_versions[:]
        request.resume_versions.extend(wire.version_list(self._versions))
        return request

    def saw(self, answer: availability_pb2.WatchAvailabilityResponse) -> WatchUpdate:
        """Take the next part in."""
        update = self.call.parse(answer)
        self._versions.update(update.versions)
        return update


class MovementWindow:
    """Batches of movements sent and not answered, the oldest first.

    Args:
        size: most batches in it, 1 to `IN_FLIGHT_MAX`.
    """

    def __init__(self, size: int) -> None:
        if not 1 <= size <= IN_FLIGHT_MAX:
            raise invalid("in_flight", f"1 to {IN_FLIGHT_MAX} batches are expected, not {size}")
        self._size = size
        self.calls: deque[Call[RecordResult]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether another batch may be sent."""
        return len(self.calls) < self._size

    def answered(self, answer: Any) -> RecordResult:  # noqa: ANN401  # a StreamMovementsResponse
        """Take the answer to the oldest batch."""
        return self.calls.popleft().parse(answer)


def ended() -> RequestError:
    """Return the error of a stream that the server ended before it was done."""
    return Unavailable("the server ended the stream", ErrorDetails("UNAVAILABLE", outcome_unknown=True))
