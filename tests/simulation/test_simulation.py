from __future__ import annotations

import pytest

from tests.simulation.many import broken_ones
from tests.simulation.run import Simulation, simulate

SEEDS = 300
CHUNK = 20


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_every_invariant_holds_whatever_goes_wrong(start: int) -> None:
    """No seed breaks an invariant, with lost, late, repeated and reordered messages, crashes, and wrong clocks."""
    for seed in range(start, start + CHUNK):
        broken = simulate(seed).broken
        if broken is not None:
            pytest.fail(f"{broken}\nreplay it: python -m tests.simulation --seed {seed} --trace")


def test_a_seed_decides_everything() -> None:
    """The same seed gives the same story, so that a failing one can be looked at."""
    first, second = simulate(3, traced=True), simulate(3, traced=True)
    assert first.trace
    assert first == second


def test_many_seeds_run_on_several_processes() -> None:
    """All of them are counted, and the broken ones come back with what broke."""
    done = list(broken_ones(range(CHUNK, CHUNK + 30), "reply_before_fsync", 2))
    assert sum(count for count, _ in done) == 30
    broken = [outcome for _, outcomes in done for outcome in outcomes]
    assert {outcome.seed for outcome in broken} == set(range(CHUNK, CHUNK + 30))
    assert "invariant 7" in str(broken[0].broken)


def test_much_happens() -> None:
    """The seeds of the first test cover every kind of trouble and every kind of decision."""
    seen: set[str] = set()
    for seed in range(20):
        simulation = Simulation(seed, traced=True)
        simulation.run()
        seen |= simulation.deeds()
    assert {"crashes", "is taken over", "is fenced", "is cut off", "dies"} <= seen
    assert seen >= {
        "Reserved", "Refused", "Committed", "Extended", "Released", "Expired", "Moved", "Counted", "ShortageFound",
        "Opened", "Amended", "Decided", "PickupMissed", "Followed", "Confirmed", "Told", "Voided",
    }  # fmt: skip
