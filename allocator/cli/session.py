"""What the options before the command say, for the command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

import typer

if TYPE_CHECKING:
    from allocator.client import AsyncClient, Client, Tls

DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Files of an encrypted connection, as `allocator.client.Tls` takes them; "": not given. None of them: no TLS."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""

    def read(self) -> Tls | None:
        """What the client is to do; None: no encryption."""
        from allocator.client import Tls

        return Tls.from_texts(**asdict(self))


@dataclass(slots=True)
class Session:
    """One run of the command line.

    Attributes:
        address: of the service.
        timeout_s: for each call, retries included, seconds.
        correlation_id: sent with each call; "": none.
        tls: how to encrypt.
        debug: show tracebacks.
        used_address: whether the command talks to the service at all.
    """

    address: str = DEFAULT_ADDRESS
    timeout_s: float = 10.0
    correlation_id: str = ""
    tls: TlsOptions = TlsOptions()
    debug: bool = False
    used_address: bool = False

    def client(self) -> Client:
        """A client of the service; the command closes it."""
        from allocator.client import Client

        self.used_address = True
        return Client(self.address, tls=self.tls.read(), timeout_s=self.timeout_s, correlation_id=self.correlation_id)

    def async_client(self) -> AsyncClient:
        """A client of the service for asyncio; the command closes it."""
        from allocator.client import AsyncClient

        self.used_address = True
        return AsyncClient(
            self.address, tls=self.tls.read(), timeout_s=self.timeout_s, correlation_id=self.correlation_id
        )


def session_of(context: typer.Context) -> Session:
    """The session of a command."""
    return cast("Session", context.find_root().obj)
