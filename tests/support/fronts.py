"""The fronts that the contract suite runs against: each puts a gateway of a test's service on a socket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from allocator.config import PromiseSettings, ServerSettings, Settings, TlsSettings, settings_from_json
from allocator.gateway.fronts import envoy_installed
from allocator.gateway.process import open_gateway
from allocator.gateway.server import GrpcioFront
from tests.support.envoy_gateway import LINKS_SOCKET
from tests.support.local_links import LocalLinks
from tests.support.socket_links import LinkServer

READY_S = 60
END_S = 60


class Wanted(NamedTuple):
    """What a front is to serve."""

    links: LocalLinks
    settings: Settings
    number: int


class Front(Protocol):
    """A gateway on a socket."""

    port: int

    async def drain(self) -> bool:
        """Stop; tells whether every accepted call was answered."""


class InProcess:
    """The grpcio front, on the event loop of the test's service."""

    def __init__(self, front: GrpcioFront, port: int) -> None:
        self._front = front
        self.port = port

    async def drain(self) -> bool:
        """Stop."""
        return await self._front.drain()


async def grpcio_front(wanted: Wanted) -> Front:
    """Start the grpcio front."""
    gateway = await open_gateway(wanted.settings, wanted.links, wanted.number)
    front = GrpcioFront(gateway, wanted.settings.server, wanted.settings.tls)
    return InProcess(front, await front.start())


class OnEnvoy:
    """A process that is Envoy, with the gateway inside and its actors in ours; its sockets are in `folder`."""

    def __init__(self, folder: Path, links: LinkServer, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder = folder
        self._links = links
        self._process = process
        self.port = port

    async def drain(self) -> bool:
        """Have it drain, as the supervisor does."""
        self._process.terminate()
        try:
            code = await asyncio.to_thread(self._process.wait, END_S)
        finally:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            await self._links.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
        return code == 0


async def envoy_front(wanted: Wanted) -> Front:
    """Start a gateway on Envoy."""
    folder = Path(tempfile.mkdtemp(prefix="allocator-envoy-"))  # short: paths of sockets have 107 characters at most
    links = LinkServer(wanted.links, folder / LINKS_SOCKET)
    await links.start()
    port = wanted.settings.server.port or _free_port()
    server = wanted.settings.server.model_copy(update={"port": port})
    settings = wanted.settings.model_copy(update={"server": server})
    command = [sys.executable, "-m", "tests.support.envoy_gateway", str(folder), str(wanted.number)]
    process = await asyncio.to_thread(_start, command, settings.model_dump_json())
    return OnEnvoy(folder, links, process, port)


def _start(command: list[str], settings: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(settings.encode() + b"\n")
    process.stdin.flush()
    if not process.stdout.readline().startswith(b"ready"):
        process.kill()
        process.communicate()
        raise RuntimeError("Envoy did not come up; its lines above say why")
    return process


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def envoy_left_out() -> bool:
    """Whether tests on Envoy are left out, as pyvoy is not installed; in CI they run and fail instead."""
    return not envoy_installed() and not os.environ.get("CI")


StartFront = Callable[[Wanted], Awaitable[Front]]
FRONTS: Mapping[str, StartFront] = {
    "grpcio": grpcio_front,
    **({} if envoy_left_out() else {"envoy": envoy_front}),
}


def settings_of(
    server: ServerSettings, promises: PromiseSettings | None = None, tls: TlsSettings | None = None
) -> Settings:
    """Complete settings: the environment has no say in a test."""
    sections = {"server": server, "promise": promises or PromiseSettings(), "tls": tls or TlsSettings()}
    return settings_from_json(json.dumps({name: section.model_dump(mode="json") for name, section in sections.items()}))
