"""The scenarios of reads at a tiny size, on one real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.registry import Bench, scenarios
from bench.scenarios import availability, growth, matrix, mixed, watch
from bench.service import Service

CARTS = availability.Size(locations=2, skus=10, processes=1, in_flight=8, warm_up_s=0.1, rounds=1)


def told(text: str) -> None:
    """Nobody listens."""


def declared(name: str) -> set[str]:
    """The figures a scenario promises to return."""
    return {figure.name for figure in scenarios()[name].figures}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests of this file."""
    folder, settings = tmp_path_factory.mktemp("bench"), {"runtime": {"actors": 1}}
    with Service(folder, availability.locations(2), settings=settings) as service:
        yield service


def test_checks_are_measured_beside_others(service: Service, tmp_path: Path) -> None:
    """Everybody gets the same carts and answers them all; whoever is as fast as the service has about its rate."""
    figures = availability.run(Bench(0.5, tmp_path, told), service, {"redis": service.address}, CARTS)
    absent = {part for name in ("grpcio", *availability.PEERS) for part in (f"ratio_{name}", f"{name}_per_s")}
    assert figures.keys() == declared("availability") - absent | {"ratio_redis", "redis_per_s"}
    assert figures["ratio_redis"] == figures["requests_per_s"] / figures["redis_per_s"]
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["cpu_us"] > 0
    assert (figures["insufficient"], figures["errors"]) == (0, 0)


def test_matrices_are_read_by_clients_and_compared(service: Service, tmp_path: Path) -> None:
    """Every cell is what was stocked, and the rates count cells."""
    size = matrix.Size(locations=2, skus=10, every=3, rows=5)
    figures = matrix.run(Bench(0.3, tmp_path, told), service, size)
    assert figures.keys() == declared("matrix")
    assert figures["wrong"] == 0
    assert figures["cells_per_s"] * figures["p50_ms"] / 1e3 < 5 * 2 * 5  # a client has one read of 10 cells under way


def test_watchers_know_the_last_of_everything(service: Service, tmp_path: Path) -> None:
    """Changes arrive after their writes, every stream ends with the ledgers' values, also those with a threshold."""
    size = watch.Size(
        locations=2, skus=4, streams=6, watched=2, threshold_every=3, processes=2, connections=1, warm_up_s=0.1
    )
    figures = watch.run(Bench(0.5, tmp_path, told), service, size)
    assert figures.keys() == declared("watch")
    assert figures["events_per_s"] > 0
    assert figures["p50_ms"] <= figures["p99_ms"]
    assert 0 < figures["told_share"] <= 1
    assert (figures["missed"], figures["errors"]) == (0, 0)


def test_reserves_among_checks_are_recounted(service: Service, tmp_path: Path) -> None:
    """So little is scarce that some are refused; nothing is sold twice, and no check sees less than is there."""
    figures = mixed.run(Bench(0.5, tmp_path, told), service.address, mixed.Size(CARTS, checks=3, scarce=1))
    assert figures.keys() == declared("mixed")
    assert 0 < figures["refused"] < figures["reserves"]
    assert 0 < figures["reserve_p50_ms"] <= figures["reserve_p99_ms"]
    assert [figures[name] for name in ("insufficient", "oversold", "lost", "errors")] == [0, 0, 0, 0]


def test_networks_grow_and_every_step_is_a_point(tmp_path: Path) -> None:
    """Carts are covered on each network, whose stock was there when it started."""
    steps = growth.Step(2, 20), growth.Step(3, 40)
    size = growth.Size(steps, near=2, part=10, processes=1, in_flight=4, warm_up_s=0.1, rounds=1)
    bench = Bench(2, tmp_path, told)
    figures = growth.run(bench, size)
    assert figures.keys() == declared("growth")
    assert [(point["locations"], point["skus"]) for point in bench.points] == [(2, 20), (3, 40)]
    assert bench.points[0]["ratio_small"] == 1
    assert figures["requests_per_s"] == bench.points[-1]["requests_per_s"] > 0
    assert (figures["insufficient"], figures["errors"]) == (0, 0)
