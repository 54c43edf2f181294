"""The gateway inside Envoy: the ASGI application that Envoy loads, from its start to its drain.

`process.main` handed it its settings and became Envoy, see `envoy.py`; the supervisor notices no difference.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from allocator.config import settings_from_json
from allocator.gateway.asgi import GrpcApplication
from allocator.gateway.door import Door
from allocator.gateway.envoy import ADMIN_SOCKET, ENDING, handed_over
from allocator.gateway.envoy_admin import EnvoyAdmin
from allocator.gateway.process import end_with_supervisor, leave, open_gateway, say_ready, settle
from allocator.gateway.turnstile import Turnstile
from allocator.logs import configure_logs
from allocator.runtime.cluster import RayLinks, join_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from allocator.config import Settings
    from allocator.gateway.asgi_context import Send
    from allocator.gateway.asgi_incoming import Event, Receive
    from allocator.gateway.gateway import Gateway
    from allocator.runtime.links import Links

log = structlog.get_logger("allocator.gateway")


class EmbeddedGateway:
    """The application: Envoy tells it when to start, and then of every call.

    Args:
        links: makes the ways to the actors, from what was handed over.
    """

    _asgi_single_callable = True
    """Tells servers that this is ASGI 3: `__call__` is not a coroutine function, it returns a coroutine."""

    def __init__(self, links: Callable[[dict[str, Any]], Links]) -> None:
        self._links = links
        self._serve: GrpcApplication | None = None
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def __call__(self, scope: Event, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve one call, or live through the life of Envoy."""
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        assert self._serve is not None
        return self._serve(scope, receive, send)  # no coroutine of our own around every call

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        handed = handed_over()
        settings = settings_from_json(handed["settings"])
        configure_logs(settings.log.level, settings.log.format, process=f"gateway {handed['index']}")
        folder = Path(handed["folder"])
        end_with_supervisor(lambda: shutil.rmtree(folder, ignore_errors=True))
        self._wait_for_the_end(folder)
        gateway = await self._open(settings, handed)
        message_bytes = settings.server.message_mb * 2**20
        calls = gateway.calls
        turnstile = Turnstile(gateway.methods, calls.pulse.note, lambda: calls.shedding.standing)
        calls.pulse.look_at(turnstile.waits_s)
        self._serve = GrpcApplication(gateway.methods, message_bytes, turnstile)
        self._running = asyncio.get_running_loop().create_task(self._run(gateway, settings, handed))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self, settings: Settings, handed: dict[str, Any]) -> Gateway:
        try:
            gateway = await open_gateway(settings, self._links(handed), handed["index"])
            await gateway.start()
        except Exception as error:
            if isinstance(error, TimeoutError):
                log.error("actors not heard of in time", timeout_s=settings.runtime.boot_timeout_s)  # noqa: TRY400
            else:
                log.exception("gateway cannot start")
            _leave(Path(handed["folder"]), clean=False)
            raise
        return gateway

    async def _run(self, gateway: Gateway, settings: Settings, handed: dict[str, Any]) -> None:
        """Say that callers are answered, and drain when it is time."""
        folder, index = Path(handed["folder"]), handed["index"]
        admin = EnvoyAdmin(folder / ADMIN_SOCKET)
        await admin.until_live()
        settle()
        log.info("ready", port=settings.server.port, gateway=index, front="envoy")
        say_ready(settings.server.port)
        door = Door(admin, gateway.calls.shedding, gateway.calls.pulse)
        door.open()
        await self._stopping.wait()
        door.close()
        gateway.log_draining()

        async def finish(grace_s: float) -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await admin.refuse_connections()
                    await admin.until_answered()

        clean = await gateway.drain(finish)
        log.info("drained", gateway=index, clean=clean)
        _leave(folder, clean=clean)

    def _wait_for_the_end(self, folder: Path) -> None:
        """Hear SIGTERM and SIGINT, which `become_envoy` keeps from Envoy."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            signal.sigwait(ENDING)
            if self._running is None:  # nobody was answered yet
                _leave(folder, clean=True)
            loop.call_soon_threadsafe(self._stopping.set)

        threading.Thread(target=wait, name="signals", daemon=True).start()


def _leave(folder: Path, *, clean: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    leave(clean=clean)


def _ray_links(handed: dict[str, Any]) -> Links:
    join_ray(handed["ray_address"])
    return RayLinks()


application = EmbeddedGateway(_ray_links)
