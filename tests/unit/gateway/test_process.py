from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc

from allocator.config import ServerSettings, Settings
from allocator.gateway import process
from tests.support.api import Api
from tests.support.gateway import PLACED, fresh
from tests.support.local_links import LocalLinks


def test_a_gateway_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    """It says its port once callers are answered, and SIGTERM drains it."""
    links = LocalLinks(tmp_path, PLACED)
    settings = Settings(server=ServerSettings(port=0))
    answered: list[int] = []

    def call(port: int) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answered.append(Api(channel).receive(fresh(), 5).results[0].on_hand)
        os.kill(os.getpid(), signal.SIGTERM)

    async def serve() -> bool:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(process.run(settings, links, 0, ready.set_result))
        await asyncio.to_thread(call, await ready)
        return await running

    try:
        assert asyncio.run(serve()) is True
    finally:
        links.stop()
    assert answered == [5]


def test_a_gateway_ends_with_whoever_started_it() -> None:
    """The end of its stdin means that nobody looks after it any more."""
    code = (
        "import threading; from allocator.gateway import process;"
        "process.end_with_supervisor(); threading.Event().wait()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(b"settings would have been here\n")
    child.stdin.flush()
    assert child.poll() is None
    child.stdin.close()
    assert child.wait(60) == process.ORPHANED_EXIT
