"""Encrypted connections to a fake with certificates of its own authority."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from allocator.client import AsyncClient, Client, InvalidRequest, Tls, Unavailable
from tests.unit.client.certificates import Authority
from tests.unit.client.fake import FakeServer, serve

IMPATIENT = {"timeout_s": 5.0, "retries_max": 0}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom everybody here trusts."""
    return Authority(tmp_path)


@pytest.fixture
def secret() -> FakeServer:
    """A fake that is yet to be served."""
    fake = FakeServer()
    fake.state.add("leeds", APPLE=10)
    return fake


def test_a_server_of_a_trusted_authority_is_talked_to(authority: Authority, secret: FakeServer) -> None:
    """The authority as a file, as the text of its path, or as bytes."""
    ca = authority.files().ca
    with serve(secret, credentials=authority.server()):
        for given in (ca, str(ca), ca.read_bytes()):
            with Client(secret.address, tls=Tls(ca=given)) as client:
                assert client.check({"APPLE": 1}).ok


async def test_the_client_for_asyncio_takes_the_same(authority: Authority, secret: FakeServer) -> None:
    """Both open their channels from one description."""
    with serve(secret, credentials=authority.server()):
        async with AsyncClient(secret.address, tls=Tls(ca=authority.files().ca)) as client:
            assert (await client.check({"APPLE": 1})).ok


def test_without_an_authority_the_roots_of_the_system_are_trusted(
    authority: Authority, secret: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that they do not vouch for is not talked to; SSL_CERT_FILE says where else they are."""
    with serve(secret, credentials=authority.server()):
        with Client(secret.address, tls=Tls(), **IMPATIENT) as client, pytest.raises(Unavailable):  # type: ignore[arg-type]  # by name
            client.check({"APPLE": 1})
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.files().ca))
        with Client(secret.address, tls=Tls()) as client:
            assert client.check({"APPLE": 1}).ok


def test_both_sides_may_show_a_certificate(authority: Authority, secret: FakeServer) -> None:
    """A server that wants one talks to nobody without it."""
    files = authority.files()
    with serve(secret, credentials=authority.server(wants_certificate=True)):
        with Client(secret.address, tls=Tls(files.ca, files.certificate, files.key)) as client:
            assert client.check({"APPLE": 1}).ok
        with Client(secret.address, tls=Tls(files.ca), **IMPATIENT) as client, pytest.raises(Unavailable):  # type: ignore[arg-type]  # by name
            client.check({"APPLE": 1})


def test_a_server_has_to_be_who_it_was_said_to_be(authority: Authority, secret: FakeServer) -> None:
    """By the host of the address, or by another name that is given."""
    ca = authority.files().ca
    with serve(secret, credentials=authority.server("allocator.example")):
        with Client(secret.address, tls=Tls(ca), **IMPATIENT) as client, pytest.raises(Unavailable):  # type: ignore[arg-type]  # by name
            client.check({"APPLE": 1})
        with Client(secret.address, tls=Tls(ca, server_name="allocator.example")) as client:
            assert client.check({"APPLE": 1}).ok


def test_a_certificate_and_its_key_come_together(authority: Authority) -> None:
    """One without the other is told before any file is looked at."""
    files = authority.files()
    with pytest.raises(InvalidRequest, match=r"tls\.key: .* belong together"):
        Tls(certificate=files.certificate)
    with pytest.raises(InvalidRequest, match=r"tls\.certificate: .* belong together"):
        Tls(key=files.key)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    """When the client is made, not when it is used."""
    mine, other = authority.files(), authority.files("till-2.example")
    text = tmp_path / "notes.txt"
    text.write_text("no certificate", "utf-8")
    for tls, told in [
        (Tls(tmp_path / "gone.pem"), r"tls\.ca: .*gone\.pem cannot be read: No such file"),
        (Tls(text), r"tls\.ca: .*notes\.txt has no PEM certificate"),
        (Tls(b"no certificate"), r"tls\.ca: what was given has no PEM certificate"),
        (Tls(None, mine.certificate, tmp_path), r"tls\.key: .* cannot be read: Is a directory"),
        (Tls(None, mine.certificate, other.key), r"tls\.key: .*KEY_VALUES_MISMATCH"),
        (Tls(None, text, mine.key), r"tls\.key: .*notes\.txt and .*key\.pem are not the PEM"),
    ]:
        with pytest.raises(InvalidRequest, match=told):
            Client("127.0.0.1:1", tls=tls)


def test_a_key_is_never_shown(authority: Authority) -> None:
    """Not in a log line that prints the settings."""
    files = authority.files()
    assert "PRIVATE KEY" not in repr(Tls(None, files.certificate.read_bytes(), files.key.read_bytes()))


def test_credentials_are_given_in_one_way() -> None:
    """Those of gRPC, or ours."""
    with pytest.raises(InvalidRequest, match="channel_credentials"):
        Client("127.0.0.1:1", grpc.ssl_channel_credentials(), tls=Tls())
