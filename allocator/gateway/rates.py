"""`Rates`: a token bucket per client and worth, so that one client cannot take what belongs to all.

`Rates` is pure: the time comes in as an argument.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from allocator.runtime.worth import Worth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

CLIENTS_MAX: Final = 10_000
"""Clients remembered at once; who was quiet longest is forgotten, and begins with a full bucket again."""
CLIENT_ID_LENGTH_MAX: Final = 128
"""Characters of an `x-client-id`; of a longer one these count."""
CLIENT_KEY: Final = "x-client-id"


class Rates:
    """Tokens of the clients, filled evenly.

    A bucket is kept as the time at which it would be full (the generic cell rate algorithm): one number.

    Args:
        rate_per_s: calls per second and worth that a client may make in the long run.
        burst: calls at once; 0: as many as in a second, at least one.
    """

    def __init__(self, rate_per_s: float, burst: int = 0) -> None:
        self._token_s = 1 / rate_per_s
        self._burst_s = (burst or max(1, int(rate_per_s))) * self._token_s
        self._full_at_s: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, client: str, worth: Worth, now_s: float) -> float:
        """Take a token; returns 0, or the seconds until there is one, and then none was taken."""
        full_at_s = self._full_at_s.pop(client, None)
        if full_at_s is None:
            full_at_s = [0.0] * len(Worth)
            if len(self._full_at_s) >= CLIENTS_MAX:
                del self._full_at_s[next(iter(self._full_at_s))]
        self._full_at_s[client] = full_at_s  # the last used is the last in order
        full_s = max(full_at_s[worth], now_s) + self._token_s
        # Sums of what cannot be told exactly: a millionth of a token must not make the difference.
        late_s = full_s - now_s - self._burst_s
        if late_s > 1e-6 * self._token_s:
            return late_s
        full_at_s[worth] = full_s
        return 0.0


class Paced:
    """Requests of a stream, each with a token; the first came with that of the call.

    One that comes too early waits, and the flow control of the front holds its client back.
    """

    def __init__(self, incoming: AsyncIterator[Any], rates: Rates, client: str, worth: Worth) -> None:
        self._incoming, self._rates, self._client, self._worth = incoming, rates, client, worth
        self._first = True

    def __aiter__(self) -> Paced:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401  # a request of any stream
        request = await anext(self._incoming)
        if not self._first:
            await self._token()
        self._first = False
        return request

    async def _token(self) -> None:
        while True:
            wait_s = self._rates.take(self._client, self._worth, time.monotonic())
            if not wait_s:
                return
            await asyncio.sleep(wait_s)


def client_of(metadata: Iterable[tuple[str, str | bytes]], peer: str) -> str:
    """Who calls: the caller's `x-client-id`, else its address without the port.

    Args:
        metadata: of the call.
        peer: as grpcio writes it: `ipv4:10.0.0.1:40000`, `ipv6:%5B::1%5D:40000`, `unix:...`.
    """
    for key, value in metadata:
        if key == CLIENT_KEY and value:
            return str(value)[:CLIENT_ID_LENGTH_MAX]
    return peer.rpartition(":")[0] if peer.startswith("ip") else peer
