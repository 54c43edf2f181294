"""What comes from the caller of one call on the ASGI front: its requests, and that it has gone."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import grpc

from allocator.gateway.framing import FrameError, Unframer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Event = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Event]]

AHEAD_BYTES_MAX: Final = 2**20
"""Of requests that nobody has asked for yet, taken to see whether the caller is still there."""


class Incoming:
    """The events of a call, in order.

    Args:
        receive: of ASGI.
        unframer: takes messages out of them.
        gone: told, once, when the caller has gone.
    """

    def __init__(self, receive: Receive, unframer: Unframer, gone: Callable[[], None]) -> None:
        self._receive = receive
        self._unframer = unframer
        self._tell_gone = gone
        self._messages: deque[bytes] = deque()
        self._ahead: list[bytes] = []
        self._ahead_bytes = 0
        self._coming: asyncio.Future[Event] | None = None
        self._half_closed = False  # it has sent all it has to send
        self._gone = False

    def take(self, event: Event) -> None:
        """Note an event; from outside only the very first."""
        if event["type"] == "http.disconnect":
            self._gone = True
            self._tell_gone()
            return
        self._half_closed = not event.get("more_body")
        chunk: bytes = event.get("body", b"")
        if chunk:
            self._ahead.append(chunk)
            self._ahead_bytes += len(chunk)

    async def message(self) -> bytes | None:
        """The next request; None after the last one.

        Raises:
            FrameError: it cannot be taken.
            CancelledError: the caller has gone.
        """
        while not self._messages:
            while not self._ahead and not self._half_closed:
                if self._gone:
                    raise asyncio.CancelledError
                # Not `await`: the server completes it also when whoever waits here is cancelled.
                await asyncio.wait((self._ask(),))
            if not self._ahead:
                if self._unframer.pending:
                    raise FrameError(grpc.StatusCode.INTERNAL, "the stream ended within a message")
                return None
            chunk = b"".join(self._ahead)
            self._ahead, self._ahead_bytes = [], 0
            self._messages.extend(self._unframer.feed(chunk))
        return self._messages.popleft()

    def look(self) -> None:
        """See whether the caller is still there.

        ASGI tells only who asks, and tells of a caller that has sent all it has to send by an empty chunk at once, so
        there is nothing to wait on. Requests that come instead are kept, within bounds.
        """
        if self._ahead_bytes < AHEAD_BYTES_MAX and not self._gone:
            _ = self._ask()  # `_came` hears of it

    def _ask(self) -> asyncio.Future[Event]:
        """The next event; `_came` is the first to hear of it."""
        if self._coming is None:
            self._coming = asyncio.ensure_future(self._receive())
            self._coming.add_done_callback(self._came)
        return self._coming

    def _came(self, coming: asyncio.Future[Event]) -> None:
        self._coming = None
        self.take(coming.result())
