"""Streams that outlive their connection: what to send again after a break. Pure; the clients do the I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from allocator.client import wire
from allocator.client.call import Call
from allocator.client.errors import ErrorDetails, Overloaded, RequestError, Unavailable, as_unknown, invalid
from allocator.client.retry import Attempts, RetryPolicy
from allocator.client.types.availability import WatchUpdate
from allocator.v1 import availability_pb2

R = TypeVar("R")

MOVEMENTS_MAX: Final = 64
"""Most batches of movements sent and not answered."""
QUERIES_MAX: Final = 1_024
"""Most checks of a stream sent and not answered."""
RESERVES_MAX: Final = 1_024
"""Most reserves of a stream sent and not answered."""


class Recovery:
    """The failed attempts since a stream last told anything; each success forgets them."""

    def __init__(self, policy: RetryPolicy, *, writes: bool) -> None:
        self._policy, self.writes = policy, writes
        self._attempts: Attempts | None = None

    def attempts(self, now_s: float) -> Attempts:
        """Those since the last success."""
        if self._attempts is None:
            self._attempts = Attempts(self._policy, "", now_s, writes=self.writes)
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


@dataclass(frozen=True, slots=True)
class Known(Generic[R]):
    """A result that nobody needs to be asked for: of a request that cannot be sent at all."""

    result: R


class Window(Generic[R]):
    """What went into a stream and is not answered, the oldest first.

    What is known already has its place in it as well, so that every result comes in order.

    Args:
        size: most requests in it, 1 to `size_max`.
        size_max: most that `size` may be.
    """

    def __init__(self, size: int, size_max: int) -> None:
        if not 1 <= size <= size_max:
            raise invalid("in_flight", f"1 to {size_max} requests are expected, not {size}")
        self._size = size
        self._waiting: deque[Call[R] | Known[R]] = deque()
        self._sent = self._doubtful = 0

    @property
    def has_room(self) -> bool:
        """Whether another request may be taken in."""
        return len(self._waiting) < self._size

    @property
    def head(self) -> Call[R] | Known[R] | None:
        """The oldest; None when there is nothing to wait for."""
        return self._waiting[0] if self._waiting else None

    def add(self, request: Call[R] | Known[R]) -> None:
        """Take in what is to be sent, or what is known without."""
        self._waiting.append(request)

    def to_send(self) -> list[Message]:
        """What is new since the connection began; it counts as sent from now on."""
        fresh = [one.request for one in islice(self._waiting, self._sent, None) if isinstance(one, Call)]
        self._sent = len(self._waiting)
        return fresh

    def answered(self) -> None:
        """Take the oldest out."""
        self._waiting.popleft()
        self._sent, self._doubtful = max(0, self._sent - 1), max(0, self._doubtful - 1)

    def lost(self, error: RequestError) -> None:
        """Note that the connection broke: everything has to be sent again.

        What was sent on it may have happened, whatever the error says of the stream as a whole, unless the server
        did not let it in at all.
        """
        if not isinstance(error, Overloaded):
            self._doubtful = max(self._doubtful, self._sent)
        self._sent = 0

    def told(self, error: RequestError) -> RequestError:
        """The error a stream of writes ends in: it names the oldest, and knows what was sent on any connection."""
        head = self.head
        request_id = head.request_id if isinstance(head, Call) else ""
        named = type(error)(error.message, replace(error.details, request_id=request_id))
        return as_unknown(named) if self._doubtful else named


def ended() -> RequestError:
    """Return the error of a stream that the server ended before it was done."""
    return Unavailable("the server ended the stream", ErrorDetails("UNAVAILABLE", outcome_unknown=True))
