"""Times on the wire: `Timestamp` and `Duration` to integer nanoseconds and back."""

from __future__ import annotations

from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from allocator.core.limits import NS_PER_S

YEAR_2200_S: Final = 7_258_118_400
"""2200-01-01T00:00:00Z, seconds since 1970 UTC: the end of what the contract takes."""
DURATION_MAX_S: Final = 315_576_000_000
"""What a `Duration` can tell."""


def ns_of(stamp: Timestamp) -> int | None:
    """Nanoseconds since 1970 UTC; None outside 1970 to 2200. 1970 itself is 1 ns, because 0 is "none" below."""
    if not (0 <= stamp.seconds < YEAR_2200_S and 0 <= stamp.nanos < NS_PER_S):
        return None
    return stamp.seconds * NS_PER_S + stamp.nanos or 1


def timestamp(at_ns: int) -> Timestamp:
    """The time `at_ns` nanoseconds after 1970 UTC."""
    seconds, nanos = divmod(at_ns, NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)


def length_ns_of(length: Duration) -> int | None:
    """Nanoseconds; None when the message is malformed."""
    seconds, nanos = length.seconds, length.nanos
    if abs(seconds) > DURATION_MAX_S or abs(nanos) >= NS_PER_S or seconds * nanos < 0:
        return None
    return seconds * NS_PER_S + nanos


def age(length_s: float) -> Duration:
    """A length of time in microseconds, never negative; what is longer than a `Duration` can tell is cut."""
    micros = int(min(max(length_s, 0.0), DURATION_MAX_S) * 1e6)
    seconds, micros = divmod(micros, 1_000_000)
    return Duration(seconds=seconds, nanos=1_000 * micros)
