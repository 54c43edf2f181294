"""A stream of requests and answers on one connection, for the client for asyncio; and what it reads with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from allocator.client.errors import closed
from allocator.client.streams import ended

T = TypeVar("T")


class AsyncExchange:
    """An iterator of what to send, and a reader of the answers.

    No async generator: one that is dropped half-way outlives the event loop's patience.

    Args:
        method: a multicallable with streams both ways.
        metadata: to send with it.
    """

    def __init__(self, method: Callable[..., Any], metadata: Sequence[tuple[str, str]]) -> None:
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._stream = method(self, metadata=metadata)

    async def answer(self, requests: Iterable[Message]) -> Any:  # noqa: ANN401  # a message of the stream
        """Send these and wait for the answer to the oldest that has none."""
        for request in requests:
            self._outbox.put_nowait(request)
        answer = await read(self._stream)
        if answer is grpc.aio.EOF:
            raise ended()
        return answer

    def close(self) -> None:
        """End the stream."""
        self._stream.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        return await self._outbox.get()


async def read(stream: Any) -> Any:  # noqa: ANN401  # an answer, or EOF
    """Read the next answer of a stream."""
    with own_cancellation():
        return await stream.read()


def iterate(items: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T] | Iterator[T]:
    """Begin with items of either kind."""
    return aiter(items) if isinstance(items, AsyncIterable) else iter(items)


async def take(source: AsyncIterator[T] | Iterator[T]) -> T | None:
    """Take the next item; None at the end."""
    return await anext(source, None) if isinstance(source, AsyncIterator) else next(source, None)


@contextmanager
def own_cancellation() -> Iterator[None]:
    """Tell a call that ended with its client from a task that is cancelled: only the latter is a CancelledError."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            raise closed() from None
        raise
