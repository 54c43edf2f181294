"""Results that were never measured, for the tests of what is made of results."""

from __future__ import annotations

from pathlib import Path

from bench.machine import Machine
from bench.registry import Figures, scenarios
from bench.report import Result, Taken, write_json

MACHINE: Machine = {"cpu": "Abacus", "cores": 2, "memory_gib": 4.0, "kernel": "Linux 6", "fsync_ms": 2.5}
VERSIONS = {"allocator": "0.1.0", "commit": "0123456789abcdef", "python": "3.11.7", "pyvoy": "1.3.0"}
STEP = {"ratio_small_spread": 0.9, "gateway_mib": 100.0, "actor_mib": 200.0, "started_s": 3.0}


def made_up(name: str, figures: Figures, **absent: str) -> Result:
    """The result of a scenario: these figures, those absent, and 1, or what it has to be, for every other one."""
    scenario = scenarios()[name]
    others = {figure.name: figure.exactly or 0.0 if figure.exactly is not None else 1.0 for figure in scenario.figures}
    known = {name: value for name, value in (others | figures).items() if name not in absent}
    taken = Taken(f"python -m bench {name} --seconds 10", 10, 61.4, "2026-01-02 03:04 UTC")
    return Result(scenario, known, absent, None, (), taken, "", MACHINE, VERSIONS)


def whole_run() -> list[Result]:
    """Several scenarios: one with a target missed, one with something absent, one with a curve, one that failed."""
    growth = [
        STEP | {"locations": 4, "skus": 10_000, "requests_per_s": 5_000, "ratio_small": 1.0},
        STEP | {"locations": 400, "skus": 1_000_000, "requests_per_s": 4_500, "ratio_small": 0.9},
    ]
    return [
        made_up("ledger", {"reserves_per_s": 98_765.4, "bytes_per_sku": 145}),
        made_up(
            "reserve",
            {"requests_per_s": 6_120, "redis_per_s": 1_402, "p50_ms": 7.3, "p99_ms": 23.4},
            ratio_postgres="no PostgreSQL answers",
            postgres_per_s="no PostgreSQL answers",
        ),
        made_up("availability", {"requests_per_s": 4_891, "echo_per_s": 5_570, "p50_ms": 1.2, "p99_ms": 3.9}),
        made_up("growth", {"gateway_bytes_per_cell": 11.8, "actor_bytes_per_sku": 129})._replace(points=growth),
        made_up("boot", {})._replace(figures={}, failed="the service did not come up"),
    ]


def write(folder: Path, results: list[Result]) -> None:
    """Their files."""
    for result in results:
        write_json(folder / f"{result.scenario.name}.json", result.document())
