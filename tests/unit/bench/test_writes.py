"""The scenarios of writes at a tiny size, on one real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import crash
from bench.registry import Bench, scenarios
from bench.scenarios import hot_sku, movements, overload, reserve, stream_reserve
from bench.service import Service

LOCATIONS = ["bench-1", "bench-2"]


def told(text: str) -> None:
    """Nobody listens."""


def declared(name: str) -> set[str]:
    """The figures a scenario promises to return."""
    return {figure.name for figure in scenarios()[name].figures}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the service."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    """A service for all tests of this file."""
    with Service(folder, LOCATIONS, settings={"runtime": {"actors": 1}}) as service:
        yield service


def test_reserves_are_measured_beside_others_and_recounted(service: Service, tmp_path: Path) -> None:
    """So few SKUs that some run out: refusals are seen, and nothing is oversold or lost, by anybody."""
    size = reserve.Size(locations=2, skus=3, processes=1, in_flight=8, warm_up_s=0.1, rounds=1)
    others = dict.fromkeys(("redis", "packed_1"), service.address)
    figures = reserve.run(Bench(0.4, tmp_path, told), service, others, size)
    left_out = reserve.COMPARED.keys() - others.keys()
    assert figures.keys() == declared("reserve") - {
        name for left in (*left_out, "packed_2", "per_location") for name in (f"ratio_{left}", f"{left}_per_s")
    }
    assert figures["ratio_redis"] == figures["requests_per_s"] / figures["redis_per_s"]
    assert figures["refused_per_s"] > 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["cpu_us"] > 0
    assert (figures["oversold"], figures["lost"], figures["errors"]) == (0, 0, 0)


def test_a_hot_sku_is_sold_to_the_last_unit(service: Service, tmp_path: Path) -> None:
    """A limited stock runs out within the run, and exactly it is sold."""
    size = hot_sku.Size(locations=2, skus=3, processes=1, in_flight=8, warm_up_s=0.1, rounds=1)
    figures = hot_sku.run(Bench(0.8, tmp_path, told), service.address, {"redis": service.address}, size)
    assert figures.keys() == declared("hot-sku") - {"ratio_postgres", "postgres_per_s"}
    assert figures["ratio_uniform"] == figures["requests_per_s"] / figures["uniform_per_s"]
    assert figures["refused"] > 0
    assert 0 < figures["sold_out_s"] < 0.8
    assert [figures[name] for name in ("unsold", "oversold", "lost", "errors")] == [0, 0, 0, 0]


def test_reserves_in_batches_and_streams_are_recounted(service: Service, tmp_path: Path) -> None:
    """Every reserve of a batch and of a stream has its answer; carts are held whole or not at all."""
    size = stream_reserve.Size(
        locations=2, skus=10, reserves=20, lines=3, processes=1, in_flight=2, warm_up_s=0.1, rounds=1
    )
    figures = stream_reserve.run(Bench(0.4, tmp_path, told), service.address, size)
    assert figures.keys() == declared("stream-reserve")
    assert figures["lines_per_s"] == max(figures[f"{name}_lines_per_s"] for name in stream_reserve.NAMES)
    assert all(figures[f"{name}_p50_ms"] > 0 for name in stream_reserve.NAMES)
    assert (figures["oversold"], figures["lost"], figures["errors"]) == (0, 0, 0)


def test_movements_add_up(service: Service, tmp_path: Path) -> None:
    """Every movement of batches and streams is applied once, and what is on hand afterwards is what was told."""
    size = movements.Size(2, 10, 20, 100, small_in_flight=2, big_in_flight=2, processes=1, warm_up_s=0.1, rounds=1)
    figures = movements.run(Bench(0.4, tmp_path, told), service.address, size)
    assert figures.keys() == declared("movements")
    assert all(figures[f"{name}_lines_per_s"] > 0 for name in size.ways())
    assert figures["small_p50_ms"] <= figures["small_p99_ms"]
    assert (figures["on_hand_wrong"], figures["errors"]) == (0, 0)


def test_a_flood_ends_and_what_was_refused_says_when_to_come_back(service: Service, tmp_path: Path) -> None:
    """All that is settled is there; so small a flood may be answered whole."""
    size = overload.Size(2, 10, processes=1, in_flight=4, connections=2, warm_up_s=0.1)
    bench = Bench(1.5, tmp_path, told)
    figures = overload.run(bench, service, size)
    assert figures.keys() | bench.absent.keys() == declared("overload")
    assert bench.absent.keys() <= {"back_s"}  # on a busy machine latency may not be back in so short a time
    assert 0 < figures["ratio_peak"] <= size.times * 1.1
    assert figures["offered_per_s"] > 2 * figures["peak_per_s"]
    assert 0 < figures["commits_answered"] <= 1
    assert figures["held_meanwhile"] > 0
    assert [figures[name] for name in ("refused_without_retry_info", "wrong", "errors")] == [0, 0, 0]


def test_a_killed_actor_comes_back_and_what_it_acknowledged_is_there(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    """Calls wait for it meanwhile."""
    size = crash.Size(skus=10, rate_per_s=50, before_s=0.5, after_s=4)
    figures = crash.run(Bench(1, tmp_path, told), service.address, folder / "data" / crash.NOTICE, size)
    assert figures.keys() == {"back_s", "crash_lost", "crash_errors"}
    assert figures["back_s"] > 1 / size.rate_per_s
    assert figures["crash_lost"] == 0
