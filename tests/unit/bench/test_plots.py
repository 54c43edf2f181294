from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from bench.plots import draw
from bench.plots.growth import growth
from bench.plots.latency import latency
from bench.plots.throughput import throughput
from bench.report import Result
from tests.unit.bench.runs import made_up, whole_run


def by_name(results: list[Result]) -> dict[str, Result]:
    """As a picture takes them."""
    return {result.scenario.name: result for result in results}


def panels(figure: Figure | None) -> list[Axes]:
    """Of a picture that is there."""
    assert figure is not None
    return figure.axes


def texts(axes: Axes) -> list[str]:
    """What is written beside the marks."""
    return [text.get_text() for text in axes.texts]


def test_every_picture_is_written_twice_and_the_same_each_time(tmp_path: Path) -> None:
    """PNG and SVG, byte for byte, so that a run leaves no difference where there is none."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        assert draw(folder, whole_run()) == ["throughput", "latency", "growth"]
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert sorted(first) == [
        f"{name}.{kind}" for name in ("growth", "latency", "throughput") for kind in ("png", "svg")
    ]
    assert first == second


def test_a_picture_without_figures_goes(tmp_path: Path) -> None:
    """One of an earlier run would be taken for one of this."""
    draw(tmp_path, whole_run())
    assert draw(tmp_path, [made_up("ledger", {})]) == []
    assert list(tmp_path.iterdir()) == []


def test_bars_have_the_figures_and_start_at_zero() -> None:
    """A bar for each who was measured, with its front; those absent have none."""
    checks, reserves = panels(throughput(by_name(whole_run())))
    (bars,) = (one for one in checks.containers if isinstance(one, BarContainer))
    assert [bar.get_width() for bar in bars][:2] == [5_570, 4_891]
    names = [label.get_text() for label in checks.get_yticklabels()]
    assert names[:2] == ["bare echo (Envoy)", "Allocator (Envoy)"]
    assert checks.get_xlim()[0] == reserves.get_xlim()[0] == 0
    others = [label.get_text() for label in reserves.get_yticklabels()]
    assert "Redis (grpc.aio)" in others
    assert "PostgreSQL (Envoy)" in others
    assert "PostgreSQL (grpc.aio)" not in others
    assert "6,120" in texts(reserves)


def test_without_envoy_everything_is_on_one_front() -> None:
    """The front is the one asked for, or the one there is."""
    result = made_up("availability", {})._replace(front="grpcio")
    (axes,) = panels(throughput({"availability": result}))
    assert axes.get_yticklabels()[0].get_text() == "bare echo (grpc.aio)"


def test_latencies_stand_beside_their_target() -> None:
    """p50 and p99 of each, and the bound of the p99."""
    (axes,) = panels(latency(by_name(whole_run())))
    assert texts(axes) == ["1.2", "3.9", "7.3", "23.4"]
    marks = [np.asarray(line.get_xdata()).tolist() for line in axes.lines if line.get_marker() == "|"]
    assert marks == [[5], [20]]
    assert axes.get_xlim()[0] == 0


def test_latencies_that_are_near_have_one_label() -> None:
    """Two would cover each other."""
    run = by_name(whole_run()) | {"availability": made_up("availability", {"p50_ms": 1.2, "p99_ms": 1.3})}
    (axes,) = panels(latency(run))
    assert "1.2 / 1.3" in texts(axes)


def test_growth_has_a_step_for_each_point() -> None:
    """The rate as a share of the smallest network's, and what it takes."""
    rates, memory = panels(growth(by_name(whole_run())))
    assert [label.get_text() for label in rates.get_xticklabels()] == ["4 x\n10k", "400 x\n1M"]
    assert texts(rates) == ["1.00", "0.90"]
    assert "11.8 bytes a cell" in memory.get_title()
    assert growth({"growth": made_up("growth", {})}) is None
