from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway import times


@given(st.integers(1, times.YEAR_2200_S * 10**9 - 1))
def test_times_go_out_as_they_came_in(at_ns: int) -> None:
    """To the nanosecond, from 1970 to 2200."""
    assert times.ns_of(times.timestamp(at_ns)) == at_ns


def test_times_outside_are_none() -> None:
    """Before 1970, from 2200 on, and malformed ones."""
    for seconds, nanos in ((-1, 0), (times.YEAR_2200_S, 0), (0, -1), (0, 10**9)):
        assert times.ns_of(Timestamp(seconds=seconds, nanos=nanos)) is None


def test_1970_itself_is_a_time() -> None:
    """It must not read as "none" further in, where 0 means that."""
    assert times.ns_of(Timestamp()) == 1


@given(st.integers(-(2**53), 2**53))
def test_lengths_are_read_to_the_nanosecond(length_ns: int) -> None:
    """Negative ones too: their bounds are checked elsewhere."""
    length = Duration()
    length.FromNanoseconds(length_ns)
    assert times.length_ns_of(length) == length_ns


def test_malformed_lengths_are_none() -> None:
    """Mixed signs and too many nanoseconds."""
    for seconds, nanos in ((1, -1), (-1, 1), (0, 10**9), (times.DURATION_MAX_S + 1, 0)):
        assert times.length_ns_of(Duration(seconds=seconds, nanos=nanos)) is None


@given(st.floats(0, 1e6))
def test_ages_are_told_in_microseconds(length_s: float) -> None:
    """No finer, and no further off than that."""
    told = times.age(length_s)
    assert told.nanos % 1_000 == 0
    assert abs(length_s - told.ToNanoseconds() / 1e9) < 2e-6


def test_an_age_can_always_be_told() -> None:
    """A location that was never heard of is as old as a Duration can tell; a clock that steps back makes no age."""
    assert times.age(float("inf")).seconds == times.DURATION_MAX_S
    assert times.age(-1.0) == Duration()
