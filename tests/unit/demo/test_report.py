from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from demo.acks import Finished, Grant, Parcel
from demo.audit import Check, Difference, Verdict, audit
from demo.play import Outage, Outcome
from demo.report import last_line, print_report, write_json, write_pages
from demo.score import Score
from tests.unit.demo.theatre import Theatre

LAST_LINE = re.compile(
    r"orders=\d+ lines=\d+ reserved=\d+ refused=\d+ oversold=0 drift=0 retried=\d+ p50_ms=\d+ p99_ms=\d+ "
    r"orders_per_s=\d+"
)


@pytest.fixture
def outcome(played: Theatre) -> Outcome:
    """What the play on ledgers in memory came to."""
    verdict = audit(played.book, played.found, played.now_s())
    units = dict(played.book.units)
    nearest = {order: [Parcel("leeds-1", 1, 9_000_000, 3)] for order in played.score.parcels}
    return Outcome(played.scene, played.score, nearest, verdict, units, 1, 1, Outage("daventry-dc", 1, 2.0), 1)


def printed(outcome: Outcome) -> list[str]:
    """The lines of the report."""
    text = io.StringIO()
    print_report(Console(file=text, width=60), outcome)
    return text.getvalue().splitlines()


def test_the_last_line_says_it_all(outcome: Outcome) -> None:
    """Scripts read it, so it is exactly so however narrow the terminal is."""
    assert LAST_LINE.fullmatch(printed(outcome)[-1])


def test_lines_are_either_reserved_or_refused(outcome: Outcome) -> None:
    """The figures add up."""
    figures = dict(part.split("=") for part in last_line(outcome).split())
    assert int(figures["reserved"]) + int(figures["refused"]) == int(figures["lines"]) > 0
    assert figures["orders"] == "120"


def test_drift_is_told_with_its_place(outcome: Outcome) -> None:
    """The report names what is off, and the last line how much."""
    difference = Difference("GetStock", ("leeds-1", "A"), "held", 1, 3)
    verdict = Verdict(0, (Check("GetStock", 7, (difference,)),))
    lines = printed(replace(outcome, verdict=verdict))
    assert "GetStock: held of A at leeds-1 is 3, expected 1" in lines
    assert " drift=2 " in lines[-1]


def test_the_figures_are_written_for_scripts(outcome: Outcome, tmp_path: Path) -> None:
    """As JSON, unrounded."""
    write_json(tmp_path / "figures.json", outcome)
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["orders"] == 120
    assert figures["drift"] == figures["oversold"] == 0
    assert figures["sourcing"]["nearest location first"]["cost_per_order"] == 9.0
    assert 0 < figures["sourcing"]["Allocate"]["days_to_delivery"] < 10


def test_the_page_has_the_figures_and_the_picture(outcome: Outcome, tmp_path: Path) -> None:
    """What it names lies beside it, and it says what is made up."""
    page = write_pages(tmp_path / "new", outcome)
    text = page.read_text(encoding="utf-8")
    assert "| parcels per order |" in text
    assert "where customers live" in text
    assert last_line(outcome) in text
    (picture,) = re.findall(r"\]\((\S+)\)", text)
    assert (page.parent / picture).read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (page.parent / "flows.svg").read_text(encoding="utf-8")
    assert json.loads((page.parent / "figures.json").read_bytes())["orders"] == 120


def test_percentiles_are_nearest_ranks() -> None:
    """Of a hundred latencies the ninety-ninth is exceeded by one at most."""
    score = Score(processes=2)
    for n in range(100):
        score.count(Grant(order="1", latency_ms=float(n)))
    assert (score.latency_ms(0.5), score.latency_ms(0.99)) == (50.0, 99.0)
    assert Score(processes=1).latency_ms(0.5) == 0.0


def test_a_play_is_over_when_all_processes_have_finished() -> None:
    """The first one's retries count, but it does not end the play."""
    score = Score(processes=2)
    score.count(Finished(retries=3))
    assert (score.over_s, score.retried) == (0.0, 3)
    score.count(Finished(retries=4))
    assert score.over_s > 0
    assert score.retried == 7
