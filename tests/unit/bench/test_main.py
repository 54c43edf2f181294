from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as cli
from bench.registry import Bench, Figure, Figures, Scenario

FIGURES = (Figure("reserves_per_s", "reserves", at_least=10), Figure("oversold", "units", exactly=0))


def known(monkeypatch: pytest.MonkeyPatch, figures: Figures) -> None:
    """Have one scenario, that measures these figures at once."""

    def measure(bench: Bench) -> Figures:
        bench.tell(f"measuring for {bench.seconds:g} s")
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
    assert cli.main(["example", "--seconds", "2", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    assert "reserves_per_s" in printed.out
    assert printed.err == "example: measuring for 2 s\n"
    assert json.loads(path.read_text(encoding="utf-8"))["figures"] == {"reserves_per_s": 12, "oversold": 0}


def test_a_slow_machine_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target of speed that was missed is shown, and that is all."""
    known(monkeypatch, {"reserves_per_s": 1, "oversold": 0})
    assert cli.main(["example"]) == 0


def test_a_wrong_answer_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Speed means nothing when a unit was sold twice."""
    known(monkeypatch, {"reserves_per_s": 100, "oversold": 1})
    assert cli.main(["example"]) == 1
    assert "oversold is 1, not 0" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nothing"], ["ledger", "--seconds", "0"], ["ledger", "--seconds", "soon"]])
def test_wrong_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown scenario, or no time to measure in."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "usage: python -m bench" in capsys.readouterr().err
