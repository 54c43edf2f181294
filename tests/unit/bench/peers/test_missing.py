"""A peer that cannot run here says why, and is left out."""

from __future__ import annotations

import socket

import pytest

from bench.peers import available
from bench.peers.__main__ import main


@pytest.fixture
def nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No redis-server to start and no PostgreSQL to reach."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("ALLOCATOR_TEST_POSTGRES", f"postgresql+psycopg://postgres@127.0.0.1:{port}/test")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("redis", "no redis-server"), ("redis-everysec", "no redis-server"), ("postgres", "no PostgreSQL")],
)
def test_the_reason_is_told(nothing_there: None, name: str, reason: str) -> None:
    """It names what is missing."""
    assert reason in available(name)


def test_the_command_tells_it_too(
    nothing_there: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its exit code is not that of a crash."""
    monkeypatch.setattr("sys.argv", ["bench.peers", "redis"])
    assert main() == 2
    assert "redis cannot run here: no redis-server" in capsys.readouterr().err
