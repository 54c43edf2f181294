"""An ASGI server with one call, for tests of the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc

from allocator.gateway.asgi import GrpcApplication

if TYPE_CHECKING:
    from allocator.gateway.turnstile import Turnstile

MESSAGE_BYTES = 1_000
Handler = Callable[[Any, Any], Any]
GONE: Mapping[str, Any] = {"type": "http.disconnect"}
HEADERS = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))


class Wire:
    """An ASGI server with one call: what the test says comes in, what goes out is kept."""

    def __init__(
        self,
        handler: Handler,
        kind: Any,  # noqa: ANN401  # of grpcio
        headers: tuple[tuple[bytes, bytes], ...] = HEADERS,
        turnstile: Turnstile | None = None,
    ) -> None:
        methods: Any = {"a.B": {"C": kind(handler, request_deserializer=bytes, response_serializer=bytes)}}
        self.sent: list[Any] = []
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._half_closed = False
        self._scope: dict[str, Any] = {"type": "http", "path": "/a.B/C", "headers": list(headers), "client": ("::1", 7)}
        self.app = GrpcApplication(methods, MESSAGE_BYTES, turnstile)

    def says(self, body: bytes, *, more: bool = False) -> None:
        """Have a chunk come in."""
        self._events.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def goes(self) -> None:
        """Have the caller go."""
        self._events.put_nowait(GONE)

    async def receive(self) -> Any:  # noqa: ANN401  # of ASGI
        """As Envoy: after the last chunk the answer is an empty one, at once."""
        if self._half_closed and self._events.empty():
            return {"type": "http.request", "body": b"", "more_body": False}
        event = await self._events.get()
        self._half_closed = event.get("more_body") is False
        return event

    def to(self, methods: Any, path: str) -> None:  # noqa: ANN401  # of any servicers
        """Have the call go to a method of these."""
        self.app = GrpcApplication(methods, MESSAGE_BYTES)
        self._scope["path"] = path

    async def send(self, event: Any) -> None:  # noqa: ANN401  # of ASGI
        """Keep an event."""
        self.sent.append(event)

    def run(self) -> asyncio.Task[None]:
        """Begin the call."""
        return asyncio.create_task(self.app(self._scope, self.receive, self.send))

    @property
    def status(self) -> dict[bytes, bytes]:
        """The headers of the last event that has some."""
        return dict(next(event["headers"] for event in reversed(self.sent) if "headers" in event))


async def answered(wire: Wire, *chunks: bytes) -> dict[bytes, bytes]:
    """How a call ends that says all this."""
    for chunk in chunks[:-1]:
        wire.says(chunk, more=True)
    wire.says(chunks[-1])
    await wire.run()
    return wire.status


def unary(handler: Handler, **kwargs: Any) -> Wire:  # noqa: ANN401  # of Wire
    """A call with one request and one answer."""
    return Wire(handler, grpc.unary_unary_rpc_method_handler, **kwargs)


async def echo(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # of either server
    """Answer the request."""
    return request
