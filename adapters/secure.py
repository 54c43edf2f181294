"""How adapters encrypt their connection to a service with TLS, when nobody says."""

from __future__ import annotations

import ssl
from pathlib import Path

from adapters.errors import AdapterSettingsError
from allocator.client import RequestError, Tls
from allocator.config import TlsSettings


def secured(settings: TlsSettings, given: Tls | None) -> Tls | None:
    """What the adapters' client is to do; None: no encryption.

    Without more they run beside the service and know its files: they trust its certificate and no other, by whatever
    name that is for, and show it where the service asks for one.

    Args:
        settings: of the service.
        given: what somebody said; it wins.

    Raises:
        AdapterSettingsError: a file cannot be used.
    """
    try:
        tls = given or _of_service(settings)
        if tls is not None:
            tls.credentials()
    except (OSError, RequestError) as error:
        raise AdapterSettingsError(f"TLS: {error}") from None
    return tls


def _of_service(settings: TlsSettings) -> Tls | None:
    if settings.certificate is None or settings.key is None:
        return None
    certificate, key = settings.certificate, settings.key
    shown = settings.client_ca is not None
    return Tls(certificate, certificate if shown else None, key if shown else None, name_in(certificate, key))


def name_in(certificate: Path, key: Path) -> str:
    """The first name or address a certificate is for, "" when it has none.

    The standard library shows a certificate only to who was shown it in a handshake, so this has one with itself.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate, key, password="")
    client.load_verify_locations(certificate)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    names = _shown(client, server).get("subjectAltName", ())
    first = next((str(name) for kind, name in names if kind in ("DNS", "IP Address")), "")
    return first.replace("*", "adapters", 1)


def _shown(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, tuple[tuple[str, str], ...]]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours.getpeercert() or {}  # type: ignore[return-value]  # of all its fields only this one is looked at
