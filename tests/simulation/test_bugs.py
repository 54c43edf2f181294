from __future__ import annotations

import pytest

from tests.simulation.bugs import BUGS, planted
from tests.simulation.run import simulate


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    """Within its seeds the simulator sees that something is wrong."""
    with planted(name):
        assert any(simulate(seed).broken is not None for seed in range(BUGS[name].seeds_max))


def test_planting_leaves_nothing_behind() -> None:
    """A seed that breaks with a bug holds without it, before and after."""
    assert simulate(0).broken is None
    with planted("reply_before_fsync"):
        assert simulate(0).broken is not None
    assert simulate(0).broken is None
