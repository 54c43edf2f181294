"""Promise dates of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allocator.core.limits import CLOCK_SKEW_MAX_NS, DAY_NS, NS_PER_S
from allocator.gateway.faults import Faults

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


class Promise(NamedTuple):
    """A date to promise for, now, and the last date looked at: ns since 1970 UTC."""

    by_ns: int
    now_ns: int
    horizon_ns: int


def to_promise(stamp: Timestamp, now_ns: int, length_ns: int, field: str = "promise_by") -> Promise:
    """The promise date in `stamp`, and the dates it is judged by; one that just passed is now.

    Args:
        stamp: the date asked for.
        now_ns: now.
        length_ns: from now to the horizon.
        field: where the date stands.

    Raises:
        ApiError: INVALID; the date is malformed, over, or beyond the horizon.
    """
    faults = Faults()
    promise = promise_in(stamp, now_ns, length_ns, field, faults)
    faults.check()
    return promise


def check_ahead(stamp: Timestamp, now_ns: int, length_ns: int) -> None:
    """Check that the `promise_by` of a reserve is not beyond the horizon.

    One that is over is left to the ledger, which knows whether the reserve was granted before that.

    Raises:
        ApiError: INVALID.
    """
    faults = Faults()
    if faults.time("promise_by", stamp) > now_ns + length_ns:
        days = f"{length_ns / DAY_NS:g} days"
        faults.add("promise_by", f"this date is more than {days} ahead, the most allowed (promise.horizon_days)")
    faults.check()


def promise_in(stamp: Timestamp, now_ns: int, length_ns: int, field: str, faults: Faults) -> Promise:
    """As `to_promise`, with what is wrong noted in `faults`."""
    before = len(faults.found)
    by_ns = faults.time(field, stamp)
    if len(faults.found) == before and not now_ns - CLOCK_SKEW_MAX_NS <= by_ns <= now_ns + length_ns:
        side = "over already" if by_ns < now_ns else f"more than {length_ns / DAY_NS:g} days ahead"
        earliest, latest = f"{CLOCK_SKEW_MAX_NS // NS_PER_S} s ago", f"{length_ns / DAY_NS:g} days from now"
        faults.add(field, f"this date is {side}; from {earliest} to {latest} (promise.horizon_days) are allowed")
    return Promise(max(by_ns, now_ns), now_ns, now_ns + length_ns)
