"""What watchers make of the bytes of their streams, and what is made of what they heard."""

from __future__ import annotations

import numpy as np
import pytest

from allocator.v1 import availability_pb2 as pb
from allocator.v1.common_pb2 import LocationVersion
from bench.errors import BenchError
from bench.http2.frames import message
from bench.http2.log import Times
from bench.measured import Measured, Report
from bench.scenarios.watch import KEY_UNITS, Told
from bench.watching import Heard, Incoming, Log, Watch, Watcher

CELLS = {("tea", "locations/a"): 0, ("tea", "locations/b"): 1}
S = 1_000_000_000


def update(*units: int, snapshot: bool) -> bytes:
    """A message with the units of the cells, in order."""
    changes = [
        pb.AvailabilityChange(sku=sku, location=location, available=available)
        for (sku, location), available in zip(CELLS, units, strict=False)
    ]
    versions = [LocationVersion(location="locations/a", version=1)]
    return pb.WatchAvailabilityResponse(changes=changes, versions=versions, snapshot=snapshot).SerializeToString()


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_messages_are_cut_wherever_the_pieces_end(size: int) -> None:
    """Also within the length of a message, and several in one piece; an empty one is one."""
    sent = [b"first", b"", b"x" * 300]
    data = b"".join(map(message, sent))
    heard: list[bytes] = []
    incoming = Incoming(heard.append)
    for start in range(0, len(data), size):
        incoming.append(data[start : start + size])
    assert heard == sent


def test_a_picture_is_no_event_and_a_change_is_one() -> None:
    """The log has what changed after the picture; what is missed is what differs in the end."""
    log = Log()
    watcher = Watcher(Watch(["tea"], None), CELLS, log)
    watcher.take(update(5, 6, snapshot=True))
    assert watcher.complete
    watcher.take(update(7, snapshot=False))
    heard = log.heard(0, 0.0)
    assert (heard.cells.tolist(), heard.values.tolist()) == ([0], [7])
    assert watcher.missed([7, 6]) == 0
    assert watcher.missed([8, 9]) == 2


def test_who_hears_of_a_threshold_need_not_know_more() -> None:
    """Which side of it the units are on is all."""
    watcher = Watcher(Watch(["tea"], 10), CELLS, Log())
    watcher.take(update(11, 3, snapshot=True))
    assert watcher.missed([99, 9]) == 0
    assert watcher.missed([9, 10]) == 2


def written(*answers: tuple[int, int, int]) -> Measured:
    """A load of writes: cell, value and time of each answer."""
    times = Times(np.empty(0, np.int64), np.empty(0, np.int64))
    return Measured([Report({}, times, 0.0, [np.array(column) for column in zip(*answers, strict=True)])], 10 * S, 5.0)


def heard(*events: tuple[int, int, int]) -> Heard:
    """What a process heard: cell, value and time."""
    cells, values, times_ns = (np.array(column) for column in zip(*events, strict=True))
    return Heard(cells, values, times_ns, 0, 0.0)


def test_an_event_belongs_to_the_write_of_its_value() -> None:
    """Of the same cell; those of writes before the time measured, and of nobody's, do not count."""
    writes = written((0, 100, 9 * S), (0, 101, 10 * S), (1, 101, 12 * S))
    told = Told([heard((0, 100, 11 * S), (0, 101, 11 * S)), heard((1, 101, 15 * S), (1, 7, 15 * S))])
    assert told.matched(writes) == 2
    assert told.percentile_ms(writes, 0) == 1_000
    assert told.percentile_ms(writes, 100) == 3_000
    assert told.count(10 * S, 5.0) == 2


def test_silence_has_no_latency() -> None:
    """It is an error, not a zero."""
    with pytest.raises(BenchError, match="no watcher was told"):
        Told([heard((0, KEY_UNITS - 1, 11 * S))]).percentile_ms(written((0, 1, 10 * S)), 50)
