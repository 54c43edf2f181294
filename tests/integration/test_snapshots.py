"""Snapshots that actors on Ray have made beside them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from allocator.core.commands import GetStock
from allocator.journal import JournalSettings
from tests.support.ray_cluster import deployed, eventually, gateway, network_of, settings_for
from tests.unit.runtime.hosts import receipt

pytestmark = pytest.mark.usefixtures("ray_address")

SHARD = "location/dc"


async def test_an_actor_comes_back_from_a_snapshot_that_was_folded_beside_it(tmp_path: Path) -> None:
    """It is made while the actor serves, the log is cut behind it, and after a SIGKILL nothing is missing."""
    settings = settings_for(tmp_path, runtime={"actors": 1}, journal={"snapshot_mb": 0.001})
    with (
        deployed(settings, network_of("dc")) as deployment,
        JournalSettings(settings.journal_url).store().reader() as reader,
    ):
        actor = deployment.actor_of("dc")
        async with gateway() as router:
            for n in range(100):
                await router.submit("dc", receipt(f"m{n}", f"fig-{n}", 5))
            await eventually(lambda: reader.status(SHARD).first_available > 1)
            version = reader.status(SHARD).snapshot_version
            assert version is not None
            await router.submit("dc", receipt("last", "fig-0", 2))
        await asyncio.to_thread(deployment.kill, actor)
        await asyncio.to_thread(deployment.wait_settled, actor)
        async with gateway() as router:
            rows = (await router.submit("dc", GetStock(("fig-0", "fig-99")))).result.rows
            assert [row.on_hand for row in rows] == [7, 5]
        assert list(reader.verify(SHARD)) == []
