"""`Knock`: a call of a grpcio server through a door of its own, to learn how long calls wait in gRPC's core.

grpc.aio asks the core for one call per turn of the event loop, so under overload calls queue in the core, where
nothing shows them: 1,000 of them waited 0.9 s here while the loop was 0.3 ms late. The core keeps one queue for all
doors, so a call of our own waits as long as those of everybody else.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

if TYPE_CHECKING:
    from collections.abc import Awaitable

_SERVICE: Final = "allocator.gateway.Door"
_METHOD: Final = "Knock"
_NEVER_MS: Final = 2**31 - 1
KNOCK_TIMEOUT_S: Final = 30.0
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1), ("grpc.client_idle_timeout_ms", _NEVER_MS))


class Knock:
    """The door: a Unix socket in a folder that only this user may enter, gone once the connection is there.

    Args:
        server: not started yet.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        handler: Any = grpc.unary_unary_rpc_method_handler(_answer)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
        self._folder = tempfile.TemporaryDirectory(prefix="allocator-")
        address = f"unix:{Path(self._folder.name) / 'door'}"
        server.add_insecure_port(address)
        self._channel = grpc.aio.insecure_channel(address, _OPTIONS)
        self._call: Any = self._channel.unary_unary(f"/{_SERVICE}/{_METHOD}")

    async def open(self) -> None:
        """Connect, and close the door behind us; the server has started."""
        await self._channel.channel_ready()
        self._folder.cleanup()

    def __call__(self) -> Awaitable[object]:
        """Knock; ends when the server has answered."""
        answer: Awaitable[object] = self._call(b"", timeout=KNOCK_TIMEOUT_S)
        return answer

    async def close(self) -> None:
        """Let the connection go."""
        await self._channel.close()


async def _answer(request: bytes, context: object) -> bytes:  # noqa: ARG001  # the shape of a handler
    return b""
