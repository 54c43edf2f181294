"""A line: the straight way of bytes between a gateway and an actor on the same machine.

A Ray call costs some 1.5 ms of CPU on its two sides, whatever is in it; a call on a line 0.1 ms. So Ray makes, places,
finds and restarts actors, and tells where their line begins; where there is no line (another machine, another
system), Ray carries the calls too.

A line is an abstract Unix socket: its name is random and told by Ray only, it leaves no file behind, and only
processes of the same user are let in. Each connection carries one call at a time: a frame there, a frame back.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
import sys
import threading
from typing import TYPE_CHECKING, Final, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Served = Mapping[int, Callable[[bytes], bytes]]

EXECUTE: Final = 1
CHANGES: Final = 2

WIRES_MAX: Final = 256
"""Connections of all gateways to one actor; each has a thread there. Whoever comes later goes by Ray."""
FRAME_BYTES_MAX: Final = 2**30
"""Size of a call or an answer; far more than a whole picture of the largest ledger."""
_HEAD: Final = struct.Struct("<IB")
_CREDENTIALS: Final = struct.Struct("3i")

log = structlog.get_logger("allocator.line")


class LineEnd:
    """The actor's end: serves every connection in a thread of its own.

    Args:
        served: what to call by the method number of a frame. One that raises ends its connection.

    Attributes:
        name: where the line begins; "" where the system has no such sockets.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._wires = threading.Semaphore(WIRES_MAX)
        self.name = ""
        if sys.platform == "linux":
            self.name = f"allocator-{secrets.token_hex(16)}"
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(_address(self.name))
            self._socket.listen(WIRES_MAX)
            threading.Thread(target=self._accept, name="line", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are there end with their gateways."""
        if self.name:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for the next connection
            self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._socket.accept()
            except OSError:  # closed
                return
            if _user_of(wire) != os.getuid() or not self._wires.acquire(blocking=False):
                wire.close()
                continue
            threading.Thread(target=self._serve, args=(wire,), name="line-call", daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        """Answer one call after the other until the other side hangs up."""
        try:
            with wire:
                while (head := _read(wire, _HEAD.size)) is not None:
                    size, method = _HEAD.unpack(head)
                    data = _read(wire, size)
                    if data is None:
                        return
                    answer = self._served[method](bytes(data))
                    wire.sendall(_HEAD.pack(len(answer), method) + answer)
        except OSError:  # the gateway went away
            return
        except Exception:
            log.exception("call failed")
        finally:
            self._wires.release()


class Line:
    """A gateway's end: as many connections as calls are under way at once.

    Attributes:
        broken: whether a connection was lost; then the actor has gone, and so has this line.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._free: list[_Wire] = []
        self._wires: set[_Wire] = set()
        self.broken = False

    async def open(self) -> None:
        """Connect once.

        Raises:
            OSError: nobody is there, or not for us.
        """
        self._free.append(await self._connected())

    async def call(self, method: int, data: bytes) -> bytes:
        """Call the actor.

        Raises:
            OSError: the actor went away; whether it did what was asked is not known.
        """
        wire = self._free.pop() if self._free else await self._connected()
        answer = wire.call(method, data)
        try:
            result = await answer
        except asyncio.CancelledError:
            wire.close()  # its answer is still to come
            raise
        self._free.append(wire)
        return result

    def close(self) -> None:
        """Hang up."""
        for wire in tuple(self._wires):
            wire.close()

    async def _connected(self) -> _Wire:
        held = socket.socket(socket.AF_UNIX)
        held.settimeout(0)
        try:
            held.connect(_address(self._name))  # at once or not at all; not every event loop takes such an address
        except OSError:
            self.broken = True
            held.close()
            raise
        _, wire = await asyncio.get_running_loop().create_unix_connection(lambda: _Wire(self._lost), sock=held)
        self._wires.add(wire)
        return wire

    def _lost(self, wire: _Wire) -> None:
        self._wires.discard(wire)
        if not wire.closed:
            self.broken = True


class _Wire(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, lost: Callable[[_Wire], None]) -> None:
        self._told_lost = lost
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._parts: list[bytes] = []
        self._missing = _HEAD.size
        self.closed = False

    def call(self, method: int, data: bytes) -> asyncio.Future[bytes]:
        """Send a call; the future has its answer."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the actor hung up")
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(_HEAD.pack(len(data), method) + data)
        return answer

    def close(self) -> None:
        """Hang up."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by their class

    def data_received(self, data: bytes) -> None:
        """Take in a piece of the answer; nothing else ever comes."""
        if not self._parts:  # the head of an answer comes in one piece with what follows, or is all there is
            self._missing = _HEAD.size + _HEAD.unpack_from(data)[0]
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing == 0:
            answer, parts, self._answer, self._parts = self._answer, self._parts, None, []
            if answer is not None and not answer.done():
                answer.set_result(b"".join(parts)[_HEAD.size :])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._told_lost(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(f"the actor hung up: {exc or 'end of file'}"))


def _address(name: str) -> str:
    return f"\0{name}"


def _user_of(wire: socket.socket) -> int:
    """The user id of the process at the other end."""
    credentials = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[1])


def _read(wire: socket.socket, size: int) -> bytearray | None:
    """Exactly `size` bytes; None at the end.

    Raises:
        ConnectionError: more than anybody sends.
    """
    if size > FRAME_BYTES_MAX:
        raise ConnectionError(f"a frame of {size} bytes; at most {FRAME_BYTES_MAX} are allowed")
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        count = wire.recv_into(view[done:])
        if not count:
            return None
        done += count
    return data
