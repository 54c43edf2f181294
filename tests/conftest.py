from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import DropSchema

IN_CI = os.environ.get("CI") == "true"
POSTGRES_DEFAULT = "postgresql+psycopg://postgres@127.0.0.1:5432/test"

# No deadline: tests share the machine with whatever else runs on it. The blob reproduces a failure elsewhere.
settings.register_profile("dev", max_examples=60, deadline=None)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "dev"))


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Address of a PostgreSQL to test on; without one the test skips, and in CI it fails."""
    url = os.environ.get("ALLOCATOR_TEST_POSTGRES", POSTGRES_DEFAULT)
    engine = create_engine(url, connect_args={"connect_timeout": 5})
    try:
        engine.connect().close()
    except OperationalError as error:
        missing = f"no PostgreSQL at {engine.url!r} (ALLOCATOR_TEST_POSTGRES): {error.orig}"
        if IN_CI:
            pytest.fail(missing)
        pytest.skip(missing)
    finally:
        engine.dispose()
    return url


@pytest.fixture
def postgres_schema(postgres_url: str) -> Iterator[str]:
    """Name of a schema that is not there yet; dropped with all it holds after the test."""
    name = f"allocator_test_{uuid4().hex[:12]}"
    yield name
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(DropSchema(name, cascade=True, if_exists=True))
    engine.dispose()
