from __future__ import annotations

from structlog.testing import capture_logs

from allocator.gateway.tally import ERROR_LINES_MAX, Tally


def test_calls_are_summed_up_by_method() -> None:
    """How many, how long on average, and the slowest; then counting begins anew."""
    tally = Tally()
    for took_s in (0.001, 0.003):
        tally.note("Reserve", took_s)
    tally.note_error("OVERLOADED")
    with capture_logs() as lines:
        tally.report(streams=2)
        tally.report(streams=2)
    assert [(line["event"], line["methods"], line["errors"], line["streams"]) for line in lines] == [
        ("calls", {"Reserve": {"calls": 2, "mean_ms": 2.0, "most_ms": 3.0}}, {"OVERLOADED": 1}, 2)
    ]


def test_a_flood_of_errors_is_counted_and_not_logged_one_by_one() -> None:
    """The first few may have lines of their own, and again after each report."""
    tally = Tally()
    allowed = [tally.note_error("OVERLOADED") for _ in range(ERROR_LINES_MAX + 5)]
    assert allowed == [True] * ERROR_LINES_MAX + [False] * 5
    tally.report()
    assert tally.note_error("OVERLOADED")
