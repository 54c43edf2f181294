from __future__ import annotations

import pytest

from bench.registry import Scenario
from bench.series import run_all


def test_a_scenario_that_cannot_be_measured_does_not_stop_the_others(capfd: pytest.CaptureFixture[str]) -> None:
    """Each runs in a process of its own; those without figures are named."""
    unknown = [Scenario(name, "Not there.", (), lambda _: {}) for name in ("nothing", "nowhere")]
    assert run_all(unknown, 1) == ([], ["nothing", "nowhere"])
    printed = capfd.readouterr().err
    assert "== 1 of 2: nothing. Not there." in printed
    assert "== 2 of 2: nowhere. Not there." in printed
