"""Ways to local actors for a gateway in another process: their calls over a Unix socket, one after the other or not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from allocator.core import codec
from allocator.runtime.links import ActorLink, Links

LENGTH_BYTES = 4


class LinkServer:
    """Serves the calls of `links` on a socket; made and used on a running event loop."""

    def __init__(self, links: Links, path: Path) -> None:
        self._links = links
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))

    async def stop(self) -> None:
        """Take no more calls."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                call = asyncio.ensure_future(self._answer(await _receive(reader), writer))
                self._tasks.add(call)
                call.add_done_callback(self._tasks.discard)
        except asyncio.IncompleteReadError:
            writer.close()

    async def _answer(self, request: Any, writer: asyncio.StreamWriter) -> None:  # noqa: ANN401  # as packed below
        number, actor, method, argument = request
        try:
            answer = (number, True, await getattr(self._links.link(actor), method)(argument))
        except Exception as error:  # noqa: BLE001  # it is the caller's
            answer = (number, False, f"{type(error).__name__}: {error}")
        _send(writer, answer)


class LinkError(Exception):
    """What a call ended in on the other side."""


class SocketLinks(Links):
    """The other end, for a gateway's event loop."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.Task[asyncio.StreamWriter] | None = None

    def link(self, actor: str) -> ActorLink:
        """The way to `actor`."""
        return _SocketLink(self, actor)

    async def call(self, actor: str, method: str, argument: object) -> Any:  # noqa: ANN401  # bytes or a truth
        """Have the other side make a call."""
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._connect())
        writer = await asyncio.shield(self._writer)
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        _send(writer, (number, actor, method, argument))
        return await future

    async def _connect(self) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_unix_connection(self._path)
        self._reading = asyncio.ensure_future(self._read(reader))
        return writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, fine, answer = await _receive(reader)
            future = self._waiting.pop(number)
            if future.done():
                continue
            if fine:
                future.set_result(answer)
            else:
                future.set_exception(LinkError(answer))


class _SocketLink(ActorLink):
    def __init__(self, links: SocketLinks, actor: str) -> None:
        self._links = links
        self._actor = actor

    def execute(self, data: bytes) -> Coroutine[Any, Any, bytes]:
        """Run a batch of commands."""
        return self._links.call(self._actor, "execute", data)

    def changes(self, data: bytes) -> Coroutine[Any, Any, bytes]:
        """Wait for news of its ledgers."""
        return self._links.call(self._actor, "changes", data)

    def adopt(self, location: str) -> Coroutine[Any, Any, bool]:
        """Have the actor host one more location."""
        return self._links.call(self._actor, "adopt", location)


def _send(writer: asyncio.StreamWriter, message: object) -> None:
    data = codec.pack(message)
    writer.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)


async def _receive(reader: asyncio.StreamReader) -> Any:  # noqa: ANN401  # as packed
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
    return codec.unpack(await reader.readexactly(length))
