from __future__ import annotations

import asyncio

import pytest

from demo.scene import Scene, make_scene
from tests.unit.demo.theatre import Theatre, perform


@pytest.fixture(scope="session")
def scene() -> Scene:
    """The scene as the demo has it."""
    return make_scene()


@pytest.fixture(scope="session")
def played(scene: Scene) -> Theatre:
    """The first 120 orders, played; for all tests, so none may change anything of it."""
    return asyncio.run(perform(scene, scene.plan.orders[:120]))
