"""One gateway process, as the supervisor starts it: settings on stdin, `ready PORT` on stdout, SIGTERM drains.

The supervisor keeps stdin open as long as it lives. At its end this process ends too, because nobody would restart or
stop it any more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

import structlog

from allocator.config import settings_from_json
from allocator.gateway.server import GatewayServer, Promises
from allocator.logs import configure_logs
from allocator.runtime.actor import tune_gc
from allocator.runtime.cluster import RayLinks, join_ray
from allocator.runtime.router import Bounds, Router

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.config import Settings
    from allocator.runtime.links import Links

ORPHANED_EXIT: Final = 71

log = structlog.get_logger("allocator.gateway")


def main() -> None:
    """Run one gateway until SIGTERM; the exit code is 0 when every accepted call was answered."""
    options = _options()
    settings = settings_from_json(sys.stdin.readline())
    configure_logs(settings.log.level, settings.log.format, process=f"gateway {options.index}")
    threading.Thread(target=_end_with_supervisor, name="stdin", daemon=True).start()
    join_ray(options.ray_address)
    try:
        clean = asyncio.run(run(settings, RayLinks(), options.index, _say_ready))
    except TimeoutError:
        log.error("actors not heard of in time", timeout_s=settings.runtime.boot_timeout_s)  # noqa: TRY400
        clean = False
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if clean else 1)  # Ray's own farewell takes five seconds, and there is nothing left to save


async def run(settings: Settings, links: Links, index: int, ready: Callable[[int], None]) -> bool:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        settings: of the service.
        links: ways to the actors.
        index: which gateway this is.
        ready: hears the port once callers are answered.

    Returns:
        Whether every accepted call was answered.

    Raises:
        TimeoutError: the actors were not heard of in time.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    bounds = settings.server
    router = Router(links, Bounds(bounds.queue_max, bounds.batch_max, bounds.in_flight_max))
    await router.start(settings.runtime.boot_timeout_s)
    promises = Promises(settings.promise.horizon_ns, settings.promise.resource_shortages)
    server = GatewayServer(router, settings.server, index, promises)
    port = await server.start()
    tune_gc()
    gc.collect()
    gc.freeze()
    log.info("ready", port=port, gateway=index)
    ready(port)
    await stopping.wait()
    log.info("draining", gateway=index, under_way=server.calls.under_way, streams=server.calls.streams)
    clean = await server.drain()
    log.info("drained", gateway=index, clean=clean)
    return clean


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m allocator.gateway", description=__doc__)
    parser.add_argument("--ray-address", required=True, help="address of the Ray cluster that the actors are in")
    parser.add_argument("--index", type=int, default=0, help="which gateway this is")
    return parser.parse_args()


def _say_ready(port: int) -> None:
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()
    os.dup2(2, 1)  # nobody reads the pipe any more: who prints to it would hang once it is full


def _end_with_supervisor() -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not sys.stdin.read: its lock would block the interpreter's own end
        pass
    os._exit(ORPHANED_EXIT)
