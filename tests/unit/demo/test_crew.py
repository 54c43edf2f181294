from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from demo.acks import Ack, Finished
from demo.crew import run_crew
from demo.errors import DemoError


@pytest.fixture
async def deaf() -> AsyncIterator[str]:
    """Address of a server that has none of the methods."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_every_process_tells_that_it_has_finished(deaf: str) -> None:
    """Even when there are no clients to play anything."""
    acks: list[Ack] = []
    await run_crew(deaf, processes=2, clients=0, seed=1, tell=acks.append)
    assert acks == [Finished(retries=0)] * 2


async def test_a_process_that_fails_ends_the_play(deaf: str) -> None:
    """Its last words are in the error."""
    with pytest.raises(DemoError, match="a client process ended with code 1: UNIMPLEMENTED"):
        await run_crew(deaf, processes=2, clients=2, seed=1, tell=lambda _: None)
