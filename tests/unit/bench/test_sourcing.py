from __future__ import annotations

from pathlib import Path

from bench.quality import SHAPES, Shape, instances, optimum, planned, quality
from bench.registry import Bench, Figures, scenarios
from bench.scenarios import sourcing

MANY = Shape("99 cities, 40 centres", 99, 40, stocked=0.1)


def told(text: str) -> None:
    """Nobody listens."""


def test_sourcing_is_measured(tmp_path: Path) -> None:
    """The real planner and solver at a small size: every figure is there, and the ratios are as promised."""
    allocating_figures = {"reserves_per_s", "allocates_per_s", "allocate_ratio_reserve"}  # test_over_grpc has those
    figures: Figures = sourcing.run(Bench(0.02, tmp_path, told), sourcing.Size(instances=100, orders=5))
    declared = {figure.name for figure in scenarios()["sourcing"].figures}
    assert figures.keys() == declared - allocating_figures
    assert 1 - 1e-9 <= figures["mean_cost_ratio"] <= 1.01
    assert figures["worst_cost_ratio"] <= 1.15
    assert figures["mean_cost_ratio"] < figures["single_mean_ratio"] < figures["nearest_mean_ratio"]
    assert figures["plan_400_p99_ms"] >= figures["plan_400_p50_ms"] > 0


def test_plans_over_more_centres_than_are_enumerated_stay_near_the_optimum() -> None:
    """Over 40 centres with little stock each, where the search is not exact."""
    chosen = list(instances(MANY, 60, seed=3))
    found = quality([one.cost(planned(one)) for one in chosen], [optimum(one) for one in chosen])
    assert found.mean <= 1.01
    assert found.worst <= 1.15


def test_instances_come_from_their_seed() -> None:
    """The same seed gives the same instances, another one others."""
    for shape in SHAPES:
        assert list(instances(shape, 3, seed=1)) == list(instances(shape, 3, seed=1))
        assert list(instances(shape, 3, seed=1)) != list(instances(shape, 3, seed=2))
