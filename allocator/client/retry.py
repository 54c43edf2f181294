"""When to try a call again: pure, with the time and the chance as arguments.

Full jitter as in "Exponential Backoff And Jitter" (Marc Brooker, AWS Architecture Blog, 2015): each wait is
uniform between nothing and a bound that doubles, so callers that failed together do not come back together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from allocator.client.errors import (
    DeadlineExceeded,
    MessageTooLarge,
    Overloaded,
    RequestError,
    Unavailable,
    as_unknown,
    invalid,
)

FINAL_REASONS: Final = frozenset({"TABLE_FULL"})
"""Reasons of RESOURCE_EXHAUSTED that a moment's wait does not cure."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long and how often a call is tried.

    Attributes:
        timeout_s: for the call as a whole, waits included, seconds.
        attempt_timeout_s: for each attempt, seconds; None: half of `timeout_s`, so that one attempt that got
            lost leaves time for another.
        retries_max: attempts after the first; 0: never try again.
        backoff_s: bound of the first wait, seconds; doubles with each.
        backoff_max_s: bound of every wait, seconds. What the server asks for (RetryInfo) comes on top.
    """

    timeout_s: float = 5.0
    attempt_timeout_s: float | None = None
    retries_max: int = 5
    backoff_s: float = 0.1
    backoff_max_s: float = 2.0

    def __post_init__(self) -> None:
        for name in ("timeout_s", "attempt_timeout_s", "backoff_s", "backoff_max_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise invalid(name, f"seconds above 0 are expected, not {value!r}")
        if self.retries_max < 0:
            raise invalid("retries_max", f"0 or more is expected, not {self.retries_max!r}")

    def wait_s(self, attempts: int, retry_after_s: float | None, left_s: float, chance: float) -> float:
        """Seconds to wait before the next attempt.

        Args:
            attempts: failed so far.
            retry_after_s: what the server asks for, seconds; None: nothing.
            left_s: until the call is over, seconds. Where there is time for what the server asks for, jitter takes
                at most half of what remains after that.
            chance: uniform in [0, 1).
        """
        bound = min(self.backoff_max_s, self.backoff_s * 2.0 ** min(attempts - 1, 64))
        if retry_after_s is None:
            return bound * chance
        return retry_after_s + min(bound, max(0.0, left_s - retry_after_s) / 2) * chance


class Attempts:
    """The attempts of one call, counted against its policy.

    Args:
        policy: how long and how often.
        request_id: of a write, "" when there is none.
        now_s: when the call begins, on any clock that only goes forward, seconds.
        writes: whether the call changes anything.
    """

    def __init__(self, policy: RetryPolicy, request_id: str, now_s: float, *, writes: bool) -> None:
        self._policy, self._request_id, self._writes = policy, request_id, writes
        self._ends_s = now_s + policy.timeout_s
        self._failed = 0
        self._unknown = False

    def timeout_s(self, now_s: float) -> float:
        """Seconds the attempt that begins now may take."""
        attempt_s = self._policy.attempt_timeout_s or self._policy.timeout_s / 2
        if not self._policy.retries_max:
            attempt_s = self._policy.timeout_s
        return max(0.001, min(attempt_s, self._ends_s - now_s))

    def wait_after(self, error: RequestError, now_s: float, chance: float) -> float:
        """Count a failed attempt and return the seconds to wait before the next.

        Raises:
            RequestError: the call is over; what the caller gets.
        """
        self._failed += 1
        self._unknown = self._writes and (self._unknown or error.outcome_unknown)
        wait_s = self._policy.wait_s(self._failed, error.details.retry_after_s, self._ends_s - now_s, chance)
        over = self._failed > self._policy.retries_max or now_s + wait_s >= self._ends_s
        if over or not is_safe_to_repeat(error):
            raise self._last(error) from None
        return wait_s

    def _last(self, error: RequestError) -> RequestError:
        details = replace(
            error.details,
            request_id=self._request_id,
            attempts=self._failed,
            outcome_unknown=self._writes and error.outcome_unknown,
        )
        last = type(error)(error.message, details)
        return as_unknown(last) if self._unknown else last


def is_safe_to_repeat(error: RequestError) -> bool:
    """Whether the call may be sent again with the same request id, and doing so may help."""
    if isinstance(error, MessageTooLarge) or error.reason in FINAL_REASONS:
        return False
    return isinstance(error, (Unavailable, DeadlineExceeded, Overloaded))
