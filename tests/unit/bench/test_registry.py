from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.registry import Bench, Figure, Figures, Scenario, scenarios

SPEED = Figure("things_per_s", "things", at_least=1_000)
SIZE = Figure("bytes_per_thing", "bytes", at_most=150)
WRONG = Figure("oversold", "units", exactly=0)
OLDEST = ("ceiling", "ledger", "recovery", "boot", "reserve", "availability", "sourcing")


def told(text: str) -> None:
    """Nobody listens."""


def bench_in(folder: Path) -> Bench:
    """What a scenario gets."""
    return Bench(0.01, folder, told)


def scenario_of(figures: Figures) -> Scenario:
    """A scenario that declares three figures and returns these."""
    return Scenario("example", "An example.", (SPEED, SIZE, WRONG), lambda _: figures)


def test_every_scenario_of_the_list_tells_what_it_measures() -> None:
    """The scenarios have a summary of one line, and figures that are not told twice."""
    known = scenarios()
    first = [name for name in known if name in OLDEST]
    assert first == list(OLDEST)
    for item in known.values():
        assert item.summary.endswith(".")
        names = [figure.name for figure in item.figures]
        assert len(names) == len(set(names)) > 0


def test_the_figures_that_were_promised_are_there() -> None:
    """What the project promises has a target, so that a miss can be seen."""
    known = scenarios()
    promised = {name: [figure.name for figure in item.figures if figure.target] for name, item in known.items()}
    assert promised["ledger"] == ["reserves_per_s", "bytes_per_sku"]
    assert promised["recovery"] == ["recovery_s", "crash_lost"]
    assert promised["boot"] == ["boot_s", "boot_again_s"]
    assert {"ratio_postgres", "ratio_redis", "ratio_ray_unbatched", "p99_ms", "oversold", "lost"} <= {
        *promised["reserve"]
    }


def test_a_target_reads_as_people_write_it() -> None:
    """At least, at most, exactly, or nothing."""
    assert [figure.target for figure in (SPEED, SIZE, WRONG, Figure("p50_ms", "half"))] == [
        "≥ 1,000",
        "≤ 150",
        "= 0",
        "",
    ]


def test_a_large_target_is_written_out() -> None:
    """Five millions are not 5e+06."""
    assert Figure("cells_per_s", "cells", at_least=5_000_000).target == "≥ 5,000,000"
    assert Figure("worst_ratio", "worst", at_most=1.15).target == "≤ 1.15"


@pytest.mark.parametrize(("figure", "good", "bad"), [(SPEED, 1_000, 999), (SIZE, 150, 151), (WRONG, 0, 1)])
def test_a_target_is_met_up_to_its_bound(figure: Figure, good: float, bad: float) -> None:
    """The bound itself still meets it."""
    assert figure.met_by(good)
    assert not figure.met_by(bad)


def test_figures_come_in_the_order_declared(tmp_path: Path) -> None:
    """Whatever the order they were measured in."""
    item = scenario_of({"oversold": 0, "bytes_per_thing": 2, "things_per_s": 3})
    assert list(item.run(bench_in(tmp_path))) == ["things_per_s", "bytes_per_thing", "oversold"]


@pytest.mark.parametrize(
    "figures", [{"things_per_s": 1.0}, {"things_per_s": 1, "bytes_per_thing": 1, "oversold": 0, "x": 1}]
)
def test_a_figure_too_few_or_too_many_is_an_error(tmp_path: Path, figures: Figures) -> None:
    """What reads the JSON can rely on the declaration."""
    with pytest.raises(BenchError, match="it declares"):
        scenario_of(figures).run(bench_in(tmp_path))


def test_a_figure_may_be_absent_with_a_reason(tmp_path: Path) -> None:
    """A peer that is not on this machine is told, and its figures are no error; one both there and absent is."""
    bench = bench_in(tmp_path)
    bench.leave_out("no Redis here", "bytes_per_thing", "oversold")
    item = scenario_of({"things_per_s": 1})
    assert item.run(bench) == {"things_per_s": 1}
    assert bench.absent == {"bytes_per_thing": "no Redis here", "oversold": "no Redis here"}
    assert item.wrong({"things_per_s": 1}) == []
    with pytest.raises(BenchError, match="it declares"):
        scenario_of({"things_per_s": 1, "oversold": 0}).run(bench)


def test_only_figures_with_one_right_value_can_be_wrong() -> None:
    """A slow machine is no error, a unit sold twice is."""
    slow: Figures = {"things_per_s": 1, "bytes_per_thing": 1_000, "oversold": 0}
    assert scenario_of({}).wrong(slow) == []
    assert scenario_of({}).wrong(slow | {"oversold": 2}) == [WRONG]
