from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as cli
from bench.registry import Bench, Figure, Figures, Scenario
from tests.unit.bench.runs import whole_run, write

FIGURES = (Figure("reserves_per_s", "reserves", at_least=10), Figure("oversold", "units", exactly=0))


def known(monkeypatch: pytest.MonkeyPatch, figures: Figures) -> None:
    """Have one scenario, that measures these figures at once."""

    def measure(bench: Bench) -> Figures:
        bench.tell(f"measuring for {bench.seconds:g} s on {bench.front}")
        return figures

    example = Scenario("example", "An example.", FIGURES, measure)
    monkeypatch.setattr(cli, "scenarios", lambda: {"example": example})


def test_the_list_names_scenarios_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks learns what there is, and what was promised."""
    assert cli.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert "recovery" in text
    assert "bytes_per_sku" in text
    assert "≤ 150" in text


def test_a_scenario_leaves_table_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The figures on the terminal and in the file; progress apart from them."""
    known(monkeypatch, {"reserves_per_s": 12, "oversold": 0})
    path = tmp_path / "out.json"
    assert cli.main(["example", "--front", "grpcio", "--seconds", "2", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    assert "reserves_per_s" in printed.out
    assert printed.err == "example: measuring for 2 s on grpcio\n"
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["figures"] == {"reserves_per_s": 12, "oversold": 0}
    assert document["command"] == "python -m bench example --seconds 2 --front grpcio"
    assert document["seconds"] == 2


def test_a_slow_machine_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target of speed that was missed is shown, and that is all."""
    known(monkeypatch, {"reserves_per_s": 1, "oversold": 0})
    assert cli.main(["example"]) == 0


def test_a_wrong_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Speed means nothing when a unit was sold twice."""
    known(monkeypatch, {"reserves_per_s": 100, "oversold": 1})
    assert cli.main(["example"]) == 1
    assert "oversold is 1, not 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["ledger", "--seconds", "0"], ["ledger", "--seconds", "soon"], ["reserve", "--front", "apache"]],
)
def test_wrong_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown scenario, or no time to measure in."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "usage: python -m bench" in capsys.readouterr().err


def test_all_leaves_figures_and_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file for each scenario and the report of them, also when one failed, as this one does in its own process."""
    known(monkeypatch, {})
    assert cli.main(["all", "--seconds", "1", "--into", str(tmp_path), "--json", str(tmp_path / "list.json")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["example.json", "list.json", "report.md"]
    (document,) = json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))
    assert "invalid choice" in document["failed"]
    assert "- **example**: failed" in (tmp_path / "report.md").read_text(encoding="utf-8")
    printed = capsys.readouterr()
    assert "0 of 2 targets met" in printed.out
    assert "example could not be measured" in printed.err


def test_the_report_is_written_again_without_measuring(tmp_path: Path) -> None:
    """From the files of a run, to another folder if asked."""
    source, to = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    write(source, whole_run())
    assert cli.main(["report", "--from", str(source), "--to", str(to)]) == 0
    assert sorted(path.name for path in to.iterdir() if path.suffix != ".svg") == [
        *("growth.png", "latency.png", "report.md", "throughput.png"),
    ]
    assert "](throughput.png)" in (to / "report.md").read_text(encoding="utf-8")


def test_a_report_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are no figures there is nothing to tell."""
    assert cli.main(["report", "--from", str(tmp_path)]) == 2
    assert "python -m bench all" in capsys.readouterr().err


def test_the_table_of_the_readme_is_shown_or_put_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Only with --write is the file changed."""
    readme = tmp_path / "README.md"
    readme.write_text("<!-- measured: begin -->\n<!-- measured: end -->\n", encoding="utf-8")
    monkeypatch.setattr(cli, "README", readme)
    write(tmp_path, whole_run())
    assert cli.main(["readme", "--from", str(tmp_path)]) == 0
    assert "98,765 reserves/s" in capsys.readouterr().out
    assert "98,765" not in readme.read_text(encoding="utf-8")
    assert cli.main(["readme", "--from", str(tmp_path), "--write"]) == 0
    assert "98,765 reserves/s" in readme.read_text(encoding="utf-8")
