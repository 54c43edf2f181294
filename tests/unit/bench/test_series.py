from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bench.progress import Screen, duration
from bench.registry import Scenario, scenarios
from bench.report import Taken, write_json
from bench.series import Wanted, command_of, estimate_s, follow, run_all
from tests.unit.bench.runs import made_up

UNKNOWN = [Scenario(name, "Not there.", (), lambda _: {}) for name in ("nothing", "nowhere")]


def screen_of(total: int, *, terminal: bool = False) -> tuple[Screen, io.StringIO]:
    """A screen, and what is on it."""
    file = io.StringIO()
    return Screen(Console(file=file, force_terminal=terminal, width=200), total), file


def test_a_scenario_that_cannot_be_measured_does_not_stop_the_others(tmp_path: Path) -> None:
    """Each leaves a file that tells why there are no figures, in place of those of an earlier run."""
    into = tmp_path / "results"
    into.mkdir()
    earlier = made_up("ledger", {})._replace(scenario=UNKNOWN[0], taken=Taken(seconds=1, took_s=150))
    write_json(into / "nothing.json", earlier.document())
    screen, file = screen_of(2)
    with screen:
        results = run_all(UNKNOWN, Wanted(1, None, into), screen)
    text = file.getvalue()
    assert "== 1 of 2: nothing. Not there. (0 s so far, about 5 min 00 s left)" in text
    assert "== 2 of 2: nowhere. Not there." in text
    assert [result.figures for result in results] == [{}, {}]
    for name in ("nothing", "nowhere"):
        document = json.loads((into / f"{name}.json").read_text(encoding="utf-8"))
        assert "invalid choice" in document["failed"]
        assert document["command"] == f"python -m bench {name} --seconds 1"
        assert document["took_s"] > 0
        assert document["figures"] == {}


def test_what_a_scenario_measured_is_kept_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The figures of its process, and how long all of it took. The process here is a stand-in that copies a file."""
    measured, into = tmp_path / "measured.json", tmp_path / "results"
    write_json(measured, made_up("ledger", {"reserves_per_s": 123_456}).document())
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{measured}" "$last"\n', encoding="utf-8")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    screen, _ = screen_of(1)
    with screen:
        (result,) = run_all([scenarios()["ledger"]], Wanted(3, "grpcio", into), screen)
    document = json.loads((into / "ledger.json").read_text(encoding="utf-8"))
    assert document == result.document()
    assert document["figures"]["reserves_per_s"] == 123_456
    assert document["command"] == "python -m bench ledger --seconds 3 --front grpcio"
    assert (document["seconds"], result.failed) == (3, "")
    assert document["took_s"] < 61


@pytest.mark.parametrize(("code", "why"), [(0, ""), (1, ""), (2, "there is no more")])
def test_the_last_line_of_a_failure_is_its_reason(tmp_path: Path, code: int, why: str) -> None:
    """An answer that was wrong (1) is no failure to measure; the figures tell it."""
    screen, file = screen_of(1)
    program = f"import sys; print('one', file=sys.stderr); print('there is no more', file=sys.stderr); sys.exit({code})"
    with screen:
        assert follow([sys.executable, "-c", program], tmp_path / "told", screen) == why
    assert file.getvalue() == "one\nthere is no more\n"


def test_a_failure_without_a_word_is_told_by_its_code(tmp_path: Path) -> None:
    """Killed, for example."""
    screen, _ = screen_of(1)
    with screen:
        assert follow([sys.executable, "-c", "import os; os._exit(7)"], tmp_path / "told", screen) == "exit code 7"


def test_the_time_left_is_that_of_an_earlier_run() -> None:
    """What was never measured takes as long as the others; without any of them nobody knows."""
    assert estimate_s(["a", "b"], {}) is None
    assert estimate_s(["a", "b"], {"a": 10, "b": 30, "c": 50}) == 40
    assert estimate_s(["a", "new"], {"a": 10, "b": 30}) == 30


def test_a_terminal_has_one_line_that_changes() -> None:
    """How many of how many, and what is going on; the figures stay on the screen."""
    screen, file = screen_of(3, terminal=True)
    with screen:
        screen.begin(1, "ledger", "The core.", 70.0)
        screen.tell("ledger: round 2")
        screen.refresh()
        screen.end(made_up("ledger", {"reserves_per_s": 123_456}))
    text = file.getvalue()
    assert "1/3" in text
    assert "about 1 min 10 s left" in text
    assert "ledger: round 2" in text
    assert "123,456" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3_725, "62 min 05 s")]
)
def test_a_duration_reads_as_people_write_it(seconds: float, text: str) -> None:
    """Minutes and seconds."""
    assert duration(seconds) == text


def test_the_command_beside_a_figure_measures_it_again() -> None:
    """With the options that change what is measured."""
    assert command_of("reserve", 10, None) == "python -m bench reserve --seconds 10"
    assert command_of("reserve", 2.5, "grpcio") == "python -m bench reserve --seconds 2.5 --front grpcio"
