from __future__ import annotations

from pathlib import Path

from bench.readme import BEGIN, END, README, ROWS, measured, with_measured
from bench.registry import scenarios
from tests.unit.bench.runs import made_up, whole_run, write


def test_the_readme_says_what_the_json_files_say() -> None:
    """Its table and pictures are those of bench/results; `python -m bench readme --write` renews them."""
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert with_measured(text) == text


def test_the_pictures_of_the_readme_are_there() -> None:
    """A link to a picture that nobody has is worse than none."""
    lines = README.read_text(encoding="utf-8").splitlines()
    linked = [line.partition("](")[2].rstrip(")") for line in lines if line.startswith("![")]
    assert [path for path in linked if not (README.parent / path).is_file()] == []


def test_every_row_tells_of_figures_that_are_measured() -> None:
    """A figure that is renamed would otherwise go from the README in silence."""
    declared = {f"{name} {figure.name}" for name, item in scenarios().items() for figure in item.figures}
    assert [told for row in ROWS for name in row.figures if (told := f"{row.scenario} {name}") not in declared] == []


def test_a_row_has_its_figures_and_its_command(tmp_path: Path) -> None:
    """A target is told where it was missed; a figure that is absent is left out."""
    text = measured(whole_run(), tmp_path)
    assert "| 98,765 reserves/s (target ≥ 100,000), 145 bytes per stocked SKU | `python -m bench ledger` |" in text
    assert "p50 7.3 ms, p99 23.4 ms (target ≤ 20)" in text
    (row,) = (line for line in text.splitlines() if "6,120/s" in line)
    assert "x Redis" in row
    assert "PostgreSQL" not in row
    assert "| 400 locations up | could not be measured |" in text
    assert "2 cores of Abacus" in text
    assert "commit 0123456789ab" in text


def test_a_scenario_without_a_row_is_told_by_its_targets(tmp_path: Path) -> None:
    """Nothing that was measured and promised is kept from the reader."""
    result = made_up("ledger", {"reserves_per_s": 123_456})
    new = result._replace(scenario=result.scenario._replace(name="new", summary="Something new."))
    text = measured([new], tmp_path)
    assert "| Something new | `reserves_per_s` 123,456, `bytes_per_sku` 1 |" in text


def test_the_table_replaces_the_one_before(tmp_path: Path) -> None:
    """Between its marks, with the pictures there are; without any figures the text stays."""
    text = f"before\n{BEGIN}an earlier one\n{END}after\n"
    assert with_measured(text, tmp_path) == text
    write(tmp_path, whole_run())
    (tmp_path / "latency.png").touch()
    renewed = with_measured(text, tmp_path)
    assert renewed.startswith(f"before\n{BEGIN}On 2 cores")
    assert renewed.endswith(f"{END}after\n")
    assert "(bench/results/latency.png)" in renewed
    assert "throughput.png" not in renewed
    assert "an earlier one" not in renewed
