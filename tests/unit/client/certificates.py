"""Certificates for tests, made when they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Files:
    """PEM files: an authority, and what it signed."""

    ca: Path
    certificate: Path
    key: Path


class Authority:
    """Signs the certificates of servers and clients."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ca = folder, trustme.CA()

    def server(self, name: str = "127.0.0.1", *, wants_certificate: bool = False) -> grpc.ServerCredentials:
        """Credentials of a server at a name; with `wants_certificate` its callers have to show one of ours."""
        return self.server_of(self.files(name), wants_certificate=wants_certificate)

    def server_of(self, files: Files, *, wants_certificate: bool = False) -> grpc.ServerCredentials:
        """Credentials of a server with these files."""
        pairs = [(files.key.read_bytes(), files.certificate.read_bytes())]
        roots = self._ca.cert_pem.bytes() if wants_certificate else None
        return grpc.ssl_server_credentials(pairs, roots, require_client_auth=wants_certificate)

    def files(self, name: str = "till-1.example") -> Files:
        """The files of whoever has this name."""
        leaf = self._ca.issue_cert(name)
        files = Files(*(self._folder / f"{name}.{kind}.pem" for kind in ("ca", "certificate", "key")))
        self._ca.cert_pem.write_to_path(str(files.ca))
        leaf.private_key_pem.write_to_path(str(files.key))
        files.certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        return files
