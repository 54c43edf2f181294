from __future__ import annotations

import io
import json
import platform
from pathlib import Path

import pytest
from rich.console import Console

from bench.registry import Figure, Figures, Scenario, scenarios
from bench.report import ABSENT, MET, Result, read_results, readable, table, write_json
from tests.unit.bench.runs import whole_run, write


def result_of(figures: Figures) -> Result:
    """The result of a scenario that declares two of them."""
    declared = (Figure("reserves_per_s", "reserves", at_least=100_000), Figure("p99_ms", "slowest"))
    return Result(Scenario("ledger", "The core.", declared, lambda _: figures), figures)


def test_the_document_has_all_that_a_figure_depends_on() -> None:
    """Scenario, front, machine, versions, figures as numbers by name, why others are absent, points of a curve."""
    document = result_of({"reserves_per_s": 120_000.5, "p99_ms": 3.0}).document()
    assert list(document) == [
        *("scenario", "front", "command", "seconds", "took_s", "at"),
        *("machine", "versions", "figures", "absent", "points"),
    ]
    assert document["scenario"] == "ledger"
    assert document["figures"] == {"reserves_per_s": 120_000.5, "p99_ms": 3.0}
    assert (document["front"], document["absent"], document["points"]) == (None, {}, [])


def test_the_machine_is_described_and_not_named() -> None:
    """CPU, cores, memory, kernel; the name of the machine is nobody's business."""
    machine = result_of({}).document()["machine"]
    assert sorted(machine) == ["cores", "cpu", "fsync_ms", "kernel", "memory_gib"]
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0
    assert machine["fsync_ms"] >= 0
    assert platform.node() not in {str(value) for value in machine.values()}


def test_the_versions_name_what_the_figures_depend_on() -> None:
    """Ours, Python's, and those of the libraries on the way."""
    versions = result_of({}).document()["versions"]
    assert {"allocator", "commit", "python", "ray", "grpcio", "numpy"} <= versions.keys()
    assert versions["python"] == platform.python_version()


def test_json_is_written_as_it_is(tmp_path: Path) -> None:
    """The file holds the document, or the list of them."""
    path = tmp_path / "figures.json"
    document = result_of({"reserves_per_s": 1, "p99_ms": 2}).document()
    write_json(path, document)
    assert json.loads(path.read_text(encoding="utf-8")) == document
    write_json(path, [document])
    assert json.loads(path.read_text(encoding="utf-8")) == [document]


def test_the_table_has_every_figure_beside_its_target() -> None:
    """Name, value, target and meaning in one row."""
    console = Console(width=130, file=io.StringIO(), record=True)
    console.print(table([result_of({"reserves_per_s": 120_000, "p99_ms": 3.25})]))
    text = console.export_text()
    assert "120,000" in text
    assert "≥ 100,000" in text
    assert "3.25" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "none"),
        (0, "0"),
        (12, "12"),
        (123_456.7, "123,457"),
        (142.258, "142.3"),
        (4.6321, "4.63"),
        (0.354, "0.354"),
    ],
)
def test_a_figure_has_as_many_digits_as_mean_something(value: float, text: str) -> None:
    """Three of them, and thousands apart."""
    assert readable(value) == text


def test_a_figure_that_is_absent_is_told_with_its_reason() -> None:
    """In the table in its place, in the document by name."""
    result = result_of({"p99_ms": 3})._replace(absent={"reserves_per_s": "no Redis here"}, front="grpcio")
    console = Console(width=130, file=io.StringIO(), record=True)
    console.print(table([result]))
    assert "absent: no Redis here" in console.export_text()
    document = result.document()
    assert (document["front"], document["absent"]) == ("grpcio", {"reserves_per_s": "no Redis here"})


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """All that a report needs is in the files; those of scenarios that are no more are left alone."""
    write(tmp_path, whole_run())
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")
    read = read_results(tmp_path, scenarios())
    written = {result.scenario.name: result.document() for result in whole_run()}
    assert {result.scenario.name: result.document() for result in read} == written
    assert [result.scenario.name for result in read] == [name for name in scenarios() if name in written]


def test_a_figure_declared_later_is_absent_and_not_wrong() -> None:
    """Files of an earlier commit stay readable."""
    result = result_of({"reserves_per_s": 120_000})
    first, second = result.rows()
    assert (first.outcome, second.outcome) == (MET, "")
    assert "not measured yet" in second.reason
    assert result_of({"p99_ms": 1}).rows()[0].outcome == ABSENT
