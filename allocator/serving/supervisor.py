"""The process behind `allocator serve`: one lock, one Ray, actors, gateways, adapters; ends cleanly on SIGTERM."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from allocator.gateway.fronts import choose
from allocator.gateway.tls import check_tls
from allocator.journal.store import JournalSettings
from allocator.logs import configure_logs
from allocator.network_file import read_network
from allocator.runtime import cluster
from allocator.runtime.errors import BootError
from allocator.serving.boot import boot
from allocator.serving.children import Child, stop_all
from allocator.serving.lock import KeptLock
from allocator.serving.notice import ServiceNotice, notice_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allocator.config import Settings

    Told = Callable[[str, int, int], None]

LOOK_S: Final = 0.2
LOCK_LOST_EXIT: Final = 75
PORT_WAIT_S: Final = 3.0
ADAPTERS_STOP_S: Final = 15.0
ACTORS_STOP_S: Final = 60.0
EXTRA_DRAIN_S: Final = 5.0

log = structlog.get_logger("allocator.serve")


def serve(settings: Settings, told: Told | None = None) -> int:
    """Run the service until SIGTERM or SIGINT.

    Args:
        settings: of the service.
        told: hears (what, done, of how many) while it starts; ("ready", port, 0) once callers are answered.

    Returns:
        Exit code: 0 after a clean stop, `LOCK_LOST_EXIT` when another service took the journal.

    Raises:
        AllocatorError: it cannot start; the message says what to do.
    """
    configure_logs(settings.log.level, settings.log.format, process="serve")
    chosen = choose(settings.server.front)
    check_tls(settings.tls)
    log.info("front", front=chosen.front, why=chosen.why, tls=_tls_told(settings))
    network = read_network(settings.network_file) if settings.network_file else None
    told = told or (lambda *_: None)
    stopping = threading.Event()
    _on_signal(stopping)
    store = JournalSettings(settings.journal_url, settings.journal.schema_name).store()
    with contextlib.ExitStack() as stack:
        stack.callback(store.close)
        lock = stack.enter_context(KeptLock(store))
        notice_path = stack.enter_context(notice_file(settings.data_dir))
        port = stack.enter_context(_reserved_port(settings.server.host, settings.server.port))
        told("ray", 0, 1)
        address = cluster.start_ray(settings, stack.enter_context(_ray_folder(settings.data_dir)))
        stack.callback(cluster.stop_ray)
        _on_signal(stopping)  # again: Ray has put handlers of its own in their place
        told("ray", 1, 1)
        handles = boot(settings, store, network, os.cpu_count() or 1, told)
        gateways = _gateways(settings, chosen.front, address, port)
        adapters = _adapters(settings, port)
        try:
            _start(gateways, settings.runtime.boot_timeout_s, told)
            _start(adapters, settings.runtime.boot_timeout_s, told)
            log.info(
                "serving",
                host=settings.server.host,
                port=port,
                gateways=len(gateways),
                actors=len(handles) - 1,
            )
            told("ready", port, 0)
            notice = ServiceNotice(notice_path, port, address, handles)
            while (ours := lock.ours()) and not stopping.wait(LOOK_S):
                for child in (*gateways, *adapters):
                    child.check()
                notice.refresh({child.name: child.pid for child in (*gateways, *adapters)})
            log.info("draining")
        finally:
            _stop(settings, gateways, adapters, handles)
    log.info("stopped")
    return 0 if ours else LOCK_LOST_EXIT


def _tls_told(settings: Settings) -> str:
    if settings.tls.certificate is None:
        return "off"
    return "mutual" if settings.tls.client_ca is not None else "on"


def _on_signal(stopping: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())


def _start(children: list[Child], timeout_s: float, told: Told) -> None:
    for child in children:
        child.start()
    for number, child in enumerate(children, 1):
        if not child.wait_ready(timeout_s):
            raise BootError(f"{child.name} did not come up within {timeout_s:g} s; its log lines above say why")
        told(child.name.split()[0], number, len(children))


def _stop(settings: Settings, gateways: list[Child], adapters: list[Child], handles: list[Any]) -> None:
    """First nobody feeds, then accepted calls finish, then the actors write their snapshots."""
    stop_all(adapters, ADAPTERS_STOP_S, lambda name: log.info("stopped", child=name))
    stop_all(gateways, settings.server.drain_s + EXTRA_DRAIN_S, lambda name: log.info("drained", child=name))
    import ray  # noqa: PLC0415  # see cluster.py

    refs = [handle.stop.options(concurrency_group="control").remote() for handle in handles]
    done, late = ray.wait(refs, num_returns=len(refs), timeout=ACTORS_STOP_S)
    if late:
        log.warning("actors did not write their snapshots; the journal has everything", late=len(late), done=len(done))


def _gateways(settings: Settings, front: str, address: str, port: int) -> list[Child]:
    server = settings.server.model_copy(update={"port": port, "front": front})
    served = settings.model_copy(update={"server": server})
    return [
        Child(
            f"gateway {index}",
            ["allocator.gateway", "--ray-address", address, "--index", str(index)],
            served.model_dump_json(),
            {},
        )
        for index in range(settings.server.gateways)
    ]


def _adapters(settings: Settings, port: int) -> list[Child]:
    if not settings.sources and not settings.erps:
        return []
    host = "127.0.0.1" if settings.server.host in ("0.0.0.0", "::") else settings.server.host  # noqa: S104  # compared
    return [Child("adapters", ["adapters", "--address", f"{host}:{port}"], settings.model_dump_json(), {})]


@contextlib.contextmanager
def _reserved_port(host: str, port: int) -> Iterator[int]:
    """Hold the port without listening, so that all gateways can share it and nobody else takes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    _check_free(family, host, port)
    with socket.socket(family, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
        yield int(held.getsockname()[1])


def _check_free(family: socket.AddressFamily, host: str, port: int) -> None:
    """See that nobody has the port: sharing it, two services would each get a part of the calls without noticing.

    The gateways of a service that was killed a moment ago are given time to end.
    """
    deadline_s = time.monotonic() + PORT_WAIT_S
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections just closed are no obstacle
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() > deadline_s:
                    hint = "choose another with --port or [server] port"
                    raise BootError(f"cannot listen on {host}:{port}: {error.strerror}; {hint}") from None
            else:
                return
        time.sleep(LOOK_S)


@contextlib.contextmanager
def _ray_folder(data_dir: Path) -> Iterator[Path]:
    """A short path for Ray's sockets (they may have 107 characters), ours alone as we hold the journal's lock."""
    digest = hashlib.blake2b(str(data_dir.absolute()).encode(), digest_size=5).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"allocator-ray-{digest}"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
