"""Commands that talk to a service with TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command
from tests.unit.client.certificates import Authority
from tests.unit.client.fake import FakeServer, serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom everybody here trusts."""
    return Authority(tmp_path)


@pytest.fixture
def secret() -> FakeServer:
    """A fake with a store that is yet to be served."""
    fake = FakeServer()
    fake.state.add("leeds", APPLE=10)
    return fake


def test_a_service_with_tls_is_talked_to(command: Command, authority: Authority, secret: FakeServer) -> None:
    """By commands of both clients; with a certificate of our own where it is asked for."""
    files = authority.files()
    tls = ["--tls-ca", str(files.ca), "--tls-certificate", str(files.certificate), "--tls-key", str(files.key)]
    rows = files.ca.parent / "rows.csv"
    rows.write_text("sku,location,type,quantity\nAPPLE,leeds,receipt,1\n", "utf-8")
    with serve(secret, credentials=authority.server(wants_certificate=True)):
        assert command("--address", secret.address, *tls, "check", "APPLE=1").code == 0
        assert command("--address", secret.address, *tls, "load", str(rows)).code == 0


def test_the_files_come_from_the_environment(
    command: Command, authority: Authority, secret: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the address does, and the name of the server as well."""
    files = authority.files()
    monkeypatch.setenv("ALLOCATOR_TLS_CA", str(files.ca))
    monkeypatch.setenv("ALLOCATOR_TLS_CERTIFICATE", str(files.certificate))
    monkeypatch.setenv("ALLOCATOR_TLS_KEY", str(files.key))
    monkeypatch.setenv("ALLOCATOR_TLS_SERVER_NAME", "allocator.example")
    with serve(secret, credentials=authority.server("allocator.example", wants_certificate=True)):
        assert command("--address", secret.address, "check", "APPLE=1").code == 0


def test_the_roots_of_the_system_are_a_word(
    command: Command, authority: Authority, secret: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--tls-ca system` trusts them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.files().ca))
    with serve(secret, credentials=authority.server()):
        assert command("--address", secret.address, "--tls-ca", "system", "check", "APPLE=1").code == 0


def test_a_service_that_is_not_trusted_is_told_in_one_line(
    command: Command, authority: Authority, secret: FakeServer, tmp_path: Path
) -> None:
    """With the options that matter: signed by somebody else, for another name, or not asked for at all."""
    (tmp_path / "other").mkdir()
    own, stranger = authority.files(), Authority(tmp_path / "other").files()
    with serve(secret, credentials=authority.server()):
        before = ("--timeout", "1", "--address", secret.address)
        unsigned = command(*before, "--tls-ca", str(stranger.ca), "check", "APPLE=1")
        misnamed = command(*before, "--tls-ca", str(own.ca), "--tls-server-name", "other.example", "check", "APPLE=1")
        plain = command(*before, "check", "APPLE=1")
    for ran, told in [
        (unsigned, "do not agree on TLS: see --tls-ca"),
        (misnamed, "do not agree on TLS: see --tls-ca"),
        (plain, "with --tls-ca if it has TLS"),
    ]:
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert told in ran.err


def test_files_that_do_not_fit_are_told_in_one_line(command: Command, authority: Authority) -> None:
    """A certificate without its key, a file that is not there; before anything is sent."""
    files = authority.files()
    alone = command("--tls-certificate", str(files.certificate), "check", "APPLE=1")
    gone = command("--tls-ca", "gone.pem", "check", "APPLE=1")
    assert [(ran.code, ran.err.count("\n")) for ran in (alone, gone)] == [(1, 1), (1, 1)]
    assert "certificate and key belong together" in alone.err
    assert "gone.pem cannot be read: No such file" in gone.err
