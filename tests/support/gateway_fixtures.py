"""Fixtures of the gateway's tests: a running service, a channel to it, and the services over that channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.api import Api
from tests.support.fronts import FRONTS
from tests.support.gateway import LocalService, Serve, fresh, local_service


@pytest.fixture(scope="module", params=list(FRONTS))
def front(request: pytest.FixtureRequest) -> str:
    """The server that the contract is checked on."""
    return str(request.param)


@pytest.fixture(scope="module")
def service(front: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A service that the tests of a module share; each uses SKUs of its own."""
    with local_service(tmp_path_factory.mktemp("journal"), front) as service:
        yield service


@pytest.fixture
def serve(front: str, tmp_path: Path) -> Iterator[Serve]:
    """Start a service of one's own, with settings of one's own."""
    with ExitStack() as running:

        def start(**settings: Any) -> LocalService:  # noqa: ANN401  # as local_service
            service: AbstractContextManager[LocalService] = local_service(
                tmp_path / fresh("journal"), front, **settings
            )
            return running.enter_context(service)

        yield start


@pytest.fixture
def channel(service: LocalService) -> Iterator[grpc.Channel]:
    """A connection to the shared service."""
    with service.channel() as channel:
        yield channel


@pytest.fixture
def api(channel: grpc.Channel) -> Api:
    """The services over that connection."""
    return Api(channel)
