"""The scenarios over gRPC at a tiny size, on one real service."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import allocating
from bench.errors import BenchError
from bench.registry import Bench, scenarios
from bench.scenarios import boot
from bench.service import Service, Settings, toml

LOCATIONS = ["bench-1", "bench-2"]


def told(text: str) -> None:
    """Nobody listens."""


def declared(name: str) -> set[str]:
    """The figures a scenario promises to return."""
    return {figure.name for figure in scenarios()[name].figures}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests of this file, with settings of its own."""
    settings: Settings = {"runtime": {"actors": 1}, "log": {"level": "debug"}}
    with Service(tmp_path_factory.mktemp("bench"), LOCATIONS, settings=settings) as service:
        yield service


def test_allocate_is_measured_beside_reserve(service: Service, tmp_path: Path) -> None:
    """Both hold all they are asked for, and the ratio is that of the two rates."""
    size = allocating.Size(locations=2, skus=3, in_flight=8, warm_up_s=0.1)
    figures = allocating.run(Bench(0.5, tmp_path, told), service.address, size)
    assert figures.keys() < declared("sourcing")
    assert figures["allocate_ratio_reserve"] == figures["allocates_per_s"] / figures["reserves_per_s"]


def test_a_start_is_timed_and_its_stock_checked(service: Service, tmp_path: Path) -> None:
    """What the boot scenario does besides starting the service; stock is received once however often it is told."""
    assert service.started_s > 0
    assert service.cpu_s() > 0
    for _ in range(2):
        boot.stock(Bench(1, tmp_path, told), service.address, LOCATIONS, 5)
        boot.check(service.address, LOCATIONS, 5)


def test_a_service_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    """With the end of its log, which says why."""
    with pytest.raises(BenchError, match=r"ended with code 1; its log ends:(.|\n)*locations"):
        Service(tmp_path, []).start()


def test_settings_are_those_asked_for() -> None:
    """By section; strings, numbers and booleans."""
    settings: Settings = {"runtime": {"actors": 2}, "log": {"level": 'de"bug'}, "promise": {"resource_shortages": True}}
    assert tomllib.loads(toml(settings)) == settings


def test_front_and_gateways_are_passed_on(tmp_path: Path) -> None:
    """When they were asked for; a front that does not exist is the service's to refuse."""
    with pytest.raises(BenchError, match=r"ended with code \d; its log ends:(.|\n)*gateways"):
        Service(tmp_path, LOCATIONS, "grpcio", gateways=65).start()
