"""Asking the Envoy around us how it does, over its admin socket."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOK_S: Final = 0.02
ASK_S: Final = 5.0
_ACTIVE: Final = re.compile(rb"http\.ingress_http\.downstream_rq_active: (\d+)")


class EnvoyAdmin:
    """The admin interface.

    Args:
        socket: its path.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def until_live(self) -> None:
        """Return when Envoy listens."""
        while b"LIVE" not in await self._ask("GET", "/ready"):  # noqa: ASYNC110  # it is another program's doing
            await asyncio.sleep(LOOK_S)

    async def refuse_connections(self) -> None:
        """Take no new connections, and tell those that are there to go elsewhere."""
        await self._ask("POST", "/drain_listeners?graceful&skip_exit")

    async def until_answered(self) -> None:
        """Return when no call is under way any more and every answer has left."""
        while True:
            active = _ACTIVE.findall(await self._ask("GET", "/stats?filter=downstream_rq_active"))
            if not sum(map(int, active)):
                return
            await asyncio.sleep(LOOK_S)

    async def set_runtime(self, values: Mapping[str, int]) -> bool:
        """Set runtime keys; tells whether that was heard."""
        query = "&".join(f"{key}={value}" for key, value in values.items())
        return b"OK" in await self._ask("POST", f"/runtime_modify?{query}")

    async def _ask(self, method: str, path: str) -> bytes:
        """The body of the answer, empty when nobody answers."""
        try:
            async with asyncio.timeout(ASK_S):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                writer.write(f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return b""
        return answer.partition(b"\r\n\r\n")[2]
