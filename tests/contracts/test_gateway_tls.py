"""Encrypted connections, with and without certificates of the callers, on every front."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from allocator.client import Client, ServingStatus, Tls, Unavailable
from allocator.config import TlsSettings
from tests.support.gateway import HOST, LocalService, Serve
from tests.unit.client.certificates import Authority, Files

pytest_plugins = ("tests.support.gateway_fixtures",)

Ask = Callable[[Tls | None], ServingStatus]


def asking(service: LocalService) -> Ask:
    """A client of it asks how it is, and does not try again."""
    address = f"{HOST}:{service.gateways[0].port}"

    def ask(tls: Tls | None) -> ServingStatus:
        with Client(address, timeout_s=10, retries_max=0, tls=tls) as client:
            return client.health()

    return ask


def settings(files: Files, *, client_ca: Path | None = None) -> TlsSettings:
    """Of a server with these files."""
    return TlsSettings(certificate=files.certificate, key=files.key, client_ca=client_ca)


def folder(path: Path, name: str) -> Path:
    """A new folder for the files of an authority."""
    (path / name).mkdir()
    return path / name


def test_an_encrypted_service_is_talked_to_by_those_who_trust_it(serve: Serve, tmp_path: Path) -> None:
    """With its authority; not with another one, not under another name, and not without encryption."""
    ours, others = Authority(folder(tmp_path, "ours")), Authority(folder(tmp_path, "others"))
    files = ours.files(HOST)
    service = serve(tls=settings(files))
    ask = asking(service)
    assert ask(Tls(ca=files.ca)) is ServingStatus.SERVING
    with Client(f"{HOST}:{service.gateways[0].port}", tls=Tls(ca=files.ca)) as client:
        assert next(iter(client.watch(["apple"]))).snapshot
    for wrong in (Tls(ca=others.files().ca), Tls(ca=files.ca, server_name="allocator.example"), None):
        with pytest.raises(Unavailable):
            ask(wrong)
    assert ask(Tls(ca=files.ca)) is ServingStatus.SERVING


def test_callers_show_a_certificate_where_one_is_wanted(serve: Serve, tmp_path: Path) -> None:
    """Of the authority that the settings name; callers with none, or one of another authority, are refused."""
    ours, others = Authority(folder(tmp_path, "ours")), Authority(folder(tmp_path, "others"))
    files, mine, theirs = ours.files(HOST), ours.files("till-1.example"), others.files("till-1.example")
    ask = asking(serve(tls=settings(files, client_ca=files.ca)))
    assert ask(Tls(files.ca, mine.certificate, mine.key)) is ServingStatus.SERVING
    for wrong in (Tls(files.ca), Tls(files.ca, theirs.certificate, theirs.key), None):
        with pytest.raises(Unavailable):
            ask(wrong)
