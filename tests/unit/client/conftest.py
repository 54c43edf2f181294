from __future__ import annotations

from collections.abc import Iterator

import pytest

from allocator.client import Client
from tests.unit.client.fake import FakeServer, serve


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A running fake with two stores."""
    server = FakeServer()
    server.state.add("leeds", APPLE=10, PEAR=3).add("york", APPLE=4)
    with serve(server):
        yield server


@pytest.fixture
def client(fake: FakeServer) -> Iterator[Client]:
    """A client of the fake."""
    with Client(fake.address) as made:
        yield made
