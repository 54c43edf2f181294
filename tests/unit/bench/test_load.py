from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.echo import Echo
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind, Mix
from bench.http2.log import Key, Log, Times
from bench.load import Load, run
from bench.measured import Measured, Report
from bench.pace import ClosedLoop, OpenLoop

S = 1_000_000_000
NONE = Times(np.array([], np.int64), np.array([], np.int64))
PATH = "/shop.Stock/Check"


def told(text: str) -> None:
    """Nobody listens."""


def times(*pairs: tuple[float, float]) -> Times:
    """Calls that were due and done at these seconds."""
    due, done = zip(*pairs, strict=True)
    return Times(*(np.round(np.array(column) * S).astype(np.int64) for column in (due, done)))


def measured(*processes: dict[Key, Times], taken: Times = NONE) -> Measured:
    """What was measured from second 10 to 12."""
    return Measured([Report(one, taken, 0.5, number) for number, one in enumerate(processes)], 10 * S, 2.0)


HELD = times((9.0, 9.5), (9.9, 10.1), (10.5, 10.6), (11.0, 11.2), (11.9, 12.5))


def test_what_was_answered_in_time_counts() -> None:
    """Answers of the warm-up and after the end are left out of the rate."""
    assert measured({("reserve", True, "HELD"): HELD}).requests_per_s == 3 / 2


def test_latency_counts_from_when_a_call_was_due() -> None:
    """Those due in time count, also when the answer came after the end."""
    assert measured({("reserve", True, "HELD"): HELD}).latencies_ms() == pytest.approx([100, 200, 600])


def test_refused_calls_are_kept_apart() -> None:
    """Neither their rate nor their time is that of the answered ones; a refusal within 5 ms is to be seen."""
    refused = times((10.0, 10.004), (11.0, 11.002))
    both = measured({("reserve", True, "HELD"): HELD, ("reserve", False, "RESOURCE_EXHAUSTED"): refused})
    assert both.requests_per_s == 3 / 2
    assert both.errors == 2
    assert both.rate_per_s(answered=False) == 1
    assert both.percentile_ms(100) == pytest.approx(600)
    assert both.percentile_ms(100, outcome="RESOURCE_EXHAUSTED", answered=False) == pytest.approx(4)
    assert both.latencies_ms(answered=None).size == 5


def test_kinds_are_measured_apart_and_together() -> None:
    """As a mixed load wants it."""
    both = measured({("check", True, "OK"): times((10, 10.01)), ("reserve", True, "HELD"): times((10, 10.5))})
    assert both.percentile_ms(50, "check") == pytest.approx(10)
    assert both.percentile_ms(50, "reserve") == pytest.approx(500)
    assert (both.requests_per_s, both.rate_per_s("check")) == (1, 0.5)
    assert both.outcomes == Counter(OK=1, HELD=1)


def test_processes_are_added_up() -> None:
    """Rate, outcomes, errors and CPU time of all of them; each tally by itself."""
    one: dict[Key, Times] = {
        ("reserve", True, "HELD"): times((10, 10.5)),
        ("reserve", False, "UNAVAILABLE"): times((10, 11)),
    }
    all_of_them = measured(one, {("reserve", True, "HELD"): times((10, 10.2), (10.3, 10.4))})
    assert all_of_them.requests_per_s == 3 / 2
    assert all_of_them.outcomes == Counter(HELD=3, UNAVAILABLE=1)
    assert (all_of_them.errors, all_of_them.tallies, all_of_them.generator_cpu_s) == (1, [0, 1], 1.0)


def test_percentiles_are_those_of_all_calls() -> None:
    """Half of the calls are no slower than the 50th percentile."""
    calls = times(*((10 + i / 200, 10 + i / 200 + i / 1000) for i in range(1, 100)))
    assert measured({("check", True, "OK"): calls}).percentile_ms(50) == pytest.approx(50)


def test_a_load_that_nobody_answered_has_no_latency() -> None:
    """Not a number, instead of a good one."""
    none = measured({("check", False, "UNAVAILABLE"): times((10, 11))})
    assert none.requests_per_s == 0
    assert np.isnan(none.percentile_ms(99))


def test_how_late_the_generator_was_is_told() -> None:
    """Of the calls due in time; without a schedule it cannot be late."""
    taken = times((9.0, 9.9), (10.0, 10.003), (11.0, 11.001))
    assert measured({}, taken=taken).late_ms(100) == pytest.approx(3)
    assert measured({}).late_ms(99) == 0


def test_a_log_keeps_calls_by_what_became_of_them() -> None:
    """A word of the judge is not mixed up with a status of the same name."""
    log = Log()
    log.ended(("check", True, "UNAVAILABLE"), 1, 2)
    log.ended(("check", False, "UNAVAILABLE"), 3, 4)
    log.late(5, 7)
    assert {key: (list(due), list(done)) for key, (due, done) in log.times().items()} == {
        ("check", True, "UNAVAILABLE"): ([1], [2]),
        ("check", False, "UNAVAILABLE"): ([3], [4]),
    }
    assert [list(column) for column in log.taken()] == [[5], [7]]


class Numbered(Calls):
    """Calls that count themselves."""

    def __init__(self, name: str, number: int) -> None:
        self._kind = Kind(name, PATH, lambda answer, note: f"{answer.decode()} {note % 2}")
        self._number = number
        self.sent = 0

    def next(self) -> Call:
        """The next one."""
        self.sent += 1
        return Call(self._kind, b"request", self.sent)

    def tally(self) -> tuple[int, int]:
        """Which process it was, and how many it sent."""
        return self._number, self.sent


class Failing(Numbered):
    """Calls that cannot be made."""

    def next(self) -> Call:
        """Fail."""
        raise LookupError("no more carts")


def test_a_mix_has_each_part_as_often_as_its_weight() -> None:
    """In every round, in an order that is the same for the same seed."""
    rounds = [Mix([(7, Numbered("check", 0)), (1, Numbered("reserve", 1))], seed=3) for _ in range(2)]
    names = [[mix.next().kind.name for _ in range(16)] for mix in rounds]
    assert names[0] == names[1]
    assert Counter(names[0][:8]) == Counter(names[0][8:]) == Counter(check=7, reserve=1)
    assert rounds[0].tally() == [(0, 14), (1, 2)]


def test_processes_send_a_load_and_tell_what_became_of_it(tmp_path: Path) -> None:
    """Both paces, on a bare echo: every call that was sent is answered and counted."""
    with Echo(tmp_path, "raw", {PATH: b"echo"}) as echo:
        for pace in (ClosedLoop(16), OpenLoop(2_000)):
            result = run(Load(echo.address, partial(Numbered, "check"), pace, 2, 0.1, 0.4), told)
            assert [number for number, _ in result.tallies] == [0, 1]
            assert sum(result.outcomes.values()) == sum(sent for _, sent in result.tallies) > 0
            assert set(result.outcomes) == {"echo 0", "echo 1"}
            assert result.errors == 0
            if isinstance(pace, OpenLoop):
                assert result.latencies_ms().size == 800


def test_a_process_that_fails_fails_the_load(tmp_path: Path) -> None:
    """With what went wrong there; so does one that finds nobody at the address."""
    with Echo(tmp_path, "raw", {PATH: b"echo"}) as echo, pytest.raises(BenchError, match="no more carts"):
        run(Load(echo.address, partial(Failing, "check"), ClosedLoop(1), 1, 0, 0.1), told)
    with pytest.raises(BenchError, match="nobody answers"):
        run(Load(echo.address, partial(Numbered, "check"), ClosedLoop(1), 1, 0, 0.1), told)
