from __future__ import annotations

import pytest

from bench.markdown import grid, markdown
from bench.registry import scenarios
from bench.report import Result
from tests.unit.bench.runs import made_up, whole_run


def report(results: list[Result]) -> str:
    """The report of these results."""
    return markdown(results, scenarios().values(), ["throughput"])


def section(text: str, title: str) -> str:
    """What stands under a title."""
    return text.split(f"\n## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def test_targets_come_first_with_what_became_of_them() -> None:
    """Met, missed and absent ones are counted, and each has the command beside it."""
    targets = section(report(whole_run()), "Targets")
    command = "`python -m bench reserve --seconds 10`"
    assert f"| reserve | `p99_ms` | 23.4 | ≤ 20 | **missed** | {command} |" in targets
    assert f"| reserve | `oversold` | 0 | = 0 | met | {command} |" in targets
    assert f"| reserve | `ratio_postgres` | - | ≥ 4 | absent | {command} |" in targets
    met, missed, absent = (targets.count(f"| {outcome} |") for outcome in ("met", "**missed**", "absent"))
    assert f"{met} met, {missed} missed, {absent} absent." in targets


def test_a_scenario_has_all_its_figures_and_where_they_are_from() -> None:
    """Value, target, outcome and meaning in a row; command, commit, date and the time it took above."""
    text = section(report(whole_run()), "ledger")
    assert "| `reserves_per_s` | 98,765 | ≥ 100,000 | **missed** | single-line reserves" in text
    assert "`python -m bench ledger --seconds 10`; commit 0123456789ab, 2026-01-02 03:04 UTC, took 61 s" in text


def test_the_points_of_a_curve_are_a_table() -> None:
    """A column for each value, a row for each point."""
    text = section(report(whole_run()), "growth")
    assert "| `ratio_small_spread` | `gateway_mib` |" in text
    assert "| 1,000,000 | 4,500 | 0.9 |" in text


def test_what_is_missing_is_told_with_its_reason() -> None:
    """A peer that is not there, a scenario that failed, one that was not run, a figure that is new."""
    results = [*whole_run(), made_up("recovery", {})._replace(figures={})]
    left_out = section(report(results), "Left out")
    assert "- reserve: `ratio_postgres`, `postgres_per_s`: no PostgreSQL answers" in left_out
    assert "- **boot**: failed, so it has no figures: the service did not come up" in left_out
    assert "- **sourcing**: not measured in this run." in left_out
    assert "not measured yet at commit 0123456789ab" in left_out
    assert "**It failed: the service did not come up**" in section(report(results), "boot")


def test_a_wrong_answer_is_told_before_the_figures() -> None:
    """Speed means nothing when a unit was sold twice."""
    text = section(report([made_up("reserve", {"oversold": 1})]), "reserve")
    assert "**Something is wrong: oversold." in text
    assert "| `oversold` | 1 | = 0 | **missed** |" in text


def test_figures_of_another_commit_are_marked() -> None:
    """Those of an earlier run that are still there are told apart, by machine and by commit."""
    run = whole_run()
    assert "all scenarios: 2 cores of Abacus, 4.0 GiB, Linux 6, 2.5 ms for an fsync; commit 0123456789ab" in report(run)
    old = run[0]._replace(versions={**run[0].versions, "commit": "fedcba9876543210+changes"})
    text = report([old, *run[1:]])
    assert "2 different states of machine or code" in text
    assert "- ledger: 2 cores of Abacus" in text
    assert "commit fedcba987654+changes" in section(text, "ledger")


def test_the_ceiling_of_the_generator_is_told() -> None:
    """As measured, or that it was not."""
    assert "Its ceiling was not measured" in section(report(whole_run()), "Load generator")
    text = section(report([made_up("ceiling", {"requests_per_s": 21_000})]), "Load generator")
    assert "21,000/s, 1/s from a bare echo on Envoy" in text


@pytest.mark.parametrize("cell", ["a | b", "plain"])
def test_a_table_has_as_many_columns_as_its_header(cell: str) -> None:
    """A bar in a text does not begin another one."""
    last = grid(("what", "value"), [(cell, "1")], (1,)).splitlines()[-1]
    assert last.replace("\\|", "").count("|") == 3
