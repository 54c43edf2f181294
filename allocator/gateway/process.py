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
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from allocator.config import settings_from_json
from allocator.gateway.calls import waits_of
from allocator.gateway.envoy import become_envoy, envoy_config
from allocator.gateway.fronts import ENVOY, choose
from allocator.gateway.gateway import Gateway, Promises
from allocator.gateway.server import GrpcioFront
from allocator.logs import configure_logs
from allocator.runtime.cluster import RayLinks, join_ray
from allocator.runtime.garbage import collect_seldom
from allocator.runtime.router import Bounds, Router

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.config import Settings
    from allocator.runtime.links import Links

ORPHANED_EXIT: Final = 71
UNCLEAN_EXIT: Final = 1

log = structlog.get_logger("allocator.gateway")


def main() -> None:
    """Run one gateway until SIGTERM; the exit code is 0 when every accepted call was answered."""
    options = _options()
    settings = settings_from_json(sys.stdin.readline())
    if choose(settings.server.front).front == ENVOY:
        folder = Path(
            tempfile.mkdtemp(prefix="allocator-envoy-")
        )  # short: paths of sockets have 107 characters at most
        handed = {
            "settings": settings.model_dump_json(),
            "index": options.index,
            "ray_address": options.ray_address,
            "folder": str(folder),
        }
        become_envoy(envoy_config(settings.server, settings.tls, folder), handed)
    configure_logs(settings.log.level, settings.log.format, process=f"gateway {options.index}")
    end_with_supervisor()
    join_ray(options.ray_address)
    try:
        clean = asyncio.run(run(settings, RayLinks(), options.index, say_ready))
    except TimeoutError:
        log.error("actors not heard of in time", timeout_s=settings.runtime.boot_timeout_s)  # noqa: TRY400
        clean = False
    leave(clean=clean)


async def run(settings: Settings, links: Links, index: int, ready: Callable[[int], None]) -> bool:
    """Serve with grpc.aio until SIGTERM or SIGINT, then drain.

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
    gateway = await open_gateway(settings, links, index)
    front = GrpcioFront(gateway, settings.server, settings.tls)
    port = await front.start()
    settle()
    log.info("ready", port=port, gateway=index)
    ready(port)
    await stopping.wait()
    gateway.log_draining()
    clean = await front.drain()
    log.info("drained", gateway=index, clean=clean)
    return clean


async def open_gateway(settings: Settings, links: Links, index: int) -> Gateway:
    """A gateway whose router follows the actors already.

    Raises:
        TimeoutError: the actors were not heard of in time.
    """
    bounds = settings.server
    router = Router(links, Bounds(bounds.queue_max, bounds.batch_max, bounds.in_flight_max, waits_of(bounds)))
    await router.start(settings.runtime.boot_timeout_s)
    promises = Promises(settings.promise.horizon_ns, settings.promise.resource_shortages)
    return Gateway(router, settings.server, index, promises)


def settle() -> None:
    """Everything that lives long is there: the garbage collector need not look at it again."""
    collect_seldom()
    gc.collect()
    gc.freeze()


def say_ready(port: int) -> None:
    """Tell the supervisor that callers are answered."""
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()
    os.dup2(2, 1)  # nobody reads the pipe any more: who prints to it would hang once it is full


def end_with_supervisor(tidy_up: Callable[[], None] = lambda: None) -> None:
    """From now on end with whoever holds our stdin, after `tidy_up`."""
    threading.Thread(target=_read_to_the_end, args=(tidy_up,), name="stdin", daemon=True).start()


def leave(*, clean: bool) -> None:
    """End the process. Ray's own farewell takes five seconds, and there is nothing left to save."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if clean else UNCLEAN_EXIT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m allocator.gateway", description=__doc__)
    parser.add_argument("--ray-address", required=True, help="address of the Ray cluster that the actors are in")
    parser.add_argument("--index", type=int, default=0, help="which gateway this is")
    return parser.parse_args()


def _read_to_the_end(tidy_up: Callable[[], None]) -> None:
    while os.read(0, 4096):  # not sys.stdin.read: its lock would block the interpreter's own end
        pass
    tidy_up()
    os._exit(ORPHANED_EXIT)
