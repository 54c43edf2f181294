"""The grpcio front: the methods of a gateway on grpc.aio, which runs everywhere and is the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from allocator.gateway.calls import calls_max
from allocator.gateway.knock import Knock
from allocator.gateway.limits import CONNECTION_STREAMS_MAX, KEEPALIVE_MS, PING_LEAST_MS

if TYPE_CHECKING:
    from allocator.config import ServerSettings, TlsSettings
    from allocator.gateway.gateway import Gateway


class GrpcioFront:
    """Puts a gateway on a socket with grpc.aio; made and used on a running event loop.

    Args:
        gateway: not started yet.
        settings: where to listen, and bounds.
        tls: certificate and key, if connections are encrypted.
    """

    def __init__(self, gateway: Gateway, settings: ServerSettings, tls: TlsSettings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._tls = tls
        self._server = grpc.aio.server(options=_options(settings))
        for service, methods in gateway.methods.items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        self._knock = Knock(self._server)

    async def start(self) -> int:
        """Listen and answer; returns the port."""
        host = self._settings.host
        address = f"[{host}]" if ":" in host else host  # IPv6
        where = f"{address}:{self._settings.port}"
        if self._tls.certificate is None:
            port = self._server.add_insecure_port(where)
        else:
            port = self._server.add_secure_port(where, _credentials(self._tls))
        await self._gateway.start()
        await self._server.start()
        await self._knock.open()
        self._gateway.calls.pulse.listen(self._knock)
        return port

    async def drain(self) -> bool:
        """Finish what was accepted and stop; tells whether all of it was answered."""
        clean = await self._gateway.drain(self._server.stop)
        await self._knock.close()
        return clean


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    assert tls.certificate is not None
    assert tls.key is not None
    pair = tls.key.read_bytes(), tls.certificate.read_bytes()
    client_ca = tls.client_ca.read_bytes() if tls.client_ca is not None else None
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    message_bytes = settings.message_mb * 2**20
    waiting_max = calls_max(settings)
    return [
        # gRPC cancels calls at random beyond these (1,000 and 3,000 by default), before we see them. Up to our own
        # bound it must not; over that a call is refused with a reason and a time to come back.
        ("grpc.server.max_pending_requests", waiting_max),
        ("grpc.server.max_pending_requests_hard_limit", waiting_max),
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", message_bytes),
        ("grpc.max_concurrent_streams", CONNECTION_STREAMS_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_LEAST_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
