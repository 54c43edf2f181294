"""A stream of requests and answers on one connection, for the client for threads."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from allocator.client.streams import ended


class Exchange:
    """Requests go into a queue, from which gRPC takes them in a thread of its own.

    Args:
        method: a multicallable with streams both ways.
        metadata: to send with it.
    """

    def __init__(self, method: Callable[..., Any], metadata: Sequence[tuple[str, str]]) -> None:
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._stream = method(iter(self._outbox.get, None), metadata=metadata)

    def answer(self, requests: Iterable[Message]) -> Any:  # noqa: ANN401  # a message of the stream
        """Send these and wait for the answer to the oldest that has none."""
        for request in requests:
            self._outbox.put(request)
        answer = next(self._stream, None)
        if answer is None:
            raise ended()
        return answer

    def close(self) -> None:
        """End the stream, and with it the thread that waits for more to send."""
        self._outbox.put(None)
        self._stream.cancel()
