"""Fixtures of all tests of the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from allocator.gateway import calls, shedding, tally


@pytest.fixture(autouse=True)
def logs_as_they_come() -> Iterator[None]:
    """Loggers as nobody has configured them: what ran before in this process may have, and they remember it."""
    config = structlog.get_config()
    structlog.reset_defaults()
    for module in (calls, shedding, tally):
        vars(module.log).pop("bind", None)
    yield
    structlog.configure(**config)
