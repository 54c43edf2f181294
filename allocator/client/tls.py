"""Encrypted connections: whom to trust, and who we are."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

from allocator.client.errors import InvalidRequest, invalid

Pem = str | Path | bytes
"""The path of a PEM file, or what is in one."""
_BUNDLES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
"""The system's roots where OpenSSL does not know of them as one file: Debian and its kin, Red Hat and its."""


SYSTEM_ROOTS: Final = "system"
"""Where a text names the roots: those of the system, not a file."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a client encrypts its connection; files are read when the client is made.

    Attributes:
        ca: certificates to trust as roots; None: those of the system, or of the file in SSL_CERT_FILE.
        certificate: of the client, for a server that wants one, with those between it and a root; None: none.
        key: private key of `certificate`, not encrypted.
        server_name: name that the server's certificate has to be for; "": the host of the address.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = field(default=None, repr=False)
    server_name: str = ""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise invalid(f"tls.{missing}", "certificate and key belong together; give both or neither")

    @classmethod
    def from_texts(cls, *, ca: str = "", certificate: str = "", key: str = "", server_name: str = "") -> Tls | None:
        """The same from options and the environment, where "" is not given; None when nothing is: no encryption.

        Raises:
            InvalidRequest: as `Tls` itself.
        """
        if not (ca or certificate or key or server_name):
            return None
        roots = None if ca in ("", SYSTEM_ROOTS) else ca
        return cls(roots, certificate or None, key or None, server_name)

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files and make of them what gRPC wants.

        Raises:
            InvalidRequest: a file cannot be read, is not PEM, or does not fit the other.
        """
        ca, certificate, key = _read("ca", self.ca), _read("certificate", self.certificate), _read("key", self.key)
        if ca is None:
            ca = _system_roots()
        else:
            _check_roots(ca, _named(self.ca))
        if certificate is not None and key is not None:
            _check_pair(certificate, key, f"{_named(self.certificate)} and {_named(self.key)}")
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def channel_options(self) -> Sequence[tuple[str, Any]]:
        """The options of the channel that go with them."""
        return (("grpc.ssl_target_name_override", self.server_name),) if self.server_name else ()


def _read(name: str, pem: Pem | None) -> bytes | None:
    if pem is None or isinstance(pem, bytes):
        return pem
    try:
        return Path(pem).read_bytes()
    except OSError as error:
        raise invalid(f"tls.{name}", f"{pem} cannot be read: {error.strerror}") from None


def _system_roots() -> bytes | None:
    """The roots of the system; None where it has none: gRPC then takes those it comes with."""
    usual = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    found = next((path for path in map(Path, filter(None, usual)) if path.is_file()), None)
    return _read("ca", found)


def _check_roots(ca: bytes, named: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise _unusable("ca", f"{named} has no PEM certificate", error) from None


def _check_pair(certificate: bytes, key: bytes, named: str) -> None:
    """See that a key is that of its certificate; gRPC would only fail to connect, and not say why."""
    if sys.platform != "linux":  # Only Linux has files in memory, and a private key is not to touch the disk.
        return
    with _in_memory(certificate) as certificate_file, _in_memory(key) as key_file:
        try:
            # A key under a password would be asked for on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate_file, key_file, password="")
        except (ssl.SSLError, ValueError) as error:
            raise _unusable("key", f"{named} are not the PEM of a certificate and its own bare key", error) from None


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _unusable(name: str, description: str, error: Exception) -> InvalidRequest:
    return invalid(f"tls.{name}", f"{description}: {getattr(error, 'reason', None) or error}")


def _named(pem: Pem | None) -> str:
    return "what was given" if isinstance(pem, bytes) else str(pem)
