from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ray_cluster import ray_cluster


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A local Ray for all tests of this folder: it takes longer to start than most of them."""
    with ray_cluster() as address:
        yield address
