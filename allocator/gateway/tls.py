"""Looks at the TLS files before anybody listens, so that a wrong one is an error at the start and not at every call."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from allocator.runtime.errors import BootError

if TYPE_CHECKING:
    from pathlib import Path

    from allocator.config import TlsSettings


def check_tls(tls: TlsSettings) -> None:
    """See that the files can be read and belong together.

    Raises:
        BootError: naming the file and what is wrong with it.
    """
    if tls.certificate is None or tls.key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, path in (("certificate", tls.certificate), ("key", tls.key), ("client_ca", tls.client_ca)):
        _check_readable(name, path)
    try:
        # A key under a password would be asked for on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, ValueError) as error:
        hint = "PEM files of a certificate and its unencrypted private key are needed"
        raise BootError(f"tls.certificate {tls.certificate} and tls.key {tls.key}: {_reason(error)}; {hint}") from None
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except ssl.SSLError as error:
            raise BootError(f"tls.client_ca {tls.client_ca} has no PEM certificate: {_reason(error)}") from None


def _check_readable(name: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.read_bytes()
    except OSError as error:
        raise BootError(f"tls.{name} {path} cannot be read: {error.strerror}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
