from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from allocator.config import ServerSettings, TlsSettings
from allocator.gateway import envoy
from tests.support.fronts import envoy_left_out

needs_envoy = pytest.mark.skipif(envoy_left_out(), reason="pyvoy is not installed")


def config(tls: TlsSettings | None = None, **server: Any) -> Any:  # noqa: ANN401  # JSON
    """The configuration for these settings, as Envoy gets it."""
    made = envoy.envoy_config(ServerSettings(**server), tls or TlsSettings(), Path("/run/here"))
    return json.loads(json.dumps(made))


def manager(made: Any) -> Any:  # noqa: ANN401  # JSON
    """What it says of connections."""
    (listener,) = made["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


@needs_envoy
def test_it_listens_where_the_settings_say() -> None:
    """On one TCP port, with no second listener beside it."""
    (listener,) = config(host="0.0.0.0", port=6_000)["static_resources"]["listeners"]  # noqa: S104  # never bound
    assert listener["address"] == {"socket_address": {"address": "0.0.0.0", "port_value": 6_000}}  # noqa: S104  # as above


@needs_envoy
def test_it_is_asked_over_a_socket_that_nobody_else_may_use() -> None:
    """Over no port: who reaches the admin interface may stop it."""
    assert config()["admin"] == {"address": {"pipe": {"path": "/run/here/admin", "mode": 0o600}}}


@needs_envoy
def test_a_stream_may_be_silent_for_ever() -> None:
    """A watch has nothing to tell while nothing changes; dead connections are found by pings."""
    made = manager(config())
    assert (made["stream_idle_timeout"], made["request_timeout"]) == ("0s", "0s")
    assert made["http2_protocol_options"]["connection_keepalive"]["interval"] == "60s"


@needs_envoy
def test_only_http_2_is_spoken_and_nothing_is_added_to_a_call() -> None:
    """Nothing else is gRPC; ids of requests are the callers' own."""
    made = manager(config())
    assert made["codec_type"] == "HTTP2"
    assert made["generate_request_id"] is False


@needs_envoy
def test_a_connection_that_floods_keeps_the_others_waiting_for_a_piece_only() -> None:
    """Whatever size a message may have; that whole ones arrive is in the contract suite."""
    (listener,) = config(message_mb=32)["static_resources"]["listeners"]
    assert listener["per_connection_buffer_limit_bytes"] < 2**16


@needs_envoy
def test_connections_are_encrypted_where_there_is_a_certificate() -> None:
    """And callers have to show theirs only where the settings name who signs them."""

    def chain(**tls: Path) -> Any:  # noqa: ANN401  # JSON
        (listener,) = config(TlsSettings(**tls))["static_resources"]["listeners"]
        return listener["filter_chains"][0]

    assert "transport_socket" not in chain()
    files = {"certificate": Path("/c.pem"), "key": Path("/k.pem")}
    plain = chain(**files)["transport_socket"]["typed_config"]
    assert not plain.get("require_client_certificate")
    mutual = chain(**files, client_ca=Path("/ca.pem"))["transport_socket"]["typed_config"]
    assert mutual["require_client_certificate"] is True
    assert mutual["common_tls_context"]["validation_context"]["trusted_ca"] == {"filename": "/ca.pem"}


def test_what_is_handed_over_can_be_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file descriptor, as settings hold secrets; it is closed, and the environment forgets it."""
    handed_fd = os.memfd_create("handed")
    os.write(handed_fd, b'{"index": 3}')
    os.lseek(handed_fd, 0, os.SEEK_SET)
    monkeypatch.setenv(envoy.HANDED, str(handed_fd))
    assert envoy.handed_over() == {"index": 3}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handed_fd)
    with pytest.raises(KeyError):
        envoy.handed_over()
