"""A gateway process on Envoy, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator.config import ServerSettings
from allocator.gateway import process
from tests.support.envoy_gateway import LINKS_SOCKET
from tests.support.fronts import envoy_left_out, settings_of
from tests.support.gateway import PLACED
from tests.support.local_links import LocalLinks
from tests.support.ports import free_port
from tests.support.socket_links import LinkServer

pytestmark = pytest.mark.skipif(envoy_left_out(), reason="pyvoy is not installed")
WAIT_S = 120


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where its sockets are; short, as their paths have 107 characters at most."""
    made = Path(tempfile.mkdtemp(prefix="allocator-test-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def begin(folder: Path) -> subprocess.Popen[bytes]:
    """Start a gateway whose actors are behind the folder's socket."""
    settings = settings_of(ServerSettings(port=free_port(), drain_s=5))
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.support.envoy_gateway", str(folder), "0"],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdin is not None
    started.stdin.write(settings.model_dump_json().encode() + b"\n")
    started.stdin.flush()
    return started


async def test_it_is_ready_once_and_ends_when_its_supervisor_is_gone(folder: Path, tmp_path: Path) -> None:
    """The end of its stdin means that nobody looks after it any more."""
    links = LocalLinks(tmp_path, PLACED)
    server = LinkServer(links, folder / LINKS_SOCKET)
    await server.start()
    started = begin(folder)
    assert started.stdin is not None
    assert started.stdout is not None
    assert started.stderr is not None
    try:
        assert (await asyncio.to_thread(started.stdout.readline)).startswith(b"ready ")
        started.stdin.close()
        assert await asyncio.to_thread(started.wait, WAIT_S) == process.ORPHANED_EXIT
        assert not await asyncio.to_thread(folder.exists)
    finally:
        started.kill()
        started.stdout.close()
        started.stderr.close()
        await server.stop()
        links.stop()
