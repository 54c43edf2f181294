"""Adapters beside a service with TLS."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from adapters.errors import AdapterSettingsError
from adapters.runner import EXIT_SETTINGS, run
from adapters.secure import name_in, secured
from allocator.client import Client, Tls
from allocator.config import Settings, TlsSettings
from tests.unit.adapters.helpers import event
from tests.unit.adapters.test_runner import drop, reached, running
from tests.unit.client.certificates import Authority, Files
from tests.unit.client.fake import FakeServer, serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs everything here."""
    return Authority(tmp_path)


def settings_of(files: Files, *, client_ca: bool) -> TlsSettings:
    """Of a service with these files."""
    return TlsSettings(certificate=files.certificate, key=files.key, client_ca=files.ca if client_ca else None)


def test_without_tls_there_is_none() -> None:
    """Nothing is set, nothing is encrypted."""
    assert secured(TlsSettings(), None) is None


@pytest.mark.parametrize("client_ca", [False, True])
def test_the_service_is_known_by_its_own_certificate(authority: Authority, *, client_ca: bool) -> None:
    """By whatever name that is for, and shown to it where it asks; nobody has to say so."""
    files = authority.files("allocator.example")
    fake = FakeServer()
    fake.state.add("leeds", APPLE=1)
    with (
        serve(fake, credentials=authority.server_of(files, wants_certificate=client_ca)),
        Client(fake.address, tls=secured(settings_of(files, client_ca=client_ca), None)) as client,
    ):
        assert client.check({"APPLE": 1}).ok


@pytest.mark.parametrize(
    ("name", "first"),
    [("a.example", "a.example"), ("*.example.com", "adapters.example.com"), ("127.0.0.1", "127.0.0.1")],
)
def test_the_name_in_a_certificate_is_found(authority: Authority, name: str, first: str) -> None:
    """A name, any name below one, or an address."""
    files = authority.files(name)
    assert name_in(files.certificate, files.key) == first


def test_what_somebody_says_wins(authority: Authority) -> None:
    """Over the settings of the service."""
    files = authority.files()
    given = Tls(files.ca)
    assert secured(settings_of(files, client_ca=False), given) is given


def test_files_that_cannot_be_used_end_the_adapters(authority: Authority, tmp_path: Path) -> None:
    """With the exit code of settings, as restarting would not help."""
    with pytest.raises(AdapterSettingsError, match=r"TLS: .*gone\.pem cannot be read"):
        secured(TlsSettings(), Tls(tmp_path / "gone.pem"))
    tls = TlsSettings(certificate=tmp_path / "gone.pem", key=tmp_path / "gone.pem")
    assert run(Settings(data_dir=tmp_path, tls=tls), "127.0.0.1:1") == EXIT_SETTINGS


def test_movements_come_in_over_tls(
    authority: Authority, tmp_path: Path, entry_points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that `allocator serve` starts, with the settings of the service or with files of the environment."""
    files = authority.files("allocator.example")
    fake = FakeServer()
    fake.state.add("london-1")
    values = {"data_dir": tmp_path / "data", "sources": [{"kind": "folder", "name": "pos", "poll_s": 0.02}]}
    plain = Settings.model_validate(values)
    drop(plain, "a.jsonl", event("m1", 3))
    with serve(fake, credentials=authority.server_of(files)):
        secret = plain.model_copy(update={"tls": settings_of(files, client_ca=False)})
        with running(secret, fake.address, entry_points.parent.parent) as process:
            reached(plain, "pos", lambda status: status.counts.get("applied") == 1 and status.caught_up)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        drop(plain, "b.jsonl", event("m2", 4))
        monkeypatch.setenv("ALLOCATOR_TLS_CA", str(files.ca))
        monkeypatch.setenv("ALLOCATOR_TLS_SERVER_NAME", "allocator.example")
        with running(plain, fake.address, entry_points.parent.parent):
            reached(plain, "pos", lambda _: len(fake.state.movements) == 2)
