from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from allocator.config import TlsSettings
from allocator.gateway.tls import check_tls
from allocator.runtime.errors import BootError
from tests.unit.client.certificates import Authority, Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Of a server, and who signed them."""
    return Authority(tmp_path).files("127.0.0.1")


def settings(files: Files, **other: Path) -> TlsSettings:
    """With some other files."""
    return TlsSettings(**{"certificate": files.certificate, "key": files.key, **other})


def test_files_that_belong_together_are_fine(files: Files) -> None:
    """With callers' certificates and without; and so is no encryption at all."""
    check_tls(TlsSettings())
    check_tls(settings(files))
    check_tls(settings(files, client_ca=files.ca))


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_a_file_that_cannot_be_read_is_named(files: Files, tmp_path: Path, name: str) -> None:
    """One that is not there, and one that is a folder."""
    for path, why in ((tmp_path / "gone.pem", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BootError, match=rf"^tls\.{name} {path} cannot be read: {why}"):
            check_tls(settings(files, **{name: path}))


def test_a_key_of_another_certificate_is_told(files: Files, tmp_path: Path) -> None:
    """Before anybody listens, and not at each handshake."""
    other = Authority(tmp_path).files("till-1.example")
    with pytest.raises(BootError, match=rf"^tls\.certificate .* and tls\.key {other.key}: .*MISMATCH"):
        check_tls(settings(files, key=other.key))


def test_a_file_without_pem_is_told(files: Files, tmp_path: Path) -> None:
    """Whichever it is."""
    text = tmp_path / "notes.txt"
    text.write_text("nothing of the kind", encoding="utf-8")
    for name in ("certificate", "key"):
        with pytest.raises(BootError, match="PEM files of a certificate and its unencrypted private key are needed"):
            check_tls(settings(files, **{name: text}))
    with pytest.raises(BootError, match=rf"^tls\.client_ca {text} has no PEM certificate"):
        check_tls(settings(files, client_ca=text))


def test_a_key_under_a_password_is_told_and_not_asked_for(files: Files, tmp_path: Path) -> None:
    """Nobody sits at the terminal of a service."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(BootError, match=rf"tls\.key {locked}: .*unencrypted private key"):
        check_tls(settings(files, key=locked))
