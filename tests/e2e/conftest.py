from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.service import RunningService


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service with two gateway processes on one port."""
    with RunningService(tmp_path_factory.mktemp("service"), ["north", "south"], ["--gateways", "2"]) as running:
        yield running
