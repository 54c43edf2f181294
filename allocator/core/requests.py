"""The idempotency table: request id -> the event that answered it, bounded by count and age."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allocator.core.limits import LedgerLimits


class RequestTable:
    """Remembers answers in the order they were given and forgets the oldest first."""

    __slots__ = ("_age_ns", "_max", "by_id", "order")

    def __init__(self, limits: LedgerLimits) -> None:
        self.limit(limits)
        self.by_id: dict[str, Any] = {}
        self.order: deque[tuple[int, str]] = deque()

    def limit(self, limits: LedgerLimits) -> None:
        """Take new bounds."""
        self._max = limits.requests_max
        self._age_ns = limits.requests_age_ns

    def remember(self, request_id: str, event: Any) -> None:  # noqa: ANN401  # a stock or network event
        """Remember `event` as the answer to `request_id`."""
        at_ns = event[0]
        order = self.order
        self.by_id[request_id] = event
        order.append((at_ns, request_id))
        while order and (len(order) > self._max or order[0][0] < at_ns - self._age_ns):
            del self.by_id[order.popleft()[1]]
